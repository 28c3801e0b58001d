"""A burst of samples as an analytic signal at 24 kHz, where one bit of 1200 bit/s is twenty samples.

Everything that reads FSK starts here: bit windows need not fall on 8 kHz samples, and hum, DC and the image
at negative frequencies are gone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.dsp.level import FULL_SCALE
from edge.samples import Samples

RATE_HZ = 24000
LOW_HZ, HIGH_HZ, SLOPE_HZ = 500.0, 3000.0, 200.0
RAMP_STEP = 256


def analytic(samples: Samples, rate_hz: int) -> NDArray[np.complex64]:
    """Return int16 (n,) as complex64 at 24 kHz, band 500-3000 Hz; |x| of a sine is its peak, 0..1."""
    unit = rate_hz // 1000 * 50  # 50 ms: keeps both transforms at lengths of small factors
    length = -(-len(samples) // unit) * unit
    spectrum = np.fft.rfft(samples.astype(np.float32), length)
    wide_length = length * RATE_HZ // rate_hz
    kept = min(len(spectrum), wide_length // 2)
    wide = np.zeros(wide_length, np.complex64)
    scale = np.float32(RATE_HZ / rate_hz / FULL_SCALE)
    np.multiply(spectrum[:kept], _passband(length / rate_hz, kept) * scale, out=wide[:kept])
    return np.asarray(np.fft.ifft(wide)[: len(samples) * RATE_HZ // rate_hz], np.complex64)


def _passband(seconds: float, count: int) -> NDArray[np.float32]:
    """Return the gain of the first `count` frequencies; twice that of the band, as there are none below 0."""
    hz = np.arange(count, dtype=np.float32) / np.float32(seconds)
    edge = np.minimum((hz - LOW_HZ) / SLOPE_HZ, (HIGH_HZ - hz) / SLOPE_HZ)
    return np.asarray(2 * np.clip(edge, 0, 1), np.float32)


def tone_sums(signal: NDArray[np.complex64], hz: float) -> NDArray[np.complex128]:
    """Return s with s[b] - s[a] = the sum over a..b of the signal against a tone; shape (n + 1,)."""
    sums = np.zeros(len(signal) + 1, np.complex128)
    np.cumsum(signal * ramp(hz, len(signal)), out=sums[1:])
    return sums


def ramp(hz: float, count: int) -> NDArray[np.complex64]:
    """Return a tone turning backwards: a few turns worked out, the rest by multiplication."""
    turn = -2j * np.pi * hz / RATE_HZ
    coarse = np.exp(turn * RAMP_STEP * np.arange(-(-count // RAMP_STEP))).astype(np.complex64)
    fine = np.exp(turn * np.arange(RAMP_STEP)).astype(np.complex64)
    return np.asarray(np.multiply.outer(coarse, fine).ravel()[:count])
