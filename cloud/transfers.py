"""The rows of recordings that arrive: what was opened, grows, is stored or was refused.

Every function runs in the transaction of the caller. What each recording asks is built once, because to build
a statement takes SQLAlchemy longer than to run it.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import Connection, RowMapping, Table, Update, bindparam, select

from cloud.store import allowed
from cloud.store.schema import inbox_tables, recordings
from sync import spans
from sync.arriving import Origin
from sync.chunks import FileReceiver
from sync.messages import MAX_FILE_BYTES, Open
from sync.spans import Spans

GROWING, OPEN, STORED, REFUSED = "growing", "open", "stored", "refused"  # states of a transfer

Key = tuple[str, str]  # box, recording
Row = RowMapping | dict[str, Any]

_TABLE = inbox_tables.transfers
_KEY = (_TABLE.c.box_id == bindparam("of_box"), _TABLE.c.recording_id == bindparam("of_recording"))
_FIND = select(_TABLE).where(*_KEY)
_BEGIN = _TABLE.insert()


def may_send(db: Connection, origin: Origin) -> bool:
    """Whether the box is registered and nothing speaks against it."""
    refusals = allowed.refusals(db, [origin.box_id], origin.received_utc)
    return origin.box_id in refusals and refusals[origin.box_id] is None


def _is(key: Key) -> dict[str, str]:
    return {"of_box": key[0], "of_recording": key[1]}


def find(db: Connection, key: Key) -> RowMapping | None:
    """The row of a recording; None if it was never opened."""
    return db.execute(_FIND, _is(key)).mappings().one_or_none()


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
    db.execute(_TABLE.delete().where(*_KEY, *_grows(_TABLE, before_utc)), _is(key))


def _grows(table: Table, before_utc: str) -> tuple[Any, Any]:
    return table.c.state == GROWING, table.c.opened_utc < before_utc


def receiver(row: Row, have: Spans) -> FileReceiver:
    """Head office's end of the file, of which `have` is on the disk."""
    size = None if row["state"] == GROWING else row["size_bytes"]
    within = have if size is None else spans.without(have, size, MAX_FILE_BYTES)
    return FileReceiver(size, row["sha256"], within, row["failures"])


def begin(db: Connection, origin: Origin, opened: Open, row: RowMapping | None) -> Row:
    """The box says what the whole file will be; `row` is what was known of it. What is known now."""
    values: dict[str, Any] = {
        "size_bytes": opened.size,
        "sha256": opened.sha256,
        "state": OPEN,
        "failures": 0,
    }
    if row is None:
        _insert(db, origin, opened.rid, values)
    elif row["state"] != OPEN or not receiver(row, ()).same(opened):
        save(db, (origin.box_id, opened.rid), **values)
    else:
        return row
    return values


def begin_growing(db: Connection, origin: Origin, rid: str) -> None:
    """The call still goes on."""
    _insert(db, origin, rid, {"size_bytes": 0, "sha256": "", "state": GROWING, "failures": 0})


def _insert(db: Connection, origin: Origin, rid: str, values: dict[str, object]) -> None:
    key = {"box_id": origin.box_id, "recording_id": rid}
    db.execute(_BEGIN, key | values | {"opened_utc": origin.received_utc})


def save(db: Connection, key: Key, **values: object) -> None:
    """Change some columns of a row."""
    db.execute(_update(tuple(values)), _is(key) | values)


@cache
def _update(columns: tuple[str, ...]) -> Update:
    return _TABLE.update().where(*_KEY).values({column: bindparam(column) for column in columns})
