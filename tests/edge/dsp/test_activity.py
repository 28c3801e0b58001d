"""Voice against a line's own noise, ringing against mains hum: every limit from both sides."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.dsp.activity import FLOOR_RISE, ActivityMeter, Slots
from edge.dsp.hops import HopBank
from edge.dsp.level import amplitude, to_int16

RATE_HZ = 8000


def sine(hz: float, level_dbm0: float, seconds: float = 0.3) -> NDArray[np.float32]:
    times_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return np.asarray(amplitude(level_dbm0) * np.sin(2 * np.pi * hz * times_s), np.float32)


def noise(level_dbm0: float, seconds: float, seed: int = 3) -> NDArray[np.float32]:
    normal = np.random.default_rng(seed).normal(size=round(seconds * RATE_HZ))
    return np.asarray(normal * amplitude(level_dbm0) / np.sqrt(2), np.float32)


def slots(*lines: NDArray[np.float32]) -> Slots:
    bank = HopBank(len(lines), RATE_HZ, (), ActivityMeter.BANDS)
    samples = np.stack([to_int16(one) for one in lines], axis=1)
    return ActivityMeter(len(lines), bank).take(bank.feed(samples, 0))


@pytest.mark.parametrize(("level_dbm0", "active"), [(-20.0, True), (-46.0, True), (-50.0, False)])
def test_a_voice_is_as_loud_as_this(level_dbm0: float, active: bool) -> None:
    found = slots(sine(700.0, level_dbm0))
    assert found.active[:, 0].tolist() == [active] * 3 and not found.ringing.any()


@pytest.mark.parametrize(("over_db", "active"), [(12.0, True), (8.0, False)])
def test_a_voice_stands_out_of_the_noise(over_db: float, active: bool) -> None:
    floor = noise(-40.0, 20.0)  # long enough to be known as the floor
    floor[-3 * RATE_HZ // 10 :] += sine(700.0, -40.0 + over_db)
    found = slots(floor)
    assert not found.active[-30:-3].any() and bool(found.active[-3:].all()) is active
    assert bool(found.active[-3:].any()) is active


def test_noise_becomes_the_floor_in_time() -> None:
    found = slots(noise(-30.0, 20.0))
    known = int(np.argmin(found.active[:, 0]))
    assert found.active[:known].all() and not found.active[known + 10 :].any()
    wanted = np.log(10 ** ((48.0 - 30.0) / 10)) / np.log(FLOOR_RISE)
    assert known == pytest.approx(wanted, rel=0.2)


@pytest.mark.parametrize(
    ("hz", "level_dbm0", "rings"),
    [
        (25.0, -20.0, True),
        (20.0, -20.0, True),
        (25.0, -43.0, True),
        (25.0, -47.0, False),
        (50.0, -20.0, False),
        (60.0, -20.0, False),
        (200.0, -20.0, False),
    ],
)
def test_ringing_is_20_or_25_hz(hz: float, level_dbm0: float, rings: bool) -> None:
    found = slots(sine(hz, level_dbm0))
    assert found.ringing[:, 0].tolist() == [rings] * 3


def test_a_voice_over_a_little_ringing_is_a_voice() -> None:
    found = slots(sine(25.0, -40.0) + sine(700.0, -20.0))
    assert found.active.all() and not found.ringing.any()


def test_ringing_is_no_voice() -> None:
    found = slots(sine(25.0, -10.0) + sine(700.0, -40.0))
    assert found.ringing.all() and not found.active.any()


def test_lines_have_their_own_floor() -> None:
    found = slots(noise(-40.0, 20.0), noise(-70.0, 20.0) + sine(700.0, -35.0, 20.0))
    assert not found.active[-10:, 0].any()
    assert found.active[:30, 1].all()


def test_slots_say_where_they_are() -> None:
    found = slots(sine(700.0, -20.0, 0.5))
    assert (found.position, found.length, len(found.active)) == (0, 800, 5)
