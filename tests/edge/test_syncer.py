"""A box and head office over a real mosquitto with TLS: what arrives, how fast, what the health row says."""

from __future__ import annotations

import hashlib
import os
import resource
import sqlite3
import time
from collections.abc import Container
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import msgspec
import pytest

from cloud import pki
from cloud.store import boxes
from cloud.store.database import write
from edge.syncer.files import LANES
from sync import db as sqlite_db
from sync import outbox, topics
from sync.db import data_version
from sync.messages import Ack, AnyMessage, At, pack, unpack
from sync.transport import Link
from tests.sync.station import AT, BOX, Box, Later, Office, Station, call_ended, days, free_port, until

DAY = timedelta(days=1)


def test_a_call_and_its_recording_arrive(box: Box, office: Office) -> None:
    audio = os.urandom(300_000)
    call, ready = box.record(audio)
    until(lambda: box.owes == 0, box, office)
    (call_row,), (recording,) = office.rows("calls"), office.rows("recordings")
    assert (call_row["id"], call_row["box_id"], call_row["caller_number"]) == (
        call.call_id,
        BOX,
        "13800138000",
    )
    assert (recording["state"], recording["object_key"]) == ("stored", ready.sha256)
    assert hashlib.sha256(office.audio(ready.sha256)).hexdigest() == hashlib.sha256(audio).hexdigest()
    assert box.troubles() == box.troubles("upload") == []
    assert not list(office.settings.incoming_folder.iterdir())


def test_what_is_ready_is_stored_without_waiting_to_be_asked_again(box: Box, office: Office) -> None:
    box.put(call_ended())
    until(lambda: box.owes == 0, box, office)
    box.record(os.urandom(300_000))
    assert until(lambda: box.owes == 0, box, office) < 4.0  # a box asks again after 5 s or more


@dataclass(slots=True)
class Forgetful(Link):
    """A link that loses some of the words that are not certain."""

    loses: Container[int] = ()
    words: list[tuple[bool, AnyMessage]] = field(default_factory=list)  # about files

    def publish(
        self, topic: str, payload: bytes, *, retain: bool = False, at_once: bool = True, certain: bool = True
    ) -> None:
        if ".b/" in topic:
            self.words.append((certain, unpack(payload)))
        if certain or len(self.words) not in self.loses:
            super(Forgetful, self).publish(topic, payload, retain=retain, at_once=at_once, certain=certain)


def test_words_about_chunks_go_at_qos_0_and_may_be_lost(station: Station, box: Box) -> None:
    office = station.office(link_of=partial(Forgetful, loses={3}))
    assert isinstance(office.link, Forgetful)
    try:
        _, ready = box.record(os.urandom(300_000))
        until(lambda: box.owes == 0, box, office)
        words = office.link.words
        assert sum(not certain for certain, _ in words) > 2
        for certain, word in words:
            assert certain is not (isinstance(word, At) and not word.asked), word
        assert office.objects.size(ready.sha256) == ready.size_bytes
        assert box.syncer.files_published <= 1.1 * ready.size_bytes
    finally:
        office.close()


def test_call_records_do_not_wait_for_audio(station: Station, box: Box) -> None:
    office = station.office(link_of=partial(Forgetful, loses=range(1_000_000)))
    try:
        box.record(os.urandom(1_000_000))  # goes nowhere: nobody says that its chunks came
        until(lambda: box.syncer.files.on_the_way > 0, box, office)
        for call in [call_ended() for _ in range(3)]:
            box.put(call)
            until(lambda call=call: call.call_id in {row["id"] for row in office.rows("calls")}, box, office)
            assert box.syncer.files.on_the_way > 0
        assert outbox.waiting(box.db).files == 1
    finally:
        office.close()


