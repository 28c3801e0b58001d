"""Caller IDs read again from the kept seconds of ringing: what is said, written, and left alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge.again import is_better, main, read_again, with_caller
from edge.callerid import CallerId, dtmf, mdmf
from edge.dsp.dtmf import dtmf_signal
from edge.dsp.fsk import fsk_signal
from edge.dsp.level import to_int16
from edge.replay import Replay, build_replay, replay_config
from edge.samples import LineReading, SamplesError
from edge.store.calls import CallRow, end_call
from edge.store.on_hook import correct_caller, on_hook_audio
from edge.store.operations import LogFilter, log_page
from edge.verify import run_verify
from sync.db import write
from tests.edge.signals import RATE_HZ, silence

WANG = CallerId("bell202", "mdmf", "13800138000", "王芳", "11220446", other=((0x11, b"\x01"),))
KEYED = CallerId("dtmf", "dtmf", "02155501234", confidence=0.9)
NOW = "2026-03-02T10:00:00.000Z"
CONFIG = """
[box]
id = "replay"
data_dir = "{0}"
ring_dir = "{0}"
[[hats]]
name = "file"
alsa_device = "-"
lines = 1
"""
PERIOD = 160


def rung(replay: Replay, sent: np.ndarray, seconds: float = 22.0) -> None:
    """Two seconds of peace, a ring, `sent`, an answer at 8 s, a hang-up at 12 s."""
    audio = np.concatenate([silence(2 + 1 + 0.6), sent, silence(seconds)])[: round(seconds * RATE_HZ)]
    samples = to_int16(audio)[:, None]
    base = replay.ring.position
    for at in range(0, len(samples), PERIOD):
        second = at / RATE_HZ
        volts = 8.0 if 8 <= second < 12 else 48.0
        ringing = 2 <= second < 3
        replay.ring.write(samples[at : at + PERIOD])
        reading = LineReading(1, base + at, volts, int(ringing))
        now_utc = replay.timeline.utc(base + at)
        replay.ledger.carry_out(replay.board.step([reading]), replay.recorder, replay.timeline, now_utc)
        replay.ledger.close_parts(replay.recorder.step(), now_utc)


def box(folder: Path, *sent: np.ndarray) -> Replay:
    """A box that has taken a call for each piece of `sent`, and whose files are written."""
    replay = build_replay(replay_config(folder, RATE_HZ, 1, "cn"))
    for one in sent:
        rung(replay, one)
    replay.ledger.worker.shutdown(wait=True)
    replay.ledger.collect(NOW, 0.0)
    (folder / "box.toml").write_text(CONFIG.format(folder))
    return replay


def calls_of(replay: Replay) -> list[CallRow]:
    return [one.call for one in on_hook_audio(replay.ledger.db)]


def forget(replay: Replay, **facts: object) -> CallRow:
    """As if the decoder of that day had read less."""
    (call,) = calls_of(replay)
    less = replace(call, **facts)  # type: ignore[arg-type]
    with write(replay.ledger.db):
        end_call(replay.ledger.db, less, NOW)
    return less


FAILED = {
    "caller_number": None, "caller_name": None, "caller_presentation": "failed", "caller_standard": None,
    "caller_confidence": None, "caller_time": None, "caller_other": None,
}  # fmt: skip
MESSAGE = fsk_signal(mdmf.build(WANG))


def again(folder: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, list[dict], str]:
    status = main(["--again", *options, "--config", str(folder / "box.toml")], Path("/nowhere"))
    out, err = capsys.readouterr()
    return status, [json.loads(text) for text in out.splitlines()], err


def test_all_that_was_said_and_how_sure_is_kept_with_the_call(tmp_path: Path) -> None:
    (call,) = calls_of(box(tmp_path, MESSAGE))
    assert (call.caller_number, call.caller_name, call.caller_time) == ("13800138000", "王芳", "11220446")
    assert call.caller_other == '[[17, "01"]]'
    assert call.caller_confidence is not None and 0.9 < call.caller_confidence <= 1


def test_what_failed_is_read_and_nothing_is_changed_without_being_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    replay = box(tmp_path, MESSAGE)
    less = forget(replay, **FAILED)
    status, (said,), err = again(tmp_path, capsys)
    assert (status, err, said["call_id"], said["better"], said["written"]) == (0, "", less.id, True, False)
    assert said["before"]["presentation"] == "failed" and said["now"]["number"] == "13800138000"
    assert calls_of(replay) == [less]


@pytest.mark.parametrize("facts", [FAILED, {"caller_number": "13800138009", "caller_confidence": 0.6}])
def test_write_puts_it_right_everywhere_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], facts: dict[str, object]
) -> None:
    replay = box(tmp_path, MESSAGE)
    (first,) = calls_of(replay)
    less = forget(replay, **facts)
    _, (said,), _ = again(tmp_path, capsys, "--write")
    assert said["written"] and calls_of(replay) == [first]
    db = replay.ledger.db
    bodies = [
        json.loads(row[0])["data"] for row in db.execute("SELECT body FROM outbox WHERE kind = 'call_ended'")
    ]
    assert [one["caller_number"] for one in bodies] == ["13800138000", less.caller_number, "13800138000"]
    (line,) = log_page(db, LogFilter(operation="caller_read_again"), 9).lines
    assert line.subject == first.id and line.user_name and "13800138000" in line.reason
    assert line.reason.startswith("failed" if facts is FAILED else "13800138009 王芳 (0.6)")
    assert run_verify(replay.config.database, replay.config.recordings_dir, False, "") == 0
    capsys.readouterr()
    _, (said,), _ = again(tmp_path, capsys, "--write")
    assert not said["better"], "a second run finds nothing to do"


def test_a_surer_reading_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    replay = box(tmp_path, dtmf_signal(dtmf.build(KEYED)))
    less = forget(replay, caller_number="999", caller_confidence=0.95)
    _, (said,), _ = again(tmp_path, capsys, "--write")
    assert (said["better"], said["written"]) == (False, False) and calls_of(replay) == [less]


def test_only_failed_or_only_one_call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    replay = box(tmp_path, MESSAGE, silence(0.1))
    first, second = calls_of(replay)
    _, both, _ = again(tmp_path, capsys)
    assert [one["call_id"] for one in both] == [first.id, second.id]
    assert both[1]["before"] is None and both[1]["now"] is None
    assert again(tmp_path, capsys, "--failed")[1] == []
    assert [one["call_id"] for one in again(tmp_path, capsys, "--call", second.id)[1]] == [second.id]
    status, said, err = again(tmp_path, capsys, "--call", "nobody")
    assert (status, said, err) == (2, [], "decode: call nobody: no on-hook audio of it is kept\n")


def test_a_changed_or_missing_file_is_named_and_the_others_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    replay = box(tmp_path, MESSAGE, MESSAGE, MESSAGE)
    files = [replay.config.recordings_dir / one.file for one in on_hook_audio(replay.ledger.db)]
    files[0].write_bytes(files[0].read_bytes()[:-1] + b"x")
    files[1].unlink()
    status, said, err = again(tmp_path, capsys)
    assert status == 2 and len(said) == 1 and said[0]["now"]["number"] == "13800138000"
    assert f"{files[0].name} was changed since it was sealed" in err and files[1].name in err


def test_a_number_that_is_never_recorded_takes_its_audio_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    replay = box(tmp_path, MESSAGE)
    forget(replay, **FAILED)
    with (tmp_path / "box.toml").open("a") as file:
        file.write('[[never_record]]\nnumber = "138*"\n')
    _, (said,), _ = again(tmp_path, capsys, "--write")
    assert said["never_recorded"] and said["written"]
    assert list(on_hook_audio(replay.ledger.db)) == []
    row = replay.ledger.db.execute("SELECT caller_number FROM calls").fetchone()
    assert row[0] == "13800138000"


def test_a_call_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    replay = box(tmp_path, MESSAGE)
    (before,) = calls_of(replay)
    forget(replay, **FAILED)
    with write(replay.ledger.db):
        assert not correct_caller(replay.ledger.db, before, before, "li", "x", NOW)


def test_wrong_settings_are_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--again", "--config", str(tmp_path / "none.toml")], Path("/nowhere")) == 2
    assert "none.toml" in capsys.readouterr().err


def test_a_box_without_calls_is_not_made_by_looking(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "box.toml").write_text(CONFIG.format(tmp_path / "box"))
    assert again(tmp_path, capsys)[::2] == (
        2,
        f"decode: there is no {tmp_path}/box/branch.db: this box has taken no call yet\n",
    )
    assert not (tmp_path / "box").exists()


def test_one_call_and_all_that_failed_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--again", "--call", "x", "--failed"], Path("/nowhere"))
    assert stop.value.code == 2 and "not allowed with" in capsys.readouterr().err


CALL = CallRow("a", 1, "", "in", NOW)
KNOWN = replace(CALL, caller_number="1", caller_presentation="available", caller_confidence=0.9)
BETTER = {
    "nothing was known": (CALL, 0.5, True),
    "it had failed": (replace(CALL, caller_presentation="failed"), 0.5, True),
    "less sure": (replace(KNOWN, caller_number="2"), 0.95, True),
    "as sure": (replace(KNOWN, caller_number="2"), 0.9, False),
    "surer, and the same": (with_caller(KNOWN, replace(WANG, confidence=0.9)), 0.95, False),
    "nobody knows how sure": (replace(KNOWN, caller_confidence=None), 1.0, False),
}


@pytest.mark.parametrize("name", BETTER)
def test_better(name: str) -> None:
    before, confidence, expected = BETTER[name]
    assert is_better(before, with_caller(before, replace(WANG, confidence=confidence))) is expected


def test_two_different_callers_in_one_file_are_none(tmp_path: Path) -> None:
    path = tmp_path / "two.flac"
    other = fsk_signal(mdmf.build(replace(WANG, number="13800138001")))
    soundfile.write(path, np.concatenate([silence(0.5), MESSAGE, silence(1), other, silence(0.5)]), RATE_HZ)
    assert read_again(path, "cn") is None
    with pytest.raises(SamplesError):
        read_again(tmp_path / "none.flac", "cn")
