"""The spans of days that are asked for most, as the first and last day each stands for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

from sync.locale import marked

_DAY = timedelta(days=1)


def _this_month(today: date) -> tuple[date, date]:
    return today.replace(day=1), today


def _last_month(today: date) -> tuple[date, date]:
    last = today.replace(day=1) - _DAY
    return last.replace(day=1), last


# key -> (its name, the days it stands for on a given day)
PRESETS: dict[str, tuple[str, Callable[[date], tuple[date, date]]]] = {
    "today": (marked("Today"), lambda today: (today, today)),
    "yesterday": (marked("Yesterday"), lambda today: (today - _DAY, today - _DAY)),
    "week": (marked("Last 7 days"), lambda today: (today - 6 * _DAY, today)),
    "days30": (marked("Last 30 days"), lambda today: (today - 29 * _DAY, today)),
    "month": (marked("This month"), _this_month),
    "last_month": (marked("Last month"), _last_month),
}
