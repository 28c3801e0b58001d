"""Whether anything is taken from a box now: registered, not held back, within its quota of the day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, func, select, text

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


def refusal(db: Connection, box_id: str, now_utc: str) -> str | None:
    """Why nothing is taken from a registered box now; None: it is."""
    return refusals(db, [box_id], now_utc)[box_id]


def refusals(db: Connection, box_ids: Sequence[str], now_utc: str) -> dict[str, str | None]:
    """The same for many boxes, with as many statements as for one."""
    table = schema.presence
    found = bulk.select_in(db, table, ("box_id", "held"), "box_id", box_ids)
    held = {box_id for box_id, since in found if since is not None}
    used, allowed = usages(db, box_ids, now_utc), _quotas_of(db, box_ids)
    return {
        box_id: HELD_BACK if box_id in held else _over(db, box_id, used[box_id], allowed[box_id], now_utc)
        for box_id in box_ids
    }


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


def usage_of(db: Connection, box_id: str, now_utc: str) -> Quota:
    """What a box has used of its quota."""
    return usages(db, [box_id], now_utc)[box_id]


def usages(db: Connection, box_ids: Sequence[str], now_utc: str) -> dict[str, Quota]:
    """What boxes have used of their quotas."""
    table, aside = schema.usage, schema.inbox_tables.quarantine
    today = select(table).where(table.c.box_id.in_(box_ids), table.c.day == now_utc[:DAY])
    sent = {row["box_id"]: row for row in db.execute(today).mappings()}
    waiting = (
        select(aside.c.box_id, func.count())
        .where(aside.c.box_id.in_(box_ids), aside.c.state == "waiting")
        .group_by(aside.c.box_id)
    )
    waits = {box_id: int(count) for box_id, count in db.execute(waiting)}
    return {
        box_id: Quota(
            sent[box_id]["bytes"] if box_id in sent else 0,
            sent[box_id]["entries"] if box_id in sent else 0,
            waits.get(box_id, 0),
        )
        for box_id in box_ids
    }


def quota_of(db: Connection, box_id: str) -> Quota:
    """The quota of a box: its own, else that of all, else the default."""
    return _quotas_of(db, [box_id])[box_id]


def _quotas_of(db: Connection, box_ids: Sequence[str]) -> dict[str, Quota]:
    table = schema.quotas
    columns = ("box_id", "bytes_a_day", "entries_a_day", "quarantine_rows")
    found = bulk.select_in(db, table, columns, "box_id", [*box_ids, EVERY_BOX])
    rows = {box_id: Quota(*numbers) for box_id, *numbers in found}
    return {box_id: rows.get(box_id) or rows.get(EVERY_BOX) or Quota() for box_id in box_ids}


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
