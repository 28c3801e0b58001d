"""What head office has received of a deleted call is erased on both databases, and of no other call."""

from __future__ import annotations

from sqlalchemy import Engine, select

from cloud.kept import leaf_of
from cloud.orders import erasing
from cloud.store import call_deletions
from cloud.store.database import read, write
from cloud.store.schema import inbox_tables
from sync.envelope import entry_bytes
from sync.ids import new_id
from tests.sync.station import AT, BOX, call_ended

LATER = "2026-11-22T05:00:00.000Z"


def received(engine: Engine, number: str, seq: int) -> str:
    """A call that came from the box, and was set aside once before; its id."""
    event, eid = call_ended(number), new_id()
    body = entry_bytes(event, eid, AT, seq)
    row = {"eid": eid, "box_id": BOX, "kind": "call_ended", "received_utc": AT, "body": body}
    place = {"epoch": "0123456789abcdef", "stream": "evt", "seq": seq, "at_utc": AT, "h": "ab" * 32}
    aside = {"id": new_id(), "topic": "entry", "code": "apply_failed", "detail": "x"}
    with write(engine) as db:
        db.execute(inbox_tables.inbox.insert().values(row | place))
        db.execute(inbox_tables.quarantine.insert().values(row | aside))
    return event.call_id


def bodies(engine: Engine) -> bytes:
    with read(engine) as db:
        tables = (inbox_tables.inbox, inbox_tables.quarantine)
        return b"".join(bytes(one) for table in tables for one in db.execute(select(table.c.body)).scalars())


def leaves(engine: Engine) -> list[bytes | None]:
    with read(engine) as db:
        rows = db.execute(select(inbox_tables.inbox).order_by(inbox_tables.inbox.c.seq)).mappings()
        return [leaf_of(row) for row in rows]


def test_entries_of_a_deleted_call_are_erased_and_their_leaves_stay(engine: Engine) -> None:
    gone = received(engine, "13976412853", 1)
    received(engine, "13800138000", 2)
    before = leaves(engine)
    assert erasing.sweep(engine, LATER) == 0
    with write(engine) as db:
        assert call_deletions.bury_call(db, BOX, gone, "an order", LATER)
    assert b"13976412853" in bodies(engine)
    assert [erasing.sweep(engine, LATER) for _ in range(2)] == [1, 0]
    assert bodies(engine).count(b"13976412853") == 0
    assert bodies(engine).count(b"13800138000") == 2
    assert leaves(engine) == before and None not in before


def test_a_call_of_another_box_is_left_alone(engine: Engine) -> None:
    theirs = received(engine, "13976412853", 1)
    with write(engine) as db:
        call_deletions.bury_call(db, "box-02", theirs, "an order", LATER)
    erasing.sweep(engine, LATER)
    assert bodies(engine).count(b"13976412853") == 2
