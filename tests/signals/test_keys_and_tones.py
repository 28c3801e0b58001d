"""Keys and call-progress tones are measured: levels, twist, frequency, lengths, cadence."""

from __future__ import annotations

import numpy as np
import pytest

from tests.signals import keys, progress
from tests.signals.keys import KeyCell, Keypad, pressed
from tests.signals.line import RATE_HZ, Signal, peak
from tests.signals.progress import CADENCES, ToneCell

QUIET_ONLY: tuple = ()


def strength_db(signal: Signal, hz: float) -> float:
    turns = np.exp(-2j * np.pi * hz * np.arange(len(signal)) / RATE_HZ)
    return float(20 * np.log10(2 * np.abs(np.mean(signal * turns))))


@pytest.mark.parametrize(
    ("key", "low_hz", "high_hz"), [("1", 697, 1209), ("D", 941, 1633), ("*", 941, 1209), ("8", 852, 1336)]
)
@pytest.mark.parametrize("twist_db", [-8.0, 0.0, 4.0])
def test_a_key_is_two_tones_and_their_twist(key: str, low_hz: float, high_hz: float, twist_db: float) -> None:
    sound = pressed(key, Keypad(1000.0, 0.0, -13.0, twist_db), np.random.default_rng(1))
    low, high = strength_db(sound, low_hz), strength_db(sound, high_hz)
    assert high - low == pytest.approx(twist_db, abs=0.1)
    assert (low + high) / 2 == pytest.approx(20 * np.log10(peak(-13.0)), abs=0.1)


@pytest.mark.parametrize("percent", [-3.5, 1.5])
def test_frequency_is_off_by_as_much_as_asked(percent: float) -> None:
    sound = pressed("5", Keypad(2000.0, 0.0, off_percent=percent), np.random.default_rng(1))
    peaks = np.argsort(np.abs(np.fft.rfft(sound)))[-2:] / 2.0
    assert sorted(peaks) == pytest.approx([770 * (1 + percent / 100), 1336 * (1 + percent / 100)], abs=0.5)


@pytest.mark.parametrize(("tone_ms", "gap_ms"), [(50.0, 50.0), (23.0, 50.0), (40.0, 10.0)])
def test_keys_and_pauses_last_as_long_as_asked(tone_ms: float, gap_ms: float) -> None:
    sound = pressed("12", Keypad(tone_ms, gap_ms), np.random.default_rng(1))
    assert len(sound) == 2 * round((tone_ms + gap_ms) * 8)
    silent = np.flatnonzero(sound == 0.0)
    assert len(silent) == pytest.approx(2 * gap_ms * 8, abs=2)


def test_a_clip_holds_every_key_once() -> None:
    pressed_keys, clip = KeyCell("any").clip(0)
    assert sorted(pressed_keys) == sorted(keys.KEYS)
    assert len(clip) == pytest.approx((0.2 + 1.6 + 0.2) * RATE_HZ, abs=0.03 * RATE_HZ)


@pytest.mark.parametrize("tone", CADENCES)
def test_tones_keep_their_cadence(tone: str) -> None:
    clip = ToneCell("quiet", QUIET_ONLY).clip(tone, 0)[round(progress.LEAD_S * RATE_HZ) :]
    (on_s, off_s), length_s = CADENCES[tone]
    sounding = np.abs(clip.reshape(-1, 80)).max(axis=1) > 100
    share = float(np.mean(sounding))
    assert len(clip) == length_s * RATE_HZ
    assert share == pytest.approx(on_s / (on_s + off_s), abs=0.08)


def test_jitter_moves_every_edge_but_not_far() -> None:
    edges = []
    for jitter in (0.0, 0.10):
        clip = ToneCell("quiet", QUIET_ONLY, jitter=jitter).clip("busy", 0)[2400:]
        sounding = np.abs(clip.reshape(-1, 80)).max(axis=1) > 100
        edges.append(np.diff(np.flatnonzero(np.diff(sounding))) / 100)
    assert np.ptp(edges[0]) <= 0.011 < np.ptp(edges[1])
    assert np.all(np.abs(edges[1] - 0.35) <= 0.035 + 0.011)


def test_level_and_frequency_of_a_tone() -> None:
    clip = ToneCell("quiet", QUIET_ONLY, level_dbm0=-20.0, off_hz=25.0).clip("dial", 0)[4000:]
    assert strength_db(clip / 32768, 475.0) == pytest.approx(20 * np.log10(peak(-20.0)), abs=0.1)


@pytest.mark.parametrize("cells", [keys.CELLS, progress.CELLS])
def test_cells_have_names_of_their_own(cells: tuple) -> None:
    assert len({cell.name for cell in cells}) == len(cells) >= 20
