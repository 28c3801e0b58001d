"""When a line is recorded: time windows of the day per weekday, written as people say them.

    mon-fri 08:30-12:00 13:00-18:00; sat 09:00-12:00; holiday none

Entries are separated by `;`. An entry names days (one, a range, a list with commas, `daily`, `holiday`) and
then windows, or `none`. A holiday follows its own entry if there is one, else its weekday. A window may not
pass midnight (write two) and windows of a day may not overlap. An empty text is 24 hours a day.

    ScheduleError (ValueError)      what was wanted, what came
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise

from sync.marked import SaidError, marked

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HOLIDAY = "holiday"
_WINDOW = re.compile(r"(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})")
MINUTES_A_DAY = 24 * 60


class ScheduleError(SaidError):
    """A schedule that cannot be meant."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Windows of minutes since midnight, [from, to), by day; without any day it is always on."""

    windows: tuple[tuple[str, tuple[tuple[int, int], ...]], ...] = ()
    holidays: frozenset[date] = frozenset()

    def is_on(self, local: datetime) -> bool:
        """Whether the line is recorded at this local time."""
        if not self.windows:
            return True
        by_day = dict(self.windows)
        day = DAYS[local.weekday()]
        if local.date() in self.holidays and HOLIDAY in by_day:
            day = HOLIDAY
        minute = local.hour * 60 + local.minute
        return any(first <= minute < last for first, last in by_day.get(day, ()))


def read_schedule(text: str, holidays: Collection[date] = ()) -> Schedule:
    """Parse `text`; ScheduleError names the entry and what is wrong with it."""
    by_day: dict[str, list[tuple[int, int]]] = {}
    for entry in filter(None, (part.strip() for part in text.lower().split(";"))):
        days, _, rest = entry.partition(" ")
        windows = [] if rest.strip() == "none" else [_window(word, entry) for word in rest.split()]
        if not windows and rest.strip() != "none":
            raise ScheduleError(
                marked("“%(entry)s” has no window such as 08:30-12:00, and is not “none”"), entry=entry
            )
        for day in _days(days, entry):
            by_day[day] = _joined(by_day.get(day, []), windows, day)
    return Schedule(tuple((day, tuple(windows)) for day, windows in by_day.items()), frozenset(holidays))


def read_holidays(text: str) -> frozenset[date]:
    """Dates such as `2026-10-01 2026-10-02`, separated by blanks or commas."""
    try:
        return frozenset(date.fromisoformat(word) for word in text.replace(",", " ").split())
    except ValueError as error:
        raise ScheduleError(
            marked("holidays are dates such as 2026-10-01, got “%(came)s”"), came=text
        ) from error


def _days(text: str, entry: str) -> tuple[str, ...]:
    if text == "daily":
        return DAYS
    found: list[str] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        wanted = (first, last) if dash else (first,)
        if (dash and HOLIDAY in wanted) or any(day not in (*DAYS, HOLIDAY) for day in wanted):
            raise ScheduleError(
                marked("“%(entry)s” begins with “%(came)s”; days are %(days)s"),
                entry=entry,
                came=text,
                days=", ".join((*DAYS, "daily", HOLIDAY)),
            )
        if not dash:
            found.append(first)
            continue
        start, length = DAYS.index(first), (DAYS.index(last) - DAYS.index(first)) % 7 + 1
        found += [DAYS[(start + step) % 7] for step in range(length)]
    return tuple(found)


def _window(word: str, entry: str) -> tuple[int, int]:
    match = _WINDOW.fullmatch(word)
    if match is None:
        raise ScheduleError(
            marked("“%(entry)s” has “%(came)s”; a window is written 08:30-12:00"), entry=entry, came=word
        )
    from_hour, from_minute, to_hour, to_minute = map(int, match.groups())
    first, last = from_hour * 60 + from_minute, to_hour * 60 + to_minute
    if from_minute > 59 or to_minute > 59 or last > MINUTES_A_DAY:
        raise ScheduleError(
            marked("“%(entry)s” has “%(came)s”; the last minute of a day is 24:00"), entry=entry, came=word
        )
    if first >= last:
        raise ScheduleError(
            marked("“%(entry)s”: “%(came)s” ends before it begins; write two windows over midnight"),
            entry=entry,
            came=word,
        )
    return first, last


def _joined(old: list[tuple[int, int]], new: list[tuple[int, int]], day: str) -> list[tuple[int, int]]:
    windows = sorted(old + new)
    for (_, end), (start, _) in pairwise(windows):
        if start < end:
            raise ScheduleError(
                marked("windows of %(day)s overlap at %(at)s"),
                day=day,
                at=f"{start // 60:02}:{start % 60:02}",
            )
    return windows
