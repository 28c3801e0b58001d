"""Levels: dBm0 against amplitude, where a full-scale sine is +3.14 dBm0 as in G.711.

Every receiver and transmitter speaks dBm0, so that a limit of a telephone standard can be read off the code.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FULL_SCALE_SINE_DBM0 = 3.14
FULL_SCALE = 32768.0


def amplitude(level_dbm0: float) -> float:
    """Return the peak (0..1 is not enforced) of a sine of `level_dbm0`."""
    return float(10 ** ((level_dbm0 - FULL_SCALE_SINE_DBM0) / 20))


def level_dbm0(mean_square: float) -> float:
    """Return the level of a signal with this mean square (samples in -1..1); -120 for silence."""
    return float(max(-120.0, 10 * np.log10(max(2 * mean_square, 1e-30)) + FULL_SCALE_SINE_DBM0))


def to_int16(signal: NDArray[np.float32]) -> NDArray[np.int16]:
    """Return -1..1 as int16, clipped at full scale as a converter does."""
    return np.asarray(np.clip(np.rint(signal * FULL_SCALE), -32768, 32767), np.int16)
