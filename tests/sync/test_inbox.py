"""The inbox: once, in any order, with poison set aside in the same transaction."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from sqlalchemy import Column, Connection, Engine, MetaData, Table, event, select
from sqlalchemy.exc import OperationalError

from cloud.store import boxes
from cloud.store.database import open_engine, write
from cloud.store.schema import inbox_tables
from sync.arriving import MAX_RANGES, Origin
from sync.envelope import Batch, chained, entry_bytes, genesis, pack_batch, unpack_batch
from sync.ids import new_id
from sync.inbox import Inbox, Told
from sync.inbox_tables import add_tables
from sync.messages import Refused
from sync.session import Accepted
from tests.sync.station import AT, BOX, call_ended

EPOCH = "0123456789abcdef"
ORIGIN = Origin(BOX, AT)


class Applied:
    """What was applied, by caller number; `fail` names numbers and what they raise."""

    def __init__(self) -> None:
        self.numbers: list[str | None] = []
        self.fail: dict[str, Exception] = {}

    def call_ended(self, _db: Connection, told: Sequence[Told]) -> None:
        for one in told:
            if one.event.caller_number in self.fail:
                raise self.fail[one.event.caller_number]
        self.numbers += [one.event.caller_number for one in told]


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = open_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def applied() -> Applied:
    return Applied()


@pytest.fixture
def inbox(applied: Applied) -> Inbox:
    return Inbox(inbox_tables, {"call_ended": applied.call_ended})


class Box:
    """Entries of one stream as an outbox would number and chain them."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    def add(self, *numbers: str, **changes: Any) -> None:
        for number in numbers:
            fields = json.loads(entry_bytes(call_ended(number), new_id(), AT, len(self.bodies) + 1)) | changes
            self.bodies.append(json.dumps(fields).encode())

    def batch(self, first: int, last: int, epoch: str = EPOCH) -> Batch:
        h = genesis(epoch, "evt")
        for body in self.bodies[: first - 1]:
            h = chained(h, body)
        prev, part = h, self.bodies[first - 1 : last]
        for body in part:
            h = chained(h, body)
        return unpack_batch(pack_batch(BOX, epoch, "evt", first, prev, h, part))


@pytest.fixture
def box() -> Box:
    box = Box()
    box.add(*"12345678")
    return box


def rows(engine: Engine, name: str) -> list[dict[str, Any]]:
    """All rows of that table in the order of their keys: a server may give them in any."""
    table = getattr(inbox_tables, name)
    with write(engine) as db:
        return [dict(row) for row in db.execute(select(table).order_by(*_order(table))).mappings()]


def _order(table: Table) -> list[Column[Any]]:
    return [table.c[one] for one in ("epoch", "stream", "seq") if one in table.c] or list(table.primary_key)


def test_a_batch_is_applied_once(engine: Engine, inbox: Inbox, box: Box, applied: Applied) -> None:
    for fresh in (3, 0):
        with write(engine) as db:
            accepted = inbox.accept(db, ORIGIN, box.batch(1, 3))
        assert (accepted.upto, accepted.ranges, accepted.nacks, accepted.fresh) == (3, (), (), fresh)
    assert applied.numbers == ["1", "2", "3"]
    assert [bytes(row["body"]) for row in rows(engine, "inbox")] == box.bodies[:3]


def test_any_order_ends_the_same(engine: Engine, inbox: Inbox, box: Box, applied: Applied) -> None:
    states = []
    for first, last in ((5, 6), (8, 8), (2, 3), (5, 8), (1, 1), (4, 4)):
        with write(engine) as db:
            accepted = inbox.accept(db, ORIGIN, box.batch(first, last))
        states.append((accepted.upto, accepted.ranges))
        assert not accepted.broken
    assert states == [
        (0, ((5, 6),)),
        (0, ((5, 6), (8, 8))),
        (0, ((2, 3), (5, 6), (8, 8))),
        (0, ((2, 3), (5, 8))),
        (3, ((5, 8),)),
        (8, ()),
    ]
    assert sorted(applied.numbers, key=str) == list("12345678")
    (stream,) = rows(engine, "streams")
    assert (stream["upto"], stream["ranges"], stream["broken_seq"]) == (8, "[]", None)
    assert stream["head"] == box.batch(1, 8).head


def test_boxes_epochs_and_streams_do_not_touch(
    engine: Engine, inbox: Inbox, box: Box, applied: Applied
) -> None:
    with write(engine) as db:
        inbox.accept(db, ORIGIN, box.batch(1, 2))
        other = inbox.accept(db, Origin("branch-2", AT), box.batch(1, 2))
    assert (other.upto, other.fresh) == (2, 2)
    assert applied.numbers == ["1", "2", "1", "2"]
    with write(engine) as db:
        assert [standing.upto for standing in inbox.standing(db, BOX, EPOCH)] == [2]
        assert inbox.standing(db, BOX, "f" * 16) == []


