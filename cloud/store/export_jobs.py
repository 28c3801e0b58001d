"""Exports that take long, as rows: how far each is; the file is one of `cloud.store.releases`.

making --> ready (its release)
   +-----> failed | cancelled       nothing is left of the file
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, RowMapping, or_, select

from cloud.store.release_tables import export_jobs as table
from sync.moment import to_text

MAKING, READY, FAILED, CANCELLED = "making", "ready", "failed", "cancelled"
SILENT_FOR = timedelta(minutes=5)  # then whoever made it is gone
KEPT_FOR = timedelta(days=7)
MOST_SHOWN = 20


def begin(db: Connection, job: dict[str, str], now_utc: str) -> None:
    """An export that is being made; `job`: id, by_id, kind, form."""
    row = {"state": MAKING, "done": 0, "total": 0, "begun_utc": now_utc, "beat_utc": now_utc}
    db.execute(table.insert().values(job | row))


def tell(db: Connection, job_id: str, done: int, total: int, now_utc: str) -> bool:
    """How far it is; False when it is to be made no more."""
    return _change(db, job_id, done=done, total=total, beat_utc=now_utc)


def end(db: Connection, job_id: str, state: str, now_utc: str, **more: str) -> bool:
    """It is ready (`release_id`), failed (`code`, a marked sentence) or cancelled; False if it had ended."""
    return _change(db, job_id, state=state, beat_utc=now_utc, **more)


def _change(db: Connection, job_id: str, **values: object) -> bool:
    going = (table.c.id == job_id, table.c.state == MAKING)
    return db.execute(table.update().where(*going).values(values)).rowcount == 1


def find(db: Connection, job_id: str, user_id: str) -> RowMapping | None:
    """Somebody's own export."""
    query = select(table).where(table.c.id == job_id, table.c.by_id == user_id)
    return db.execute(query).mappings().one_or_none()


def of_person(db: Connection, user_id: str) -> Sequence[RowMapping]:
    """Somebody's exports that are not ready, the newest first; those that are stand among the files."""
    query = select(table).where(table.c.by_id == user_id, table.c.state.in_((MAKING, FAILED)))
    return db.execute(query.order_by(table.c.id.desc()).limit(MOST_SHOWN)).mappings().all()


def forget_old(db: Connection, now: datetime, broke_off: str) -> None:
    """Those whose maker is gone have failed (`broke_off` says so); rows that are old go."""
    silent = (table.c.state == MAKING, table.c.beat_utc < to_text(now - SILENT_FOR))
    db.execute(table.update().where(*silent).values(state=FAILED, code=broke_off))
    over = or_(table.c.state != MAKING, table.c.begun_utc < to_text(now - KEPT_FOR))
    db.execute(table.delete().where(over, table.c.beat_utc < to_text(now - KEPT_FOR)))
