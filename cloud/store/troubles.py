"""What is wrong with a box as head office sees it: states with a start and an end, one row while it lasts."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, select

from cloud.store.schema import box_troubles
from sync.ids import new_id

KINDS = (
    "two_boxes",
    "other_history",
    "key_changed",
    "differs",
    "altered_here",
    "over_quota",
    "clock",
    "late_hour",
    "order_refused",
    "wal",  # of head office itself
)


def begin(db: Connection, box_id: str, kind: str, detail: str, now_utc: str) -> None:
    """It is so since now; while it lasts only the detail changes."""
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is none of {', '.join(KINDS)}")
    table = box_troubles
    open_now = (table.c.box_id == box_id, table.c.kind == kind, table.c.until_utc.is_(None))
    if db.execute(table.update().where(*open_now).values(detail=detail)).rowcount == 0:
        row = {"id": new_id(), "box_id": box_id, "kind": kind, "detail": detail, "since_utc": now_utc}
        db.execute(table.insert().values(row))


def end(db: Connection, box_id: str, kind: str, now_utc: str) -> bool:
    """It is no longer so; False if it was not."""
    table = box_troubles
    ended = db.execute(
        table.update()
        .where(table.c.box_id == box_id, table.c.kind == kind, table.c.until_utc.is_(None))
        .values(until_utc=now_utc)
    )
    return ended.rowcount > 0


def open_troubles(db: Connection, box_id: str | None = None) -> Sequence[RowMapping]:
    """What lasts, newest first: of one box, or of all."""
    table = box_troubles
    query = select(table).where(table.c.until_utc.is_(None)).order_by(table.c.since_utc.desc(), table.c.id)
    if box_id is not None:
        query = query.where(table.c.box_id == box_id)
    return db.execute(query).mappings().all()