def test_an_ack_that_cannot_be_true_ticks_nothing_off(box: Box, office: Office) -> None:
    until(lambda: box.syncer.entries.welcome, box, office)
    box.put(*(call_ended() for _ in range(3)))
    box.step()  # sent; and from now on head office says only this
    epoch, sender = outbox.epoch_of(box.db), box.syncer.entries._sender
    true = Ack(epoch=epoch, stream="evt", upto=1, credit=8, hq_utc=AT)
    for false in (
        msgspec.structs.replace(true, epoch="f" * 16),
        msgspec.structs.replace(true, upto=4),
        msgspec.structs.replace(true, ranges=((3, 4),)),
        msgspec.structs.replace(true, nacks=((4, "x"),)),
        msgspec.structs.replace(true, stream="meta"),
    ):
        ignored = sender.ignored
        office.link.publish(topics.build(BOX, "dn", "a"), pack(false))
        until(lambda ignored=ignored: sender.ignored > ignored, box)
        assert box.owes == 3
    office.link.publish(topics.build(BOX, "dn", "a"), pack(true))
    until(lambda: box.owes == 2, box)


def test_what_was_said_while_nothing_could_be_written_holds(box: Box, office: Office) -> None:
    box.put(call_ended())
    until(lambda: box.owes == 0, box, office)
    box.put(call_ended())
    box.step()  # sent
    box.syncer._db.execute("PRAGMA query_only = ON")
    until(lambda: len(office.rows("calls")) == 2, office)
    with pytest.raises(sqlite3.OperationalError):
        until(lambda: False, box, within_s=10)
    box.syncer._db.execute("PRAGMA query_only = OFF")
    until(lambda: box.owes == 0, box, within_s=10)  # head office says nothing any more


def test_an_empty_recording_and_one_of_one_byte_arrive(box: Box, office: Office) -> None:
    for audio in (b"", b"\x00"):
        _, ready = box.record(audio)
        until(lambda: box.owes == 0, box, office)
        assert office.audio(ready.sha256) == audio


def test_the_next_recording_begins_when_one_is_sent_and_at_most_four_are_under_way(
    station: Station, box: Box
) -> None:
    works = Later()
    office = station.office(works=works)
    ready = [box.record(os.urandom(20_000 + number))[1] for number in range(6)]
    until(lambda: len(works.jobs) == LANES, box, office)  # all of them were sent, none is stored
    for _ in range(50):
        box.step()
        office.step()
    assert len(office.rows("transfers")) == len(works.jobs) == LANES == 4

    def none_left() -> bool:
        works.work()
        return box.owes == 0

    until(none_left, box, office)
    assert [row["state"] for row in office.rows("transfers")] == ["stored"] * 6
    assert all(office.objects.size(one.sha256) == one.size_bytes for one in ready)
    office.close()


def test_a_thousand_entries_of_both_streams_arrive_in_order(box: Box, office: Office) -> None:
    box.put(*(call_ended(str(number)) for number in range(1000)))
    until(lambda: box.owes == 0, box, office)
    arrived = [row["seq"] for row in office.rows("inbox") if row["stream"] == "evt"]
    assert sorted(arrived) == list(range(1, 1001))
    assert [(row["upto"], row["ranges"]) for row in office.rows("inbox_streams")] == [(1000, "[]")]


def test_idle_costs_next_to_nothing(box: Box, office: Office) -> None:
    box.record(b"audio")
    until(lambda: box.owes == 0, box, office)
    begun = resource.getrusage(resource.RUSAGE_THREAD)
    for _ in range(50):  # two seconds of a quiet box
        box.step()
        box.syncer.wait(0.04)
    used = resource.getrusage(resource.RUSAGE_THREAD)
    cpu_s = used.ru_utime + used.ru_stime - begun.ru_utime - begun.ru_stime
    assert cpu_s / 2.0 <= 0.02


