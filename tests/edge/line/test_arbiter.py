"""Whole calls on one and many lines, with readings, without them, and with readings that come and go."""

from __future__ import annotations

import numpy as np
import pytest

from edge.callerid import CallerId, dtmf, mdmf
from edge.dsp.dtmf import dtmf_signal
from edge.dsp.fsk import fsk_signal
from edge.dsp.level import amplitude, to_int16
from edge.dsp.tones import tone_signal
from edge.line.arbiter import Arbiter
from edge.line.events import (
    CallerIdFailed,
    CallerIdRead,
    DigitKeyed,
    LineEvent,
    OffHook,
    OnHook,
    RingStarted,
    RingStopped,
    SpeechHeard,
    ToneHeard,
    VoiceStarted,
    VoiceStopped,
)
from edge.line.profile import PROFILES, Hearing
from edge.samples import AudioBlock, LineReading
from tests.edge.line.test_voltage import Span, readings, ring
from tests.edge.signals import silence

CALLER = CallerId("bell202", "mdmf", "13800138000", "WANG LI", "11220446")
RATE_HZ = 8000


def speech(seconds: float, seed: int = 0, rate_hz: int = RATE_HZ) -> np.ndarray:
    """Noise in syllables: enough for voice activity, nothing any receiver knows."""
    rng = np.random.default_rng(seed)
    count = round(seconds * rate_hz)
    syllables = np.repeat(rng.uniform(0, 1, count // (rate_hz // 6) + 1) > 0.4, rate_hz // 6)[:count]
    return (syllables * rng.normal(size=count) * 0.05).astype(np.float32)


def sound(pieces: dict[float, np.ndarray], seconds: float, rate_hz: int = RATE_HZ) -> np.ndarray:
    """Place pieces at seconds; int16 (frames, 1)."""
    whole = silence(seconds, rate_hz)
    for at, piece in pieces.items():
        start = round(at * rate_hz)
        whole[start : start + len(piece)] += piece
    return to_int16(whole)[:, None]


def run(
    samples: np.ndarray,
    made: list[LineReading],
    block: int = 160,
    rate_hz: int = RATE_HZ,
    arbiter: Arbiter | None = None,
) -> list[LineEvent]:
    arbiter = arbiter or Arbiter(samples.shape[1], rate_hz, PROFILES["cn"], "cn")
    found: list[LineEvent] = []
    for at in range(0, len(samples), block):
        end = at + block
        now = arbiter.feed(AudioBlock(at, samples[at:end]), [one for one in made if at <= one.position < end])
        assert [one.position for one in now] == sorted(one.position for one in now)
        found += [one for one in now if not isinstance(one, VoiceStarted | VoiceStopped | SpeechHeard)]
    return found


def names(found: list[LineEvent]) -> list[str]:
    return [type(one).__name__ for one in found]


INCOMING = [Span(2), ring(1), Span(4), ring(1), Span(0.5), Span(8.5, 8), Span(3)]
INCOMING_SOUND = {3.6: fsk_signal(mdmf.build(CALLER)), 9.5: speech(6)}


def test_an_incoming_call() -> None:
    found = run(sound(INCOMING_SOUND, 20), readings(INCOMING))
    assert names(found) == [
        "RingStarted",
        "RingStopped",
        "CallerIdRead",
        "RingStarted",
        "RingStopped",
        "OffHook",
        "OnHook",
    ]
    read = found[2]
    assert isinstance(read, CallerIdRead) and read.caller == CALLER
    assert [round(one.position / RATE_HZ, 1) for one in found] == [2.0, 3.0, 4.0, 7.0, 8.0, 8.5, 17.0]


@pytest.mark.parametrize("block", [80, 441, 8000, 30000])
def test_the_story_does_not_depend_on_the_block(block: int) -> None:
    made = readings(INCOMING)
    assert run(sound(INCOMING_SOUND, 20), made, block) == run(sound(INCOMING_SOUND, 20), made)


def test_a_line_of_16_khz() -> None:
    pieces = {3.6: fsk_signal(mdmf.build(CALLER), rate_hz=16000), 9.5: dtmf_signal("12#", 16000)}
    made = [
        LineReading(1, one.position * 2, one.voltage_v, one.ring_half_waves) for one in readings(INCOMING)
    ]
    found = run(sound(pieces, 20, 16000), made, 320, 16000)
    assert names(found)[2] == "CallerIdRead"
    assert [one.digit for one in found if isinstance(one, DigitKeyed)] == ["1", "2", "#"]


def test_an_outgoing_call() -> None:
    made = readings([Span(2), Span(14, 8), Span(2)])
    pieces = {
        2.2: tone_signal("dial", 2),
        4.5: dtmf_signal("02288881234"),
        6.5: tone_signal("ringback", 2.5),
        10.0: tone_signal("busy", 4),
    }
    found = run(sound(pieces, 18), made)
    assert "".join(one.digit for one in found if isinstance(one, DigitKeyed)) == "02288881234"
    assert [one.tone for one in found if isinstance(one, ToneHeard)] == ["dial", "ringback", "busy"]
    assert isinstance(found[0], OffHook) and isinstance(found[-1], OnHook)


def test_caller_id_in_keys_before_the_ring() -> None:
    caller = CallerId("dtmf", "dtmf", "13800138000", confidence=dtmf.CONFIDENCE)
    found = run(sound({2: dtmf_signal(dtmf.build(caller))}, 9), readings([Span(5), ring(1), Span(3)]))
    assert names(found) == ["CallerIdRead", "RingStarted", "RingStopped"]
    assert found[0] == CallerIdRead(1, 16000, caller)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("D123", ["wrong_length"]),
        ("5551234", ["not_this_standard"]),
        ("12", []),
        ("D1D1D1D1C", ["not_plausible"]),
    ],
)
def test_keys_on_hook_that_are_no_caller(keys: str, expected: list[str]) -> None:
    found = run(sound({2: dtmf_signal(keys)}, 5), readings([Span(5)]))
    assert [one.reason for one in found if isinstance(one, CallerIdFailed)] == expected
    assert len(found) == len(expected)


