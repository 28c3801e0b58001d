"""Files in, findings out: golden pairs, every rate and layout, speech that stays speech, no audio at all."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr

from edge.callerid import CallerId, dtmf, mdmf, waiting
from edge.callerid.waiting import Waiting
from edge.decode import decode_file, main
from edge.dsp.alert import alert_signal
from edge.dsp.dtmf import dtmf_signal
from edge.dsp.fax import answer_signal
from edge.dsp.fsk import fsk_signal
from edge.dsp.level import amplitude
from edge.dsp.tones import tone_signal
from edge.samples import SamplesError
from edge.sources.wav import BLOCK_FRAMES, NotAudio, channels_of, read_wav
from tests.edge.signals import silence

GOLDEN = sorted((Path(__file__).parent.parent / "data" / "signals").glob("*.wav"))
CALLER = CallerId("bell202", "mdmf", "13800138000", "天津分行", "11220446")


def without_voice(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in found if one["event"] != "voice"]


@pytest.mark.parametrize("wav", GOLDEN, ids=lambda path: path.stem)
def test_golden_pair(wav: Path) -> None:
    sent = json.loads(wav.with_suffix(".json").read_text("utf-8"))
    found = [one for one in without_voice(list(decode_file(wav))) if one.get("checksum_ok") is not False]
    assert len(found) == len(sent)
    for got, wanted in zip(found, sent, strict=True):
        assert abs(got["start_s"] - wanted.pop("start_s", got["start_s"])) < 0.03
        assert {key: got[key] for key in wanted} == wanted


def one_of_each() -> np.ndarray:
    return np.concatenate(
        [
            silence(0.5),
            fsk_signal(mdmf.build(CALLER)),
            silence(1),
            dtmf_signal("0228888*#"),
            silence(1.5),
            tone_signal("busy", 3.15),
            silence(0.5),
        ]
    )


EVERYTHING = ["caller_id", "dtmf", "tone"]


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT", "ALAW"])
@pytest.mark.parametrize("rate_hz", [8000, 11025, 16000, 44100, 48000, 96000])
@pytest.mark.parametrize("channels", [1, 2])
def test_any_rate_and_layout(tmp_path: Path, rate_hz: int, channels: int, subtype: str) -> None:
    path = tmp_path / "call.wav"
    signal = soxr.resample(one_of_each(), 8000, rate_hz)
    columns = [signal] if channels == 1 else [np.zeros_like(signal), signal]
    soundfile.write(path, np.stack(columns, axis=1), rate_hz, subtype)
    found = without_voice(list(decode_file(path)))
    assert [one["event"] for one in found] == EVERYTHING
    assert {one["line"] for one in found} == {channels}
    assert (found[0]["number"], found[0]["name"]) == ("13800138000", "天津分行")
    assert found[1]["digits"] == "0228888*#"
    assert found[2]["tone"] == "busy"
    assert all(0 <= one["start_s"] < one["end_s"] <= len(signal) / rate_hz + 0.01 for one in found)


def test_flac_and_raw_alaw(tmp_path: Path) -> None:
    flac, raw = tmp_path / "call.flac", tmp_path / "call.al"
    soundfile.write(flac, one_of_each(), 8000)
    soundfile.write(raw, one_of_each(), 8000, "ALAW", format="RAW")
    assert [one["event"] for one in without_voice(list(decode_file(flac)))] == EVERYTHING
    assert [one["event"] for one in without_voice(list(decode_file(raw, raw_alaw=True)))] == EVERYTHING


def test_fields_are_exactly_the_ones_promised(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    cng = (0.2 * np.sin(2 * np.pi * 1100 * np.arange(4000) / 8000)).astype(np.float32)
    fax = np.concatenate([silence(0.5), cng, silence(3), cng, silence(3), cng, silence(3)])
    soundfile.write(
        path, np.concatenate([one_of_each(), silence(1), dtmf_signal("D13800138000C"), fax]), 8000
    )
    place = {"file", "line", "event", "start_s", "end_s"}
    caller = {
        "standard",
        "format",
        "number",
        "name",
        "date_time",
        "presentation",
        "checksum_ok",
        "confidence",
    }
    wanted = {
        "caller_id": caller,
        "dtmf": {"digits"},
        "tone": {"tone", "country"},
        "fax": {"tone", "country"},
    }
    found = list(decode_file(path))
    assert {one["event"] for one in found} >= set(wanted)
    for one in found:
        assert set(one) == place | wanted.get(one["event"], set())
    standards = [(one["standard"], one["checksum_ok"]) for one in found if one["event"] == "caller_id"]
    assert standards == [("bell202", True), ("dtmf", None)]


def found_in(folder: Path, *pieces: np.ndarray, country: str = "cn") -> list[dict[str, Any]]:
    path = folder / "line.wav"
    soundfile.write(path, np.concatenate([silence(0.5), *pieces, silence(1)]), 8000)
    return without_voice(list(decode_file(path, country)))


def test_the_message_lamp(tmp_path: Path) -> None:
    lamp = waiting.build(Waiting("mdmf", True, 3))
    (one,) = found_in(tmp_path, fsk_signal(lamp))
    said = {"standard": "bell202", "format": "mdmf", "waiting": True, "count": 3, "checksum_ok": True}
    assert one["event"] == "message_waiting" and {key: one[key] for key in said} == said
    charge = b"\x86\x03\x20\x01\x31"
    assert found_in(tmp_path, fsk_signal(charge + bytes([-sum(charge) % 256]))) == []


def test_a_phone_that_answers_an_alert_keys_no_digit(tmp_path: Path) -> None:
    second = fsk_signal(mdmf.build(CALLER), seizure_bits=0, mark_bits=80)
    alerted = [alert_signal(), silence(0.1), dtmf_signal("D", tone_ms=60), second]
    alert, caller, keys = found_in(tmp_path, *alerted, silence(2), dtmf_signal("D9"))
    assert (alert["event"], alert["tone"], alert["country"]) == ("tone", "alert", None)
    assert caller["number"] == "13800138000" and keys["digits"] == "D9"


@pytest.mark.parametrize(
    ("signal", "tone"), [(answer_signal(3, True), "ced"), (tone_signal("cng", 7.5, "fax"), "cng")]
)
def test_fax(tmp_path: Path, signal: np.ndarray, tone: str) -> None:
    (one,) = found_in(tmp_path, signal)
    assert (one["event"], one["tone"], one["country"]) == ("fax", tone, None)


@pytest.mark.parametrize(("hz", "rings"), [(20, True), (25, True), (50, False)])
def test_ringing_that_leaks_in(tmp_path: Path, hz: int, rings: bool) -> None:
    burst = amplitude(-20) * np.sin(2 * np.pi * hz * np.arange(8000) / 8000)
    found = found_in(tmp_path, burst.astype(np.float32), silence(2), burst.astype(np.float32))
    spans = [(one["start_s"], one["end_s"]) for one in found if one.get("tone") == "ringing"]
    assert len(spans) == 2 * rings
    assert all(
        abs(end_s - start_s - 1) <= 0.2 and abs(start_s - at_s) <= 0.1
        for (start_s, end_s), at_s in zip(spans, (0.5, 3.5), strict=rings)
    )


@pytest.mark.parametrize("lsb", [-12000, 300, 12000])
def test_an_offset_is_no_ringing(tmp_path: Path, lsb: int) -> None:
    path = tmp_path / "dc.wav"
    soundfile.write(path, np.full(3 * 8000, lsb, np.int16), 8000)
    assert list(decode_file(path)) == []


def test_tones_of_another_country(tmp_path: Path) -> None:
    (one,) = found_in(tmp_path, tone_signal("howler", 3, "us"), country="us")
    assert (one["event"], one["tone"], one["country"]) == ("tone", "howler", "us")


def test_keys_are_grouped_by_pauses(tmp_path: Path) -> None:
    path = tmp_path / "keys.wav"
    soundfile.write(
        path,
        np.concatenate([dtmf_signal("12"), silence(0.6), dtmf_signal("3"), silence(2), dtmf_signal("4#")]),
        8000,
    )
    assert [one["digits"] for one in without_voice(list(decode_file(path)))] == ["123", "4#"]


def test_a_refused_message_has_no_number(tmp_path: Path) -> None:
    path = tmp_path / "broken.wav"
    message = mdmf.build(CALLER)
    soundfile.write(
        path, np.concatenate([silence(0.5), fsk_signal(message[:-1] + b"\x00"), silence(0.5)]), 8000
    )
    (one,) = without_voice(list(decode_file(path)))
    assert one["number"] is None and one["confidence"] == 0 and one["checksum_ok"] is False


SPOKEN = {
    "cmn": "您好，这里是天津分行。请问您找哪一位？我们九点到五点上班，节假日休息。请按一查询余额。",
    "en": "Good morning, you have reached the branch. We are open from nine to five. Press one for accounts.",
}


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng speaks")
@pytest.mark.parametrize("voice", SPOKEN)
def test_speech_is_voice_and_nothing_else(tmp_path: Path, voice: str) -> None:
    """About two minutes each, in three pitches."""
    files = []
    for pitch in (20, 50, 80):
        path = tmp_path / f"{pitch}.wav"
        command = ["espeak-ng", "-v", voice, "-p", str(pitch), "-w", str(path), SPOKEN[voice] * 4]
        subprocess.run(command, check=True, capture_output=True)
        files.append(path)
    found = [one for path in files for one in decode_file(path)]
    assert {one["event"] for one in found} == {"voice"}
    assert sum(one["end_s"] - one["start_s"] for one in found) > 60


def test_blocks_are_all_of_one_length_but_the_last(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros((44100, 3)), 44100)
    blocks = list(read_wav(path))
    assert [block.position for block in blocks] == [at * BLOCK_FRAMES for at in range(len(blocks))]
    assert {len(block.samples) for block in blocks[:-1]} == {BLOCK_FRAMES}
    assert abs(blocks[-1].end - 8000) <= 1 and channels_of(path) == 3


def broken_header(path: Path) -> None:
    soundfile.write(path, np.zeros(8000), 8000)
    path.write_bytes(path.read_bytes()[:20])


BAD_FILES = {
    "text": lambda path: path.write_bytes(b"not audio at all " * 100),
    "empty": lambda path: path.write_bytes(b""),
    "truncated header": broken_header,
    "missing": lambda path: None,
    "folder": lambda path: path.mkdir(),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_what_is_no_audio_is_refused_by_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / "bad.wav"
    BAD_FILES[name](path)
    with pytest.raises(NotAudio, match=r"bad\.wav") as refusal:
        list(read_wav(path))
    assert isinstance(refusal.value, SamplesError)
    with pytest.raises(NotAudio, match=r"bad\.wav"):
        list(decode_file(path))


def test_an_audio_file_without_samples_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "none.wav"
    soundfile.write(path, np.zeros(0), 8000)
    assert list(decode_file(path)) == []


def test_command_goes_on_after_a_bad_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = tmp_path / "good.wav", tmp_path / "bad.wav"
    soundfile.write(good, one_of_each(), 8000)
    bad.write_bytes(b"hello")
    assert main(["--json", str(bad), str(good)]) == 2
    out, err = capsys.readouterr()
    assert [json.loads(text)["event"] for text in out.splitlines()] == EVERYTHING
    assert json.loads(out.splitlines()[0])["name"] == "天津分行"
    assert err.count("\n") == 1 and "bad.wav" in err


def test_command_prints_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = tmp_path / "good.wav"
    soundfile.write(good, one_of_each(), 8000)
    assert main([str(good)]) == 0
    out, err = capsys.readouterr()
    assert err == "" and len(out.splitlines()) == 3
    assert "number=13800138000" in out and "digits=0228888*#" in out and "tone=busy" in out


def test_command_asks_for_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([])
    assert stop.value.code == 2
    assert "FILE" in capsys.readouterr().err


def test_dtmf_caller_is_both_keys_and_caller(tmp_path: Path) -> None:
    path = tmp_path / "keys.wav"
    keys = dtmf.build(CallerId("dtmf", "dtmf", "13912345678"))
    soundfile.write(path, np.concatenate([silence(0.2), dtmf_signal(keys), silence(0.2)]), 8000)
    keyed, caller = without_voice(list(decode_file(path)))
    assert keyed["digits"] == keys and caller["number"] == "13912345678"