def test_an_idle_box_writes_nothing_to_its_disk(box: Box, office: Office) -> None:
    box.record(b"audio")
    until(lambda: box.owes == 0, box, office)

    def is_quiet() -> bool:  # once its hour is closed, too
        before = data_version(box.db)
        for _ in range(20):
            box.step()
        return data_version(box.db) == before

    until(is_quiet, box, office)
    for _ in range(5):
        assert is_quiet()


# What goes wrong, and what the page is told.


def own(station: Station, validity: pki.Validity, authority: pki.Pair | None = None) -> dict[str, Path]:
    """Certificates of this box with another life or signer, kept apart from its good ones."""
    folder = station.folder / "own"
    folder.mkdir()
    signer = authority or pki.pair_of(station.pki, "ca")
    (folder / "ca.pem").write_bytes(signer.cert.read_bytes())
    (folder / "ca-key.pem").write_bytes(signer.key.read_bytes())
    events, bulk = pki.make_box(folder, BOX, validity)
    return {
        "cert_file": events.cert,
        "key_file": events.key,
        "bulk_cert_file": bulk.cert,
        "bulk_key_file": bulk.key,
    }


def stranger(station: Station) -> pki.Pair:
    """An authority that is not ours."""
    return pki.make_ca(station.folder / "stranger", days())


NOW = datetime.now(UTC)
WRONG = {
    "own certificate has expired": lambda station: own(station, pki.Validity(NOW - 2 * DAY, NOW - DAY)),
    "own certificate is not yet valid": lambda station: own(station, pki.Validity(NOW + DAY, NOW + 2 * DAY)),
    "no certificate": lambda station: {"cert_file": station.folder / "none.pem"},
    "unknown authority": lambda station: {"ca_file": stranger(station).cert},
    "wrong host name": lambda station: {"host": "127.0.0.1"},
    "signed by a stranger": lambda station: own(station, days(), authority=stranger(station)),
    "nothing listens": lambda station: {"port": free_port()},
    "no such host": lambda station: {"host": "no-such-host.invalid"},
}
SAID = {
    "own certificate has expired": "our certificate has expired",
    "own certificate is not yet valid": "our certificate is not yet valid",
    "no certificate": "our certificate or key cannot be used: none.pem",
    "unknown authority": "not signed by our certificate authority (unknown CA)",
    "wrong host name": "is for another host name",
    "signed by a stranger": "it may not accept our certificate",
    "nothing listens": "nothing listens on localhost:",
    "no such host": "the name of no-such-host.invalid",
}


@pytest.mark.parametrize("fault", WRONG)
def test_the_health_row_says_what_is_wrong(station: Station, office: Office, fault: str) -> None:
    box = station.box(**WRONG[fault](station))
    try:
        box.put(call_ended())
        until(lambda: box.troubles() != [], box, office)
        (detail,) = box.troubles()
        assert SAID[fault] in detail
        box.put(call_ended())  # the box goes on
        writes = data_version(box.db)
        for _ in range(20):
            box.step()
        assert data_version(box.db) == writes
        assert box.troubles() == [detail]
        assert box.db.execute("SELECT count(*) FROM health WHERE part = 'head_office'").fetchone()[0] == 1
        assert outbox.waiting(box.db).entries == 2
    finally:
        box.close()


def test_a_clock_of_1970_is_said_and_all_goes_once_it_is_set(box: Box, office: Office) -> None:
    """A box without a clock chip, before the network has told it the time."""
    box.put(call_ended())
    begun = datetime(1970, 1, 1, 0, 0, 7, tzinfo=UTC)
    for second in range(5):
        box.syncer.step(time.monotonic(), begun + timedelta(seconds=second))
        office.step()
    (detail,) = box.troubles()
    assert "our certificate is not yet valid; is this clock right?" in detail
    assert box.owes == 1
    until(lambda: box.owes == 0, box, office)
    assert box.troubles() == []


