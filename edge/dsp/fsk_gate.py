"""Says when a line may be carrying a caller-ID burst, for all lines at once, so that decoding is rare.

A burst shows as a run of mark tone, which no burst is without, followed by energy that stays between 1000 and
2400 Hz. Everything here is a share of the energy between 300 and 3400 Hz, so level, hum and DC do not matter.

    mark run ......... >= 20 ms at 1150-1350 Hz with >= 35 % of the band      opens
    data ............. >= 55 % of the band in 1000-2400 Hz over 80 ms         keeps open
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge.dsp.hops import PAST, HopBank, Hops
from edge.dsp.level import amplitude

BAND_HZ = tuple(float(hz) for hz in range(300, 3500, 100))
MARK_HZ = (1200.0, 1300.0)
DATA_HZ = tuple(float(hz) for hz in range(1000, 2500, 100))

MIN_MARK_SHARE = 0.35
MIN_DATA_SHARE = 0.55
NOTHING_BUT_MARK = 0.8  # of the band: the message has yet to begin
MIN_POWER = amplitude(-58.0) ** 2 / 2
DATA_WINDOW = 8  # hops
LOOK_EVERY = 5  # hops
SHORTEST, LONGEST = 15, 400  # hops; no message has ended sooner, and speech seldom goes on that long


@dataclass(frozen=True, slots=True)
class Look:
    """It is time to look at what `line` has carried since `start`; `last`: the burst is over or too long."""

    line: int
    start: int  # position where the mark run began
    end: int
    last: bool


class FskGate:
    """Follows all lines; while one is open, asks every 50 ms for a look at it."""

    BANDS = (BAND_HZ, MARK_HZ, DATA_HZ)

    def __init__(self, bank: HopBank) -> None:
        self._bank = bank
        self._rows = np.array([bank.band(band) for band in self.BANDS], np.intp)
        self._open: dict[int, int] = {}  # column -> hops since it opened

    @property
    def is_open(self) -> bool:
        """Whether any line is looked at."""
        return bool(self._open)

    def take(self, hops: Hops, done: Callable[[Look], bool]) -> None:
        """Call `done` for each look that is due; once it returns True the line waits for the next mark."""
        if hops.restarted and len(hops):
            self._open.clear()
        if not len(hops) or not (self._open or hops.heard.any()):
            return
        energy = hops.power[self._rows, PAST - DATA_WINDOW :]
        opens, hop = _marks(energy, MIN_MARK_SHARE), self._bank.hop
        for column in sorted({*np.nonzero(opens.any(axis=0))[0].tolist(), *self._open}):
            holds, waits = _holds(energy[..., column]), _marks(energy[..., column], NOTHING_BUT_MARK)
            for at in range(len(hops)):
                look = self._step(column, bool(opens[at, column]), bool(holds[at]))
                if (
                    look
                    and (look.last or not waits[at])
                    and (done(self._placed(look, hops.position + (at + 1) * hop)) or look.last)
                ):
                    del self._open[column]

    def _placed(self, look: Look, end: int) -> Look:
        return replace(look, start=end + look.start * self._bank.hop, end=end)

    def _step(self, column: int, opens: bool, holds: bool) -> Look | None:
        """One hop of one line; a look is placed relative to now, in hops."""
        age = self._open.get(column, 0)
        if not age:
            if opens:
                self._open[column] = 2
            return None
        age = self._open[column] = age + 1
        over = age > LONGEST or (age > DATA_WINDOW + 4 and not holds)
        if over and age < SHORTEST:
            del self._open[column]
        due = age >= SHORTEST and (over or age % LOOK_EVERY == 0)
        return Look(column + 1, -age, 0, over) if due else None


def _marks(energy: NDArray[np.float32], share: float) -> NDArray[np.bool_]:
    """Is this hop the second in a row that is mostly mark? (bands, hops, ...) -> (hops, ...)"""
    band, mark = energy[0, DATA_WINDOW - 1 :], energy[1, DATA_WINDOW - 1 :]
    pure = (mark > share * band) & (mark > MIN_POWER)
    return np.asarray(pure[1:] & pure[:-1])


def _holds(energy: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Did the last 80 ms look like data? (bands, hops) -> (hops,)"""
    total = np.cumsum(energy, axis=1, dtype=np.float64)
    window = total[:, DATA_WINDOW:] - total[:, :-DATA_WINDOW]
    return np.asarray(window[2] > MIN_DATA_SHARE * window[0])
