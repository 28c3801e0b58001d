"""How loud each line is at this moment, read from the rings that the recorder writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge.dsp.level import level_dbm0
from edge.ring import RingError, RingReader
from edge.samples import Samples

EVERY_S = 0.2
QUIETEST_DBM0 = -50

Levels = dict[int, int]  # line -> dBm0, whole, at least QUIETEST_DBM0


class Meter:
    """Reads the last EVERY_S of every ring, at most that often. Whoever asks says what time it is."""

    def __init__(self, rings: tuple[Path, ...]) -> None:
        self._rings = rings
        self._read_s = float("-inf")
        self._levels: Levels = {}

    def levels(self, now_s: float) -> Levels:
        """The level of each line, numbered through all rings; without those that cannot be read now."""
        if self._rings and now_s - self._read_s >= EVERY_S:
            self._read_s = now_s
            self._levels = self._read()
        return self._levels

    def _read(self) -> Levels:
        found: Levels = {}
        first = 1
        for path in self._rings:
            try:
                ring = RingReader.open(path)
                frames = min(int(ring.rate_hz * EVERY_S), ring.position)
                block = ring.read(ring.position - frames, frames)
            except RingError:
                return found  # how many lines it has is not known, so later ones cannot be numbered
            found |= {first + column: _level(block[:, column]) for column in range(ring.lines)}
            first += ring.lines
        return found


def _level(samples: Samples) -> int:
    if not len(samples):
        return QUIETEST_DBM0
    mean_square = float(np.mean(np.square(samples.astype(np.float64) / 32768.0)))
    return max(QUIETEST_DBM0, round(level_dbm0(mean_square)))
