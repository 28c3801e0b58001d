"""Caller ID sent as keys, every start and end an exchange uses, before and after the ring, into the call."""

from __future__ import annotations

from itertools import count, product

import numpy as np
import pytest

from edge.callerid.dtmf import ENDS, STARTS
from edge.calls import LineCalls
from edge.dsp.dtmf import dtmf_signal
from edge.dsp.level import to_int16
from edge.line.audio import AudioWatcher, LineState
from edge.line.events import CallerIdFailed, CallerIdRead, DigitKeyed, LineEvent, RingStarted, RingStopped
from edge.samples import AudioBlock
from tests.edge.signals import RATE_HZ, silence

NUMBER = "02155501234"
VARIANTS = [start + NUMBER + end for start, end in product(STARTS, ENDS)]


def heard(
    lines: list[str], state: LineState, tone_ms: float = 60, gap_ms: float = 60
) -> list[list[LineEvent]]:
    """What lines say that all carry their keys at once."""
    sounds = [np.concatenate([silence(0.5), dtmf_signal(keys, RATE_HZ, tone_ms, gap_ms)]) for keys in lines]
    frames = max(map(len, sounds)) + RATE_HZ
    samples = np.zeros((frames, len(lines)), np.int16)
    for column, sound in enumerate(sounds):
        samples[: len(sound), column] = to_int16(sound)
    watcher = AudioWatcher(len(lines), RATE_HZ, "cn")
    found: list[list[LineEvent]] = [[] for _ in lines]
    for at in range(0, frames, 800):
        for one in watcher.feed(AudioBlock(at, samples[at : at + 800]), lambda line, position: state)[1]:
            found[one.line - 1].append(one)
    return found


@pytest.mark.parametrize(("state", "key_ms"), [(LineState.IDLE, 50), (LineState.RINGING, 70)])
def test_every_start_and_end(state: LineState, key_ms: float) -> None:
    for keys, found in zip(VARIANTS, heard(VARIANTS, state, key_ms, key_ms), strict=True):
        assert [one.caller.number for one in found if isinstance(one, CallerIdRead)] == [NUMBER], keys
        assert len(found) == 1


REFUSED = {"D1234*45C": "not_plausible", "A5550123": "wrong_length", "5550123#": "not_this_standard"}


@pytest.mark.parametrize("keys", REFUSED)
def test_what_is_none_is_refused_with_its_reason(keys: str) -> None:
    (one,) = heard([keys], LineState.IDLE)[0]
    assert isinstance(one, CallerIdFailed) and (one.standard, one.reason) == ("dtmf", REFUSED[keys])


def test_off_hook_the_same_keys_are_dialled() -> None:
    found = heard([VARIANTS[0]], LineState.OFF_HOOK)[0]
    assert "".join(one.digit for one in found if isinstance(one, DigitKeyed)) == VARIANTS[0]


@pytest.mark.parametrize("before", [True, False])
def test_the_call_has_the_caller_sent_before_or_after_its_first_ring(before: bool) -> None:
    numbers = count(1)
    calls = LineCalls(1, RATE_HZ, lambda: f"call-{next(numbers)}")
    calls.tick(2 * RATE_HZ)
    (caller,) = heard(["D" + NUMBER + "C"], LineState.IDLE)[0]
    ring = 9 * RATE_HZ if before else RATE_HZ // 4
    rings = [RingStarted(1, ring), RingStopped(1, ring + 100)]
    for one in sorted([caller, *rings], key=lambda one: one.position):
        calls.feed(one)
    assert calls.call is not None and calls.call.caller is not None
    assert calls.call.caller.number == NUMBER
