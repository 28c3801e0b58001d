"""The modem of caller ID on the sending side: bytes to phase-continuous FSK, and the two standards as data.

What is sent for one message (Telcordia GR-30, ETSI EN 300 659-1), 1200 bit/s, bit 1 = mark:

    | 300 x 0 1 0 1 ...  | 180 x 1 | 0 b0 b1 .. b7 1 | 0 b0 .. b7 1 | ...
      channel seizure      mark      start, LSB first, stop; up to 10 marks may stand between two bytes
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.dsp.level import amplitude


@dataclass(frozen=True, slots=True)
class FskStandard:
    """Two frequencies and a speed."""

    name: str
    mark_hz: float
    space_hz: float
    baud: float


BELL202 = FskStandard("bell202", 1200, 2200, 1200)
V23 = FskStandard("v23", 1300, 2100, 1200)


def byte_bits(message: bytes) -> NDArray[np.uint8]:
    """Return the data bits, shape (bytes, 8), least significant first as they go on the line."""
    return np.unpackbits(np.frombuffer(message, np.uint8)[:, None], axis=1, bitorder="little")


def fsk_signal(
    message: bytes,
    standard: FskStandard = BELL202,
    rate_hz: int = 8000,
    level_dbm0: float = -13.5,
    seizure_bits: int = 300,
    mark_bits: int = 180,
    stop_bits: float = 1.0,
    end_mark_bits: float = 2.0,
) -> NDArray[np.float32]:
    """Return one caller-ID burst, float32 in -1..1, shape (n,).

    Bit edges fall where they belong, not on samples. `stop_bits` may be a fraction or hold stuffed marks.
    """
    count = len(message)
    framed = np.ones((count, 10), np.uint8)
    framed[:, 0] = 0
    framed[:, 1:9] = byte_bits(message)
    lengths = np.ones((count, 10))
    lengths[:, 9] = stop_bits
    seizure = np.arange(seizure_bits) % 2
    bits = np.concatenate([seizure, [1], framed.ravel(), [1]])
    bit_times = np.concatenate([np.ones(seizure_bits), [mark_bits], lengths.ravel(), [end_mark_bits]])
    return _keyed(bits, bit_times / standard.baud, standard, rate_hz, level_dbm0)


def _keyed(
    bits: NDArray[np.generic],
    lengths_s: NDArray[np.float64],
    standard: FskStandard,
    rate_hz: int,
    level_dbm0: float,
) -> NDArray[np.float32]:
    """Phase is the integral of frequency: linear between bit edges, so read off by interpolation."""
    hz = np.where(bits == 1, standard.mark_hz, standard.space_hz)
    edges_s = np.concatenate([[0.0], np.cumsum(lengths_s)])
    turns = np.concatenate([[0.0], np.cumsum(hz * lengths_s)])
    times_s = np.arange(int(edges_s[-1] * rate_hz)) / rate_hz
    phase = 2 * np.pi * np.interp(times_s, edges_s, turns)
    return np.asarray(amplitude(level_dbm0) * np.sin(phase), np.float32)
