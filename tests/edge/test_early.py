"""Audio of a call that still goes on, sent while it lasts: real parts, real FLAC, a real broker."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import timedelta

import numpy as np
import pytest
import soundfile

from cloud.incoming import Incoming
from edge.codec import Encoded, encode_flac
from edge.part import pack_blocks, part_name
from edge.samples import Samples
from edge.store.recordings import (
    RecordingRow,
    begin_recording,
    close_recording,
    finish_recording,
    lose_recording,
)
from edge.store.schema import open_store
from edge.syncer.early import SEGMENT_S, EarlyAudio
from sync import spans
from sync.db import write
from sync.ids import new_id
from sync.messages import Sums, unpack
from sync.moment import to_text
from sync.transport import Arrived, Link, utc_now
from tests.sync.station import AT, BOX, Box, Office, Station, until

RATE_HZ = 8000
MARGIN_S = 15.0
BYTES_A_SECOND = 11_000  # of FLAC, at least


def speech(seconds: float, seed: int = 1) -> Samples:
    """Something FLAC cannot make small."""
    return np.random.default_rng(seed).normal(0, 800, round(seconds * RATE_HZ)).astype(np.int16)


class Call:
    """A call that is being recorded, as the recorder leaves it on disk and in its rows."""

    def __init__(self, box: Box) -> None:
        self.db, self.id = open_store(box.settings.database), new_id()
        self.folder = box.settings.recordings_dir
        self.part = self.folder / part_name(self.id)
        self.samples = 0
        call_id = new_id()
        with write(self.db):
            self.db.execute(
                "INSERT INTO calls (id, line, line_name, state, direction, outcome, started_utc)"
                " VALUES (?, 1, '', 'open', 'in', 'open', ?)",
                (call_id, AT),
            )
            begin_recording(self.db, RecordingRow(self.id, call_id, "recording", self.part.name, AT, RATE_HZ))
        self.part.touch()

    def goes_on(self, seconds: float) -> None:
        block = speech(seconds, self.samples)
        with self.part.open("ab") as file:
            for at in range(0, len(block), 1600):
                file.write(pack_blocks(block[at : at + 1600]))
        self.samples += len(block)

    def ends(self, less_s: float = 0.0, *, encoded_anew: bool = False) -> bytes:
        """Its hang-up was noticed `less_s` late; the finished file, perhaps of another encoder."""
        samples = self.samples - round(less_s * RATE_HZ)
        with write(self.db):
            close_recording(self.db, self.id, samples, ())
        encoded = encode_flac(self.part, self.part.with_suffix(".flac"), RATE_HZ, samples)
        if encoded_anew:
            encoded = self._encoded_anew(encoded)
        with write(self.db):
            finish_recording(self.db, self.id, encoded, AT)
        self.part.unlink()
        return (self.folder / encoded.file).read_bytes()

    def _encoded_anew(self, encoded: Encoded) -> Encoded:
        file = self.folder / encoded.file
        audio, rate_hz = soundfile.read(file, dtype="int16")
        soundfile.write(file, audio, rate_hz, subtype="PCM_16", compression_level=0.0)
        data = file.read_bytes()
        return replace(encoded, size_bytes=len(data), sha256=hashlib.sha256(data).hexdigest())


def early_bytes(office: Office, call: Call) -> int:
    """What head office has of a call that goes on."""
    held = Incoming(office.settings.incoming_folder).held(f"{BOX}.{call.id}")
    return sum(end - start for start, end in held)


def sent_bytes(box: Box) -> int:
    """What the bulk connection has published."""
    return box.syncer.files_published


@dataclass(slots=True)
class Hearing(Link):
    """A link that notes the sums of segments that came."""

    sums: list[Sums] = field(default_factory=list)

    def step(self) -> list[Arrived]:
        arrived = super(Hearing, self).step()
        said = [unpack(one.payload) for one in arrived if one.topic.endswith("/f")]
        self.sums += [one for one in said if isinstance(one, Sums)]
        return arrived


def flac_bytes(call: Call, seconds: float) -> int:
    """The size of the FLAC file of the first seconds of a call."""
    return encode_flac(call.part, call.folder / "x.flac", RATE_HZ, round(seconds * RATE_HZ)).size_bytes


def test_a_long_call_is_sent_while_it_lasts(station: Station, box: Box) -> None:
    office = station.office(link_of=Hearing)
    assert isinstance(office.link, Hearing)
    call = Call(box)
    call.goes_on(60 + MARGIN_S - 1)
    until(lambda: box.syncer.entries.welcome and box.syncer._files_reach.link.up, box, office)
    for _ in range(30):
        box.step()
        office.step()
    assert early_bytes(office, call) == 0, "less than a segment of a minute is settled"
    call.goes_on(126)
    until(lambda: early_bytes(office, call) > 150 * BYTES_A_SECOND, box, office)
    assert office.rows("recordings") == []
    call.goes_on(100)
    until(lambda: early_bytes(office, call) > 240 * BYTES_A_SECOND, box, office)
    until(lambda: box.syncer.files.on_the_way == 0, box, office)
    assert early_bytes(office, call) <= flac_bytes(call, 300 - MARGIN_S)
    before_end, segments = sent_bytes(box), list(office.link.sums)
    flac = call.ends(less_s=2.0)
    until(lambda: box.owes == 0, box, office)
    (recording,) = office.rows("recordings")
    assert (recording["state"], recording["sha256"]) == ("stored", hashlib.sha256(flac).hexdigest())
    assert office.audio(str(recording["object_key"])) == flac
    assert sent_bytes(box) <= 1.02 * len(flac)
    assert sent_bytes(box) - before_end < 0.4 * len(flac)  # most of it was there when the call ended
    assert segments
    for one in segments:
        pieces = [flac[at : min(at + one.step, one.end)] for at in range(one.start, one.end, one.step)]
        assert one.sums == tuple(hashlib.sha256(piece).hexdigest() for piece in pieces)
        assert one.end - one.start >= 59 * BYTES_A_SECOND
    office.close()


def test_the_last_seconds_never_leave_before_the_call_is_over(box: Box, office: Office) -> None:
    call = Call(box)
    call.goes_on(100)
    until(lambda: early_bytes(office, call) > 0, box, office)
    flac = encode_flac(call.part, call.folder / "x.flac", RATE_HZ, round((100 - MARGIN_S) * RATE_HZ))
    for _ in range(30):
        box.step()
        office.step()
    assert early_bytes(office, call) <= flac.size_bytes


@pytest.mark.parametrize("who", ["box", "office", "broker"])
def test_it_goes_on_after_either_end_or_the_broker_was_killed(
    station: Station, box: Box, office: Office, who: str
) -> None:
    call = Call(box)
    call.goes_on(90)
    until(lambda: early_bytes(office, call) > 0, box, office)
    begun = early_bytes(office, call)
    call.goes_on(90)
    again_box, again_office = box, office
    if who == "box":
        box.close()
        again_box = station.box()
    elif who == "office":
        office.close()
        again_office = station.office()
    else:
        for end in (box, office):
            end.cut()
    try:
        until(lambda: early_bytes(office, call) > begun, again_box, again_office)
        flac = call.ends()
        until(lambda: again_box.owes == 0, again_box, again_office)
        assert again_office.audio(hashlib.sha256(flac).hexdigest()) == flac
        assert sent_bytes(box) + (sent_bytes(again_box) if again_box is not box else 0) <= 1.05 * len(flac)
    finally:
        if again_box is not box:
            again_box.close()
        if again_office is not office:
            again_office.close()


def test_a_recording_cut_further_back_than_was_sent_is_repaired(box: Box, office: Office) -> None:
    call = Call(box)
    call.goes_on(200)
    until(lambda: early_bytes(office, call) > 150 * BYTES_A_SECOND, box, office)
    flac = call.ends(less_s=60.0)
    until(lambda: box.owes == 0, box, office)
    assert office.audio(hashlib.sha256(flac).hexdigest()) == flac


def test_a_file_encoded_anew_is_repaired_from_what_it_has_in_common(box: Box, office: Office) -> None:
    """An encoder of another version: what left early is of no use from its first other block on."""
    call = Call(box)
    call.goes_on(200)
    until(
        lambda: early_bytes(office, call) > 150 * BYTES_A_SECOND and box.syncer.files.on_the_way == 0,
        box,
        office,
    )
    before_end = sent_bytes(box)
    flac = call.ends(encoded_anew=True)
    until(lambda: box.owes == 0, box, office)
    (transfer,) = office.rows("transfers")
    assert (transfer["state"], transfer["sha256"]) == ("stored", hashlib.sha256(flac).hexdigest())
    assert office.audio(hashlib.sha256(flac).hexdigest()) == flac
    assert sent_bytes(box) - before_end < 1.1 * len(flac)  # at worst all of it, once


def test_what_came_of_a_call_that_never_ended_goes_after_days(box: Box, office: Office) -> None:
    call, next_call = Call(box), Call(box)
    call.goes_on(90)
    until(lambda: early_bytes(office, call) > 0, box, office)
    files = office.ingest._files
    later = to_text(utc_now() + timedelta(days=2.9))
    files.handle([], later)
    assert early_bytes(office, call) > 0
    files.handle([], to_text(utc_now() + timedelta(days=4)))
    assert early_bytes(office, call) == 0
    assert [row for row in office.rows("transfers") if row["recording_id"] == call.id] == []
    next_call.goes_on(90)
    until(lambda: early_bytes(office, next_call) > 0, box, office)
    flac = call.ends()  # it did end, after all
    until(lambda: box.owes == 0, box, office)
    assert office.audio(hashlib.sha256(flac).hexdigest()) == flac


def test_what_came_of_a_call_whose_audio_was_lost_goes(box: Box, office: Office) -> None:
    call, next_call = Call(box), Call(box)
    call.goes_on(90)
    until(lambda: early_bytes(office, call) > 0, box, office)
    with write(box.db):
        lose_recording(box.db, call.id, "recorder_restarted", AT)
    until(lambda: office.rows("recordings") != [], box, office)
    next_call.goes_on(90)
    until(lambda: early_bytes(office, next_call) > 0, box, office)
    assert early_bytes(office, call) == 0


def test_a_call_that_is_not_kept_has_nothing_to_send(box: Box, office: Office) -> None:
    """Before it is certain that a call may be kept a recording has no row, and no part is looked at."""
    stray = box.settings.recordings_dir / part_name(new_id())
    stray.write_bytes(pack_blocks(speech(100)))
    early = EarlyAudio(box.db, box.settings.recordings_dir, MARGIN_S)
    assert not early.step(0.0)
    assert early.next() is None
    assert box.owes == 0


def test_what_is_offered_is_what_the_finished_file_will_have(box: Box) -> None:
    call = Call(box)
    early = EarlyAudio(box.db, box.settings.recordings_dir, MARGIN_S)
    pieces: spans.Spans = ()
    now_s = 0.0
    heard: dict[int, bytes] = {}
    for _ in range(300):
        call.goes_on(1.0)
        now_s += 1.0
        if early.step(now_s):
            offered = early.next()
            assert offered is not None
            rid, (start, end) = offered
            assert rid == call.id
            heard[start] = early.read(rid, start, end - start)
            pieces = spans.add(pieces, start, end)
            early.sealed(rid, end)
    flac = call.ends()
    early.step(now_s + 1.0)
    assert early.next() is None and early.read(call.id, 0, 4) == b""
    assert len(heard) == (300 - MARGIN_S) // SEGMENT_S
    assert spans.are_spans(pieces) and len(pieces) == 1
    for start, data in heard.items():
        assert flac[start : start + len(data)] == data
    early.close()
