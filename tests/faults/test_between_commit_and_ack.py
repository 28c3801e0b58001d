"""Head office ends in the moment between its commit and its word about it: the repeat is passed over.

The process ends itself by SIGKILL when it is about to say `ack` or `stored` (tests.sync.processes, `mute`).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.sync import processes
from tests.sync.station import Box, Station, call_ended, until

CALLS = 250


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    station = Station(tmp_path)
    station.start_broker()
    station.office().close()  # the box is registered
    yield station
    station.kill_broker()


@pytest.fixture
def box(station: Station) -> Iterator[Box]:
    box = station.box()
    yield box
    box.close()


def rows(station: Station, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(station.folder / "head-office.db")) as db:
        return db.execute(query).fetchall()


def test_what_was_committed_and_never_acknowledged_is_there_once(station: Station, box: Box) -> None:
    calls = [call_ended() for _ in range(CALLS)]
    box.put(*calls)
    mute = processes.fork("mute", station)
    until(lambda: not mute.is_alive(), box)
    committed = rows(station, "SELECT eid, received_utc FROM inbox ORDER BY eid")
    assert committed, "it ended after its commit"
    assert box.owes == CALLS, "and before its word"
    office = station.office()
    try:
        until(lambda: box.owes == 0, box, office)
    finally:
        office.close()
    assert rows(station, "SELECT count(*) FROM inbox WHERE kind = 'call_ended'") == [(CALLS,)]
    first = {eid for eid, _ in committed}
    again = [
        row for row in rows(station, "SELECT eid, received_utc FROM inbox ORDER BY eid") if row[0] in first
    ]
    assert again == committed
    written = "SELECT count(*) FROM calls JOIN inbox USING (received_utc) WHERE inbox.eid = '{}'"
    assert all(rows(station, written.format(eid))[0][0] >= 1 for eid in first)
    assert {row[0] for row in rows(station, "SELECT id FROM calls")} == {call.call_id for call in calls}


def test_a_recording_that_was_stored_and_never_acknowledged_is_not_sent_again(
    station: Station, box: Box
) -> None:
    data = os.urandom(300_000)
    _, ready = box.record(data)
    mute = processes.fork("mute about audio", station)
    until(lambda: not mute.is_alive(), box)
    assert rows(station, "SELECT state FROM transfers") == [("stored",)]
    assert box.owes > 0
    before = box.syncer.files_published
    office = station.office()
    try:
        until(lambda: box.owes == 0, box, office)
        assert office.audio(ready.sha256) == data
    finally:
        office.close()
    assert box.syncer.files_published - before < 5_000, "it was asked for, not sent again"