POISON: dict[str, tuple[dict[str, Any], str, str]] = {
    "a kind of a later version": ({"kind": "survey_done"}, "unknown_kind", "kind survey_done version 1"),
    "a later meaning of a kind": ({"kv": 2}, "unknown_kind", "kind call_ended version 2"),
    "a kind listed but not applied here": ({"kind": "recording_lost"}, "unknown_kind", "not known here"),
    "a field missing": ({"data": {"call_id": "x"}}, "not_as_agreed", "missing required field"),
    "a wrong type": ({"data": {"line": "one"}}, "not_as_agreed", "Expected `int`"),
    "not an entry": ({"eid": "x"}, "not_an_entry", "eid"),
    "another number": ({"seq": 77}, "wrong_seq", "entry 9 of its batch says it is 77"),
}


@pytest.mark.parametrize("case", POISON)
def test_poison_is_set_aside_and_the_stream_goes_on(
    engine: Engine, inbox: Inbox, box: Box, applied: Applied, case: str
) -> None:
    change, code, detail = POISON[case]
    if "data" in change and "line" in change["data"]:
        change = {"data": json.loads(box.bodies[0])["data"] | change["data"]}
    box.add("poison", **change)
    box.add("after")
    for _ in range(2):  # a repeat is told the same
        with write(engine) as db:
            accepted = inbox.accept(db, ORIGIN, box.batch(9, 10))
        assert accepted.nacks == ((9, code),)
    assert applied.numbers == ["after"]
    (row,) = rows(engine, "quarantine")
    assert (row["box_id"], row["code"], bytes(row["body"])) == (BOX, code, box.bodies[8])
    assert detail in row["detail"]


def understood(engine: Engine, applied: Applied, box: Box) -> list[Accepted]:
    """Two entries that an inbox does not understand, sent again to one that does."""
    before, after = Inbox(inbox_tables, {}), Inbox(inbox_tables, {"call_ended": applied.call_ended})
    with write(engine) as db:
        assert before.accept(db, ORIGIN, box.batch(1, 2)).nacks == ((1, "unknown_kind"), (2, "unknown_kind"))
    applied.fail["2"] = ValueError("still not")
    said = []
    for _ in range(2):
        with write(engine) as db:
            said.append(after.accept(db, ORIGIN, box.batch(1, 2)))
    return said


def test_what_waits_in_quarantine_and_is_sent_again_is_tried_again(
    engine: Engine, box: Box, applied: Applied
) -> None:
    for accepted in understood(engine, applied, box):
        assert (accepted.upto, accepted.fresh, accepted.nacks) == (2, 0, ((2, "unknown_kind"),))
    assert applied.numbers == ["1"]
    states = {row["eid"]: (row["state"], row["settled_by"]) for row in rows(engine, "quarantine")}
    assert [states[json.loads(body)["eid"]] for body in box.bodies[:2]] == [
        ("released", BOX),
        ("waiting", None),
    ]


def test_what_was_dismissed_is_not_tried_again(engine: Engine, box: Box, applied: Applied) -> None:
    with write(engine) as db:
        Inbox(inbox_tables, {}).accept(db, ORIGIN, box.batch(1, 1))
        db.execute(inbox_tables.quarantine.update().values(state="dismissed"))
    with write(engine) as db:
        again = Inbox(inbox_tables, {"call_ended": applied.call_ended}).accept(db, ORIGIN, box.batch(1, 1))
    assert (again.nacks, applied.numbers) == (((1, "unknown_kind"),), [])


def test_where_a_box_stands_names_what_waits_in_quarantine(
    engine: Engine, inbox: Inbox, box: Box, applied: Applied
) -> None:
    understood(engine, applied, box)
    with write(engine) as db:
        (standing,) = inbox.standing(db, BOX, EPOCH)
        assert (standing.upto, standing.nacks) == (2, ((2, "unknown_kind"),))
        assert inbox.standing(db, BOX, "f" * 16) == inbox.standing(db, "another-box", EPOCH) == []


@pytest.mark.parametrize("error", [ValueError("no"), KeyError("x"), OverflowError("int"), UnicodeError("s")])
def test_an_entry_that_cannot_be_applied_leaves_nothing_half_done(
    engine: Engine, box: Box, error: Exception
) -> None:
    def half(db: Connection, told: Sequence[Told]) -> None:
        for one in told:
            boxes.register(db, f"box-{one.event.caller_number}", "touched")
            if one.event.caller_number == "2":
                raise error

    inbox = Inbox(inbox_tables, {"call_ended": half})
    with write(engine) as db:
        accepted = inbox.accept(db, ORIGIN, box.batch(1, 3))
    assert (accepted.upto, accepted.nacks) == (3, ((2, "apply_failed"),))
    assert [row["code"] for row in rows(engine, "inbox")] == [None, "apply_failed", None]
    assert rows(engine, "quarantine")[0]["detail"].startswith(type(error).__name__)
    with write(engine) as db:
        assert [row["id"] for row in boxes.list_boxes(db)] == ["box-1", "box-3"]


