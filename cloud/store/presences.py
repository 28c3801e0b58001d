"""Presence as rows: births and deaths of boxes' connections, and boxes held back because there are two."""

from __future__ import annotations

import json

from sqlalchemy import Connection, select

from cloud.store import schema, troubles
from sync.arriving import Origin
from sync.presence import TWO_BOXES, Birth, Death, Seen, born, died, pack, released, unpack


def note(db: Connection, origin: Origin, payload: bytes) -> None:
    """Take a birth or a death in; an EnvelopeError if it is neither."""
    said, was = unpack(payload), find(db, origin.box_id)
    if isinstance(said, Death):
        now = died(was, said, origin.received_utc)
        if now is not None and now is not was:
            _save(db, origin.box_id, now, None)
        return
    now = born(was, said, origin.received_utc)
    if now is not was:
        _save(db, origin.box_id, now, said)
    if now.held and not (was and was.held):
        detail = f"boot {now.mark[0]} and epoch {now.mark[1]} came back after others had followed them"
        troubles.begin(db, origin.box_id, TWO_BOXES, detail, origin.received_utc)


def find(db: Connection, box_id: str) -> Seen | None:
    """What is known of a box's presence."""
    row = db.execute(select(schema.presence).where(schema.presence.c.box_id == box_id)).mappings().first()
    if row is None:
        return None
    before = json.loads(row["boots_before"])
    mark = (row["boot"], before["epoch"])
    return Seen(row["online"], row["since_utc"], row["nonce"], mark, tuple(before["before"]), row["held"])


def release(db: Connection, box_id: str, now_utc: str) -> bool:
    """A person says that there is only one box left; False if it was not held back."""
    was = find(db, box_id)
    if was is None or was.held is None:
        return False
    _save(db, box_id, released(was), None)
    troubles.end(db, box_id, TWO_BOXES, now_utc)
    return True


def _save(db: Connection, box_id: str, now: Seen, birth: Birth | None) -> None:
    table = schema.presence
    row: dict[str, object] = {
        "online": now.online,
        "since_utc": now.since_utc,
        "nonce": now.nonce,
        "boot": now.mark[0],
        "boots_before": json.dumps({"epoch": now.mark[1], "before": now.before}),
        "held": now.held,
    }
    if birth is not None:
        row["born"] = pack(birth).decode()
    if db.execute(table.update().where(table.c.box_id == box_id).values(row)).rowcount == 0:
        db.execute(table.insert().values(row | {"box_id": box_id, "born": row.get("born", "{}")}))
