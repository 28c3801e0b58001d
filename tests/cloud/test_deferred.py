"""Ingest without a broker: call records go before manifests, of which none is kept for too long."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from sqlalchemy import Connection, Engine
from sqlalchemy.event import listen, remove
from sqlalchemy.exc import OperationalError

from cloud.apply import APPLY
from cloud.arrivals import FilesDesk
from cloud.deferred import AT_ONCE, Deferred, may_wait
from cloud.entries import EntriesDesk
from cloud.incoming import Incoming
from cloud.ingest import WAIT_S, Ingest
from cloud.objects import FolderObjects
from cloud.reconcile import Reconciler
from cloud.shards import Leases
from cloud.store import boxes, schema
from cloud.store.database import write
from sync import manifest, topics
from sync.envelope import chained, entry_bytes, genesis, pack_batch
from sync.ids import new_id
from sync.inbox import Inbox
from sync.manifest import Standing
from sync.topics import Topic, parse, shard_of
from sync.transport import Arrived, Link
from tests.fakes import AtOnce
from tests.sync.station import AT, call_ended

NOW = datetime(2026, 11, 22, 5, tzinfo=UTC)
EPOCH = "0123456789abcdef"
BRANCHES = [f"branch-{number}" for number in range(1, 12)]


@dataclass
class Wire:
    """A link as ingest sees it, with what came and what went out."""

    up: bool = True
    connecting: bool = True
    arriving: list[Arrived] = field(default_factory=list)
    sent: list[Topic] = field(default_factory=list)
    acknowledged: list[int] = field(default_factory=list)

    def step(self) -> list[Arrived]:
        arrived, self.arriving = self.arriving, []
        return arrived

    def publish(self, topic: str, _payload: bytes, *, at_once: bool, certain: bool) -> None:
        assert not at_once
        self.sent.append(parse(topic))

    def done(self, arrived: Arrived) -> None:
        self.acknowledged.append(arrived.mid)

    def flush(self) -> None:
        pass

    def listen(self, _topics: object) -> None:
        pass


class Office:
    """Ingest, its wire and its boxes."""

    def __init__(self, engine: Engine, objects: FolderObjects, incoming: Incoming) -> None:
        self.engine, self.wire = engine, Wire()
        inbox = Inbox(schema.inbox_tables, APPLY)
        self.leases = Leases(engine, "1")
        self.ingest = Ingest(
            cast(Link, self.wire),
            EntriesDesk(engine, inbox, Reconciler(inbox, objects), self.leases),
            FilesDesk(engine, objects, incoming, AtOnce(), self.leases),
            leases=self.leases,
        )
        with write(engine) as db:
            for box_id in BRANCHES:
                boxes.register(db, box_id, box_id)
        self.ingest.step(0.0, NOW)  # the leases

    def hear(self, channel: str, box_id: str, payload: bytes) -> None:
        arrived = Arrived(topics.build(box_id, "up", channel), payload, len(self.wire.arriving))
        self.wire.arriving.append(arrived)

    def ask(self, *box_ids: str) -> None:
        """A message about manifests of each."""
        for box_id in box_ids:
            self.hear("m", box_id, manifest.pack(Standing(epoch=EPOCH, top=0)))

    def call(self, box_id: str) -> None:
        """A call record."""
        body = entry_bytes(call_ended(), new_id(), AT, 1)
        prev = genesis(EPOCH, "evt")
        self.hear("e", box_id, pack_batch(box_id, EPOCH, "evt", 1, prev, chained(prev, body), [body]))

    def step(self) -> list[tuple[str, str]]:
        """One turn; to whom it said something, and on which channel."""
        self.wire.sent.clear()
        self.ingest.step(0.0, NOW)
        return [(topic.box_id, topic.channel) for topic in self.wire.sent]

    def rest(self) -> list[str]:
        """Turns until there is nothing left to say; who heard of manifests."""
        heard: list[str] = []
        while said := self.step():
            assert {channel for _, channel in said} == {"m"}
            heard += [box_id for box_id, _ in said]
        return heard


@pytest.fixture
def office(engine: Engine, tmp_path: Any) -> Office:
    return Office(engine, FolderObjects(tmp_path / "objects"), Incoming(tmp_path / "incoming"))


def test_call_records_go_before_all_manifests_that_wait(office: Office) -> None:
    office.ask(*BRANCHES)
    office.call("branch-3")
    said = office.step()
    assert said == [("branch-3", "a"), *((one, "m") for one in BRANCHES[:AT_ONCE])]
    assert office.ingest.wait_s == 0.0
    office.call("branch-9")  # comes when seven manifests wait
    said = office.step()
    assert said[0] == ("branch-9", "a")
    assert [box_id for box_id, _ in said[1:]] + office.rest() == BRANCHES[AT_ONCE:]
    assert office.ingest.wait_s == WAIT_S


def test_the_broker_keeps_none_of_them(office: Office) -> None:
    office.ask(*BRANCHES)
    office.step()
    assert office.wire.acknowledged == list(range(len(BRANCHES)))


def test_what_is_asked_again_meanwhile_is_answered_once(office: Office) -> None:
    office.ask(*BRANCHES, *BRANCHES)
    assert office.rest() == BRANCHES


def test_they_wait_while_there_is_no_connection(office: Office) -> None:
    office.ask(*BRANCHES)
    office.step()
    office.wire.up = False
    assert office.step() == []
    assert office.ingest.wait_s == WAIT_S
    office.wire.up = True
    assert office.rest() == BRANCHES[AT_ONCE:]


def test_those_of_boxes_that_another_worker_serves_are_forgotten(office: Office) -> None:
    office.ask(*BRANCHES)
    office.step()
    gone = shard_of(BRANCHES[-1])
    del office.leases.held[gone]
    office.ingest._serve()
    assert office.rest() == [one for one in BRANCHES[AT_ONCE:] if shard_of(one) != gone]


def test_after_an_outage_their_boxes_are_to_ask_again(office: Office) -> None:
    def full(_db: Connection, _cursor: Any, statement: str, *_rest: Any) -> None:
        if "INSERT INTO inbox" in statement or "COPY inbox" in statement:
            raise OperationalError(statement, {}, Exception("database or disk is full"))

    listen(office.engine, "before_cursor_execute", full)
    office.ask(*BRANCHES)
    office.call("branch-1")
    assert office.step() == []
    remove(office.engine, "before_cursor_execute", full)
    assert office.rest() == []
    office.ask("branch-1")
    assert office.rest() == ["branch-1"]


def test_what_finds_no_room_is_dropped_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    deferred = Deferred(most_bytes=10)
    messages = [(Topic("branch-1", False, "up", "m"), bytes([number]) * 4) for number in range(4)]
    for message in messages:
        deferred.put(message)
    assert deferred.take(9) == messages[:2]
    assert [record.args for record in caplog.records] == [(2,)]
    deferred.put(messages[3])
    assert deferred.take() == [messages[3]]


@pytest.mark.parametrize(
    ("channel", "bulk", "may"),
    [("m", False, True), ("m", True, False), *((one, False, False) for one in "eprb")],
)
def test_nothing_else_waits(channel: str, bulk: bool, may: bool) -> None:
    assert may_wait(Topic("branch-1", bulk, "up", channel)) is may
