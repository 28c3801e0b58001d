"""How many calls there were, by the hour: counted over an index of time, never told one by one."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from cloud.access.decision import Verdict
from cloud.store.call_search import CallFilter, bounded
from cloud.store.schema import calls
from sync.moment import from_text, to_text

TEN_MINUTES = 15  # characters of a moment: 2026-11-22T04:1


def by_hour(db: Connection, verdict: Verdict, first: datetime, hours: int) -> list[Counter[str]]:
    """Calls by outcome in each of so many hours from `first` on, within what the verdict bounds.

    Counted in ten minutes each, so that hours are right in zones that are half an hour off.
    """
    end = first + timedelta(hours=hours)
    span = bounded(CallFilter(from_utc=to_text(first), until_utc=to_text(end)), verdict)
    found = [Counter[str]() for _ in range(hours)]
    if verdict.subjects is not None:  # only of some numbers: nothing to be counted for a crowd
        return found
    begun = func.substr(calls.c.started_utc, 1, TEN_MINUTES)
    inside = [calls.c.started_utc >= span.from_utc, calls.c.started_utc < span.until_utc]
    if span.box_ids is not None:
        inside.append(calls.c.box_id.in_(sorted(span.box_ids)))
    query = select(begun, calls.c.outcome, func.count()).where(*inside).group_by(begun, calls.c.outcome)
    for at, outcome, count in db.execute(query):
        hour = int((from_text(f"{at}0:00.000Z") - first) / timedelta(hours=1))
        found[hour][outcome] += count
    return found
