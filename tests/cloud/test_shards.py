"""Leases and the fence: each shard is written by one worker at a time, whatever the workers' clocks do."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

from cloud.shards import LEASE_S, RENEWAL_LOCK, RENEWALS, Fenced, Leases, application_name, database_utc
from cloud.store.database import open_engine, write
from sync.chunks import Chunk
from sync.ids import new_id
from sync.messages import Fin, Grow, Hello, Open, pack
from sync.moment import from_text, to_text
from sync.topics import SHARDS
from tests.cloud.test_ingest import AUDIO, EPOCH, SHA256, Office
from tests.databases import new_sqlite
from tests.fakes import wait_for
from tests.postgres import PostgresServer
from tests.sync.station import call_ended

WRITTEN = ("calls", "inbox", "inbox_streams", "quarantine", "transfers", "recordings", "boxes")


class DatabaseClock:
    """The database's clock, moved by hand."""

    def __init__(self) -> None:
        self.s = 0.0

    def utc(self, _db: Connection, plus_s: float) -> str:
        return f"{self.s + plus_s:012.3f}"


class TickingClock:
    """A clock that is a second later at each look."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, tzinfo=UTC)

    def utc(self, _db: Connection, plus_s: float) -> str:
        self.now += timedelta(seconds=1)
        return to_text(self.now + timedelta(seconds=plus_s))


@pytest.fixture
def clock() -> DatabaseClock:
    return DatabaseClock()


@pytest.fixture
def workers(engine: Engine, clock: DatabaseClock) -> Iterator[list[Leases]]:
    yield [Leases(engine, name, utc=clock.utc) for name in ("1", "2", "3")]


def may_write(worker: Leases, shard: int) -> bool:
    try:
        with write(worker.engine) as db:
            worker.fence(db, [shard])
    except Fenced:
        return False
    return True


def test_one_worker_serves_everything_at_once(workers: list[Leases]) -> None:
    workers[0].renew()
    assert set(workers[0].held) == set(range(SHARDS))
    assert may_write(workers[0], 5) and not may_write(workers[1], 5)


def test_workers_share_evenly_within_two_renewals(workers: list[Leases]) -> None:
    for count in (1, 2, 3):
        for _ in range(2):
            for worker in workers[:count]:
                worker.renew()
        held = [set(worker.held) for worker in workers[:count]]
        assert set.union(*held) == set(range(SHARDS)) and sum(map(len, held)) == SHARDS
        assert max(map(len, held)) - min(map(len, held)) <= count
    workers[0].give_up()  # it ends in good order
    for _ in range(2):
        for worker in workers[1:]:
            worker.renew()
    assert sum(len(worker.held) for worker in workers[1:]) == SHARDS


def test_a_dead_worker_is_replaced_within_a_lease_and_a_renewal(
    workers: list[Leases], clock: DatabaseClock
) -> None:
    first, second = workers[:2]
    first.renew()
    second.renew()
    clock.s += LEASE_S - 0.01
    second.renew()
    assert second.held == {}
    clock.s += 0.02
    second.renew()
    assert len(second.held) == SHARDS


def test_one_that_was_paused_for_longer_than_its_lease_writes_nothing(
    workers: list[Leases], clock: DatabaseClock
) -> None:
    first, second = workers[:2]
    first.renew()
    clock.s += LEASE_S + 1
    second.renew()
    assert first.held  # it does not know yet
    assert not may_write(first, 7)
    assert may_write(second, 7)
    first.renew()
    assert not set(first.held) & set(second.held)


def test_one_that_was_replaced_gives_up_nothing_of_the_other(
    workers: list[Leases], clock: DatabaseClock
) -> None:
    first, second, third = workers
    first.renew()
    clock.s += LEASE_S + 1
    second.renew()
    first.give_up()  # it ends, and does not know yet
    third.renew()
    assert third.held == {} and len(second.held) == SHARDS and may_write(second, 7)


def test_one_that_was_slow_but_not_replaced_goes_on(workers: list[Leases], clock: DatabaseClock) -> None:
    workers[0].renew()
    clock.s += 10 * LEASE_S
    assert may_write(workers[0], 7)


def test_after_a_restart_its_own_shards_are_taken_back_at_once(
    engine: Engine, workers: list[Leases], clock: DatabaseClock
) -> None:
    workers[0].renew()
    again = Leases(engine, "1", utc=clock.utc)
    again.renew()
    assert len(again.held) == SHARDS
    assert not may_write(workers[0], 7), "the one before was not dead"
    workers[0].renew()
    assert workers[0].held == {}, "and does not fight for them"
    assert may_write(again, 7)


def test_only_the_shards_that_were_lost_are_let_go(workers: list[Leases]) -> None:
    first = workers[0]
    first.renew()
    with write(first.engine) as db:
        db.exec_driver_sql("UPDATE shard_leases SET worker = '2', term = 9 WHERE shard = 7")
    assert not may_write(first, 7)
    assert 7 not in first.held and len(first.held) == SHARDS - 1


def test_leases_are_renewed_in_time(workers: list[Leases]) -> None:
    assert workers[0].step(100.0)
    assert not workers[0].step(100.0 + LEASE_S / RENEWALS - 0.1)
    assert not workers[0].step(100.0 + LEASE_S / RENEWALS)  # done, and nothing has changed


def test_the_databases_clock_is_read_as_utc(engine: Engine) -> None:
    with write(engine) as db:
        now, later = (from_text(database_utc(db, plus_s)) for plus_s in (0.0, 12.5))
    assert 12.4 < (later - now).total_seconds() < 13.5


def test_what_a_paused_worker_left_open_is_ended_when_its_shards_are_taken(postgres: PostgresServer) -> None:
    clock, database = TickingClock(), postgres.make_database()
    first, second = (
        Leases(open_engine(postgres.url(database), application_name(name)), name, utc=clock.utc)
        for name in "12"
    )
    first.renew()
    second.renew()
    with first.engine.connect() as paused, write(second.engine) as db:
        pid = paused.exec_driver_sql("SELECT pg_backend_pid()").scalar()
        lapses = from_text(str(db.exec_driver_sql("SELECT max(until_utc) FROM shard_leases").scalar()))
        clock.now = lapses - timedelta(milliseconds=1500)  # it lapses between two looks at the clock
        for _ in range(2):
            second.renew()
        query = text("SELECT count(*) FROM pg_stat_activity WHERE pid = :pid")
        assert len(second.held) == SHARDS
        wait_for(lambda: db.execute(query, {"pid": pid}).scalar() == 0, what="the end of the session")
        paused.invalidate()
    first.engine.dispose()
    second.engine.dispose()


def test_a_worker_paused_in_the_midst_of_a_renewal_holds_nobody_up_for_long(postgres: PostgresServer) -> None:
    clock, database = DatabaseClock(), postgres.make_database()
    first, second = (
        Leases(open_engine(postgres.url(database), application_name(name)), name, 0.4, utc=clock.utc)
        for name in "12"
    )
    first.renew()
    with first.engine.connect() as paused:
        paused.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": RENEWAL_LOCK})
        with pytest.raises(OperationalError, match="lock timeout"):
            second.renew()
        clock.s += 0.5
        second.renew()
        assert len(second.held) == SHARDS
        paused.invalidate()
    first.engine.dispose()
    second.engine.dispose()


class Workers(RuleBasedStateMachine):
    """Any order of renewals, pauses, restarts, ends and lapses of time."""

    @initialize(seed=st.integers(0, 2**16))
    def begin(self, seed: int) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.engine = open_engine(new_sqlite(Path(self.folder.name) / "x.db"))
        self.clock = DatabaseClock()
        self.choice = random.Random(seed)
        self.workers = {name: Leases(self.engine, name, utc=self.clock.utc) for name in "123"}

    @rule(name=st.sampled_from("123"))
    def renew(self, name: str) -> None:
        self.workers[name].renew()

    @rule(name=st.sampled_from("123"))
    def restart(self, name: str) -> None:
        self.workers[name] = Leases(self.engine, name, utc=self.clock.utc)

    @rule(name=st.sampled_from("123"))
    def end(self, name: str) -> None:
        self.workers[name].give_up()

    @rule(passes_s=st.sampled_from([0.1, 2.5, 9.9, 10.1, 60.0]))
    def time_passes(self, passes_s: float) -> None:
        self.clock.s += passes_s

    @invariant()
    def each_shard_has_at_most_one_writer(self) -> None:
        if not hasattr(self, "workers"):
            return
        for shard in self.choice.sample(range(SHARDS), 3):
            assert sum(may_write(worker, shard) for worker in self.workers.values()) <= 1

    def teardown(self) -> None:
        if not hasattr(self, "workers"):
            return
        for _ in range(4):  # whatever happened: soon everything is served, evenly
            self.clock.s += LEASE_S / RENEWALS
            for worker in self.workers.values():
                worker.renew()
            self.clock.s += LEASE_S / RENEWALS
        assert sum(len(worker.held) for worker in self.workers.values()) == SHARDS
        self.engine.dispose()
        self.folder.cleanup()


Workers.TestCase.settings = settings(
    max_examples=10, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)


class TestWorkers(Workers.TestCase):  # type: ignore[misc, valid-type]
    """Any order of them, and what each door of ingest asks before it writes."""

    def test_who_lost_a_shard_writes_nothing_for_it(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            engine = open_engine(new_sqlite(Path(folder) / "x.db"))
            office, first = Office(engine, Path(folder)), Leases(engine, "1")
            first.renew()
            office.entries.leases = office.files.leases = first
            rid = new_id()
            office.file(Open(rid=rid, size=len(AUDIO), sha256=SHA256), Chunk(rid, 0, AUDIO))
            with write(engine) as db:
                db.exec_driver_sql("UPDATE shard_leases SET worker = '2', term = term + 1")
            before = [office.rows(table) for table in WRITTEN]
            writes: list[Callable[[], object]] = [
                lambda: office.tell(call_ended()),
                lambda: office.say("e", b"junk"),
                lambda: office.say("p", pack(Hello(nonce=EPOCH, epoch=EPOCH, heads={}))),
                lambda: office.upload(new_id()),
                lambda: office.file(Grow(rid=new_id())),
                lambda: office.file(Fin(rid=rid)),
            ]
            for write_something in writes:
                with pytest.raises(Fenced):
                    write_something()
                assert [office.rows(table) for table in WRITTEN] == before
            engine.dispose()
