"""Nothing lost, nothing twice: both real ends over a network that loses, repeats, reorders; both crash.

The box is `EntriesEnd` on a real outbox, head office is `EntriesDesk` on a real inbox, both in SQLite; only
the link and the time are made up. After every step the promises of PROTOCOL.md are checked against both
databases; when the weather clears everything must be there.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import Column, Connection, Engine, Integer, MetaData, Table, Text, select

from cloud.entries import EntriesDesk
from cloud.store import boxes
from cloud.store.database import open_engine, read, write
from cloud.store.schema import inbox_tables
from edge.syncer.entries import EntriesEnd
from sync import db as sqlite_db
from sync import outbox
from sync.events import CallEnded, RecordingLost
from sync.ids import new_id
from sync.inbox import Inbox, Told
from sync.moment import from_text
from sync.topics import parse
from sync.transport import Arrived
from tests.sync.station import AT, BOX, call_ended

POISON_LINE = 666
FATES = ("arrives", "arrives", "arrives", "arrives", "lost", "late", "twice")

facts = Table(
    "facts", MetaData(), Column("id", Text, primary_key=True), Column("times", Integer, nullable=False)
)


def apply_strictly(db: Connection, told: Sequence[Told]) -> None:
    """Insert, never update: applying twice fails. Poison fails after it has written."""
    for event in (one.event for one in told):
        key = event.call_id if isinstance(event, CallEnded) else event.recording_id
        db.execute(facts.insert().values(id=key, times=1))
        if isinstance(event, CallEnded) and event.line == POISON_LINE:
            raise ValueError("poison")


@dataclass
class MadeUpLink:
    """What `EntriesEnd` needs of a Link; what it sends waits in `sent` for the weather."""

    sent: list[tuple[str, bytes]] = field(default_factory=list)
    room: int = 100
    max_packet: int = 300_000
    address: str = "nowhere:0"

    def publish(self, topic: str, payload: bytes) -> None:
        self.sent.append((topic, payload))


class World:
    """Both ends, the messages between them, and the time."""

    def __init__(self) -> None:
        self.db: sqlite3.Connection = sqlite_db.connect(":memory:")
        sqlite_db.migrate(self.db, outbox.migrations)
        self.engine: Engine = open_engine("sqlite://")
        facts.metadata.create_all(self.engine)
        with write(self.engine) as db:
            boxes.register(db, BOX, "Nanjing Road")
        self.now_s = 1000.0
        self.up = False
        self.poison: set[str] = set()
        self.down: list[bytes] = []
        self.start_box()
        self.start_office()

    def start_box(self) -> None:
        self.link = MadeUpLink()
        self.down.clear()
        self.box = EntriesEnd(BOX, self.db, self.link)
        self.up = False

    def start_office(self) -> None:
        apply = {"call_ended": apply_strictly, "recording_lost": apply_strictly}
        self.desk = EntriesDesk(self.engine, Inbox(inbox_tables, apply), clock_s=lambda: self.now_s)

    def put(self, *events: CallEnded | RecordingLost) -> None:
        with sqlite_db.write(self.db):
            for event in events:
                outbox.put(self.db, event, AT)
        self.box.woken()

    def step(self) -> None:
        self.box.step(self.up, self.now_s, from_text(AT))

    def deliver_up(self, at: int = 0, *, answers_arrive: bool = True) -> None:
        topic, payload = self.link.sent.pop(at)
        answers = self.desk.handle([(parse(topic), payload)], AT)
        if answers_arrive:
            self.down += [payload for _, payload in answers]

    def deliver_down(self, at: int = 0) -> None:
        self.box.take(Arrived("", self.down.pop(at), 0))

    def cut(self) -> None:
        self.up = False
        self.link.sent.clear()
        self.down.clear()
        self.step()

    def clear_up(self) -> None:
        """Good weather until the box owes nothing."""
        self.cut()
        self.up = True
        for _ in range(2000):
            self.step()
            while self.link.sent:
                self.deliver_up()
            while self.down:
                self.deliver_down()
            if outbox.waiting(self.db).entries == 0:
                return
            self.now_s += 0.5
        raise AssertionError(f"still owed: {outbox.waiting(self.db)}")

    def close(self) -> None:
        self.db.close()
        self.engine.dispose()

    # what both databases say

    def owed_to(self) -> dict[str, str]:
        return dict(self.db.execute("SELECT eid, state FROM outbox").fetchall())

    def inbox(self) -> list[tuple[str, str, str, int, str | None]]:
        table = inbox_tables.inbox
        query = select(table.c.eid, table.c.epoch, table.c.stream, table.c.seq, table.c.code)
        with read(self.engine) as db:
            return [tuple(row) for row in db.execute(query)]

    def streams(self) -> dict[tuple[str, str], tuple[int, int | None]]:
        table = inbox_tables.streams
        with read(self.engine) as db:
            rows = db.execute(select(table)).mappings().all()
        return {(row["epoch"], row["stream"]): (row["upto"], row["broken_seq"]) for row in rows}

    def facts(self) -> set[str]:
        with read(self.engine) as db:
            return set(db.execute(select(facts.c.id)).scalars())


class Weather(RuleBasedStateMachine):
    """Any order of calls, losses, repeats, delays and crashes."""

    @initialize()
    def begin(self) -> None:
        self.world = World()
        self.told: set[str] = set()

    @rule(count=st.sampled_from([1, 3, 130, 230]))
    def calls_end(self, count: int) -> None:
        events = [call_ended() for _ in range(count)]
        self.told |= {event.call_id for event in events}
        self.world.put(*events)

    @rule()
    def a_recording_is_lost(self) -> None:
        event = RecordingLost(new_id(), new_id(), "device_lost")
        self.told.add(event.recording_id)
        self.world.put(event)

    @rule()
    def poison(self) -> None:
        event = CallEnded(new_id(), POISON_LINE, "x", "in", "missed", AT, AT, 0)
        self.world.put(event)

    @rule()
    def connect(self) -> None:
        self.world.up = True
        self.world.step()

    @rule(passes_s=st.sampled_from([0.0, 0.1, 3.0, 70.0]))
    def time_passes(self, passes_s: float) -> None:
        self.world.now_s += passes_s
        self.world.step()

    @rule(fates=st.lists(st.sampled_from(FATES), min_size=4, max_size=40))
    def they_talk(self, fates: list[str]) -> None:
        """Some rounds in which most messages arrive."""
        self.world.up = True
        for fate in fates:
            self.world.step()
            queue = self.world.down or self.world.link.sent
            if not queue:
                self.world.now_s += 1.0
            elif fate == "lost":
                queue.pop(0)
            elif fate == "late":
                queue.append(queue.pop(0))
            else:
                if fate == "twice":
                    queue.append(queue[0])
                self.world.deliver_down() if self.world.down else self.world.deliver_up()

    @rule(at=st.integers(0, 9), answers_arrive=st.booleans())
    def head_office_reads(self, at: int, answers_arrive: bool) -> None:
        if self.world.link.sent:
            self.world.deliver_up(at % len(self.world.link.sent), answers_arrive=answers_arrive)

    @rule(at=st.integers(0, 9))
    def box_reads(self, at: int) -> None:
        if self.world.down:
            self.world.deliver_down(at % len(self.world.down))
            self.world.step()

    @rule(way=st.sampled_from(["sent", "down"]), at=st.integers(0, 9), twice=st.booleans())
    def network_drops_or_repeats(self, way: str, at: int, twice: bool) -> None:
        queue = self.world.link.sent if way == "sent" else self.world.down
        if queue and twice:
            queue.append(queue[at % len(queue)])
        elif queue:
            queue.pop(at % len(queue))

    @rule()
    def connection_is_cut(self) -> None:
        self.world.cut()

    @rule()
    def box_is_killed(self) -> None:
        self.world.start_box()

    @rule()
    def ingest_is_killed(self) -> None:
        self.world.start_office()

    @invariant()
    def what_the_box_ticked_off_is_at_head_office(self) -> None:
        arrived = {eid for eid, *_ in self.world.inbox()}
        assert {eid for eid, state in self.world.owed_to().items() if state != "new"} <= arrived
        assert arrived <= set(self.world.owed_to())

    @invariant()
    def nothing_is_applied_twice(self) -> None:
        assert not [row for row in self.world.inbox() if row[4] not in (None, "apply_failed")]
        poisoned = [row for row in self.world.inbox() if row[4] == "apply_failed"]
        assert len(self.world.facts()) + len(poisoned) == len(self.world.inbox())
        assert self.world.facts() <= self.told

    @invariant()
    def upto_is_the_first_hole(self) -> None:
        arrived = Counter((epoch, stream, seq) for _, epoch, stream, seq, _ in self.world.inbox())
        assert set(arrived.values()) <= {1}
        for (epoch, stream), (upto, broken_seq) in self.world.streams().items():
            assert all((epoch, stream, seq) in arrived for seq in range(1, upto + 1))
            assert (epoch, stream, upto + 1) not in arrived
            assert broken_seq is None

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.clear_up()
            assert self.world.facts() == self.told
            assert set(self.world.owed_to()) == {eid for eid, *_ in self.world.inbox()}
            self.world.close()


Weather.TestCase.settings = settings(
    max_examples=30,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestLossless = Weather.TestCase


def test_what_was_said_while_nothing_could_be_written_still_holds() -> None:
    world = World()
    world.put(call_ended())
    world.up = True
    for _ in range(2):  # hello and welcome, batch and ack
        world.step()
        world.deliver_up()
        world.deliver_down()
    world.db.execute("PRAGMA query_only = ON")
    with pytest.raises(sqlite3.OperationalError):
        world.step()
    world.db.execute("PRAGMA query_only = OFF")
    world.step()
    assert outbox.waiting(world.db).entries == 0
    assert world.link.sent == []  # nothing had to be asked again
    world.close()
