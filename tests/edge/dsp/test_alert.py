"""The alert of call waiting just inside and just outside its limits; voices, keys and tones that are none."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.dsp.alert import CAS_MS, DT_AS_MS, AlertReceiver, alert_signal
from edge.dsp.dtmf import DIGITS, dtmf_signal
from edge.dsp.fsk import fsk_signal
from tests.edge.signals import RATE_HZ, feed, line, noisy, same_however_cut, silence
from tests.signals.speech import snippet

Signal = np.ndarray


def heard(signal: Signal, snr_db: float | None = None, rate_hz: int = RATE_HZ) -> list[tuple[int, int]]:
    """(start, end) of each alert in the signal, which begins after half a second."""
    whole = np.concatenate([silence(0.5, rate_hz), signal, silence(0.3, rate_hz)])
    if snr_db is not None:
        whole = noisy(whole, snr_db, float((signal**2).mean()))
    return [(one.start, one.end) for one in feed(AlertReceiver(1, rate_hz), line(whole))]


# name -> (alert, is it one?)
LIMITS = {
    "as sent in a call": (alert_signal(CAS_MS), True),
    "as sent on hook": (alert_signal(DT_AS_MS), True),
    "-38 dBm0": (alert_signal(level_dbm0=-38), True),
    "-50 dBm0": (alert_signal(level_dbm0=-50), False),
    "full scale": (alert_signal(level_dbm0=-3), True),
    "6 dB twist": (alert_signal(twist_db=6), True),
    "-6 dB twist": (alert_signal(twist_db=-6), True),
    "12 dB twist": (alert_signal(level_dbm0=-20, twist_db=12), False),
    "-12 dB twist": (alert_signal(level_dbm0=-10, twist_db=-12), False),
    "0.5 % high": (alert_signal(scale=1.005), True),
    "0.5 % low": (alert_signal(scale=0.995), True),
    "2.5 % high": (alert_signal(scale=1.025), False),
    "2.5 % low": (alert_signal(scale=0.975), False),
    "70 ms": (alert_signal(70), True),
    "115 ms": (alert_signal(115), True),
    "40 ms": (alert_signal(40), False),
    "160 ms": (alert_signal(160), False),
    "2 s": (alert_signal(2000), False),
    "one of its tones alone": (alert_signal(twist_db=-90), False),
}


@pytest.mark.parametrize("name", LIMITS)
def test_limits(name: str) -> None:
    signal, expected = LIMITS[name]
    assert bool(heard(signal)) is expected


@pytest.mark.parametrize("shift", range(0, 80, 11))
def test_place_and_length_wherever_it_begins(shift: int) -> None:
    signal = np.concatenate([np.zeros(shift, np.float32), alert_signal()])
    ((start, end),) = heard(signal)
    assert abs(start - 4000 - shift) <= 24 and abs(end - start - 640) <= 40


@pytest.mark.parametrize("seed", range(4))
def test_in_noise(seed: int) -> None:
    signal = np.concatenate([np.zeros(7 * seed, np.float32), alert_signal(level_dbm0=-20)])
    assert len(heard(signal, snr_db=12)) == 1


def test_lines_of_16_khz() -> None:
    assert len(heard(alert_signal(rate_hz=16000), rate_hz=16000)) == 1


def test_keys_and_messages_are_none() -> None:
    assert heard(dtmf_signal(DIGITS)) == []
    assert heard(fsk_signal(bytes(range(128)))) == []


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng speaks")
@pytest.mark.parametrize("seed", range(4))
def test_speech_is_none(seed: int) -> None:
    assert heard(snippet(25 * RATE_HZ, np.random.default_rng(seed)).astype(np.float32)) == []


TWO = line(silence(0.2), alert_signal(), silence(0.7), alert_signal(100), silence(0.3))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 3000), min_size=1, max_size=15))
def test_findings_do_not_depend_on_the_cutting(cuts: list[int]) -> None:
    whole, pieces = same_however_cut(lambda: AlertReceiver(1, RATE_HZ), TWO, cuts)
    assert whole == pieces and len(whole) == 2


def test_lost_samples_end_it() -> None:
    receiver = AlertReceiver(1, RATE_HZ)
    half = line(silence(0.2), alert_signal()[:400])
    assert receiver.feed(half, 0) == [] and receiver.feed(line(silence(0.5)), 80000) == []
