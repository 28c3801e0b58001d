"""Calls that were deleted by order: their rows keep what is counted, and nothing that says who spoke."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, or_, select

from cloud.calls.flags import NOTE, tag_flag
from cloud.store.call_tables import call_flags, call_notes, call_report_steps, call_reports
from cloud.store.order_tables import call_deletions
from cloud.store.schema import calls

PERSONAL = (
    "caller_number",
    "caller_name",
    "caller_presentation",
    "dialled",
    "keys",
    "party",
    "last4",
    "last8",
)


def bury_call(db: Connection, box_id: str, call_id: str, order_id: str, now_utc: str) -> bool:
    """Strip the row of a call and what people wrote on it; False if that was done before."""
    if deletion_of(db, call_id) is not None:
        return False
    row = {"call_id": call_id, "box_id": box_id, "order_id": order_id, "at_utc": now_utc}
    db.execute(call_deletions.insert().values(row))
    mine = (calls.c.id == call_id, calls.c.box_id == box_id)
    db.execute(calls.update().where(*mine).values(dict.fromkeys(PERSONAL)))
    db.execute(call_notes.delete().where(call_notes.c.call_id == call_id))
    worded = or_(call_flags.c.flag == NOTE, call_flags.c.flag.startswith(tag_flag(""), autoescape=True))
    db.execute(call_flags.delete().where(call_flags.c.call_id == call_id, worded))
    reports = select(call_reports.c.id).where(call_reports.c.call_id == call_id)
    db.execute(call_report_steps.update().where(call_report_steps.c.report_id.in_(reports)).values(text=""))
    db.execute(call_reports.update().where(call_reports.c.call_id == call_id).values(text=""))
    return True


def deletion_of(db: Connection, call_id: str) -> RowMapping | None:
    """The tombstone of a call; None if it was not deleted."""
    query = select(call_deletions).where(call_deletions.c.call_id == call_id)
    return db.execute(query).mappings().one_or_none()


def waiting(db: Connection, at_most: int) -> Sequence[RowMapping]:
    """Tombstones of calls whose entries are still to be erased."""
    query = select(call_deletions).where(call_deletions.c.swept_utc.is_(None))
    return db.execute(query.order_by(call_deletions.c.call_id).limit(at_most)).mappings().all()


def note_swept(db: Connection, call_id: str, now_utc: str) -> None:
    """What the branch had sent of this call is erased."""
    db.execute(call_deletions.update().where(call_deletions.c.call_id == call_id).values(swept_utc=now_utc))