def test_keys_off_hook_are_dialled_even_if_they_look_like_a_caller() -> None:
    found = run(sound({3: dtmf_signal("D13800138000C")}, 8), readings([Span(2), Span(6, 8)]))
    assert not any(isinstance(one, CallerIdRead) for one in found)
    assert "".join(one.digit for one in found if isinstance(one, DigitKeyed)) == "D13800138000C"


def test_a_message_that_cannot_be_read_is_said_on_hook_only() -> None:
    message = mdmf.build(CALLER)
    broken = fsk_signal(message[:-1] + bytes([message[-1] ^ 0x55]))
    on_hook = run(sound({3.6: broken}, 8), readings([Span(2), ring(1), Span(5)]))
    assert [one.standard for one in on_hook if isinstance(one, CallerIdFailed)] == ["bell202"]
    off_hook = run(sound({3.6: broken}, 8), readings([Span(2), Span(6, 8)]))
    assert not any(isinstance(one, CallerIdFailed) for one in off_hook)


def test_four_lines_keep_their_stories_apart() -> None:
    calls = [CallerId("bell202", "mdmf", f"0228888{at}234", None, "11220446") for at in range(4)]
    samples = np.concatenate([sound({3.6: fsk_signal(mdmf.build(one))}, 8) for one in calls], axis=1)
    made = [
        LineReading(at + 1, one.position, one.voltage_v, one.ring_half_waves)
        for one in readings([Span(2), ring(1), Span(5)])
        for at in range(4)
    ]
    found = run(samples, made)
    assert {one.line: one.caller.number for one in found if isinstance(one, CallerIdRead)} == {
        at + 1: one.number for at, one in enumerate(calls)
    }
    assert len([one for one in found if isinstance(one, RingStarted)]) == 4


def test_readings_of_lines_that_are_not_there_are_ignored() -> None:
    made = [LineReading(9, one.position, 8.0, 3) for one in readings([Span(3)])]
    assert run(sound({}, 3), [*readings([Span(3)]), *made]) == []


# without readings


def leaking_ring(seconds: float) -> np.ndarray:
    times_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return (amplitude(-20) * np.sin(2 * np.pi * 25 * times_s)).astype(np.float32)


