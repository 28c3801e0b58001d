"""Abnormal use, read off the audit trail: rules over the rows of a day, their numbers as data (SEC-34).

A finding accuses nobody: it asks a person to look whether there was a reason (SEC-27).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo
from itertools import groupby

from cloud.access.log import Action
from sync.locale import marked

PRIVATE = ("calls", "recordings", "customers")
LOOKING = (Action.VIEW, Action.SEARCH, Action.SEARCH_NUMBER, Action.PLAY)
GIVING_OUT = (Action.EXPORT, Action.DOWNLOAD)
NOT_THEIRS = ("served", "own", "branch")  # refusals: of somebody who is none of theirs
_NUMBER = re.compile(r"(?<![0-9A-Za-z-])[0-9]{4,18}(?![0-9A-Za-z-])")  # nothing within a UUID


@dataclass(frozen=True, slots=True)
class Used:
    """One audit row, as far as a rule looks at it."""

    id: str
    at: datetime
    actor: str
    action: Action
    kind: str
    question: str  # what was asked: the query, or the id of the row wanted
    row_count: int
    refusal: str  # "": it was done
    by_grant: bool

    @property
    def is_reading(self) -> bool:
        """Whether private records were looked at."""
        return self.kind in PRIVATE and self.action in LOOKING and not self.refusal


@dataclass(frozen=True, slots=True)
class Pattern:
    """A kind of abnormal use: so many of something by one person within that time."""

    name: str  # marked
    most: int
    within: timedelta


PATTERNS: Mapping[str, Pattern] = {
    "rate": Pattern(marked("Many records in a short time"), 200, timedelta(minutes=10)),
    "off_hours": Pattern(marked("Private records at night"), 5, timedelta(hours=8)),
    "not_served": Pattern(marked("Asked for people who are none of theirs"), 10, timedelta(hours=24)),
    "sequential": Pattern(marked("Numbers tried one after the other"), 5, timedelta(hours=24)),
    "reveals": Pattern(marked("Many values made clear"), 15, timedelta(hours=1)),
    "export": Pattern(marked("Much taken out"), 5000, timedelta(hours=24)),
}
NIGHT_BEGINS, NIGHT_ENDS = time(22), time(6)


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A person's use that fits a pattern, and the rows it is seen in."""

    pattern: str  # a key of PATTERNS
    actor: str
    count: int
    row_ids: tuple[str, ...]
    first: datetime
    last: datetime


def suspicions(rows: Iterable[Used], zone: tzinfo) -> Iterator[Suspicion]:
    """Every pattern each person's rows fit; nights are nights in `zone`."""
    ordered = sorted(rows, key=lambda row: (row.actor, row.at, row.id))
    for actor, group in groupby(ordered, key=lambda row: row.actor):
        own = list(group)
        for pattern, rule in _RULES.items():
            count, found = rule(own, PATTERNS[pattern], zone)
            if found:
                yield Suspicion(
                    pattern, actor, count, tuple(row.id for row in found), found[0].at, found[-1].at
                )


Rule = Callable[[Sequence[Used], Pattern, tzinfo], tuple[int, Sequence[Used]]]  # (how many, in which rows)


def _rate(rows: Sequence[Used], pattern: Pattern, _zone: tzinfo) -> tuple[int, Sequence[Used]]:
    """A page of a list weighs a tenth of its rows: one sees it at a glance."""
    return _burst([row for row in rows if row.is_reading], pattern, lambda row: max(1, row.row_count // 10))


def _off_hours(rows: Sequence[Used], pattern: Pattern, zone: tzinfo) -> tuple[int, Sequence[Used]]:
    def is_night(row: Used) -> bool:
        clock = row.at.astimezone(zone).time()
        return clock >= NIGHT_BEGINS or clock < NIGHT_ENDS

    return _burst([row for row in rows if row.is_reading and is_night(row)], pattern, lambda _: 1)


def _not_served(rows: Sequence[Used], pattern: Pattern, _zone: tzinfo) -> tuple[int, Sequence[Used]]:
    refused = [row for row in rows if row.refusal in NOT_THEIRS]
    return _burst(refused, pattern, lambda _: 1)


def _sequential(rows: Sequence[Used], pattern: Pattern, _zone: tzinfo) -> tuple[int, Sequence[Used]]:
    """The longest run of numbers that follow each other, in whatever order they were asked for."""
    asked: dict[int, Used] = {}
    for row in rows:
        if row.action in LOOKING:
            for number in _NUMBER.findall(row.question):
                asked.setdefault(int(number), row)
    best: list[int] = []
    run: list[int] = []
    for number in sorted(asked):
        run = [*run, number] if run and number == run[-1] + 1 else [number]
        best = max(best, run, key=len)
    if len(best) < pattern.most:
        return 0, ()
    return len(best), sorted({asked[number] for number in best}, key=lambda row: (row.at, row.id))


def _reveals(rows: Sequence[Used], pattern: Pattern, _zone: tzinfo) -> tuple[int, Sequence[Used]]:
    clear = [row for row in rows if not row.refusal and (row.action is Action.REVEAL or row.by_grant)]
    return _burst(clear, pattern, lambda _: 1)


def _export(rows: Sequence[Used], pattern: Pattern, _zone: tzinfo) -> tuple[int, Sequence[Used]]:
    given = [row for row in rows if row.action in GIVING_OUT and not row.refusal]
    return _burst(given, pattern, lambda row: row.row_count)


def _burst(
    rows: Sequence[Used], pattern: Pattern, weight: Callable[[Used], int]
) -> tuple[int, Sequence[Used]]:
    """The heaviest stretch of rows within the pattern's time, if it weighs as much as the pattern says."""
    heaviest, best = 0, (0, 0)
    first, total = 0, 0
    for last, row in enumerate(rows):
        total += weight(row)
        while rows[first].at <= row.at - pattern.within:
            total -= weight(rows[first])
            first += 1
        if total > heaviest:
            heaviest, best = total, (first, last + 1)
    return (heaviest, rows[slice(*best)]) if heaviest >= pattern.most else (0, ())


_RULES: Mapping[str, Rule] = {
    "rate": _rate,
    "off_hours": _off_hours,
    "not_served": _not_served,
    "sequential": _sequential,
    "reveals": _reveals,
    "export": _export,
}
