"""What is altered in closed hours at head office is found by the audit and mended without hands."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cloud.audit import Auditor, Fault
from cloud.store.database import write
from sync import outbox
from sync.events import ClockMeasured, RecordingLost
from sync.ids import new_id
from sync.moment import to_text
from sync.transport import utc_now
from tests.edge.test_reconciling import settle
from tests.sync.station import Office, Station, call_ended, until


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    """A box and head office with a closed hour: calls, recordings whole and lost, a clock that was off."""
    station = Station(tmp_path_factory.mktemp("closed"))
    station.start_broker()
    box, office = station.box(), station.office()
    until(lambda: office.ingest.ready, office)
    box.put(ClockMeasured(outbox.epoch_of(box.db), 0, 5, 1500, 20, "measured"))
    box.put(*(call_ended(str(number)) for number in range(10)))
    box.put(RecordingLost(new_id(), new_id(), "disk_full"))
    box.record(os.urandom(30_000))
    box.record(os.urandom(10_000))
    settle(box, office)
    box.close()
    office.close()
    yield station
    station.kill_broker()


@pytest.fixture
def station(closed: Station, tmp_path: Path) -> Station:
    """A copy of it, at the same broker."""
    shutil.copytree(closed.folder, tmp_path, dirs_exist_ok=True)
    return Station(tmp_path, closed.port)


@pytest.fixture
def office(station: Station) -> Iterator[Office]:
    """Head office, not connected yet."""
    office = station.office()
    yield office
    office.close()


def audit(office: Office) -> list[Fault]:
    return list(Auditor(office.reconciler).run(office.engine, to_text(utc_now())))


def harm(office: Office, statement: str) -> None:
    with write(office.engine) as db:
        assert db.exec_driver_sql(statement).rowcount > 0


KEPT = ("calls", "recordings", "gaps")


def state(office: Office) -> list[list[dict[str, object]]]:
    """What people see; when something arrived may change by mending."""
    free = ("received_utc", "stored_utc")
    return [
        sorted(({k: v for k, v in row.items() if k not in free} for row in office.rows(table)), key=repr)
        for table in KEPT
    ]


def test_nothing_is_found_where_nothing_was_altered(office: Office) -> None:
    assert audit(office) == []


# what was done -> what the audit calls it
HARMS = {
    "UPDATE calls SET caller_number = '9' WHERE caller_number = '3'": "row",
    "UPDATE calls SET duration_ms = duration_ms + 1 WHERE caller_number = '3'": "row",
    "UPDATE calls SET box_id = 'branch-2' WHERE caller_number = '3'": "row",
    "UPDATE calls SET received_utc = '2026-11-22T04:05:06.788Z' WHERE caller_number = '3'": "row",
    "UPDATE calls SET corrected_utc = replace(corrected_utc, '0', '2') WHERE caller_number = '3'": "row",
    "UPDATE calls SET clock_error_ms = 0 WHERE caller_number = '8'": "row",
    "UPDATE box_clocks SET offset_ms = 1501": "clock",
    "UPDATE box_clocks SET upto_seq = 7": "clock",
    "DELETE FROM box_clocks": "clock",
    "DELETE FROM calls WHERE caller_number = '3'": "row",
    "UPDATE calls SET party = '4' WHERE caller_number = '3'": "row",
    "UPDATE calls SET last8 = '4' WHERE caller_number = '3'": "row",
    "UPDATE calls SET facet = facet + 32 WHERE caller_number = '3'": "row",
    "UPDATE inbox SET body = CAST(replace(body, 'll_ended', 'nl_ended') AS BLOB) WHERE seq = 4": "entries",
    "UPDATE calls SET line_name = CAST(x'ff41' AS TEXT) WHERE caller_number = '3'": "row",
    "UPDATE recordings SET samples = 1": "row",
    "UPDATE recordings SET state = 'lost', lost_reason = 'x'": "row",
    "UPDATE recordings SET object_key = 'ab'": "row",
    "UPDATE recordings SET lost_reason = 'x' WHERE state = 'stored'": "row",
    "UPDATE recordings SET lost_reason = 'x' WHERE state = 'lost'": "row",
    "UPDATE recordings SET samples = 1 WHERE state = 'lost'": "row",
    "DELETE FROM recordings WHERE state = 'lost'": "row",
    "INSERT INTO gaps SELECT id, 5, 5, 'overrun' FROM recordings": "row",
    "UPDATE inbox SET body = CAST(replace(body, '\"3\"', '\"4\"') AS BLOB) WHERE seq = 4": "entries",
    "UPDATE inbox SET h = substr(h, 2) || substr(h, 1, 1) WHERE seq = 4": "entries",
    "UPDATE inbox SET received_utc = '2026-11-22T04:05:06.788Z' WHERE stream = 'meta'": "row entries",
    "DELETE FROM inbox WHERE seq = 4": "entries stray",
    "UPDATE manifests SET span = '2026-11-22T05'": "manifest",
    "UPDATE manifests SET body = CAST(replace(body, '1', '2') AS BLOB)": "manifest",
    "UPDATE manifests SET received_utc = '2026-11-22T04:05:06.788Z'": "entries",
    "UPDATE manifests SET closed_utc = '2026-11-22T04:05:06.788Z'": "entries",
    "UPDATE manifests SET audited_utc = NULL": "entries",
    "UPDATE transfers SET failures = 1": "entries",
    "UPDATE transfers SET opened_utc = '2026-11-22T04:05:06.788Z'": "entries",
    "UPDATE transfers SET done_utc = '2026-11-22T04:05:06.788Z'": "entries row",
    "UPDATE transfers SET sha256 = substr(sha256, 2) || substr(sha256, 1, 1)": "audio row",
    "UPDATE transfers SET state = 'refused'": "audio row",
}  # fmt: skip


@pytest.mark.parametrize("statement", HARMS)
def test_what_is_altered_is_found(office: Office, statement: str) -> None:
    harm(office, statement)
    assert {fault.what for fault in audit(office)} & set(HARMS[statement].split())


ALONE = {
    "clock": "UPDATE box_clocks",
    "row": "UPDATE calls SET corrected_utc",
    "entries": "UPDATE manifests SET c",
}


@pytest.mark.parametrize("what", ALONE)
def test_what_head_office_can_mend_alone_is_well_at_once(office: Office, what: str) -> None:
    before = state(office)
    harm(office, next(statement for statement in HARMS if statement.startswith(ALONE[what])))
    assert what in {fault.what for fault in audit(office)}
    assert state(office) == before
    assert audit(office) == []


KEYS = {
    "calls": "SELECT id FROM calls WHERE caller_number = '3'",
    "recordings": "SELECT id FROM recordings WHERE state = 'stored'",
    "inbox": "SELECT eid FROM inbox WHERE seq = 4",
}


@pytest.mark.parametrize("table", KEYS)
def test_a_key_that_differs_from_its_index_is_found_and_mended(
    station: Station, office: Office, table: str
) -> None:
    """A query by the index never sees what became of the row."""
    before = state(office)
    database = station.folder / "head-office.db"
    with closing(sqlite3.connect(database)) as db:
        key = str(db.execute(KEYS[table]).fetchone()[0]).encode()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    office.engine.dispose()
    good = database.read_bytes()
    # The event feed's lists of ids are no entries of boxes, so no audit compares them.
    places = [found.start() for found in re.finditer(rb'(?<![\[,]")' + key, good)]
    assert len(places) >= 2
    for at in places:
        for left in database.parent.glob("head-office.db-*"):
            left.unlink()
        database.write_bytes(good[: at + 20] + bytes([good[at + 20] ^ 4]) + good[at + 21 :])
        assert audit(office), at
        office.engine.dispose()
    box = station.box()
    try:
        settle(box, office)
        until(lambda: state(office) == before, box, office)
        assert audit(office) == []
    finally:
        box.close()


MENDED = (
    "UPDATE calls SET box_id",
    "UPDATE inbox SET body",
    "DELETE FROM inbox",
    "UPDATE manifests SET body",
)


@pytest.mark.parametrize("begin", MENDED)
def test_what_was_found_is_mended_without_hands(station: Station, office: Office, begin: str) -> None:
    before = state(office)
    harm(office, next(statement for statement in HARMS if statement.startswith(begin)))
    audit(office)
    box = station.box()
    try:
        settle(box, office)
        until(lambda: state(office) == before, box, office)
        assert audit(office) == []
    finally:
        box.close()


def objects(office: Office) -> list[Path]:
    return sorted(
        path for path in (office.settings.incoming_folder.parent / "objects").rglob("*") if path.is_file()
    )


AUDIO = {
    "a bit": lambda good: good[:500] + bytes([good[500] ^ 1]) + good[501:],
    "the end": lambda good: good[:-1],
    "all of it": lambda good: b"",
}


@pytest.mark.parametrize("what", AUDIO)
def test_damaged_audio_is_found(office: Office, what: str) -> None:
    file = objects(office)[0]
    file.write_bytes(AUDIO[what](file.read_bytes()))
    assert [fault.what for fault in audit(office)] == ["audio"]


def test_damaged_audio_comes_again(station: Station, office: Office) -> None:
    file = objects(office)[0]
    good = file.read_bytes()
    file.write_bytes(AUDIO["a bit"](good))
    audit(office)
    box = station.box()
    try:
        settle(box, office)
        until(lambda: file.exists() and file.read_bytes() == good, box, office)
        assert audit(office) == []
    finally:
        box.close()