def test_a_call_by_sound_alone() -> None:
    pieces = {
        4: leaking_ring(1),
        5.5: fsk_signal(mdmf.build(CALLER)),
        9: leaking_ring(1),
        11: speech(20),
        31: tone_signal("busy", 8),
    }
    arbiter = Arbiter(1, RATE_HZ, PROFILES["cn"], "cn")
    assert arbiter.hook_known(1)
    found = run(sound(pieces, 45), [], arbiter=arbiter)
    assert not arbiter.hook_known(1)
    story = [one for one in names(found) if one != "ToneHeard"]
    expected = [
        "RingStarted",
        "RingStopped",
        "CallerIdRead",
        "RingStarted",
        "RingStopped",
        "OffHook",
        "OnHook",
    ]
    assert story == expected
    (lifted,) = [one for one in found if isinstance(one, OffHook)]
    (put_down,) = [one for one in found if isinstance(one, OnHook)]
    assert abs(lifted.position / RATE_HZ - 11) < 0.5
    assert abs(put_down.position / RATE_HZ - 31) < 0.5


def test_a_caller_without_ringing_counts_as_a_ring() -> None:
    found = run(sound({4: fsk_signal(mdmf.build(CALLER))}, 8), [])
    assert names(found) == ["RingStarted", "RingStopped", "CallerIdRead"]


def test_silence_ends_a_call_by_sound() -> None:
    found = run(sound({4: speech(5)}, 50), [])
    assert names(found) == ["OffHook", "OnHook"]
    assert abs(found[1].position / RATE_HZ - 9) < 1.5


def test_dial_tone_is_off_hook() -> None:
    found = run(sound({4: tone_signal("dial", 3)}, 9), [])
    assert names(found) == ["OffHook", "ToneHeard"]
    assert abs(found[0].position / RATE_HZ - 4) < 0.1


def test_hum_and_noise_are_nothing() -> None:
    rng = np.random.default_rng(0)
    times_s = np.arange(40 * RATE_HZ) / RATE_HZ
    noise = rng.normal(size=len(times_s)) * 0.001 + amplitude(-25) * np.sin(2 * np.pi * 50 * times_s)
    assert run(to_int16(noise.astype(np.float32))[:, None], []) == []


def test_readings_that_stop_and_come_back() -> None:
    arbiter = Arbiter(1, RATE_HZ, PROFILES["cn"], "cn")
    trace = readings([Span(2), Span(3, 8), Span(15, 8), Span(3)])
    made = [one for one in trace if not 5 <= one.position / RATE_HZ < 12]
    known = []
    samples = sound({3: speech(17)}, 23)
    found: list[LineEvent] = []
    for at in range(0, len(samples), 160):
        due = [one for one in made if at <= one.position < at + 160]
        now = arbiter.feed(AudioBlock(at, samples[at : at + 160]), due)
        found += [one for one in now if isinstance(one, OffHook | OnHook)]
        if not known or known[-1] != arbiter.hook_known(1):
            known.append(arbiter.hook_known(1))
    assert known == [True, False, True]
    assert names(found) == ["OffHook", "OnHook"]
    assert round(found[1].position / RATE_HZ, 1) == 20.0


def test_a_wrong_guess_is_put_right_by_the_readings() -> None:
    made = [one for one in readings([Span(14)]) if one.position / RATE_HZ > 10]
    found = run(sound({4: speech(4)}, 14), made)
    assert names(found) == ["OffHook", "OnHook"]
    assert 10 < found[1].position / RATE_HZ < 11


def test_ring_by_sound_is_a_pair() -> None:
    found = run(sound({4: leaking_ring(1)}, 8), [])
    assert [type(one) for one in found] == [RingStarted, RingStopped]
    assert abs(found[0].position / RATE_HZ - 4) <= 0.15 and abs(found[1].position / RATE_HZ - 5) <= 0.15


def heard(
    pieces: dict[float, np.ndarray], seconds: float, hearings: list[Hearing] | None = None
) -> list[LineEvent]:
    """Everything said of a line that is off hook from 2 s on; with `hearings`, of as many lines."""
    samples = np.repeat(sound(pieces, seconds), len(hearings or [0]), axis=1)
    arbiter = Arbiter(samples.shape[1], RATE_HZ, PROFILES["cn"], "cn")
    if hearings:
        arbiter.listen(hearings)
    made = [
        LineReading(line + 1, one.position, one.voltage_v, one.ring_half_waves)
        for one in readings([Span(2), Span(seconds - 2, 8)])
        for line in range(samples.shape[1])
    ]
    return [
        found
        for at in range(0, len(samples), 160)
        for found in arbiter.feed(
            AudioBlock(at, samples[at : at + 160]), [one for one in made if at <= one.position < at + 160]
        )
    ]


