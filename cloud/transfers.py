"""The rows of recordings that arrive: what was opened, grows, is stored or was refused.

Every function runs in the transaction of the caller.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, RowMapping, Table, select

from cloud.store import allowed
from cloud.store.schema import boxes, inbox_tables, recordings
from sync import spans
from sync.arriving import Origin
from sync.chunks import FileReceiver
from sync.messages import MAX_FILE_BYTES, Open
from sync.spans import Spans

GROWING, OPEN, STORED, REFUSED = "growing", "open", "stored", "refused"  # states of a transfer

Key = tuple[str, str]  # box, recording


def may_send(db: Connection, origin: Origin) -> bool:
    """Whether the box is registered and nothing speaks against it."""
    registered = db.execute(select(boxes.c.id).where(boxes.c.id == origin.box_id)).first() is not None
    return registered and allowed.refusal(db, origin.box_id, origin.received_utc) is None


def _is(table: Table, key: Key) -> tuple[Any, Any]:
    return table.c.box_id == key[0], table.c.recording_id == key[1]


def find(db: Connection, key: Key) -> RowMapping | None:
    """The row of a recording; None if it was never opened."""
    table = inbox_tables.transfers
    return db.execute(select(table).where(*_is(table, key))).mappings().one_or_none()


def lost(db: Connection, box_id: str) -> list[str]:
    """Recordings of which something arrived while they were made, and which will never be finished."""
    table = inbox_tables.transfers
    query = (
        select(table.c.recording_id)
        .join(recordings, recordings.c.id == table.c.recording_id)
        .where(table.c.box_id == box_id, table.c.state == GROWING, recordings.c.state == "lost")
    )
    return list(db.execute(query).scalars())


def growing_since(db: Connection, before_utc: str) -> list[Key]:
    """Recordings that still grow and were begun before then."""
    table = inbox_tables.transfers
    query = select(table.c.box_id, table.c.recording_id).where(*_grows(table, before_utc))
    return [(box_id, rid) for box_id, rid in db.execute(query)]


def give_up_growing(db: Connection, key: Key, before_utc: str) -> None:
    """Forget a recording that was never finished, if it is still that."""
    table = inbox_tables.transfers
    db.execute(table.delete().where(*_is(table, key), *_grows(table, before_utc)))


def _grows(table: Table, before_utc: str) -> tuple[Any, Any]:
    return table.c.state == GROWING, table.c.opened_utc < before_utc


def receiver(row: RowMapping, have: Spans) -> FileReceiver:
    """Head office's end of the file, of which `have` is on the disk."""
    size = None if row["state"] == GROWING else row["size_bytes"]
    within = have if size is None else spans.without(have, size, MAX_FILE_BYTES)
    return FileReceiver(size, row["sha256"], within, row["failures"])


def begin(db: Connection, origin: Origin, opened: Open, row: RowMapping | None) -> None:
    """The box says what the whole file will be; `row` is what was known of it."""
    values = {"size_bytes": opened.size, "sha256": opened.sha256, "state": OPEN}
    if row is None:
        _insert(db, origin, opened.rid, values)
    elif row["state"] != OPEN or not receiver(row, ()).same(opened):
        save(db, (origin.box_id, opened.rid), failures=0, **values)


def begin_growing(db: Connection, origin: Origin, rid: str) -> None:
    """The call still goes on."""
    _insert(db, origin, rid, {"size_bytes": 0, "sha256": "", "state": GROWING})


def _insert(db: Connection, origin: Origin, rid: str, values: dict[str, object]) -> None:
    key = {"box_id": origin.box_id, "recording_id": rid}
    begun = {"failures": 0, "opened_utc": origin.received_utc}
    db.execute(inbox_tables.transfers.insert().values(key | begun | values))


def save(db: Connection, key: Key, **values: object) -> None:
    """Change some columns of a row."""
    table = inbox_tables.transfers
    db.execute(table.update().where(*_is(table, key)).values(values))
