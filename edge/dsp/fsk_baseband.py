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


def analytic(samples: Samples, rate_hz: int) -> NDArray[np.complex64]:
    """Return int16 (n,) as complex64 at 24 kHz, band 500-3000 Hz; |x| of a sine is its peak, 0..1."""
    unit = rate_hz // 1000 * 50  # 50 ms: keeps both transforms at lengths of small factors
    length = -(-len(samples) // unit) * unit
    spectrum = np.fft.rfft(samples.astype(np.float64) / FULL_SCALE, length)
    hz = np.arange(len(spectrum)) * rate_hz / length
    edge = np.minimum((hz - LOW_HZ) / SLOPE_HZ, (HIGH_HZ - hz) / SLOPE_HZ)
    spectrum *= 2 * np.clip(edge, 0, 1)
    wide_length = length * RATE_HZ // rate_hz
    wide = np.zeros(wide_length, np.complex128)
    kept = min(len(spectrum), wide_length // 2)
    wide[:kept] = spectrum[:kept]
    signal = np.fft.ifft(wide) * (RATE_HZ / rate_hz)
    return signal[: len(samples) * RATE_HZ // rate_hz].astype(np.complex64)


def tone_sums(signal: NDArray[np.complex64], hz: float) -> NDArray[np.complex128]:
    """Return s with s[b] - s[a] = the sum over a..b of the signal against a tone; shape (n + 1,)."""
    turned = signal * np.exp(-2j * np.pi * hz / RATE_HZ * np.arange(len(signal)))
    return np.concatenate([[0], np.cumsum(turned)])
