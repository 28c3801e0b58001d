"""A box and head office over a real mosquitto agree, hour by hour, on what was written."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest

from cloud.store import late_hours, troubles
from cloud.store.database import read, write
from edge.store import manifests
from edge.store.unreconciled import purge, unreconciled
from edge.syncer.manifests import ManifestsEnd
from sync import db as sqlite_db
from sync import outbox
from sync.keys import DeviceKey
from sync.manifest import WITNESS, holds
from sync.moment import to_text
from sync.transport import utc_now
from tests.sync.station import AT, BOX, Box, Office, Station, call_ended, until


def rows(db: sqlite3.Connection, query: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in db.execute(query)]


def number(box: Box) -> int:
    """The box's one number."""
    return unreconciled(box.db, to_text(utc_now())).items


def all_closed(box: Box) -> bool:
    states = rows(box.db, "SELECT state FROM manifests")
    return box.owes == 0 and states != [] and set(states) == {("closed",)} and number(box) == 0


def look(box: Box) -> None:
    """Have the box look now for what is due, as it does every minute."""
    box.syncer.manifests._look_s = 0.0


def settle(box: Box, office: Office, within_s: float = 20.0) -> None:
    """Until every hour is closed on both sides."""

    def settled() -> bool:
        look(box)
        return all_closed(box) and {row["state"] for row in office.rows("manifests")} == {"closed"}

    until(settled, box, office, within_s=within_s)


def ask_anew(box: Box) -> Box:
    """The same box, connected again: standings are compared once per connection."""
    box.close()
    return Box(box.settings, sqlite_db.connect(box.settings.database))


def harm(office: Office, statement: str) -> None:
    with write(office.engine) as db:
        assert db.exec_driver_sql(statement).rowcount > 0


class Said:
    """A link that keeps what is published."""

    def __init__(self) -> None:
        self.payloads: list[bytes] = []

    def publish(self, _topic: str, payload: bytes) -> None:
        self.payloads.append(payload)


def test_call_records_that_wait_go_before_manifests_for_five_minutes_at_most(box: Box) -> None:
    said = Said()
    end = ManifestsEnd(BOX, box.db, said, lambda: None)  # type: ignore[arg-type]
    for now_s, clear, spoken in [
        (1000.0, True, 1),  # where it stands
        (1100.0, False, 1),  # nobody answered, but now entries are on their way
        (1299.0, False, 1),
        (1301.0, False, 2),
        (1400.0, False, 2),
        (1500.0, True, 3),
    ]:
        end.step(True, now_s, AT, clear=clear)
        assert len(said.payloads) == spoken, now_s


def test_an_hour_is_closed_and_countersigned(box: Box, office: Office) -> None:
    box.put(*(call_ended(str(number)) for number in range(300)))
    box.record(os.urandom(50_000))
    settle(box, office)
    (mine,) = rows(box.db, "SELECT n, span, h, witness_key, witness_sig FROM manifests")
    (theirs,) = office.rows("manifests")
    assert mine[:2] == (1, "2026-11-22T04")
    assert (theirs["h"], theirs["items"]) == (mine[2], 0)
    assert holds(mine[3], WITNESS, mine[2], mine[4])
    assert [row["code"] for row in office.rows("quarantine")] == []


def test_an_hour_that_is_not_closed_within_a_day_of_contact_is_a_trouble(box: Box, office: Office) -> None:
    box.put(call_ended())
    settle(box, office)
    for days_ago, expected in ((0.9, []), (1.1, ["late_hour"])):
        received_utc = to_text(utc_now() - timedelta(days=days_ago))
        times = f"received_utc = '{received_utc}', audited_utc = '{received_utc}'"
        harm(office, f"UPDATE manifests SET state = 'waiting', {times}")
        with write(office.engine) as db:
            late_hours.note(db, BOX, to_text(utc_now()))
            assert [one["kind"] for one in troubles.open_troubles(db, BOX)] == expected
    again = ask_anew(box)
    try:
        settle(again, office)
        with read(office.engine) as db:
            assert troubles.open_troubles(db, BOX) == []
    finally:
        again.close()


def test_late_entries_open_an_hour_again(box: Box, office: Office) -> None:
    box.put(call_ended())
    settle(box, office)
    box.put(call_ended())
    assert number(box) > 0
    settle(box, office)
    assert rows(box.db, "SELECT n, span FROM manifests ORDER BY n") == [
        (1, "2026-11-22T04"),
        (2, "2026-11-22T04"),
    ]


