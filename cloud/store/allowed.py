"""Whether anything is taken from a box now: registered, not held back, within its quota of the day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, and_, bindparam, func, select, text

from cloud.store import schema, troubles
from sync import bulk
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


def refusals(db: Connection, box_ids: Sequence[str], now_utc: str) -> dict[str, str | None]:
    """Why nothing is taken from boxes now, None if it is; only registered ones are named."""
    told: dict[str, str | None] = {}
    for row in db.execute(_STANDING, {"box_ids": box_ids, "day": now_utc[:DAY]}).all():
        box_id, held, sent_bytes, sent_entries, waiting, *quota = row
        used = Quota(sent_bytes or 0, sent_entries or 0, waiting)
        allowed = Quota() if quota[0] is None else Quota(*quota)
        told[box_id] = HELD_BACK if held is not None else _over(db, box_id, used, allowed, now_utc)
    return told


def _standing() -> Select[Any]:
    """All of it in one statement: every batch and every recording asks."""
    boxes, presence, usage, aside = (
        schema.boxes,
        schema.presence,
        schema.usage,
        schema.inbox_tables.quarantine,
    )
    own, every = schema.quotas, schema.quotas.alias()
    waiting = select(func.count()).where(aside.c.state == "waiting", aside.c.box_id == boxes.c.id)
    numbers = ("bytes_a_day", "entries_a_day", "quarantine_rows")
    quota = [func.coalesce(own.c[number], every.c[number]) for number in numbers]
    today = and_(usage.c.box_id == boxes.c.id, usage.c.day == bindparam("day"))
    return (
        select(boxes.c.id, presence.c.held, usage.c.bytes, usage.c.entries, waiting.scalar_subquery(), *quota)
        .select_from(
            boxes.outerjoin(presence, presence.c.box_id == boxes.c.id)
            .outerjoin(usage, today)
            .outerjoin(own, own.c.box_id == boxes.c.id)
            .outerjoin(every, every.c.box_id == EVERY_BOX)
        )
        .where(boxes.c.id.in_(bindparam("box_ids", expanding=True)))
    )


_STANDING = _standing()


def _over(db: Connection, box_id: str, used: Quota, quota: Quota, now_utc: str) -> str | None:
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
    count_all(db, now_utc, {box_id: (size_bytes, entries)})


def count_all(db: Connection, now_utc: str, sent: Mapping[str, tuple[int, int]]) -> None:
    """Note what boxes have sent: bytes and entries."""
    rows = [
        {"box_id": box_id, "day": now_utc[:DAY], "bytes": size, "entries": entries}
        for box_id, (size, entries) in sent.items()
    ]
    if rows:
        db.execute(_COUNT, rows)


_COUNT = text(
    "INSERT INTO usage (box_id, day, bytes, entries) VALUES (:box_id, :day, :bytes, :entries)"
    " ON CONFLICT (box_id, day)"
    " DO UPDATE SET bytes = usage.bytes + excluded.bytes, entries = usage.entries + excluded.entries"
)


def quota_of(db: Connection, box_id: str) -> Quota:
    """The quota of a box: its own, else that of all, else the default."""
    columns = ("box_id", "bytes_a_day", "entries_a_day", "quarantine_rows")
    found = bulk.select_in(db, schema.quotas, columns, "box_id", [box_id, EVERY_BOX])
    rows = {of: Quota(*numbers) for of, *numbers in found}
    return rows.get(box_id) or rows.get(EVERY_BOX) or Quota()


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