@pytest.mark.parametrize(
    ("pieces", "spoken"),
    [
        ({3.0: speech(2)}, True),
        ({3.0: speech(0.6)}, True),
        ({3.0: tone_signal("busy", 6)}, False),
        ({3.0: tone_signal("congestion", 6)}, False),
        ({3.0: tone_signal("ringback", 11)}, False),
        ({3.0: tone_signal("dial", 5)}, False),
        ({3.0: dtmf_signal("02155501234#")}, False),
        ({3.0: tone_signal("ringback", 11), 10.0: speech(0.7)}, True),
        ({3.0: tone_signal("busy", 6), 10.0: speech(0.7)}, True),
        ({}, False),
    ],
    ids=[
        "speech", "a word", "busy", "congestion", "ringback", "dial tone", "keys", "a word after ringback",
        "a word after busy", "nothing",
    ],
)  # fmt: skip
def test_speech_is_told_from_tones_and_keys(pieces: dict[float, np.ndarray], spoken: bool) -> None:
    found = [one for one in heard(pieces, 16) if isinstance(one, SpeechHeard)]
    assert bool(found) is spoken
    if spoken:
        assert found[0].position / RATE_HZ == pytest.approx(max(pieces), abs=0.25)


def test_lines_of_two_countries_on_one_board() -> None:
    hearings = [Hearing(PROFILES[country], country) for country in ("cn", "us", "cn")]
    found = heard({3.0: tone_signal("busy", 5, "us")}, 10, hearings)
    assert {(one.line, one.country) for one in found if isinstance(one, ToneHeard)} == {(2, "us")}


def test_a_line_changes_its_country_and_the_others_notice_nothing() -> None:
    samples = np.repeat(sound({1.0: tone_signal("busy", 8)}, 12), 2, axis=1)
    arbiter = Arbiter(2, RATE_HZ, PROFILES["cn"], "cn")
    found: list[LineEvent] = []
    for at in range(0, len(samples), 160):
        if at == 2 * RATE_HZ:  # in the middle of the tone, before it is told
            arbiter.change(2, Hearing(PROFILES["us"], "us"))
        found += arbiter.feed(AudioBlock(at, samples[at : at + 160]), [])
    alone = Arbiter(1, RATE_HZ, PROFILES["cn"], "cn")
    expected = [
        one
        for at in range(0, len(samples), 160)
        for one in alone.feed(AudioBlock(at, samples[at : at + 160, :1]), [])
    ]
    assert [one for one in found if one.line == 1] == expected
    assert any(isinstance(one, ToneHeard) for one in expected)
    assert not any(
        isinstance(one, ToneHeard) and one.line == 2 and one.position > 2 * RATE_HZ for one in found
    )
    arbiter.change(2, Hearing(PROFILES["cn"], "cn"))
    assert len(arbiter._ears) == 1


def test_a_voice_goes_on_while_a_line_changes_its_country() -> None:
    murmur = 0.02 * np.random.default_rng(3).standard_normal(3 * RATE_HZ)
    samples = np.repeat(sound({1.0: murmur.astype(np.float32)}, 6), 2, axis=1)
    arbiter = Arbiter(2, RATE_HZ, PROFILES["cn"], "cn")
    found: list[LineEvent] = []
    for at in range(0, len(samples), 160):
        if at == 2 * RATE_HZ:
            arbiter.change(1, Hearing(PROFILES["us"], "us"))
        found += arbiter.feed(AudioBlock(at, samples[at : at + 160]), [])
    for line in (1, 2):
        kinds = (VoiceStarted, SpeechHeard, VoiceStopped)
        assert [type(one) for one in found if one.line == line and isinstance(one, kinds)] == [*kinds]


def test_a_voice_is_as_far_above_the_noise_as_is_set() -> None:
    noise = 0.002 * np.random.default_rng(1).standard_normal(11 * RATE_HZ)
    murmur = 0.012 * np.random.default_rng(2).standard_normal(2 * RATE_HZ)
    hearings = [Hearing(PROFILES["cn"], "cn", over_db) for over_db in (6.0, 25.0)]
    found = heard({0.0: noise.astype(np.float32), 6.0: murmur.astype(np.float32)}, 11, hearings)
    late = {one.line for one in found if isinstance(one, VoiceStarted) and one.position > 5.5 * RATE_HZ}
    assert late == {1}
