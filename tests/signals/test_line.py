"""Every impairment is measured: what was asked for is what comes out; a seed always gives the same clip."""

from __future__ import annotations

import numpy as np
import pytest

from tests.signals import line
from tests.signals.line import RATE_HZ, Impairment, Rng, Signal, Wanted

TONE_HZ = 1000.0
TONE = line.peak(-13.0) * np.sin(2 * np.pi * TONE_HZ * np.arange(4 * RATE_HZ) / RATE_HZ)
WANTED = Wanted(0, len(TONE), float(np.mean(TONE**2)))
SILENCE = np.zeros(len(TONE))


def rng(seed: int = 7) -> Rng:
    return np.random.default_rng(seed)


def db(ratio: float) -> float:
    return float(10 * np.log10(ratio))


def sent(impair: Impairment, signal: Signal = TONE) -> Signal:
    return impair(signal, WANTED, rng())


def part(signal: Signal, hz: float) -> float:
    """Mean square of the sine at `hz`."""
    turns = np.exp(-2j * np.pi * hz * np.arange(len(signal)) / RATE_HZ)
    return float(2 * np.abs(np.mean(signal * turns)) ** 2)


@pytest.mark.parametrize("level_dbm0", [3.14, 0.0, -13.5, -50.0])
def test_level_is_that_of_g711(level_dbm0: float) -> None:
    """A full-scale sine is +3.14 dBm0."""
    assert db(line.peak(level_dbm0) ** 2) == pytest.approx(level_dbm0 - 3.14)


