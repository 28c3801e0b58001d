"""Audio of a line in, signs beside the call out: call waiting, stutter, howler, fax, the message lamp."""

from __future__ import annotations

import numpy as np
import pytest

from edge.callerid import CallerId, mdmf, waiting
from edge.callerid.waiting import Waiting
from edge.dsp.alert import DT_AS_MS, alert_signal
from edge.dsp.dtmf import dtmf_signal
from edge.dsp.fax import answer_signal
from edge.dsp.fsk import fsk_signal
from edge.dsp.level import to_int16
from edge.dsp.tones import tone_signal
from edge.line.audio import AudioWatcher, LineState
from edge.line.events import (
    CallerIdRead,
    CallWaitingHeard,
    DigitKeyed,
    FaxHeard,
    HowlerHeard,
    LineEvent,
    MessageWaiting,
    ToneHeard,
)
from edge.samples import AudioBlock
from tests.edge.signals import RATE_HZ, silence

LI = CallerId("bell202", "mdmf", "13800138000", "WANG LI", "11220446")
OFF_HOOK, IDLE = LineState.OFF_HOOK, LineState.IDLE


def heard(*pieces: np.ndarray, state: LineState = OFF_HOOK, country: str = "cn") -> list[LineEvent]:
    """What a line says that carries the pieces and then five seconds of silence."""
    samples = to_int16(np.concatenate([*pieces, silence(5)]))[:, None]
    watcher = AudioWatcher(1, RATE_HZ, country)
    found: list[LineEvent] = []
    for at in range(0, len(samples), 160):
        found += watcher.feed(AudioBlock(at, samples[at : at + 160]), lambda line, position: state)[1]
    return found


TYPE_II = [alert_signal(), silence(0.12), dtmf_signal("D", tone_ms=60, gap_ms=100)]
SECOND = fsk_signal(mdmf.build(LI), seizure_bits=0, mark_bits=80)


def test_a_second_caller_inside_a_call() -> None:
    """Tone for the people, alert for the phone, its answer, and who it is: in this order, and no digit."""
    found = heard(silence(6), tone_signal("call_waiting", 0.4), silence(1.5), *TYPE_II, SECOND)
    signs = [one for one in found if isinstance(one, CallWaitingHeard)]
    assert [one.sign for one in signs] == ["tone", "alert", "acknowledged"]
    assert abs(signs[0].position - 6 * RATE_HZ) < 400 and abs(signs[1].position - 7.9 * RATE_HZ) < 40
    assert [one.caller.number for one in found if isinstance(one, CallerIdRead)] == ["13800138000"]
    assert not [one for one in found if isinstance(one, DigitKeyed | ToneHeard)]


@pytest.mark.parametrize(
    ("pause_s", "key", "sign"), [(0.02, "A", True), (0.45, "D", True), (0.7, "D", False)]
)
def test_a_key_is_an_answer_only_just_after_the_alert(pause_s: float, key: str, sign: bool) -> None:
    found = heard(silence(1), alert_signal(), silence(pause_s), dtmf_signal(key))
    assert any(isinstance(one, CallWaitingHeard) and one.sign == "acknowledged" for one in found) is sign
    assert any(isinstance(one, DigitKeyed) for one in found) is not sign


def test_people_s_keys_after_an_alert_are_digits() -> None:
    found = heard(silence(1), alert_signal(), silence(0.1), dtmf_signal("5"))
    assert [one.digit for one in found if isinstance(one, DigitKeyed)] == ["5"]


def test_an_alert_on_hook_belongs_to_caller_id() -> None:
    found = heard(silence(1), alert_signal(DT_AS_MS), silence(0.2), SECOND, state=IDLE)
    assert [type(one) for one in found] == [CallerIdRead]


def test_the_end_of_a_dial_tone_is_no_call_waiting() -> None:
    """Lifted, 0.4 s of dial tone, dialled, and the number is long in being put through."""
    watcher = AudioWatcher(1, RATE_HZ, "cn")
    samples = to_int16(
        np.concatenate([silence(2), tone_signal("dial", 0.4), dtmf_signal("10086"), silence(5)])
    )
    found: list[LineEvent] = []
    for at in range(0, len(samples), 160):
        block = AudioBlock(at, samples[at : at + 160, None])
        found += watcher.feed(block, lambda line, at: OFF_HOOK if at >= 2 * RATE_HZ else IDLE)[1]
    assert [one for one in found if isinstance(one, CallWaitingHeard)] == []


@pytest.mark.parametrize("country", ["cn", "us"])
def test_howler(country: str) -> None:
    (one,) = heard(silence(1), tone_signal("howler", 4, country), country=country)
    assert one == HowlerHeard(1, one.position, country) and abs(one.position - RATE_HZ) < 400


STUTTERS = {
    "ten short bursts": (tone_signal("special_dial", 2.0, "us"), True),
    "three, as after a flash": (tone_signal("special_dial", 0.6, "us"), False),
}


@pytest.mark.parametrize("name", STUTTERS)
def test_a_stuttering_dial_tone_says_that_messages_wait(name: str) -> None:
    stutter, expected = STUTTERS[name]
    found = heard(silence(1), stutter, tone_signal("dial", 3, "us"), country="us")
    said = [one for one in found if isinstance(one, MessageWaiting)]
    assert [(one.waiting, one.how) for one in said] == [(True, "stutter")] * expected
    assert "dial" in [one.tone for one in found if isinstance(one, ToneHeard)]


def test_in_china_special_dial_tone_says_that_a_service_is_on() -> None:
    (one,) = heard(silence(1), tone_signal("special_dial", 5))
    assert isinstance(one, ToneHeard) and one.tone == "special_dial"


@pytest.mark.parametrize("said", [Waiting("sdmf", True), Waiting("mdmf", True, 7), Waiting("mdmf", False)])
def test_the_message_lamp(said: Waiting) -> None:
    (one,) = heard(silence(1), fsk_signal(waiting.build(said)), state=IDLE)
    assert one == MessageWaiting(1, one.position, said.waiting, "fsk", said.count)


def test_a_charge_message_says_nothing_about_messages() -> None:
    body = b"\x86\x03\x20\x01\x31"
    assert heard(silence(1), fsk_signal(body + bytes([-sum(body) % 256])), state=IDLE) == []


FAXES = {
    "calling": (tone_signal("cng", 8, "fax"), ("cng", False)),
    "answering": (answer_signal(3), ("ced", False)),
    "answering, V.8": (answer_signal(3, reversals=True, swells=True), ("ced", True)),
}


@pytest.mark.parametrize("name", FAXES)
def test_fax_is_said_once(name: str) -> None:
    signal, expected = FAXES[name]
    (one,) = heard(silence(1), signal)
    assert one == FaxHeard(1, one.position, *expected) and abs(one.position - RATE_HZ) < 400
