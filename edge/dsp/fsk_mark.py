"""Finds the run of mark tone that stands before every message, and measures what the rest is decoded with.

The run gives the frequency to a fraction of a hertz whatever the transmitter's crystal, and says where the
first start bit is to be expected.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.dsp.fsk_baseband import RATE_HZ, ramp, tone_sums

MARK_HZ = tuple(range(1150, 1375, 25))
MARK_WINDOW = RATE_HZ // 100  # 10 ms
COARSE, SLOW = 4, 24  # of the samples: 6 kHz still holds the band, 1 kHz what is near the mark
MIN_MARK_PURITY = 0.3
LAG = 8  # samples; up to 1500 Hz
MIN_MARK_S = 0.022


@dataclass(frozen=True, slots=True)
class MarkRun:
    """A run of mark tone: from where to where (samples at 24 kHz), and its frequency."""

    start: int
    end: int
    hz: float


def mark_runs(signal: NDArray[np.complex64]) -> list[MarkRun]:
    """Return the runs of mark tone in the burst, the longest first."""
    if len(signal) < 2 * MARK_WINDOW:
        return []
    pure = np.concatenate([[False], _purity(signal[::COARSE]) > MIN_MARK_PURITY, [False]])
    edges = COARSE * np.flatnonzero(np.diff(pure.astype(np.int8)))
    runs = [(int(start), int(end) + MARK_WINDOW) for start, end in edges.reshape(-1, 2)]
    runs = [run for run in runs if run[1] - run[0] >= MIN_MARK_S * RATE_HZ]
    return [_measured(signal, *run) for run in sorted(runs, key=lambda run: run[0] - run[1])]


def _purity(signal: NDArray[np.complex64]) -> NDArray[np.float32]:
    """How much of the energy of each 10 ms window is one tone near the mark; every COARSE-th sample; 0..1."""
    window = MARK_WINDOW // COARSE
    energy = np.concatenate([[0], np.cumsum(signal.real**2 + signal.imag**2, dtype=np.float64)])
    energy = energy[window:] - energy[:-window] + 1e-12
    strongest = np.zeros(len(energy), np.float32)
    for hz in MARK_HZ:
        sums = tone_sums(signal, hz * COARSE)
        size = (sums[window:] - sums[:-window]).astype(np.complex64)
        strongest = np.maximum(strongest, size.real**2 + size.imag**2)
    return np.asarray(strongest / (window * energy), np.float32)


def _measured(signal: NDArray[np.complex64], start: int, end: int) -> MarkRun:
    """Measure a run on its middle, where neither neighbour reaches."""
    margin = min(MARK_WINDOW // 3, (end - start) // 4)
    return MarkRun(start, end, mark_hz(signal[start + margin : end - margin]))


def rough_hz(tone: NDArray[np.complex64]) -> float:
    """Return the frequency of a clear tone to some hertz, from how far it turns in LAG samples."""
    turned = np.vdot(tone[:-LAG], tone[LAG:])
    return float(np.angle(turned)) * RATE_HZ / (2 * np.pi * LAG)


def mark_hz(tone: NDArray[np.complex64]) -> float:
    """Return the frequency of the strongest tone near the mark."""
    middle = (MARK_HZ[0] + MARK_HZ[-1]) // 2
    whole = tone[: min(len(tone), RATE_HZ) // SLOW * SLOW]
    slow = (whole * ramp(middle, len(whole))).reshape(-1, SLOW).mean(axis=1)
    spectrum = np.abs(np.fft.fft(slow, 4 * RATE_HZ // SLOW))  # 4 points per hertz, `middle` at 0
    reach = 2 * (MARK_HZ[-1] - MARK_HZ[0]) + 60
    return middle + (int(np.argmax(np.roll(spectrum, reach)[: 2 * reach])) - reach) / 4
