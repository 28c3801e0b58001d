"""How often somebody may do what lends itself to trying numbers out: data, and the rule (crm.md 9.3).

What was done lately is read off the audit trail, so the limit holds across all web processes. The same
question asked again counts once: a page that refreshes itself tries out nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cloud.access.log import Action


@dataclass(frozen=True, slots=True)
class Limit:
    """So many different questions in that time."""

    most: int
    within: timedelta


LIMITS: Mapping[Action, Limit] = {
    Action.SEARCH_NUMBER: Limit(30, timedelta(minutes=1)),
    Action.REVEAL: Limit(20, timedelta(hours=1)),
}


@dataclass(frozen=True, slots=True)
class Before:
    """Something done lately: when, and what was asked."""

    at: datetime
    question: str


def pause_s(limit: Limit, before: Iterable[Before], question: str, now: datetime) -> int:
    """Seconds to wait before `question` may be asked; 0: now."""
    first: dict[str, datetime] = {}
    for one in before:
        if now - limit.within < one.at <= now:
            first[one.question] = min(one.at, first.get(one.question, one.at))
    if question in first or len(first) < limit.most:
        return 0
    free_at = sorted(first.values())[len(first) - limit.most] + limit.within
    return max(1, round((free_at - now).total_seconds()))
