"""Ingest workers as processes: one is stopped for longer than its lease and wakes up again, one is killed.

A trigger counts every write to a call's row, so that one written twice shows even when the rows look right.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text

from cloud.store import boxes
from cloud.store.database import open_engine, write
from tests.fakes import wait_for
from tests.postgres import PostgresServer
from tests.sync.processes import kill, start_worker
from tests.sync.station import BOX, Box, Station, call_ended

LEASE_S = 1.0
CALLS = 400

TRIGGER = """
CREATE TABLE written (id text);
CREATE FUNCTION note() RETURNS trigger AS $$ BEGIN INSERT INTO written VALUES (NEW.id); RETURN NEW; END $$
LANGUAGE plpgsql;
CREATE TRIGGER note AFTER INSERT OR UPDATE ON calls FOR EACH ROW EXECUTE FUNCTION note();
"""


@pytest.fixture
def station(tmp_path: Path, postgres: PostgresServer) -> Iterator[Station]:
    station = Station(tmp_path, database_url=postgres.url(postgres.make_database()))
    engine = open_engine(station.database_url)
    with write(engine) as db:
        boxes.register(db, BOX, "Nanjing Road")
        db.exec_driver_sql(TRIGGER)
    engine.dispose()
    station.start_broker()
    yield station
    station.kill_broker()


@contextmanager
def workers(station: Station, count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    started = [start_worker(number, LEASE_S, station) for number in range(1, count + 1)]
    try:
        yield started
    finally:
        for process in started:
            process.send_signal(signal.SIGCONT)
            kill(process)


def holders(engine: Engine) -> Counter[str]:
    """Shards per worker whose lease has not lapsed by the database's clock."""
    query = text(
        "SELECT worker FROM shard_leases WHERE until_utc >= to_char(clock_timestamp() AT TIME ZONE 'UTC',"
        ' \'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"\')'
    )
    with engine.connect() as db:
        return Counter(db.execute(query).scalars())


def serving(engine: Engine) -> str | None:
    """The worker that serves the box."""
    from sync.topics import shard_of

    with engine.connect() as db:
        query = text("SELECT worker FROM shard_leases WHERE shard = :shard")
        return db.execute(query, {"shard": shard_of(BOX)}).scalar()


def drained(box: Box) -> bool:
    box.step()
    return box.owes == 0


@pytest.mark.xdist_group("workers")
def test_a_worker_that_was_stopped_beyond_its_lease_writes_nothing_twice(station: Station) -> None:
    engine, box = create_engine(station.database_url), station.box()
    with workers(station, 2) as both:
        wait_for(lambda: len(holders(engine)) == 2, timeout_s=30, what="two workers sharing")
        for _ in range(2):
            box.put(*(call_ended() for _ in range(CALLS)))
            wait_for(lambda: (box.step(), some_arrived(engine))[1], what="some calls at head office")
            stopped = both[int(str(serving(engine))) - 1]
            os.kill(stopped.pid, signal.SIGSTOP)
            wait_for(lambda: drained(box), timeout_s=30, what="the other worker taking over")
            os.kill(stopped.pid, signal.SIGCONT)
            wait_for(lambda: len(holders(engine)) == 2, timeout_s=30, what="both sharing again")
        box.put(*(call_ended() for _ in range(10)))
        wait_for(lambda: drained(box), timeout_s=30, what="the last calls")
        assert all(process.poll() is None for process in both)
    check(engine, 2 * CALLS + 10)
    box.close()


@pytest.mark.xdist_group("workers")
def test_the_shards_of_a_killed_worker_are_served_within_a_lease_and_a_renewal(station: Station) -> None:
    engine, box = create_engine(station.database_url), station.box()
    with workers(station, 2) as both:
        wait_for(lambda: len(holders(engine)) == 2, timeout_s=30, what="two workers sharing")
        box.put(*(call_ended() for _ in range(CALLS)))
        kill(both[int(str(serving(engine))) - 1])
        wait_for(lambda: sum(holders(engine).values()) < 64, what="the lease lapsing")
        wait_for(
            lambda: list(holders(engine).values()) == [64], timeout_s=5 * LEASE_S, what="the other taking all"
        )
        wait_for(lambda: drained(box), timeout_s=30, what="everything arriving")
    check(engine, CALLS)
    box.close()


def some_arrived(engine: Engine) -> bool:
    with engine.connect() as db:
        return bool(db.execute(text("SELECT count(*) FROM calls")).scalar())


def check(engine: Engine, count: int) -> None:
    """Everything once."""
    with engine.connect() as db:
        written = Counter(db.execute(text("SELECT id FROM written")).scalars())
        assert len(written) == count and set(written.values()) == {1}
        for table in ("calls", "inbox"):
            assert db.execute(text(f"SELECT count(*) FROM {table}")).scalar() == count
        assert db.execute(text("SELECT count(*) FROM quarantine")).scalar() == 0
    engine.dispose()
