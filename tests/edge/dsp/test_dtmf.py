"""Every limit in the receiver's docstring, just inside and just outside; the law of cutting; many lines."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.dsp.dtmf import DIGITS, DtmfReceiver, KeyFound, digit_pair, dtmf_signal
from edge.dsp.level import amplitude
from tests.edge.signals import RATE_HZ, feed, line, noisy, same_however_cut, silence


def heard(signal: np.ndarray, rate_hz: int = RATE_HZ) -> str:
    samples = line(silence(0.0546, rate_hz), signal, silence(0.2, rate_hz))
    return "".join(key.digit for key in feed(DtmfReceiver(1, rate_hz), samples))


def at_offset(digits: str, offset: float, **more: float) -> np.ndarray:
    """All frequencies off by `offset`, times kept."""
    rate_hz = round(RATE_HZ / (1 + offset))
    return dtmf_signal(digits, rate_hz, tone_ms=50 * RATE_HZ / rate_hz, gap_ms=50 * RATE_HZ / rate_hz, **more)


ACCEPTED = {
    "plain": {},
    "quiet": {"level_dbm0": -45},
    "loud": {"level_dbm0": -3},
    "high tone 4 dB up": {"twist_db": 4},
    "high tone 8 dB down": {"twist_db": -8},
    "40 ms": {"tone_ms": 40, "gap_ms": 40},
    "20 ms pauses": {"gap_ms": 20},
    "long": {"tone_ms": 400},
}
REFUSED = {
    "too quiet": {"level_dbm0": -55},
    "high tone 12 dB up": {"twist_db": 12},
    "high tone 14 dB down": {"twist_db": -14},
    "23 ms": {"tone_ms": 23, "gap_ms": 50},
}


@pytest.mark.parametrize("rate_hz", [8000, 16000])
@pytest.mark.parametrize("name", ACCEPTED)
def test_accepts_just_inside(name: str, rate_hz: int) -> None:
    assert heard(dtmf_signal(DIGITS, rate_hz, **ACCEPTED[name]), rate_hz) == DIGITS


@pytest.mark.parametrize("rate_hz", [8000, 16000])
@pytest.mark.parametrize("name", REFUSED)
def test_refuses_just_outside(name: str, rate_hz: int) -> None:
    assert heard(dtmf_signal(DIGITS, rate_hz, **REFUSED[name]), rate_hz) == ""


@pytest.mark.parametrize("offset", [-0.015, 0.015])
def test_accepts_frequencies_one_and_a_half_percent_off(offset: float) -> None:
    assert heard(at_offset(DIGITS, offset)) == DIGITS


@pytest.mark.parametrize("offset", [-0.035, -0.028, 0.028, 0.035])
def test_refuses_frequencies_too_far_off(offset: float) -> None:
    assert heard(at_offset(DIGITS, offset)) == ""


@pytest.mark.parametrize("offset_ms", range(0, 10, 2))
def test_a_key_of_40_ms_counts_wherever_it_falls_on_the_grid_and_one_of_23_ms_nowhere(offset_ms: int) -> None:
    for tone_ms, expected in ((40, "5"), (23, "")):
        samples = line(silence(offset_ms / 1000), dtmf_signal("5", tone_ms=tone_ms), silence(0.1))
        assert "".join(key.digit for key in feed(DtmfReceiver(1, RATE_HZ), samples)) == expected


def test_reports_where_the_key_was() -> None:
    samples = line(silence(0.1), dtmf_signal("7", tone_ms=80), silence(0.1))
    (key,) = feed(DtmfReceiver(1, RATE_HZ), samples, position=4000)
    assert abs(key.start - 4800) <= 40 and abs(key.end - 5440) <= 40


def test_reads_at_three_db_of_noise() -> None:
    power = amplitude(-13) ** 2
    signal = noisy(np.concatenate([dtmf_signal(DIGITS * 4, tone_ms=50, gap_ms=50, level_dbm0=-13)]), 3, power)
    assert heard(signal) == DIGITS * 4


def test_reads_over_dial_tone_hum_and_dc() -> None:
    signal = dtmf_signal(DIGITS, level_dbm0=-13)
    times_s = np.arange(len(signal)) / RATE_HZ
    hum = amplitude(-10) * np.sin(2 * np.pi * 50 * times_s)
    assert heard(signal + hum.astype(np.float32) + np.float32(0.1)) == DIGITS
    late = np.concatenate([silence(0.3), signal])
    dial = amplitude(-13) * np.sin(2 * np.pi * 450 * np.arange(len(late)) / RATE_HZ)
    assert heard(late + dial.astype(np.float32)) == DIGITS


def test_a_voice_that_begins_with_its_lower_harmonics_is_no_key() -> None:
    signal = dtmf_signal("A", tone_ms=60, gap_ms=200, level_dbm0=-13)
    times_s = np.arange(480) / RATE_HZ
    low = amplitude(-12) * np.sin(2 * np.pi * 466 * times_s)
    assert heard(signal) == "A"
    signal[:480] += low.astype(np.float32)
    assert heard(signal) == ""


def test_a_hiss_does_not_excuse_what_lies_below_a_key() -> None:
    signal = dtmf_signal("A", tone_ms=60, gap_ms=200, level_dbm0=-13)
    times_s = np.arange(480) / RATE_HZ
    for hz, level_dbm0 in ((466, -12), (2500, -10), (2900, -10)):
        signal[:480] += (amplitude(level_dbm0) * np.sin(2 * np.pi * hz * times_s)).astype(np.float32)
    assert heard(signal) == ""


@pytest.mark.parametrize("delay_ms", [8.0, 15.0, 20.0, 25.0])
def test_an_echo_is_no_second_key(delay_ms: float) -> None:
    keys = line(silence(0.05), dtmf_signal(DIGITS * 2, tone_ms=50, gap_ms=50), silence(0.2))[:, 0]
    late = round(delay_ms * RATE_HZ / 1000)
    for sign in (1, -1):
        echo = np.concatenate([np.zeros(late), keys[:-late]]) * sign * 10 ** (-10 / 20)
        samples = (keys + echo).astype(np.int16)[:, None]
        assert "".join(key.digit for key in feed(DtmfReceiver(1, RATE_HZ), samples)) == DIGITS * 2


@pytest.mark.parametrize("gap_ms", [20, 30])
def test_the_same_key_again_after_a_short_pause_is_a_second_one(gap_ms: int) -> None:
    assert heard(dtmf_signal("5566", gap_ms=gap_ms)) == "5566"


def test_a_held_key_is_one_key_and_a_repeated_one_is_two() -> None:
    assert heard(dtmf_signal("5", tone_ms=900)) == "5"
    assert heard(dtmf_signal("55", tone_ms=50, gap_ms=40)) == "55"


@pytest.mark.parametrize("tones", [(697,), (1209,), (697, 770), (1209, 1336), (450, 1209)])
def test_other_tones_are_no_keys(tones: tuple[int, ...]) -> None:
    times_s = np.arange(4000) / RATE_HZ
    signal = sum(amplitude(-10) * np.sin(2 * np.pi * hz * times_s) for hz in tones)
    assert heard(np.asarray(signal, np.float32)) == ""


def test_white_noise_has_no_keys() -> None:
    assert heard(noisy(silence(60), 0, amplitude(-20) ** 2)) == ""


def test_every_line_is_read_by_itself() -> None:
    digits = [DIGITS[at] * 3 for at in range(8)]
    samples = np.concatenate([line(dtmf_signal(one), silence(0.1)) for one in digits], axis=1)
    found = feed(DtmfReceiver(8, RATE_HZ), samples)
    assert [[key.digit for key in found if key.line == at + 1] for at in range(8)] == [
        [*one] for one in digits
    ]


def test_lost_samples_end_the_key_and_start_anew() -> None:
    samples = line(dtmf_signal("1", tone_ms=200))
    receiver = DtmfReceiver(1, RATE_HZ)
    found = receiver.feed(samples[:800], 0) + receiver.feed(line(dtmf_signal("2"), silence(0.1)), 80000)
    assert [(key.digit, key.start // 1000) for key in found] == [("2", 80)]


SIGNAL = line(
    silence(0.03), dtmf_signal("19D*", tone_ms=45, gap_ms=35), silence(0.05), dtmf_signal("55#"), silence(0.1)
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 900), min_size=1, max_size=30))
def test_findings_do_not_depend_on_the_cutting(cuts: list[int]) -> None:
    whole, pieces = same_however_cut(lambda: DtmfReceiver(1, RATE_HZ), SIGNAL, cuts)
    assert whole == pieces and len(whole) == 7


def test_what_is_no_key_is_refused() -> None:
    for wrong in ("E", "", "12"):
        with pytest.raises(ValueError, match="DTMF key"):
            digit_pair(wrong)


def test_finding_is_plain_data() -> None:
    assert KeyFound(1, 2, 3, "4") == KeyFound(1, 2, 3, "4")
