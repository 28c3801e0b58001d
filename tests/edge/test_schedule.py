"""Schedules as people write them: what is on when, and what cannot be meant."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from edge.schedule import ScheduleError, read_holidays, read_schedule

ZONE = ZoneInfo("Asia/Shanghai")
OFFICE = "mon-fri 08:30-12:00 13:00-18:00; sat 09:00-12:00; holiday 10:00-11:00"
GOLDEN_WEEK = read_holidays("2026-10-01, 2026-10-02")


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


@pytest.mark.parametrize(
    ("schedule", "at", "on"),
    [
        ("", "2026-03-02T03:00", True),
        (OFFICE, "2026-03-02T08:29", False),  # a Monday
        (OFFICE, "2026-03-02T08:30", True),
        (OFFICE, "2026-03-02T11:59", True),
        (OFFICE, "2026-03-02T12:00", False),
        (OFFICE, "2026-03-02T13:00", True),
        (OFFICE, "2026-03-07T11:00", True),  # a Saturday
        (OFFICE, "2026-03-08T11:00", False),  # a Sunday
        (OFFICE, "2026-10-01T08:45", False),  # a Thursday, and a holiday
        (OFFICE, "2026-10-01T10:30", True),
        ("daily 00:00-24:00; holiday none", "2026-10-02T10:30", False),
        ("daily 00:00-24:00", "2026-10-02T23:59", True),
        ("sat-mon 10:00-11:00", "2026-03-01T10:00", True),  # a range over the week's end
        ("sat-mon 10:00-11:00", "2026-03-03T10:00", False),
        ("mon,wed 10:00-11:00", "2026-03-04T10:00", True),
        ("MON 10:00-11:00", "2026-03-02T10:00", True),
    ],
)
def test_on_or_off(schedule: str, at: str, on: bool) -> None:
    assert read_schedule(schedule, GOLDEN_WEEK).is_on(local(at)) is on


@pytest.mark.parametrize(
    ("schedule", "says"),
    [
        ("mon 08:00-12:00 11:00-13:00", "windows of mon overlap at 11:00"),
        ("mon-fri 08:00-12:00; wed 11:59-13:00", "windows of wed overlap at 11:59"),
        ("mon 12:00-08:00", "ends before it begins"),
        ("mon 12:00-12:00", "ends before it begins"),
        ("mon 22:00-25:00", "the last minute of a day is 24:00"),
        ("mon 08:60-09:00", "the last minute of a day"),
        ("mon", "has no window"),
        ("mon 8-12", "a window is written 08:30-12:00"),
        ("funday 08:00-09:00", "days are mon, tue"),
        ("mon-holiday 08:00-09:00", "days are mon, tue"),
        ("08:00-09:00", "has no window"),
    ],
)
def test_refused(schedule: str, says: str) -> None:
    with pytest.raises(ScheduleError, match=says):
        read_schedule(schedule)


def test_holidays_are_dates() -> None:
    assert frozenset({date(2026, 10, 1), date(2026, 10, 2)}) == GOLDEN_WEEK
    with pytest.raises(ScheduleError, match="2026-10-01"):
        read_holidays("1 October")