@pytest.mark.parametrize("snr_db", [-2.0, 0.0, 6.0, 25.0])
def test_noise_lies_below_the_wanted_signal_in_the_whole_band(snr_db: float) -> None:
    noise = sent(line.noise(snr_db)) - TONE
    assert db(WANTED.power / np.mean(noise**2)) == pytest.approx(snr_db, abs=0.1)
    spectrum = np.abs(np.fft.rfft(noise)) ** 2
    halves = spectrum[: len(spectrum) // 2].mean(), spectrum[len(spectrum) // 2 :].mean()
    assert db(halves[0] / halves[1]) == pytest.approx(0.0, abs=0.3), "white: as much below 2 kHz as above"


def test_noise_floor_is_a_level_of_its_own() -> None:
    floor = sent(line.noise_floor(-42.0), SILENCE)
    assert db(2 * np.mean(floor**2)) + 3.14 == pytest.approx(-42.0, abs=0.1)


@pytest.mark.parametrize("over_db", [-10.0, 0.0, 10.0])
def test_hum_has_its_fundamental_and_weaker_harmonics(over_db: float) -> None:
    hum = sent(line.hum(over_db), SILENCE)
    for step in range(5):
        assert db(part(hum, 50.0 * (step + 1)) / WANTED.power) == pytest.approx(over_db - 10 * step, abs=0.1)


def test_offset_is_in_steps_of_the_converter() -> None:
    clip = line.clip(TONE, WANTED, (line.offset(2000),), rng())
    assert clip.mean() == pytest.approx(2000, abs=1)


def test_the_converter_clips_and_never_wraps() -> None:
    clip = line.clip(TONE * 100, WANTED, (), rng())
    assert (clip.min(), clip.max()) == (-32768, 32767)


@pytest.mark.parametrize("drive_db", [6.0, 15.0])
def test_limiting_cuts_the_peaks_alike(drive_db: float) -> None:
    cut = sent(line.limited(drive_db))
    assert db(np.max(TONE) ** 2 / np.max(cut) ** 2) == pytest.approx(drive_db, abs=0.05)
    assert np.max(cut) == pytest.approx(-np.min(cut))


@pytest.mark.parametrize("level_dbm0", [0.0, -10.0, -30.0])
def test_alaw_keeps_the_signal_and_its_own_noise(level_dbm0: float) -> None:
    """G.712: about 38 dB of signal over quantising noise down to -30 dBm0, and never better than 40."""
    tone = line.peak(level_dbm0) * np.sin(2 * np.pi * 1020.0 * np.arange(RATE_HZ) / RATE_HZ)
    kept = line.alaw()(tone, WANTED, rng())
    assert 33 < db(np.mean(tone**2) / np.mean((kept - tone) ** 2)) < 42
    assert np.mean(kept) == pytest.approx(0, abs=1e-3)


def test_alaw_has_as_many_values_as_a_byte() -> None:
    ramp = np.linspace(-1, 1, 200_001)
    assert 250 <= len(np.unique(line.alaw()(ramp, WANTED, rng()))) <= 256


@pytest.mark.parametrize(("count", "length"), [(1, 1), (8, 1), (1, 8)])
def test_lost_samples_are_gone(count: int, length: int) -> None:
    left = sent(line.lost(count, length))
    assert len(TONE) - count * length <= len(left) < len(TONE)


def test_lost_samples_lie_in_the_wanted_signal() -> None:
    ramp = np.arange(1000.0)
    left = line.lost(5)(ramp, Wanted(400, 500, 1.0), rng())
    gone = set(ramp) - set(left)
    assert gone and all(400 <= one < 500 for one in gone)


def test_echo_comes_late_and_weaker() -> None:
    click = np.zeros(100)
    click[10] = 1.0
    heard = line.echo(2.0, -6.0)(click, WANTED, rng())
    assert heard[10] == 1.0 and heard[26] == pytest.approx(0.501, abs=1e-3)
    assert np.count_nonzero(heard) == 2


def test_impulses_are_as_many_and_as_strong_as_asked() -> None:
    clicks = sent(line.impulses(20.0, 6.0), SILENCE)
    starts = np.flatnonzero(np.abs(clicks) > 0.5 * np.max(np.abs(clicks)))
    assert 50 <= np.count_nonzero(np.diff(starts) > 8) <= 110, "20 a second for 4 s"
    assert db(np.max(np.abs(clicks)) ** 2 / (2 * WANTED.power)) == pytest.approx(6.0, abs=3.0)


@pytest.mark.parametrize("over_db", [-12.0, 0.0])
def test_a_sound_under_it_is_as_strong_as_asked(over_db: float) -> None:
    other = sent(line.under(lambda length, rng: rng.uniform(-1, 1, length), over_db)) - TONE
    assert db(np.mean(other**2) / WANTED.power) == pytest.approx(over_db, abs=0.01)


def test_ringing_ends_before_the_wanted_signal() -> None:
    made = line.ringing(200.0)(SILENCE, Wanted(2 * RATE_HZ, 3 * RATE_HZ, 1.0), rng())
    last = int(np.flatnonzero(made)[-1])
    assert last == pytest.approx(2 * RATE_HZ - 0.2 * RATE_HZ, abs=2)
    assert part(made[:last][-RATE_HZ:], 25.0) == pytest.approx(0.125, rel=0.01)


@pytest.mark.parametrize(("hz", "loss_db"), [(300.0, 0.0), (1850.0, 10.0), (3400.0, 20.0)])
def test_a_long_loop_takes_more_from_high_tones(hz: float, loss_db: float) -> None:
    tone = np.sin(2 * np.pi * hz * np.arange(RATE_HZ) / RATE_HZ)
    heard = line.long_loop(20.0)(tone, WANTED, rng())
    assert db(part(tone, hz) / part(heard[100:-100], hz)) == pytest.approx(loss_db, abs=0.8)


@pytest.mark.parametrize(("hz", "through"), [(100.0, False), (1000.0, True), (3800.0, False)])
def test_the_telephone_band(hz: float, through: bool) -> None:
    tone = np.sin(2 * np.pi * hz * np.arange(RATE_HZ) / RATE_HZ)
    heard = line.telephone_band()(tone, WANTED, rng())
    assert (part(heard[100:-100], hz) > 0.4) is through


def test_the_same_seed_gives_the_same_clip() -> None:
    path = (line.hum(-10.0), line.lost(3), line.noise(5.0))
    first, second, other = (line.clip(TONE, WANTED, path, rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, second) and not np.array_equal(first[:1000], other[:1000])
