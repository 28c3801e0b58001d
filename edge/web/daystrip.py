"""The day strip of the Calls page: one row per line, one mark per call, from midnight to midnight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from urllib.parse import urlencode

from edge.store.call_list import CallFilter
from edge.store.day import Mark, day_marks
from edge.store.listing import line_names
from edge.web import shown
from edge.web.site import Visit
from sync.moment import from_text, to_text

WIDTH = 1440  # a minute is one unit
ROW_HEIGHT = 18
LEAST_WIDTH = 4.0


@dataclass(frozen=True, slots=True)
class DrawnCall:
    """A call as a box on the strip."""

    id: str
    x: float
    width: float
    y: int
    started_utc: str
    outcome: str


@dataclass(frozen=True, slots=True)
class DayStrip:
    """A day, drawn."""

    day: str
    height: int
    rows: tuple[tuple[int, str, int], ...]  # line, its name, top of its row
    hours: tuple[tuple[int, float], ...]  # hour by the clock, where it begins
    calls: tuple[DrawnCall, ...]
    before: str  # addresses of the days beside this one
    after: str


def day_strip(visit: Visit, asked: Mapping[str, str], wanted: CallFilter, day: date) -> DayStrip:
    """The calls of `day` that pass the filter, whatever page of the list is shown."""
    zone = visit.site.settings.zone
    start_utc, end_utc = shown.midnight_utc(day, zone), shown.midnight_utc(day + timedelta(days=1), zone)
    marks = day_marks(visit.db, replace(wanted, from_utc=start_utc, until_utc=end_utc, lines=visit.lines))
    names = line_names(visit.db)
    lines = sorted({line for line in names if visit.sees(line)} | {mark.line for mark in marks})
    lines = [line for line in lines if wanted.line in (None, line)]
    tops = {line: at * ROW_HEIGHT for at, line in enumerate(lines)}
    scale = WIDTH / shown.between_ms(start_utc, end_utc)
    return DayStrip(
        day.isoformat(),
        max(1, len(lines)) * ROW_HEIGHT,
        tuple((line, names.get(line, ""), top) for line, top in tops.items()),
        _hours(start_utc, end_utc, visit),
        tuple(_drawn(mark, start_utc, scale, tops[mark.line]) for mark in marks),
        _link(asked, day - timedelta(days=1)),
        _link(asked, day + timedelta(days=1)),
    )


def _drawn(mark: Mark, start_utc: str, scale: float, top: int) -> DrawnCall:
    x = shown.between_ms(start_utc, mark.started_utc) * scale
    length_ms = shown.between_ms(mark.started_utc, mark.ended_utc) if mark.ended_utc else 0
    width = max(LEAST_WIDTH, length_ms * scale)
    return DrawnCall(
        mark.id, round(min(x, WIDTH - LEAST_WIDTH), 1), round(width, 1), top, mark.started_utc, mark.outcome
    )


def _hours(start_utc: str, end_utc: str, visit: Visit) -> tuple[tuple[int, float], ...]:
    """Every third hour by the clock on the wall; a day with a change of clocks has its own scale."""
    start, end = from_text(start_utc), from_text(end_utc)
    found = []
    for step in range(int((end - start) / timedelta(hours=1))):
        at = start + timedelta(hours=step)
        hour = shown.local(to_text(at), visit.site.settings.zone).hour
        if hour % 3 == 0 and step:
            found.append((hour, round(WIDTH * ((at - start) / (end - start)), 1)))
    return tuple(found)


def _link(asked: Mapping[str, str], day: date) -> str:
    kept = {name: value for name, value in asked.items() if value and name not in ("from", "to")}
    return "/calls?" + urlencode({**kept, "from": day.isoformat(), "to": day.isoformat()})