def test_a_database_that_cannot_be_written_is_no_fault_of_the_batch(
    engine: Engine, inbox: Inbox, box: Box, applied: Applied
) -> None:
    applied.fail["2"] = OperationalError("INSERT", {}, Exception("database or disk is full"))
    with pytest.raises(OperationalError), write(engine) as db:
        inbox.accept(db, ORIGIN, box.batch(1, 3))
    assert rows(engine, "inbox") == rows(engine, "streams") == rows(engine, "quarantine") == []
    applied.fail.clear()
    with write(engine) as db:
        assert inbox.accept(db, ORIGIN, box.batch(1, 3)).fresh == 3


def test_the_same_entry_twice_in_one_batch_counts_once(
    engine: Engine, inbox: Inbox, applied: Applied
) -> None:
    box = Box()
    box.add("1")
    box.add("1 again", eid=json.loads(box.bodies[0])["eid"])
    with write(engine) as db:
        accepted = inbox.accept(db, ORIGIN, box.batch(1, 2))
    assert (accepted.upto, accepted.fresh, len(applied.numbers)) == (2, 1, 1)


def test_a_chain_that_does_not_join_is_noted_and_nothing_is_lost(
    engine: Engine, inbox: Inbox, box: Box, applied: Applied
) -> None:
    other = Box()
    other.add("x", "y", "z")
    with write(engine) as db:
        inbox.accept(db, ORIGIN, box.batch(1, 2))
        accepted = inbox.accept(db, ORIGIN, other.batch(3, 3))
    assert (accepted.broken, accepted.upto, applied.numbers) == (True, 3, ["1", "2", "z"])
    (stream,) = rows(engine, "streams")
    assert (stream["broken_seq"], stream["broken_utc"]) == (3, AT)


def test_a_number_used_twice_loses_neither_entry(
    engine: Engine, inbox: Inbox, box: Box, applied: Applied
) -> None:
    other = Box()
    other.add("x", "y")
    with write(engine) as db:
        inbox.accept(db, ORIGIN, box.batch(1, 3))
        accepted = inbox.accept(db, ORIGIN, other.batch(1, 2))
    assert (accepted.fresh, applied.numbers) == (2, ["1", "2", "3", "x", "y"])


def test_an_entry_that_comes_under_a_new_epoch_is_not_applied_again_and_takes_its_number(
    engine: Engine, inbox: Inbox, box: Box, applied: Applied
) -> None:
    """A box restored from an old copy sends again, under other numbers, what had arrived before."""
    again = Box()
    again.bodies = [body.replace(f'"seq": {at + 2}'.encode(), f'"seq": {at}'.encode())
                    for at, body in enumerate(box.bodies[2:5], 1)]  # fmt: skip
    new = "f" * 16
    with write(engine) as db:
        inbox.accept(db, ORIGIN, box.batch(1, 4))
    for fresh in (1, 0):  # only the last is new; and all of it comes twice
        with write(engine) as db:
            accepted = inbox.accept(db, ORIGIN, again.batch(1, 3, new))
        assert (accepted.upto, accepted.fresh, accepted.nacks) == (3, fresh, ())
    assert applied.numbers == ["1", "2", "3", "4", "5"]
    here = [(row["seq"], bytes(row["body"])) for row in rows(engine, "inbox") if row["epoch"] == new]
    assert here == list(enumerate(again.bodies, 1)), "or no manifest of the new epoch could be closed"


def test_holes_are_counted_and_bounded(engine: Engine, inbox: Inbox, applied: Applied) -> None:
    box = Box()
    box.add(*(str(number) for number in range(2 * MAX_RANGES + 10)))
    with write(engine) as db:
        for seq in range(2, 2 * MAX_RANGES + 8, 2):
            accepted = inbox.accept(db, ORIGIN, box.batch(seq, seq))
    assert len(accepted.ranges) == len(applied.numbers) == MAX_RANGES == 64


def test_unreadable_messages_are_kept_once(engine: Engine, inbox: Inbox) -> None:
    why = Refused(ref="ab" * 32, code="not_a_batch", detail="d" * 400)
    with write(engine) as db:
        for _ in range(3):
            inbox.set_aside(db, ORIGIN, "e", b"junk", why)
    (row,) = rows(engine, "quarantine")
    assert (row["code"], bytes(row["body"]), row["topic"]) == ("not_a_batch", b"junk", "e")


def test_the_tables_stand_in_any_metadata() -> None:
    metadata = MetaData()
    tables = add_tables(metadata)
    assert set(metadata.tables) == {"inbox_streams", "inbox", "quarantine", "transfers"}
    assert tables.inbox.primary_key.columns.keys() == ["eid", "box_id"]


def test_a_batch_costs_few_statements(engine: Engine, inbox: Inbox, box: Box) -> None:
    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    with write(engine) as db:
        inbox.accept(db, ORIGIN, box.batch(1, 8))
    assert len(statements) <= 7  # however many entries
