"""What a bad line does to a signal: noise, hum, echo, lost samples ..., each made with its measure.

Signals are float64 in -1..1 at 8 kHz. SNR is the power of the wanted signal while it lasts over the power of
white noise in 0-4 kHz; other measures in dB are against the wanted signal too. Levels are dBm0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.signal import firwin, firwin2

RATE_HZ = 8000
FULL_SCALE = 32768.0
FULL_SCALE_DBM0 = 3.14  # of a full-scale sine, G.711

Signal = NDArray[np.float64]
Clip = NDArray[np.int16]
Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Wanted:
    """Where in the clip the wanted signal lies, and its mean square there."""

    start: int
    end: int
    power: float


Impairment = Callable[[Signal, Wanted, Rng], Signal]


def peak(level_dbm0: float) -> float:
    """Return the peak of a sine of this level."""
    return float(10 ** ((level_dbm0 - FULL_SCALE_DBM0) / 20))


def power(ratio_db: float) -> float:
    """Return the ratio of powers that is `ratio_db`."""
    return float(10 ** (ratio_db / 10))


def clip(signal: Signal, wanted: Wanted, path: Sequence[Impairment], rng: Rng) -> Clip:
    """Send the signal down the path; return what the converter makes of it."""
    for impair in path:
        signal = impair(signal, wanted, rng)
    return np.clip(np.rint(signal * FULL_SCALE), -32768, 32767).astype(np.int16)


def noise(snr_db: float) -> Impairment:
    """White noise, `snr_db` below the wanted signal."""

    def impair(signal: Signal, wanted: Wanted, rng: Rng) -> Signal:
        return signal + rng.normal(size=len(signal)) * np.sqrt(wanted.power / power(snr_db))

    return impair


def noise_floor(level_dbm0: float) -> Impairment:
    """White noise of the power of a sine of `level_dbm0`, whatever the wanted signal."""

    def impair(signal: Signal, wanted: Wanted, rng: Rng) -> Signal:
        return signal + rng.normal(size=len(signal)) * peak(level_dbm0) / np.sqrt(2)

    return impair


def tone(hz: float, over_db: float) -> Impairment:
    """A steady sine, `over_db` over the wanted signal, any phase."""

    def impair(signal: Signal, wanted: Wanted, rng: Rng) -> Signal:
        turns = hz * np.arange(len(signal)) / RATE_HZ + rng.uniform()
        return signal + np.sqrt(2 * wanted.power * power(over_db)) * np.sin(2 * np.pi * turns)

    return impair


def hum(over_db: float, hz: float = 50.0) -> Impairment:
    """Mains: the fundamental at `over_db`, harmonics 2-5 each 10 dB weaker than the one before."""
    parts = [tone(hz * (1 + step), over_db - 10.0 * step) for step in range(5)]

    def impair(signal: Signal, wanted: Wanted, rng: Rng) -> Signal:
        for part in parts:
            signal = part(signal, wanted, rng)
        return signal

    return impair


def offset(lsb: float) -> Impairment:
    """DC, in steps of the 16-bit converter."""
    return lambda signal, wanted, rng: signal + lsb / FULL_SCALE


def limited(drive_db: float) -> Impairment:
    """Clipping: the wanted signal is `drive_db` too strong for what comes next, both ways alike."""

    def impair(signal: Signal, wanted: Wanted, rng: Rng) -> Signal:
        limit = np.sqrt(2 * wanted.power / power(drive_db))
        return np.clip(signal, -limit, limit)

    return impair


def alaw() -> Impairment:
    """G.711 A-law there and back: 13 segments, 8 bits."""

    def impair(signal: Signal, wanted: Wanted, rng: Rng) -> Signal:
        size = np.minimum(np.abs(signal), 1 - 2**-12) * 4096
        segment = np.maximum(np.frexp(size)[1] - 5, 1)  # the first two alike
        step = 2.0**segment
        return np.where(signal < 0, -1, 1) * (np.floor(size / step) + 0.5) * step / 4096

    return impair


def lost(count: int, length: int = 1) -> Impairment:
    """`count` places inside the wanted signal where `length` samples are missing, the rest closing up."""

    def impair(signal: Signal, wanted: Wanted, rng: Rng) -> Signal:
        places = rng.integers(wanted.start, wanted.end - length, count)
        gone = (places[:, None] + np.arange(length)).ravel()
        return np.delete(signal, gone)

    return impair


def echo(delay_ms: float, level_db: float) -> Impairment:
    """One reflection, `level_db` against the signal."""
    delay = round(delay_ms * RATE_HZ / 1000)

    def impair(signal: Signal, wanted: Wanted, rng: Rng) -> Signal:
        late = np.concatenate([np.zeros(delay), signal])[: len(signal)]
        return signal + late * 10 ** (level_db / 20)

    return impair


def impulses(per_s: float, over_db: float) -> Impairment:
    """Clicks of 1 ms at random times, their peak `over_db` over that of the wanted signal."""

    def impair(signal: Signal, wanted: Wanted, rng: Rng) -> Signal:
        made = signal.copy()
        for at in rng.integers(0, len(signal) - 8, rng.poisson(per_s * len(signal) / RATE_HZ)):
            click = rng.choice((-1, 1)) * np.exp(-np.arange(8) / 2) * np.cos(np.pi * np.arange(8) * 0.4)
            made[at : at + 8] += click * np.sqrt(2 * wanted.power) * 10 ** (over_db / 20)
        return made

    return impair


def under(sound: Callable[[int, Rng], Signal], over_db: float) -> Impairment:
    """Another sound (length, rng -> signal) with its power `over_db` over the wanted one's."""

    def impair(signal: Signal, wanted: Wanted, rng: Rng) -> Signal:
        other = sound(len(signal), rng)
        there = np.mean(other[wanted.start : wanted.end] ** 2)
        return signal + other * np.sqrt(wanted.power * power(over_db) / max(there, 1e-12))

    return impair


def ringing(before_ms: float, volts: float = 0.5, hz: float = 25.0) -> Impairment:
    """What is left of a second of ringing that ends `before_ms` before the wanted signal."""

    def impair(signal: Signal, wanted: Wanted, rng: Rng) -> Signal:
        made = signal.copy()
        end = wanted.start - round(before_ms * RATE_HZ / 1000)
        start = max(0, end - RATE_HZ)
        made[start:end] += volts * np.sin(2 * np.pi * hz * np.arange(end - start) / RATE_HZ)
        return made

    return impair


def long_loop(loss_db: float) -> Impairment:
    """A long copper pair: the loss grows with frequency to `loss_db` at 3400 Hz (none at 300)."""
    return _filtered((0, 300, 3400, 4000), (0.0, 0.0, -loss_db, -loss_db * 1.2))


def tilt(loss_db: float) -> Impairment:
    """As `long_loop`, mild: the loss at 3400 Hz."""
    return long_loop(loss_db)


def telephone_band() -> Impairment:
    """300-3400 Hz and no more, as a trunk lets through."""
    taps = firwin(101, (300, 3400), pass_zero=False, fs=RATE_HZ)
    return lambda signal, wanted, rng: np.convolve(signal, taps, "same")


@cache
def _filtered(hz: tuple[float, ...], gains_db: tuple[float, ...]) -> Impairment:
    fine = np.linspace(0, RATE_HZ / 2, 65)
    taps = firwin2(65, fine, 10 ** (np.interp(fine, hz, gains_db) / 20), fs=RATE_HZ)
    return lambda signal, wanted, rng: np.convolve(signal, taps, "same")
