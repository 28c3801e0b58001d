"""How long head office keeps audio, per class of calls: the rules, what they would delete, deleting it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, and_, case, false, func, or_, select

from cloud.store import deletions
from cloud.store.order_tables import call_holds, kept_days
from cloud.store.schema import calls, recordings
from sync.moment import to_text

# As the branches know them: missed calls and voicemail by their outcome, others by their direction.
CLASS = case((calls.c.outcome.in_(("missed", "voicemail")), calls.c.outcome), else_=calls.c.direction)


@dataclass(frozen=True, slots=True)
class Preview:
    """What rules would delete here."""

    recordings: int
    calls: int
    size_bytes: int
    oldest_utc: str | None
    newest_utc: str | None


def rules(db: Connection) -> dict[str, int]:
    """Class of calls -> days; 0: for ever, as is a class that is not there."""
    return {row.calls: row.days for row in db.execute(select(kept_days))}


def set_rules(db: Connection, days: Mapping[str, int], by: str, now_utc: str) -> None:
    """From now on these are the rules, and no others."""
    db.execute(kept_days.delete())
    rows = [{"calls": name, "days": n, "set_by": by, "set_utc": now_utc} for name, n in sorted(days.items())]
    if rows:
        db.execute(kept_days.insert(), rows)


def preview(db: Connection, days: Mapping[str, int], now: datetime) -> Preview:
    """What these rules would delete now."""
    due = _due(days, now).subquery()
    row = db.execute(
        select(
            func.count(),
            func.count(func.distinct(due.c.call_id)),
            func.coalesce(func.sum(due.c.size_bytes), 0),
            func.min(due.c.started_utc),
            func.max(due.c.started_utc),
        ).select_from(due)
    ).one()
    return Preview(int(row[0]), int(row[1]), int(row[2]), row[3], row[4])


def let_go(db: Connection, now: datetime, at_most: int) -> int:
    """Bury the oldest audio that the rules have due; how many recordings."""
    days = rules(db)
    if not any(days.values()):
        return 0
    ids = [row.id for row in db.execute(_due(days, now).order_by(recordings.c.started_utc).limit(at_most))]
    rows = db.execute(select(recordings).where(recordings.c.id.in_(ids))).mappings().all() if ids else []
    return deletions.bury(db, rows, deletions.BY_AGE, None, to_text(now))


def _due(days: Mapping[str, int], now: datetime) -> Select[Any]:
    """Stored audio older than its class is kept, whose call is not on hold."""
    old = [
        and_(CLASS.in_((name,)), recordings.c.started_utc < to_text(now - timedelta(days=count)))
        for name, count in sorted(days.items())
        if count
    ]
    held = select(call_holds.c.call_id).where(call_holds.c.until_utc.is_(None))
    columns = (recordings.c.id, recordings.c.call_id, recordings.c.size_bytes, recordings.c.started_utc)
    query = select(*columns).join(calls, calls.c.id == recordings.c.call_id)
    which = (recordings.c.state == "stored", or_(false(), *old), recordings.c.call_id.not_in(held))
    return query.where(*which)