@pytest.mark.parametrize(
    ("validity", "said"),
    [
        (pki.Validity(NOW - 2 * DAY, NOW - DAY), "the certificate of localhost:"),
        (pki.Validity(NOW + DAY, NOW + 2 * DAY), "is not yet valid; is this clock right?"),
    ],
    ids=["expired", "not yet valid"],
)
def test_the_brokers_certificate_has_its_time_too(tmp_path: Path, validity: pki.Validity, said: str) -> None:
    station = Station(tmp_path, server_validity=validity)
    station.start_broker()
    box = station.box()
    try:
        until(lambda: box.troubles() != [], box)
        assert said in box.troubles()[0]
    finally:
        box.close()
        station.kill_broker()


def test_trouble_ends_when_head_office_is_reached(station: Station, office: Office) -> None:
    port = free_port()
    box = station.box(port=port)
    box.put(call_ended())
    until(lambda: box.troubles() != [], box)
    box.close()
    box = station.box()
    try:
        until(lambda: box.owes == 0, box, office)
        assert box.troubles() == []
        ((until_utc,),) = box.db.execute("SELECT until_utc FROM health WHERE part = 'head_office'").fetchall()
        assert until_utc is not None
    finally:
        box.close()


def test_a_broker_without_head_office_behind_it_is_no_head_office(box: Box) -> None:
    box.put(call_ended())
    until(lambda: box.troubles() != [], box)
    assert "head office does not answer" in box.troubles()[0]
    assert box.owes == 1


def test_an_unregistered_box_is_refused_until_it_is_registered(station: Station, box: Box) -> None:
    office = station.office(registered=False)
    try:
        until(lambda: office.ingest.ready, office)
        box.record(b"audio")
        until(lambda: box.troubles() != [], box, office)
        assert "head office does not know this box" in box.troubles()[0]
        assert office.rows("inbox") == office.rows("transfers") == office.rows("quarantine") == []
        with write(office.engine) as db:
            boxes.register(db, BOX, "Nanjing Road")
        until(lambda: box.owes == 0, box, office)
        assert box.troubles() == []
    finally:
        office.close()


def test_a_missing_recording_is_said_and_holds_up_no_other(box: Box, office: Office) -> None:
    _, missing = box.record(b"gone")
    (box.settings.recordings_dir / f"{missing.recording_id}.flac").unlink()
    _, there = box.record(b"there")
    until(lambda: outbox.waiting(box.db).files == 1, box, office)
    until(lambda: box.troubles("upload") != [], box, office)
    assert f"recording {missing.recording_id}.flac cannot be read" in box.troubles("upload")[0]
    states = {row["id"]: row["state"] for row in office.rows("recordings")}
    assert states == {missing.recording_id: "announced", there.recording_id: "stored"}


def test_a_recording_that_changed_on_disk_is_refused_after_three_tries(box: Box, office: Office) -> None:
    _, ready = box.record(b"as it was recorded")
    (box.settings.recordings_dir / f"{ready.recording_id}.flac").write_bytes(b"as it is on disk!!")
    until(lambda: box.owes == 0, box, office)
    assert box.db.execute("SELECT state, code FROM outbox_files").fetchall()[0][:] == (
        "refused",
        "wrong_hash",
    )
    assert [row["state"] for row in office.rows("recordings")] == ["announced"]
    assert [(row["state"], row["failures"]) for row in office.rows("transfers")] == [("refused", 3)]
    assert (box.settings.recordings_dir / f"{ready.recording_id}.flac").exists()
    assert "wrong_hash" in box.troubles("upload")[0]


def test_an_entry_damaged_on_disk_arrives_in_quarantine_and_holds_up_no_other(
    box: Box, office: Office
) -> None:
    box.put(call_ended("1"), call_ended("2"), call_ended("3"))
    with sqlite_db.write(box.db):
        box.db.execute("UPDATE outbox SET body = replace(CAST(body AS TEXT), '\"2\"', '\"9\"') WHERE seq = 2")
    until(lambda: box.owes == 0, box, office)
    assert sorted(row["caller_number"] for row in office.rows("calls")) == ["1", "3"]
    assert [row["kind"] for row in office.rows("quarantine")] == ["opaque"]
    assert [
        tuple(row) for row in box.db.execute("SELECT seq, code FROM outbox WHERE state = 'quarantined'")
    ] == [(2, "unknown_kind")]


