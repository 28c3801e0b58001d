"""The whole box but its threads, on the exchange's lines, faster than real time: it wrote what happened.

The exchange knows the truth (`story`); audio and readings go in as from ALSA and the serial port, and the
branch database, the FLAC files and the outbox are compared with it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge.again import read_again
from edge.call import Action
from edge.line_settings import LineBlock
from edge.replay import Replay, build_replay, replay_config
from edge.rules import rules_of
from edge.samples import LineReading
from edge.store.marks import marks_of
from edge.web import shown
from hw.virtual.exchange import Exchange
from hw.virtual.script import Script, read_script
from hw.virtual.timeline import ScriptedCall
from tests.world import SCRIPTS

RATE_HZ = 8000
PERIOD = 160
NEAR_S = 0.12  # how far a line event may lie from the truth


@dataclass(frozen=True)
class Played:
    """A branch database after a script, and the truth about it."""

    replay: Replay
    exchange: Exchange
    truth: list[ScriptedCall]
    calls: list[dict]


def play(
    folder: Path,
    script: Script,
    lines: int,
    seconds: float,
    with_readings: bool = True,
    presses: dict[float, bool] | None = None,
    changes: dict[float, dict[str, object]] | None = None,
    **line_settings: object,
) -> Played:
    """Run `script` through the box for `seconds` of the lines' time.

    `presses` of line 1's record button, `changes` of its settings, each at its second.
    """
    exchange = Exchange(script, lines, RATE_HZ, seed=1)
    settings = tuple(LineBlock(line=line, **line_settings) for line in range(1, lines + 1))
    replay = build_replay(replace(replay_config(folder, RATE_HZ, lines, "cn"), lines=settings))
    pressed = {round(at_s * RATE_HZ) // PERIOD * PERIOD: keep for at_s, keep in (presses or {}).items()}
    changed = {round(at_s * RATE_HZ) // PERIOD * PERIOD: new for at_s, new in (changes or {}).items()}
    settings_now = replace(replay.config.line(1))
    end = round(seconds * RATE_HZ)
    for position in range(0, end, PERIOD):
        replay.ring.write(exchange.audio(position, PERIOD))
        readings = exchange.readings(position, position + PERIOD) if with_readings else []
        rows = [LineReading(one.line, one.position, one.voltage_v, one.ring_half_waves) for one in readings]
        now_utc = replay.timeline.utc(position)
        asked = {1: pressed[position]} if position in pressed else {}
        actions: list[Action] = []
        if position in changed:
            settings_now = replace(settings_now, **changed[position])
            actions = replay.board.change(1, rules_of(settings_now, version=position))
        actions += replay.board.step(rows, asked)
        replay.ledger.carry_out(actions, replay.recorder, replay.timeline, now_utc)
        replay.ledger.close_parts(replay.recorder.step(), now_utc)
    replay.ledger.worker.shutdown(wait=True)
    replay.ledger.collect(replay.timeline.utc(end), seconds)
    truth = [call for call in exchange.story(end) if call.end < end - RATE_HZ]
    rows = replay.ledger.db.execute("SELECT * FROM calls WHERE state = 'ended' ORDER BY started_utc, line")
    return Played(
        replay, exchange, sorted(truth, key=lambda call: (call.begin, call.line)), list(map(dict, rows))
    )


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Played:
    return play(tmp_path_factory.mktemp("demo"), read_script(SCRIPTS / "demo.toml"), 4, seconds=180)


def seconds_of(played: Played, utc: str) -> float:
    zero = np.datetime64(played.replay.timeline.utc(0)[:-1])
    return float((np.datetime64(utc[:-1]) - zero) / np.timedelta64(1, "s"))


def pairs(played: Played) -> list[tuple[ScriptedCall, dict]]:
    """Each true call with the row that tells of it: same line, nearest begin."""
    found = []
    for call in played.truth:
        rows = [row for row in played.calls if row["line"] == call.line]
        row = min(rows, key=lambda row: abs(seconds_of(played, row["started_utc"]) - call.begin / RATE_HZ))
        found.append((call, row))
    return found


def test_every_call_is_there_once_and_no_other(demo: Played) -> None:
    matched = [row["id"] for _, row in pairs(demo)]
    assert len(matched) >= 10
    assert sorted(matched) == sorted(set(matched))
    late = [row for row in demo.calls if row["id"] not in matched]
    assert all(seconds_of(demo, row["ended_utc"]) > 178 for row in late)


def test_direction_outcome_and_rings_are_the_truth(demo: Played) -> None:
    for call, row in pairs(demo):
        assert row["direction"] == call.direction
        assert row["ring_count"] == call.rings
        unproved = call.direction == "out" and call.outcome == "answered"  # no reversal on this line
        assert row["outcome"] == ("unknown" if unproved else call.outcome), call


def test_the_caller_is_who_called(demo: Played) -> None:
    for call, row in pairs(demo):
        if call.caller is not None:
            assert (row["caller_number"], row["caller_name"]) == (call.caller.number, call.caller.name)
            assert row["caller_presentation"] == call.caller.presentation


def test_dialled_digits_and_keys_are_the_pressed_ones(demo: Played) -> None:
    for call, row in pairs(demo):
        assert (row["dialled"] or "") == call.dialled
        assert (row["keys"] or "") == "".join(digits for _, digits in call.keys)


def test_times_are_where_it_happened(demo: Played) -> None:
    for call, row in pairs(demo):
        assert seconds_of(demo, row["started_utc"]) == pytest.approx(call.begin / RATE_HZ, abs=NEAR_S)
        if call.outcome != "missed":
            assert seconds_of(demo, row["ended_utc"]) == pytest.approx(call.end / RATE_HZ, abs=NEAR_S)
        if call.direction == "in" and call.answered is not None:
            assert seconds_of(demo, row["answered_utc"]) == pytest.approx(call.answered / RATE_HZ, abs=NEAR_S)


def test_recordings_are_the_line_to_the_sample(demo: Played) -> None:
    db, folder = demo.replay.ledger.db, demo.replay.config.recordings_dir
    recorded = 0
    for _, row in pairs(demo):
        query = "SELECT * FROM recordings WHERE call_id = ? AND about = 'call'"
        for recording in db.execute(query, (row["id"],)).fetchall():
            audio, rate_hz = soundfile.read(folder / recording["file"], dtype="int16")
            start = round(seconds_of(demo, recording["started_utc"]) * RATE_HZ)
            truth = demo.exchange.audio(start - 8, len(audio) + 16)[:, row["line"] - 1]
            # the row's time is in milliseconds, the audio lies on samples: allow 8 of them
            offsets = [
                shift for shift in range(17) if np.array_equal(truth[shift : shift + len(audio)], audio)
            ]
            assert offsets and rate_hz == RATE_HZ
            recorded += 1
    assert recorded == sum(1 for call, _ in pairs(demo) if call.outcome != "missed")


def test_missed_calls_have_no_recording(demo: Played) -> None:
    db = demo.replay.ledger.db
    for row in demo.calls:
        if row["outcome"] == "missed":
            query = "SELECT 1 FROM recordings WHERE call_id = ? AND about = 'call'"
            assert not db.execute(query, (row["id"],)).fetchall()


def test_the_seconds_before_each_answer_are_kept_and_stay_on_the_box(demo: Played) -> None:
    """Of every call that rang, to the sample, none of its speech; read again they name the same caller."""
    db, folder = demo.replay.ledger.db, demo.replay.config.recordings_dir
    for call, row in pairs(demo):
        query = "SELECT * FROM recordings WHERE call_id = ? AND about = 'on_hook'"
        kept = db.execute(query, (row["id"],)).fetchall()
        assert len(kept) == (call.direction == "in")
        if call.direction != "in":
            continue
        audio, _ = soundfile.read(folder / kept[0]["file"], dtype="int16")
        start = round(seconds_of(demo, kept[0]["started_utc"]) * RATE_HZ)
        answered = call.answered or call.begin + 7 * RATE_HZ
        assert start < call.begin and start + len(audio) <= answered + NEAR_S * RATE_HZ
        truth = demo.exchange.audio(start - 8, len(audio) + 16)[:, row["line"] - 1]
        assert any(np.array_equal(truth[shift : shift + len(audio)], audio) for shift in range(17))
        sent = "SELECT 1 FROM outbox_files WHERE recording_id = ?"
        assert not db.execute(sent, (kept[0]["id"],)).fetchall()
        if call.caller_id_end is not None:
            again = read_again(folder / kept[0]["file"], "cn")
            assert again is not None and again.number == call.caller.number


def test_every_ended_call_is_in_the_outbox(demo: Played) -> None:
    bodies = demo.replay.ledger.db.execute("SELECT body FROM outbox WHERE kind = 'call_ended'").fetchall()
    assert len(bodies) == len(demo.calls)
    text = b"".join(body for (body,) in bodies)
    assert all(row["id"].encode() in text for row in demo.calls)


def test_without_readings_calls_are_followed_by_ear_and_say_so(tmp_path: Path) -> None:
    played = play(tmp_path, read_script(SCRIPTS / "one_call.toml"), 1, seconds=60, with_readings=False)
    (row,) = played.calls
    assert row["caller_number"] == "02155500199"
    assert row["hook_known"] == 0
    assert json.loads(json.dumps(row))["direction"] == "in"


@pytest.fixture(scope="module")
def happenings(tmp_path_factory: pytest.TempPathFactory) -> Played:
    return play(
        tmp_path_factory.mktemp("happenings"), read_script(SCRIPTS / "happenings.toml"), 8, seconds=36
    )


def marks(played: Played, row: dict) -> list[tuple[str, str]]:
    found = marks_of(played.replay.ledger.db, row["id"])
    assert [one.at_ms for one in found] == sorted(one.at_ms for one in found)
    assert all(0 <= one.at_ms <= shown.between_ms(row["started_utc"], row["ended_utc"]) for one in found)
    return [(one.kind, one.detail) for one in found]


def test_happenings_every_call_is_there_and_ends_as_it_did(happenings: Played) -> None:
    assert len(happenings.calls) == len(happenings.truth) == 9
    for call, row in pairs(happenings):
        unproved = call.direction == "out" and call.outcome == "answered" and not call.reversals
        assert row["outcome"] == ("unknown" if unproved else call.outcome), call
        assert row["is_fax"] == call.is_fax
        assert row["dialled"] == (call.dialled or None)
        assert seconds_of(happenings, row["ended_utc"]) == pytest.approx(call.end / RATE_HZ, abs=NEAR_S)
        if call.answered is not None and not unproved:
            answered_s = seconds_of(happenings, row["answered_utc"])
            assert answered_s == pytest.approx(call.answered / RATE_HZ, abs=NEAR_S)


def test_happenings_are_marks_and_nothing_else_is(happenings: Played) -> None:
    for call, row in pairs(happenings):
        kinds = [kind for kind, _ in marks(happenings, row)]
        assert kinds.count("flash") == call.flashes
        assert kinds.count("reversal") == call.reversals
        assert kinds.count("loop_open") == call.open_loops
        assert ("fax" in kinds) == call.is_fax
        assert ("waiting" in kinds) == bool(call.waited)
        told = [detail for kind, detail in marks(happenings, row) if kind == "tone"]
        assert set(told) <= {"ringback", "busy"} and ("busy" in told) == (call.line in (5, 6))
        pressed = "".join(detail for kind, detail in marks(happenings, row) if kind == "key")
        assert pressed == call.dialled + "".join(digits for _, digits in call.keys)


def test_happenings_who_else_took_part(happenings: Played) -> None:
    rows = {call.line: row for call, row in pairs(happenings)}
    second = ("second_number", "second_name", "second_presentation")
    assert [rows[1][name] for name in second] == ["02155500102", "李强", "available"]
    assert [rows[2][name] for name in second] == ["8001", None, "dialled"]
    assert (rows[1]["caller_number"], rows[2]["caller_presentation"]) == ("02155500101", "withheld")
    assert all(rows[line]["second_number"] is None for line in range(3, 9))
    assert rows[1]["keys"] is None and rows[2]["keys"] is None, "neither the phone's own key nor dialling"


def test_happenings_a_broken_line_ends_its_call_and_the_next_is_whole(happenings: Played) -> None:
    first, second = (row for _, row in pairs(happenings) if row["line"] == 8)
    assert (first["end_reason"], second["end_reason"]) == ("line_lost", "hung_up")
    assert (first["outcome"], second["outcome"]) == ("answered", "answered")


def test_happenings_reach_head_office_with_the_call(happenings: Played) -> None:
    bodies = happenings.replay.ledger.db.execute("SELECT body FROM outbox WHERE kind = 'call_ended'")
    told = {entry["data"]["call_id"]: entry["data"] for entry in (json.loads(body) for (body,) in bodies)}
    for _, row in pairs(happenings):
        sent = [(one["kind"], one["detail"]) for one in told[row["id"]]["marks"]]
        assert sent == marks(happenings, row)


def test_a_changed_setting_costs_the_running_call_nothing_and_holds_for_the_next(tmp_path: Path) -> None:
    """Two calls; in the middle of the first recording becomes "always" and pre-roll goes from 3 to 1 s."""
    script = read_script(SCRIPTS / "happenings.toml")
    line = replace(script.lines[7])
    changes = {5.5: {"trigger": "always", "pre_roll_s": 1.0}}
    played = play(tmp_path, replace(script, lines=(line,)), 1, 36, changes=changes, pre_roll_s=3.0)
    first, second = played.truth
    (start, end), (next_start, next_end) = spans(played)
    assert first.answered and first.answered / RATE_HZ < 5.5 < first.end / RATE_HZ, "changed in mid call"
    assert start == pytest.approx(first.answered / RATE_HZ - 3.0, abs=NEAR_S), "by voltage, 3 s before"
    assert end == pytest.approx(first.end / RATE_HZ, abs=NEAR_S)
    assert next_start == pytest.approx(second.begin / RATE_HZ - 1.0, abs=NEAR_S), "from the ring, 1 s before"
    assert next_end == pytest.approx(second.end / RATE_HZ, abs=NEAR_S)
    for recording in played.replay.ledger.db.execute(
        "SELECT * FROM recordings WHERE about = 'call'"
    ).fetchall():
        audio, _ = soundfile.read(played.replay.config.recordings_dir / recording["file"], dtype="int16")
        at = round(seconds_of(played, recording["started_utc"]) * RATE_HZ)
        truth = played.exchange.audio(at - 8, len(audio) + 16)[:, 0]
        assert any(np.array_equal(truth[shift : shift + len(audio)], audio) for shift in range(17))


def spans(played: Played) -> list[tuple[float, float]]:
    """(start, end) of every recording in seconds of the line's time."""
    query = "SELECT started_utc, samples FROM recordings WHERE about = 'call' ORDER BY started_utc"
    rows = played.replay.ledger.db.execute(query)
    found = [(seconds_of(played, row["started_utc"]), row["samples"] / RATE_HZ) for row in rows]
    return [(round(start, 2), round(start + length, 2)) for start, length in found]


def test_the_record_button_keeps_what_lies_between_two_presses(tmp_path: Path) -> None:
    script = read_script(SCRIPTS / "one_call.toml")
    presses = {9.0: True, 11.0: False}
    played = play(tmp_path, script, 1, 30, presses=presses, trigger="manual", pre_roll_s=0.0)
    assert spans(played) == [(9.0, 11.0)]


def test_voice_keeps_the_speech_and_its_hold_time(tmp_path: Path) -> None:
    played = play(tmp_path, read_script(SCRIPTS / "one_call.toml"), 1, 30, trigger="voice", hold_s=1.0)
    recorded = spans(played)
    (truth,) = played.truth
    assert recorded and recorded[-1][1] <= truth.end / RATE_HZ + NEAR_S
    assert truth.answered and recorded[0][0] >= truth.answered / RATE_HZ - 5, (
        "nothing of the ringing but pre-roll"
    )
    assert all(end <= start for (_, end), (start, _) in pairwise(recorded)), "no sample twice"
