"""The shared front end: what a plane says of a tone, of silence, of other lines, however samples are cut."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.dsp.hops import HANGOVER, PAST, RECENT_PAST, HopBank, Hops
from edge.dsp.level import amplitude, to_int16
from edge.samples import SamplesError

RATE_HZ = 8000
VOICE = tuple(float(hz) for hz in range(300, 3500, 100))
HIGH = (2000.0, 2100.0)


def sine(hz: float, level_dbm0: float = -10.0, seconds: float = 0.1) -> NDArray[np.int16]:
    times_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return to_int16((amplitude(level_dbm0) * np.sin(2 * np.pi * hz * times_s)).astype(np.float32))


def beside(*lines: NDArray[np.int16]) -> NDArray[np.int16]:
    return np.stack(lines, axis=1)


def bank(lines: int = 1) -> HopBank:
    return HopBank(lines, RATE_HZ, (697.0, 2100.0), (VOICE, HIGH))


@pytest.mark.parametrize("hz", [697.0, 2100.0])
def test_a_tone_has_its_power_in_its_own_plane(hz: float) -> None:
    one = bank()
    hops = one.feed(sine(hz)[:, None], 0)
    power = hops.power[one.rows((697.0, 2100.0)), PAST:, 0]
    wanted = amplitude(-10.0) ** 2 / 2
    own, other = (power[0], power[1]) if hz == 697.0 else (power[1], power[0])
    assert own == pytest.approx(wanted, rel=0.05) and (other < 0.03 * wanted).all()
    assert hops.power[one.band(VOICE), PAST:, 0] == pytest.approx(wanted, rel=0.05)
    assert hops.total[:, 0] == pytest.approx(wanted, rel=0.05)


def test_phasors_turn_by_the_frequency() -> None:
    one = bank()
    hops = one.feed(sine(697.0)[:, None], 0)
    (tone,) = hops.phasors(one.rows((697.0,)), np.array([0]), 0)[:, :, 0]
    turned = np.angle(tone[1:] * tone[:-1].conj() * np.exp(-2j * np.pi * 697.0 * 0.01))
    assert np.abs(turned).max() < 0.05
    assert np.abs(tone) ** 2 == pytest.approx(amplitude(-10.0) ** 2 / 2, rel=0.05)


@pytest.mark.parametrize("low", [np.full(800, 3000, np.int16), sine(50.0, -10.0), sine(25.0, -5.0)])
def test_dc_hum_and_ringing_are_not_in_the_band(low: NDArray[np.int16]) -> None:
    one = bank()
    hops = one.feed(beside(low + sine(2100.0, -30.0)), 0)
    assert hops.power[one.band(HIGH), PAST:, 0] == pytest.approx(amplitude(-30.0) ** 2 / 2, rel=0.1)
    assert (hops.total[:, 0] < 2 * amplitude(-30.0) ** 2 / 2).all()


def test_mean_is_that_of_the_samples() -> None:
    hops = bank().feed(np.full((800, 1), 1000, np.int16), 0)
    assert hops.mean[:, 0] == pytest.approx(1000 / 32768, rel=1e-3)


@pytest.mark.parametrize(("level_dbm0", "heard"), [(-56.0, True), (-58.5, False)])
def test_a_line_too_quiet_for_any_receiver_is_not_measured(level_dbm0: float, heard: bool) -> None:
    hops = bank().feed(sine(697.0, level_dbm0)[:, None], 0)
    assert hops.heard.tolist() == [heard]
    assert bool(hops.power[:, PAST:].any()) is heard


def test_a_line_is_measured_for_some_time_after_it_was_loud() -> None:
    one, silence = bank(), np.zeros((80, 1), np.int16)
    one.feed(sine(697.0)[:, None], 0)
    heard = [bool(one.feed(silence, 800 + 80 * at).heard[0]) for at in range(HANGOVER + 2)]
    assert heard == [True] * HANGOVER + [False] * 2


def test_what_is_not_measured_is_zero_where_something_loud_was_before() -> None:
    one = bank()
    one.feed(sine(697.0, seconds=1.0)[:, None], 0)
    for at in range(HANGOVER + 10):
        hops = one.feed(np.zeros((80, 1), np.int16), RATE_HZ + 80 * at)
    assert not hops.heard.any() and not hops.power[:, PAST:].any() and not hops.tones[:, :, PAST:].any()


def test_what_a_line_carries_does_not_change_its_neighbours() -> None:
    quiet, loud = sine(697.0, -58.5), sine(2100.0)
    alone = bank().feed(beside(sine(697.0)), 0)
    hops = bank(3).feed(beside(sine(697.0), quiet, loud), 0)
    assert np.allclose(hops.power[..., 0], alone.power[..., 0], rtol=1e-5, atol=1e-9)
    assert hops.heard.tolist() == [True, False, True] and not hops.power[..., 1].any()


def test_planes_go_on_however_the_samples_are_cut() -> None:
    rng = np.random.default_rng(5)
    samples = rng.integers(-3000, 3000, (RATE_HZ, 2)).astype(np.int16)
    whole = bank(2).feed(samples, 0)
    one, at = bank(2), 0
    for length in (7, 80, 441, 1600, 3, 2400, 900, 1111, 80, 1378):
        part = one.feed(samples[at : at + length], at)
        first = part.position // 80
        span = slice(first, first + PAST + len(part))
        assert np.allclose(part.power, whole.power[:, span], rtol=1e-4, atol=1e-9)
        assert np.allclose(part.tones, whole.tones[:, :, span], rtol=1e-3, atol=1e-6)
        at += length
    assert at == RATE_HZ and first + len(part) == 100


def test_recent_sums_three_hops() -> None:
    hops = bank().feed(sine(697.0)[:, None], 0)
    first = PAST - RECENT_PAST
    wanted = sum(hops.power[:, first - back : hops.power.shape[1] - back] for back in range(3))
    assert np.allclose(hops.recent, wanted)


def test_lost_samples_empty_the_past() -> None:
    one = bank()
    assert one.feed(sine(697.0)[:, None], 0).restarted
    assert not one.feed(sine(697.0)[:, None], 800).restarted
    hops = one.feed(sine(697.0)[:, None], 5000)
    assert hops.restarted and hops.position == 5000 and not hops.power[:, :PAST].any()


def test_less_than_a_hop_is_nothing_yet() -> None:
    one = bank()
    assert len(one.feed(sine(697.0)[:79, None], 0)) == 0
    hops = one.feed(sine(697.0)[79:80, None], 79)
    assert isinstance(hops, Hops) and len(hops) == 1 and hops.restarted


def test_what_it_refuses() -> None:
    with pytest.raises(ValueError, match="multiple of 1000, got 11025"):
        HopBank(1, 11025, (), ())
    with pytest.raises(ValueError):
        bank().rows((698.0,))
    with pytest.raises(SamplesError):
        bank(2).feed(np.zeros((80, 1), np.int16), 0)
