"""DTMF on the sending side and the table both sides share (ITU-T Q.23).

         1209   1336   1477   1633 Hz
697 Hz     1      2      3      A
770 Hz     4      5      6      B
852 Hz     7      8      9      C
941 Hz     *      0      #      D
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.dsp.level import amplitude

LOW_HZ = (697.0, 770.0, 852.0, 941.0)
HIGH_HZ = (1209.0, 1336.0, 1477.0, 1633.0)
KEYS = ("123A", "456B", "789C", "*0#D")
DIGITS = "".join(KEYS)


def digit_pair(digit: str) -> tuple[float, float]:
    """Return (low, high) in Hz; raises ValueError for what is not a DTMF key."""
    if len(digit) != 1 or digit not in DIGITS:
        raise ValueError(f"a DTMF key is one of {DIGITS}, got {digit!r}")
    row, column = divmod(DIGITS.index(digit), 4)
    return LOW_HZ[row], HIGH_HZ[column]


def dtmf_signal(
    digits: str,
    rate_hz: int = 8000,
    tone_ms: float = 70,
    gap_ms: float = 70,
    level_dbm0: float = -10.0,
    twist_db: float = 0.0,
) -> NDArray[np.float32]:
    """Return the keys one after the other, each followed by its gap; float32 in -1..1, shape (n,).

    `level_dbm0` is that of the low tone; `twist_db` lifts the high one over it.
    """
    times_s = np.arange(round(tone_ms * rate_hz / 1000)) / rate_hz
    gap = np.zeros(round(gap_ms * rate_hz / 1000))
    peaks = amplitude(level_dbm0), amplitude(level_dbm0 + twist_db)
    pieces = [np.zeros(0)]
    for digit in digits:
        low, high = (2 * np.pi * hz * times_s for hz in digit_pair(digit))
        pieces += [peaks[0] * np.sin(low) + peaks[1] * np.sin(high), gap]
    return np.concatenate(pieces).astype(np.float32)
