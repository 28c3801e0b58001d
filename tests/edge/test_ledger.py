"""Actions become rows and files, in an order that a power cut at any moment leaves whole."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from edge.adopt import adopt_leftovers
from edge.call import ShowMessages
from edge.callerid import CallerId
from edge.calls import (
    Action,
    BeginCall,
    Call,
    EndCall,
    LineState,
    ShowLine,
    StartRecording,
    StopRecording,
    UpdateCall,
)
from edge.config import BoxSettings, Config, HatSettings
from edge.gaps import Gap
from edge.ledger import Ledger
from edge.line_settings import LineBlock
from edge.recorder import Recorder
from edge.ring import RingWriter
from edge.store.lines import name_line
from edge.store.listing import lines_now
from edge.store.schema import open_store
from edge.timeline import Timeline
from edge.verify import examine
from sync.db import write
from tests.fakes import AtOnce

RATE_HZ = 1000
NOW = "2026-03-02T09:00:30.000Z"
NINE = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class Box:
    """A branch database, a ring of two lines and a recorder, without boards or threads."""

    def __init__(self, folder: Path) -> None:
        self.config = Config(
            box=BoxSettings(id="b", data_dir=folder),
            hats=(HatSettings(name="hat0", alsa_device="x", lines=2),),
            lines=(LineBlock(line=2, name="柜台"),),
        )
        self.config.recordings_dir.mkdir(exist_ok=True)
        self.numbers = count(1)
        self.seconds = 0.0  # monotonic
        self.timeline = Timeline(RATE_HZ, NINE)
        self.ring = RingWriter.create(folder / "ring", RATE_HZ, 2, 30)
        self.start()

    def start(self) -> None:
        self.db = open_store(self.config.database)
        self.ledger = Ledger(self.db, self.config, AtOnce, lambda: f"id-{next(self.numbers)}", "ntp")
        self.recorder = Recorder(self.config.recordings_dir, self.ring)
        with write(self.db):
            name_line(self.db, 2, "柜台", NOW)

    def feed(self, seconds: float) -> None:
        frames = round(seconds * RATE_HZ)
        rows = np.arange(self.ring.position, self.ring.position + frames)[:, None] % 30_000
        self.ring.write(np.repeat(rows.astype(np.int16), 2, axis=1))

    def do(self, *actions: Action) -> None:
        self.ledger.carry_out(list(actions), self.recorder, self.timeline, NOW)
        self.ledger.close_parts(self.recorder.step(), NOW)
        self.ledger.collect(NOW, self.seconds)

    def one(self, query: str) -> sqlite3.Row:
        (row,) = self.db.execute(query).fetchall()
        return row

    def kinds(self) -> list[str]:
        return [row[0] for row in self.db.execute("SELECT kind FROM outbox ORDER BY stream, seq")]


WANG = CallerId("bell202", "mdmf", number="02155501234", name="王芳")
RINGING = Call("call-a", 2, "in", 3000, ring_count=1)
TALKING = replace(RINGING, answered=8000, caller=WANG)
OVER = replace(TALKING, ended=20_000, outcome="answered", end_reason="hung_up", keys="1")


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def through_the_call(box: Box) -> None:
    box.feed(4)
    box.do(BeginCall(RINGING), ShowLine(2, LineState.RINGING, 3000, "call-a"))
    box.feed(5)
    box.do(
        UpdateCall(TALKING),
        StartRecording(TALKING, 8000, 1.0),
        ShowLine(2, LineState.TALKING, 8000, "call-a"),
    )
    box.feed(11.5)


def test_a_call_becomes_rows_a_file_and_news(box: Box) -> None:
    through_the_call(box)
    assert box.one("SELECT state, caller_name FROM calls")["state"] == "open"
    assert box.kinds() == []
    box.do(EndCall(OVER), ShowLine(2, LineState.IDLE, 20_000, None))
    call = box.one("SELECT * FROM calls")
    assert (call["state"], call["outcome"], call["line_name"]) == ("ended", "answered", "柜台")
    assert (call["started_utc"], call["answered_utc"]) == (
        "2026-03-02T09:00:03.000Z",
        "2026-03-02T09:00:08.000Z",
    )
    assert (call["ended_utc"], call["duration_ms"]) == ("2026-03-02T09:00:20.000Z", 12_000)
    assert (call["caller_number"], call["caller_name"], call["keys"]) == ("02155501234", "王芳", "1")
    recording = box.one("SELECT * FROM recordings")
    assert (recording["state"], recording["samples"], recording["codec"]) == ("ready", 13_000, "flac")
    assert recording["started_utc"] == "2026-03-02T09:00:07.000Z", "one second of pre-roll"
    audio, _ = soundfile.read(box.config.recordings_dir / recording["file"], dtype="int16")
    np.testing.assert_array_equal(audio, np.arange(7000, 20_000) % 30_000)
    assert box.kinds() == ["call_ended", "recording_ready"]
    assert box.one("SELECT file FROM outbox_files")["file"] == recording["file"]
    assert [file.suffix for file in box.config.recordings_dir.iterdir()] == [".flac"]
    line = box.one("SELECT * FROM lines")
    assert (line["state"], line["call_id"], line["since_utc"]) == ("idle", None, "2026-03-02T09:00:20.000Z")


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ([], (False, None)),
        ([ShowMessages(2, True, 3)], (True, 3)),
        ([ShowMessages(2, True, 3), ShowMessages(2, True, None)], (True, None)),
        ([ShowMessages(2, True, 3), ShowMessages(2, False, 3)], (False, None)),
        ([ShowMessages(1, True, 3)], (False, None)),
    ],
)
def test_messages_at_the_exchange_stay_with_the_line(
    box: Box, said: list[Action], shown: tuple[bool, int | None]
) -> None:
    box.do(*said, ShowLine(2, LineState.RINGING, 3000, None))
    box.start()  # a restart forgets none
    (line,) = lines_now(box.db)
    assert (line.messages_waiting, line.message_count) == shown


def test_the_row_stands_before_the_file_is_made(box: Box) -> None:
    box.feed(9)
    box.do(BeginCall(RINGING))
    files_before = {row["file"] for row in box.db.execute("SELECT file FROM recordings")}
    box.do(StartRecording(TALKING, 8000, 1.0))
    named = {row["file"] for row in box.db.execute("SELECT file FROM recordings")} - files_before
    assert named == {file.name for file in box.config.recordings_dir.iterdir()}


def test_a_call_without_a_recording_is_logged_all_the_same(box: Box) -> None:
    box.feed(21)
    box.do(BeginCall(RINGING), UpdateCall(TALKING), EndCall(OVER))
    assert box.kinds() == ["call_ended"]
    assert not list(box.config.recordings_dir.iterdir())


def test_a_split_call_has_parts_that_join_to_the_sample(box: Box) -> None:
    through_the_call(box)
    box.do(StopRecording(TALKING, 12_000), StartRecording(TALKING, 12_000))
    box.do(EndCall(OVER))
    rows = box.db.execute("SELECT file, started_utc FROM recordings ORDER BY started_utc").fetchall()
    assert len(rows) == 2
    pieces = [soundfile.read(box.config.recordings_dir / row["file"], dtype="int16")[0] for row in rows]
    np.testing.assert_array_equal(np.concatenate(pieces), np.arange(7000, 20_000) % 30_000)


def test_a_second_recording_takes_no_pre_roll_from_the_first(box: Box) -> None:
    through_the_call(box)
    box.do(StopRecording(TALKING, 12_000))
    box.do(StartRecording(TALKING, 12_500, 1.0))
    box.do(EndCall(OVER))
    total = box.one("SELECT sum(samples) n FROM recordings")["n"]
    assert total == (12_000 - 7000) + (20_000 - 12_000)


@pytest.mark.parametrize(
    ("facts", "shown"),
    [
        ({"caller": WANG}, ("02155501234", "available")),
        ({"caller": CallerId("bell202", "mdmf", presentation="withheld")}, (None, "withheld")),
        ({"caller": CallerId("bell202", "mdmf", presentation="unavailable")}, (None, "unavailable")),
        ({"caller_failed": True}, (None, "failed")),
        ({}, (None, None)),
    ],
)
def test_withheld_unavailable_failed_and_nothing_are_four_things(box: Box, facts: dict, shown: tuple) -> None:
    row = box.ledger.row(replace(RINGING, **facts), box.timeline)
    assert (row.caller_number, row.caller_presentation) == shown


@pytest.mark.parametrize(
    ("facts", "duration_ms"),
    [
        ({"answered": 8000, "ended": 20_000}, 12_000),
        ({"ended": 7000}, 0),
        ({"direction": "out", "ended": 7000}, 4000),
        ({"direction": "unknown", "ended": 7000}, 4000),
    ],
)
def test_duration_is_talking_time(box: Box, facts: dict, duration_ms: int) -> None:
    assert box.ledger.row(replace(RINGING, **facts), box.timeline).duration_ms == duration_ms


def test_a_failed_transaction_leaves_neither_row_nor_file(box: Box) -> None:
    box.feed(9)
    broken = replace(TALKING, id=None)  # type: ignore[arg-type]
    with pytest.raises(sqlite3.IntegrityError):
        box.do(BeginCall(RINGING), StartRecording(broken, 8000, 1.0))
    assert not box.db.execute("SELECT * FROM calls").fetchall()
    assert not list(box.config.recordings_dir.iterdir())


def test_gaps_travel_with_the_recording(box: Box) -> None:
    through_the_call(box)
    box.recorder.note_gaps([Gap(9000, 500, "overrun")])
    box.do(EndCall(OVER))
    gap = box.one("SELECT * FROM gaps")
    assert (gap["start_sample"], gap["length_samples"], gap["reason"]) == (2000, 500, "overrun")
    body = box.one("SELECT body FROM outbox WHERE kind = 'recording_ready'")["body"]
    assert b'"overrun"' in body


def test_encoder_without_room_keeps_the_part_and_says_so(box: Box) -> None:
    through_the_call(box)
    (part,) = box.config.recordings_dir.iterdir()
    part.with_suffix(".encoding").mkdir()
    box.do(EndCall(OVER))
    assert box.one("SELECT state FROM recordings")["state"] == "part"
    assert box.one("SELECT part, until_utc FROM health")["part"] == "encoding"
    assert part.exists() and box.kinds() == ["call_ended"]


# -- what the next start makes of a kill


def restart(box: Box) -> None:
    box.db.close()
    box.start()
    box.adopted = adopt_leftovers(box.ledger, NOW)
    box.ledger.collect(NOW, box.seconds)


def test_kill_in_mid_call_ends_the_call_where_its_audio_ends(box: Box) -> None:
    through_the_call(box)
    box.recorder.step()
    restart(box)
    call = box.one("SELECT * FROM calls")
    assert (call["state"], call["outcome"], call["end_reason"]) == ("ended", "answered", "recorder_restarted")
    assert (call["ended_utc"], call["duration_ms"]) == ("2026-03-02T09:00:20.500Z", 12_500)
    recording = box.one("SELECT * FROM recordings")
    assert (recording["state"], recording["samples"]) == ("ready", 13_500)
    assert box.kinds() == ["call_ended", "recording_ready"]
    assert (box.adopted.calls, box.adopted.recordings) == (1, 1)


def test_kill_while_ringing_leaves_an_unknown_outcome(box: Box) -> None:
    box.feed(4)
    box.do(BeginCall(RINGING))
    restart(box)
    call = box.one("SELECT * FROM calls")
    assert (call["outcome"], call["duration_ms"], call["ended_utc"]) == ("unknown", 0, call["started_utc"])


def test_kill_between_row_and_file_loses_the_recording_loudly(box: Box) -> None:
    through_the_call(box)
    for part in box.config.recordings_dir.iterdir():
        part.unlink()
    restart(box)
    assert box.one("SELECT state FROM recordings")["state"] == "lost"
    assert box.kinds() == ["call_ended", "recording_lost"]


def test_kill_between_finished_file_and_its_row_encodes_again(box: Box) -> None:
    through_the_call(box)
    box.ledger.worker = Never()
    box.do(EndCall(OVER))
    (part,) = box.config.recordings_dir.iterdir()
    part.with_suffix(".flac").write_bytes(b"finished, but its row was never written")
    part.with_suffix(".encoding").write_bytes(b"half")
    restart(box)
    recording = box.one("SELECT * FROM recordings")
    assert recording["state"] == "ready"
    audio, _ = soundfile.read(box.config.recordings_dir / recording["file"], dtype="int16")
    assert len(audio) == 13_000
    assert [file.name for file in box.config.recordings_dir.iterdir()] == [recording["file"]]


def test_clean_stop_keeps_the_time_of_a_call_that_goes_on(box: Box) -> None:
    through_the_call(box)
    box.ledger.close_parts(box.recorder.close(), NOW)
    box.ledger.collect(NOW, box.seconds)
    restart(box)
    assert box.one("SELECT * FROM calls")["ended_utc"] == "2026-03-02T09:00:20.500Z"


def test_files_nobody_knows_are_put_aside_not_deleted(box: Box) -> None:
    folder = box.config.recordings_dir
    (folder / "stranger.part").write_bytes(b"1234")
    (folder / "stranger.flac").write_bytes(b"5678")
    restart(box)
    assert sorted(file.name for file in (folder / "quarantine").iterdir()) == [
        "stranger.flac",
        "stranger.part",
    ]
    assert box.one("SELECT detail FROM health WHERE part = 'quarantine'")["detail"].startswith(
        "2 audio files"
    )


def test_start_twice_changes_nothing_more(box: Box) -> None:
    through_the_call(box)
    box.recorder.step()
    restart(box)
    before = [tuple(row) for row in box.db.execute("SELECT * FROM calls")]
    restart(box)
    assert [tuple(row) for row in box.db.execute("SELECT * FROM calls")] == before
    assert (box.adopted.calls, box.adopted.recordings, box.adopted.orphans) == (0, 0, 0)
    assert box.kinds() == ["call_ended", "recording_ready"]


class Never(AtOnce):
    """A worker that was killed before it did anything."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return Future()