def test_a_day_is_closed_by_a_manifest_of_its_manifests(box: Box, office: Office) -> None:
    with sqlite_db.write(box.db):
        for hour in ("2026-11-20T23", "2026-11-21T00", "2026-11-21T09", "2026-11-22T01"):
            outbox.put(box.db, call_ended(), f"{hour}:10:00.000Z")
    settle(box, office)
    spans = [span for (span,) in rows(box.db, "SELECT span FROM manifests ORDER BY n")]
    assert spans[:6] == [
        "2026-11-20T23",
        "2026-11-20",
        "2026-11-21T00",
        "2026-11-21T09",
        "2026-11-21",
        "2026-11-22T01",
    ]


def test_an_hour_waits_for_its_audio(box: Box, office: Office) -> None:
    _, ready = box.record(b"audio")
    file = box.settings.recordings_dir / f"{ready.recording_id}.flac"
    file.rename(file.with_suffix(".away"))
    until(lambda: outbox.waiting(box.db).entries == 0, box, office)
    box.step()
    assert office.rows("manifests") == [], "a fresh manifest lets its recordings go first"
    with sqlite_db.write(box.db):
        box.db.execute("UPDATE manifests SET made_utc = '2026-11-22T05:00:00.000Z'")
    until(lambda: [row["state"] for row in office.rows("manifests")] == ["waiting"], box, office)
    assert unreconciled(box.db, to_text(utc_now())).files == 1
    file.with_suffix(".away").rename(file)
    box.syncer.files._held.clear()
    box.syncer.files.woken()
    settle(box, office)


HARMS = {
    "an entry is gone": "DELETE FROM inbox WHERE seq = 7",
    "many entries are gone": "DELETE FROM inbox WHERE seq BETWEEN 20 AND 250",
    "the bytes of an entry were altered": "UPDATE inbox SET body ="
    " CAST(replace(body, '13800138000', '13800138001') AS BLOB) WHERE seq = 130",
    "an entry became text": "UPDATE inbox SET body = CAST(body AS TEXT) WHERE seq = 131",
    "a column was altered": "UPDATE inbox SET kind = 'recording_lost' WHERE seq = 99",
    "entries changed places": "UPDATE inbox SET seq = 900 - seq WHERE seq IN (400, 500)",
    "an eid was altered": "UPDATE inbox SET eid = '0' || substr(eid, 2) WHERE seq = 3",
}


@pytest.mark.parametrize("what", HARMS)
def test_what_head_office_lost_or_altered_is_found_and_mended(box: Box, office: Office, what: str) -> None:
    box.put(*(call_ended() for _ in range(600)))
    settle(box, office)  # nothing is on its way any more that could close the hour by itself
    before = {row["eid"]: row["body"] for row in office.rows("inbox")}
    with write(office.engine) as db:
        db.exec_driver_sql("DELETE FROM manifests")
    harm(office, HARMS[what])
    with sqlite_db.write(box.db):
        box.db.execute("UPDATE manifests SET state = 'open'")
    box.syncer.manifests.woken()
    settle(box, office)
    assert {row["eid"]: row["body"] for row in office.rows("inbox")} == before
    assert len(office.rows("calls")) == 600


def test_head_office_restored_from_yesterdays_backup_closes_every_hour_again(
    station: Station, box: Box, office: Office
) -> None:
    box.put(*(call_ended() for _ in range(30)))
    settle(box, office)
    with closing(sqlite3.connect(station.folder / "head-office.db")) as db:
        db.execute("VACUUM INTO ?", (str(station.folder / "backup.db"),))
    for hour in range(5, 8):
        with sqlite_db.write(box.db):
            outbox.put(box.db, call_ended(), f"2026-11-22T0{hour}:10:00.000Z")
    box.record(os.urandom(20_000))
    settle(box, office)
    office.close()
    (station.folder / "head-office.db").write_bytes((station.folder / "backup.db").read_bytes())
    for left in ("head-office.db-wal", "head-office.db-shm"):
        (station.folder / left).unlink(missing_ok=True)
    restored = station.office()
    again = ask_anew(box)
    try:
        until(lambda: len(restored.rows("calls")) == 34, again, restored)
        made = len(rows(again.db, "SELECT 1 FROM manifests"))
        until(lambda: len(restored.rows("manifests")) == made > 1, again, restored)
        settle(again, restored)
        assert restored.rows("recordings")[0]["state"] == "stored"
    finally:
        again.close()
        restored.close()


