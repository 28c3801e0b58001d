"""A disk that has turned read-only, and readers that never end: nothing is lost, and it goes on."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cloud.store.database import open_engine
from cloud.store.database import write as write_office
from cloud.store.schema import boxes
from edge.store.schema import open_store
from sync import outbox
from sync.db import WAL_BYTES, write
from sync.transport import wait
from tests.databases import new_sqlite
from tests.faults.bad_disk import DATABASE, READ_ONLY, BadDisk
from tests.sync.processes import ROOT, kill
from tests.sync.station import AT, Station, call_ended, until

CALLS = 300


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    station = Station(tmp_path)
    station.start_broker()
    yield station
    station.kill_broker()


def test_a_read_only_disk_ticks_nothing_off_and_goes_on_when_it_is_well(station: Station) -> None:
    disk = BadDisk(station.folder / "switches")
    looking = station.box()
    office = station.office()
    command = [sys.executable, "-m", "tests.sync.processes", "box", str(station.folder)]
    looking.put(call_ended())
    syncer = subprocess.Popen(
        [*command, str(station.port), station.bind],
        cwd=ROOT, env=disk.environment(station.folder), stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        until(lambda: looking.owes == 0, office, within_s=60)
        disk.fail(DATABASE, READ_ONLY)
        looking.put(*(call_ended() for _ in range(CALLS)))
        until(lambda: disk.refused > 0, office, within_s=60)
        until(lambda: len(office.rows("calls")) > 1, office, within_s=60)  # what was safe is sent
        assert looking.owes == CALLS, "and nothing is ticked off that cannot be written"
        assert syncer.poll() is None, "it does not end for it"
        disk.heal()
        until(lambda: looking.owes == 0, office, within_s=60)
    finally:
        kill(syncer)
        office.close()
        looking.close()
    assert syncer.stderr is not None and b"the branch database cannot be used now" in syncer.stderr.read()
    assert len(office.rows("calls")) == len(office.rows("inbox")) == CALLS + 1


def wal_bytes(database: Path) -> int:
    wal = database.with_name(database.name + "-wal")
    return wal.stat().st_size if wal.exists() else 0


def test_a_reader_that_never_ends_makes_the_boxs_wal_no_larger_than_what_is_written(tmp_path: Path) -> None:
    database = tmp_path / "branch.db"
    with closing(open_store(database)) as db, closing(sqlite3.connect(database)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM outbox").fetchone()
        written = 0
        while wal_bytes(database) < 2 * WAL_BYTES:
            with write(db):
                for _ in range(500):
                    outbox.put(db, call_ended(), AT)
            written += 500
        assert wal_bytes(database) < 3 * WAL_BYTES and wal_bytes(database) / written < 4_000
        assert reader.execute("SELECT count(*) FROM outbox").fetchone() == (0,), (
            "it still sees its own moment"
        )
        reader.execute("COMMIT")
        for _ in range(3):  # the next commits find room again
            db.execute("PRAGMA wal_checkpoint(PASSIVE)")
            with write(db):
                outbox.put(db, call_ended(), AT)
        assert wal_bytes(database) <= WAL_BYTES


def test_a_reader_that_never_ends_holds_up_no_writer_of_head_office(tmp_path: Path) -> None:
    database = tmp_path / "ho.db"
    engine = open_engine(new_sqlite(database))
    with closing(sqlite3.connect(database)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM boxes").fetchone()
        for number in range(200):
            with write_office(engine) as db:
                db.execute(boxes.insert().values(id=f"box-{number}", name="x"))
        assert wal_bytes(database) < 200 * 5 * 4096
        assert reader.execute("SELECT count(*) FROM boxes").fetchone() == (0,)
        reader.execute("COMMIT")
    wait([], 0.0)
    engine.dispose()
