"""Whether anything is taken from a box now: registered, not held back, within its quota of the day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, func, select

from cloud.store import schema, troubles
from sync.session import HELD_BACK, OVER_QUOTA

EVERY_BOX = "*"
DAY = len("2026-11-22")


@dataclass(frozen=True, slots=True)
class Quota:
    """What a box may send in a day (UTC), and how much of it may lie in quarantine."""

    bytes_a_day: int = 2_000_000_000
    entries_a_day: int = 1_000_000
    quarantine_rows: int = 10_000


def held_back(db: Connection, box_id: str) -> bool:
    """Whether two boxes use this identity, so that nothing is taken from either."""
    table = schema.presence
    return db.execute(select(table.c.held).where(table.c.box_id == box_id)).scalar() is not None


def refusal(db: Connection, box_id: str, now_utc: str) -> str | None:
    """Why nothing is taken from a registered box now; None: it is."""
    if held_back(db, box_id):
        return HELD_BACK
    used, quota = usage_of(db, box_id, now_utc), quota_of(db, box_id)
    over = used.bytes_a_day >= quota.bytes_a_day or used.entries_a_day >= quota.entries_a_day
    if not over and used.quarantine_rows < quota.quarantine_rows:
        return None
    detail = (
        f"{used.bytes_a_day} bytes and {used.entries_a_day} entries today, {used.quarantine_rows} set aside;"
        f" allowed are {quota.bytes_a_day}, {quota.entries_a_day} and {quota.quarantine_rows}"
    )
    troubles.begin(db, box_id, "over_quota", detail, now_utc)
    return OVER_QUOTA


def count(db: Connection, box_id: str, now_utc: str, size_bytes: int, entries: int) -> None:
    """Note what a box has sent."""
    table, day = schema.usage, now_utc[:DAY]
    mine = (table.c.box_id == box_id, table.c.day == day)
    added = {"bytes": table.c.bytes + size_bytes, "entries": table.c.entries + entries}
    if db.execute(table.update().where(*mine).values(added)).rowcount == 0:
        row = {"box_id": box_id, "day": day, "bytes": size_bytes, "entries": entries}
        db.execute(table.insert().values(row))


def usage_of(db: Connection, box_id: str, now_utc: str) -> Quota:
    """What a box has used of its quota."""
    table, aside = schema.usage, schema.inbox_tables.quarantine
    today = select(table.c.bytes, table.c.entries).where(
        table.c.box_id == box_id, table.c.day == now_utc[:DAY]
    )
    row = db.execute(today).first()
    waiting = select(func.count()).where(aside.c.box_id == box_id, aside.c.state == "waiting")
    return Quota(row.bytes if row else 0, row.entries if row else 0, db.execute(waiting).scalar_one())


def quota_of(db: Connection, box_id: str) -> Quota:
    """The quota of a box: its own, else that of all, else the default."""
    table = schema.quotas
    rows = {
        row["box_id"]: row
        for row in db.execute(select(table).where(table.c.box_id.in_((box_id, EVERY_BOX)))).mappings()
    }
    row = rows.get(box_id) or rows.get(EVERY_BOX)
    return Quota(row["bytes_a_day"], row["entries_a_day"], row["quarantine_rows"]) if row else Quota()


def set_quota(db: Connection, box_id: str, quota: Quota) -> None:
    """From now on this holds for the box (or, for EVERY_BOX, for those without their own)."""
    table = schema.quotas
    db.execute(table.delete().where(table.c.box_id == box_id))
    row = {
        "box_id": box_id,
        "bytes_a_day": quota.bytes_a_day,
        "entries_a_day": quota.entries_a_day,
        "quarantine_rows": quota.quarantine_rows,
    }
    db.execute(table.insert().values(row))


def quotas(db: Connection) -> Sequence[RowMapping]:
    """Every quota that was set."""
    return db.execute(select(schema.quotas).order_by(schema.quotas.c.box_id)).mappings().all()
