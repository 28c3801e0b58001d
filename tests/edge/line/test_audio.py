"""How soon things are told: what comes after a burst at once, everything else within two turns."""

from __future__ import annotations

import numpy as np
import pytest

from edge.callerid import CallerId, dtmf, mdmf
from edge.dsp.dtmf import dtmf_signal
from edge.dsp.fsk import fsk_signal
from edge.dsp.level import to_int16
from edge.line.audio import AudioWatcher, LineState
from edge.line.events import CallerIdRead, DigitKeyed, LineEvent
from edge.samples import AudioBlock

RATE_HZ = 8000
CALLER = CallerId("bell202", "mdmf", "13800138000", "WANG LI", "11220446")


def waited_s(sound: np.ndarray, at_s: float, state: LineState, what: type[LineEvent], block: int) -> float:
    """Return how long after the end of the sound its first line event was told."""
    start = round(at_s * RATE_HZ)
    whole = np.zeros(start + len(sound) + RATE_HZ, np.float32)
    whole[start : start + len(sound)] = sound
    samples = to_int16(whole)[:, None]
    watcher = AudioWatcher(1, RATE_HZ, "cn")
    for at in range(0, len(samples), block):
        piece = AudioBlock(at, samples[at : at + block])
        if any(isinstance(one, what) for one in watcher.feed(piece, lambda line, position: state)[1]):
            return (piece.end - start - len(sound)) / RATE_HZ
    raise AssertionError(f"no {what.__name__} was told")


@pytest.mark.parametrize("block", [160, 800])
@pytest.mark.parametrize("at_ms", range(1000, 1200, 30))
def test_a_caller_is_told_within_a_turn_of_its_last_bit(at_ms: int, block: int) -> None:
    burst = fsk_signal(mdmf.build(CALLER))
    assert waited_s(burst, at_ms / 1000, LineState.IDLE, CallerIdRead, block) <= 0.15


@pytest.mark.parametrize("at_ms", range(1000, 1200, 30))
def test_a_caller_in_keys_is_told_within_a_turn_of_the_end_key(at_ms: int) -> None:
    keys = dtmf_signal(dtmf.build(CallerId("dtmf", "dtmf", "13800138000")), gap_ms=60)[
        : -60 * RATE_HZ // 1000
    ]
    assert waited_s(keys, at_ms / 1000, LineState.IDLE, CallerIdRead, 160) <= 0.15


@pytest.mark.parametrize("at_ms", range(1000, 1200, 30))
def test_a_key_is_told_within_two_turns(at_ms: int) -> None:
    key = dtmf_signal("5", tone_ms=80, gap_ms=0)
    assert waited_s(key, at_ms / 1000, LineState.OFF_HOOK, DigitKeyed, 160) <= 0.26