def test_that_an_entry_was_set_aside_is_known_though_its_ack_was_lost(box: Box, office: Office) -> None:
    box.put(call_ended("1"), call_ended("2"))
    with sqlite_db.write(box.db):
        box.db.execute("UPDATE outbox SET body = replace(CAST(body AS TEXT), '\"1\"', '\"9\"') WHERE seq = 1")
    until(lambda: bool(office.rows("quarantine")), box, office)
    assert box.owes > 0, "the word about them is still on its way"
    box.cut()
    until(lambda: box.owes == 0, box, office)
    query = "SELECT seq, state, code FROM outbox ORDER BY seq"
    assert [tuple(row) for row in box.db.execute(query)] == [
        (1, "quarantined", "unknown_kind"),
        (2, "acked", None),
    ]
    assert len(office.rows("quarantine")) == 1


def test_what_the_broker_would_not_take_is_never_sent(tmp_path: Path) -> None:
    station = Station(tmp_path, max_packet_bytes=10_000)
    station.start_broker()
    box, office = station.box(), station.office()
    try:
        until(lambda: office.ingest.ready, office)
        _, ready = box.record(os.urandom(50_000))  # chunks become smaller
        large = replace(call_ended(), caller_name=os.urandom(15_000).hex())
        box.put(*(call_ended() for _ in range(30)), large, call_ended())
        until(lambda: box.owes == 0, box, office)
        assert office.audio(ready.sha256)
        assert len(office.rows("calls")) == 1 + 30 + 1
        (set_aside,) = office.rows("quarantine")
        assert (set_aside["kind"], b'"size":' in set_aside["body"]) == ("opaque", True)
        assert box.troubles() == box.troubles("upload") == []
    finally:
        box.close()
        office.close()
        station.kill_broker()


def test_a_box_restored_from_an_old_copy_begins_a_new_epoch_and_loses_nothing(
    station: Station, box: Box, office: Office
) -> None:
    box.put(call_ended("before the copy"))
    until(lambda: box.owes == 0, box, office)
    copy = station.folder / "copy.db"
    box.db.execute("VACUUM INTO ?", (str(copy),))
    box.put(*(call_ended(f"after the copy {number}") for number in range(3)))
    until(lambda: box.owes == 0, box, office)
    restored = station.box(database=copy)
    try:
        restored.put(*(call_ended(f"restored {number}") for number in range(5)))
        until(lambda: restored.owes == 0, restored, office)
        assert len(office.rows("calls")) == 1 + 3 + 5
        assert len({row["epoch"] for row in office.rows("inbox")}) == 2
    finally:
        restored.close()


def test_head_office_restored_from_a_backup_gets_again_what_it_lost(box: Box, office: Office) -> None:
    box.put(*(call_ended(str(number)) for number in range(5)))
    until(lambda: box.owes == 0, box, office)
    kept = office.rows("inbox_streams")[0]
    box.put(*(call_ended(str(number)) for number in range(5, 9)))
    until(lambda: box.owes == 0, box, office)
    with write(office.engine) as db:  # back to where it was
        db.exec_driver_sql("DELETE FROM inbox WHERE seq > 5")
        db.exec_driver_sql("DELETE FROM calls WHERE CAST(caller_number AS INTEGER) >= 5")
        db.exec_driver_sql("UPDATE inbox_streams SET upto = 5, head = ?", (kept["head"],))
    box.close()
    again = Box(box.settings, sqlite_db.connect(box.settings.database))
    try:
        until(lambda: len(office.rows("calls")) == 9 and again.owes == 0, again, office)
    finally:
        again.close()
