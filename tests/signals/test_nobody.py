"""Each sound lasts a minute, is never the same twice, and lies where telephone sound lies."""

from __future__ import annotations

import numpy as np
import pytest

from tests.signals import nobody
from tests.signals.line import RATE_HZ

MADE = sorted(set(nobody.SOUNDS) - {"speech"})  # hours of speech are for benchmarks


@pytest.mark.parametrize("name", MADE)
def test_a_minute_of_it(name: str) -> None:
    make, _ = nobody.SOUNDS[name]
    first, again, other = (make(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert len(first) == nobody.MINUTE
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    level = 10 * np.log10(2 * np.mean(first**2)) + 3.14
    assert -70 < level < -5 and np.max(np.abs(first)) < 2


def test_shares_make_a_whole() -> None:
    assert sum(share for _, share in nobody.SOUNDS.values()) == pytest.approx(1)


def test_fax_is_a_tone_a_handshake_and_a_page() -> None:
    sound = nobody.fax(np.random.default_rng(3))
    assert _loudest_hz(sound[:4000]) == pytest.approx(1100, abs=2)
    assert _loudest_hz(sound[30000:46000]) == pytest.approx(2100, abs=2)


def test_the_handshake_is_v21() -> None:
    sound = nobody._handshake(np.random.default_rng(3), 2.0)
    spectrum = np.abs(np.fft.rfft(sound)) ** 2
    hz = np.fft.rfftfreq(len(sound), 1 / RATE_HZ)
    assert spectrum[(hz > 1400) & (hz < 2100)].sum() > 0.95 * spectrum.sum()
    assert len(sound) / RATE_HZ == pytest.approx(296 / 300 + 2.0, abs=0.01)


def test_a_page_fills_the_band_of_a_modem() -> None:
    sound = nobody._page(np.random.default_rng(3), 3.0)
    spectrum = np.abs(np.fft.rfft(sound)) ** 2
    hz = np.fft.rfftfreq(len(sound), 1 / RATE_HZ)
    assert spectrum[(hz > 400) & (hz < 3200)].sum() > 0.9 * spectrum.sum()
    assert spectrum[(hz > 1000) & (hz < 1500)].sum() > 0.1 * spectrum.sum()


def _loudest_hz(sound: np.ndarray) -> float:
    return float(np.fft.rfftfreq(len(sound), 1 / RATE_HZ)[np.argmax(np.abs(np.fft.rfft(sound)))])