def test_a_worker_that_was_killed_is_replaced_once_and_its_work_done(box: Box) -> None:
    made: list[AtOnce] = []
    box.ledger.new_worker = lambda: made.append(AtOnce()) or made[-1]
    through_the_call(box)
    box.ledger.worker = Killed()
    box.do(StopRecording(TALKING, 12_000), StartRecording(TALKING, 12_000), EndCall(OVER))
    assert box.one("SELECT part, until_utc FROM health")["part"] == "encoding"
    assert box.ledger.worker is made[0] and len(made) == 1
    box.seconds += 5
    box.do()
    assert [row[0] for row in box.db.execute("SELECT state FROM recordings")] == ["ready", "ready"]
    assert box.one("SELECT until_utc FROM health")["until_utc"] == NOW
    assert not list(box.config.recordings_dir.glob("*.part"))


def test_a_worker_that_is_found_dead_is_replaced_on_the_spot(box: Box) -> None:
    through_the_call(box)
    box.ledger.worker = Dead()
    box.do(EndCall(OVER))
    assert box.one("SELECT state FROM recordings")["state"] == "ready"
    assert not box.db.execute("SELECT * FROM health").fetchall()


def test_a_part_that_cannot_be_encoded_is_tried_again_ever_more_rarely(box: Box) -> None:
    through_the_call(box)
    (part,) = box.config.recordings_dir.iterdir()
    obstacle = part.with_suffix(".encoding")
    obstacle.mkdir()
    box.ledger.worker = counting = Counting()
    box.do(EndCall(OVER))
    tried = []
    for second in range(4000):
        before, box.seconds = counting.count, float(second)
        box.ledger.collect(NOW, box.seconds)
        tried += [second] * (counting.count - before)
    pauses = np.diff([0, *tried])
    assert list(pauses[:7]) == [5, 10, 20, 40, 80, 160, 320]
    assert max(pauses) == 600
    assert part.exists() and box.one("SELECT state FROM recordings")["state"] == "part"
    obstacle.rmdir()
    box.seconds += 600
    box.do()
    assert box.one("SELECT state FROM recordings")["state"] == "ready"
    assert box.one("SELECT until_utc FROM health")["until_utc"] == NOW and not part.exists()