def test_a_box_restored_from_yesterdays_copy_closes_every_hour_again(
    station: Station, box: Box, office: Office
) -> None:
    box.put(*(call_ended() for _ in range(30)))
    settle(box, office)
    copy = station.folder / "copy.db"
    box.db.execute("VACUUM INTO ?", (str(copy),))
    box.put(*(call_ended() for _ in range(3)))
    settle(box, office)
    box.close()
    restored = station.box(database=copy)
    try:
        restored.put(*(call_ended() for _ in range(5)))
        settle(restored, office)
        assert len(office.rows("calls")) == 38
        assert len({row["epoch"] for row in office.rows("manifests")}) == 2
    finally:
        restored.close()


def test_a_copy_without_the_manifests_that_head_office_holds_numbers_on(
    station: Station, box: Box, office: Office
) -> None:
    box.put(call_ended())
    until(lambda: box.owes == 0, box, office)
    copy = station.folder / "copy.db"
    box.db.execute("VACUUM INTO ?", (str(copy),))
    with sqlite3.connect(copy) as db:
        db.executescript("DELETE FROM manifests; DELETE FROM manifest_parts; DELETE FROM manifest_files;")
    settle(box, office)
    box.close()
    restored = station.box(database=copy)
    try:
        settle(restored, office)
        assert [row["n"] for row in office.rows("manifests")] == [1, 2]
    finally:
        restored.close()


def test_an_entry_that_the_box_lost_comes_back_from_head_office(box: Box, office: Office) -> None:
    box.put(*(call_ended() for _ in range(40)))
    settle(box, office)
    before = rows(box.db, "SELECT seq, body, prev, h FROM outbox ORDER BY seq")
    with sqlite_db.write(box.db):
        box.db.execute("UPDATE outbox SET body = CAST(replace(body, '138', '139') AS BLOB) WHERE seq = 9")
        box.db.execute("DELETE FROM outbox WHERE seq = 20")

    def whole() -> bool:
        look(box)
        return rows(box.db, "SELECT seq, body, prev, h FROM outbox ORDER BY seq") == before

    until(whole, box, office)


def test_an_entry_that_neither_chain_owns_is_not_taken_back(box: Box) -> None:
    box.put(call_ended("1"), call_ended("2"))
    (epoch, body), *_ = rows(box.db, "SELECT epoch, body FROM outbox WHERE seq = 1")
    with sqlite_db.write(box.db):
        assert not manifests.mend(box.db, epoch, "evt", 1, body.replace(b'"1"', b'"9"'))
        assert not manifests.mend(box.db, epoch, "evt", 2, body)
        assert manifests.mend(box.db, epoch, "evt", 1, body)


def test_a_manifest_of_another_history_is_refused_and_said(box: Box, office: Office) -> None:
    box.put(call_ended())
    settle(box, office)
    harm(office, "UPDATE manifests SET h = replace(h, '0', '1'), body = CAST('{}' AS BLOB)")
    harm(office, "UPDATE manifests SET h = 'aa'")
    box.put(call_ended())

    def told() -> bool:
        look(box)
        with read(office.engine) as db:
            return [row["kind"] for row in troubles.open_troubles(db, BOX)] == ["other_history"]

    until(told, box, office)
    until(lambda: box.troubles("reconciling") != [], box, office)
    assert "other_history" in box.troubles("reconciling")[0]


def test_a_manifest_signed_by_another_key_is_not_taken(box: Box, office: Office) -> None:
    box.put(call_ended())
    box.syncer.manifests._make(to_text(utc_now()))
    with sqlite_db.write(box.db):
        box.db.execute("UPDATE manifests SET sig = ?", (DeviceKey.new().sign(b"").hex(),))
    until(lambda: [row["code"] for row in office.rows("quarantine")] == ["not_a_manifest"], box, office)
    assert office.rows("manifests") == []


def test_only_what_is_closed_is_purged_and_the_last_one_stays(box: Box, office: Office) -> None:
    box.put(*(call_ended() for _ in range(10)))
    with sqlite_db.write(box.db):
        assert purge(box.db, "2999-01-01T00:00:00.000Z") == 0
    settle(box, office)
    with sqlite_db.write(box.db):
        assert purge(box.db, "2020-01-01T00:00:00.000Z") == 0
    for days, left in ((29, list(range(1, 11))), (31, [10])):
        box.syncer.manifests._purge(to_text(utc_now() + timedelta(days=days)))
        assert rows(box.db, "SELECT seq FROM outbox ORDER BY seq") == [(seq,) for seq in left]
    box.put(call_ended())
    settle(box, office)
    again = ask_anew(box)
    try:
        again.put(call_ended())
        settle(again, office)
        assert len(rows(again.db, "SELECT DISTINCT epoch FROM outbox")) == 1
    finally:
        again.close()