def test_a_recording_the_disk_never_took_is_lost_and_says_why(box: Box) -> None:
    box.feed(9)
    folder = box.config.recordings_dir
    folder.rename(folder.with_name("away"))
    box.do(BeginCall(RINGING), UpdateCall(TALKING), StartRecording(TALKING, 8000, 1.0))
    assert box.recorder.trouble
    for _ in range(6):
        box.feed(10)
        box.do()
    folder.with_name("away").rename(folder)
    (folder / "id-1.part").mkdir()  # and now something else is in its way
    box.do(EndCall(OVER))
    assert box.one("SELECT state FROM recordings")["state"] == "lost"
    assert box.one("SELECT length_samples, reason FROM gaps")["reason"] == "disk_error"
    assert sorted(box.kinds()) == ["call_ended", "recording_lost"]
    assert list(examine(box.config.database, folder, settle_s=0)) == []


def test_stamps_of_a_call_go_by_the_clock_it_began_by(box: Box) -> None:
    through_the_call(box)
    box.timeline.look(20_500, NINE.replace(minute=0, second=20, microsecond=500_000))
    box.timeline.look(20_500, NINE.replace(hour=11))
    assert box.timeline.steps == 1
    box.do(EndCall(OVER))
    call = box.one("SELECT * FROM calls")
    assert (call["started_utc"], call["ended_utc"]) == (
        "2026-03-02T09:00:03.000Z",
        "2026-03-02T09:00:20.000Z",
    )
    assert (call["duration_ms"], call["clock_quality"]) == (12_000, "stepped")
    box.do(BeginCall(replace(RINGING, id="call-b", started=20_500)))
    later = box.one("SELECT * FROM calls WHERE id = 'call-b'")
    assert (later["started_utc"], later["clock_quality"]) == ("2026-03-02T11:00:00.000Z", "ntp")


def test_a_part_left_beside_its_finished_file_is_no_orphan(box: Box) -> None:
    through_the_call(box)
    (part,) = box.config.recordings_dir.iterdir()
    box.do(EndCall(OVER))
    part.write_bytes(b"the kill came before it was removed")
    restart(box)
    assert not part.exists() and box.adopted.orphans == 0
    assert not (box.config.recordings_dir / "quarantine").exists()


class Counting(AtOnce):
    """Counts what it is given."""

    count = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.count += 1
        return super().submit(fn, *args, **kwargs)


class Dead(Executor):
    """A pool whose process was killed before this work came."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        raise BrokenProcessPool("a child process was terminated abruptly")


class Killed(Executor):
    """What a process pool answers once its process is gone."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_exception(BrokenProcessPool("the worker is gone"))
        return future
