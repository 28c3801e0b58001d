"""From "which sound, from when to when" to "which tone": the cadence table walked for one line.

Times are in seconds of line time; the caller says what sounded up to when, in order, and gets findings back.
A short cadence is recognised after on, off, on; one with a long pause (ringback) after on and a part of the
pause; a continuous tone once it is longer than any burst of the same sound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

TOLERANCE, TOLERANCE_S = 0.15, 0.03
LONG_PAUSE_S = 1.2  # a pause longer than this is not waited for to the end
LONE_BURST_S = 0.5  # a shorter burst must have such a pause before it as well: speech holds a note so long
CONTINUOUS_S = 0.6
KEPT_RUNS = 8
FORGET_S = 2.5  # no cadence that is not recognised by then has a longer pause


@dataclass(frozen=True, slots=True)
class Pattern:
    """A tone as this module sees it: the number of its sound, and its cadence (empty: continuous)."""

    name: str
    sound: int
    cadence_s: tuple[float, ...]
    continuous_s: float = 0.0  # how long a continuous sound must last


@dataclass(frozen=True, slots=True)
class Heard:
    """A tone recognised (`ended` False), or over (`ended` True; `end_s` is the end of its last burst)."""

    name: str
    start_s: float
    end_s: float
    ended: bool


@dataclass(slots=True)
class _Run:
    sound: int
    start_s: float
    end_s: float

    @property
    def length_s(self) -> float:
        return self.end_s - self.start_s


SILENCE = -1


def continuous_s(sound: int, cadences: Sequence[tuple[int, tuple[float, ...]]]) -> float:
    """Return how long `sound` must last to be no burst of any cadence that uses it."""
    bursts = [burst for other, cadence in cadences if other == sound for burst in cadence[::2]]
    return max([CONTINUOUS_S, *(1.2 * burst + 0.2 for burst in bursts)])


def matches(length_s: float, wanted_s: float) -> bool:
    """Is a run as long as the table says, within 15 % and 30 ms?"""
    return abs(length_s - wanted_s) <= TOLERANCE * wanted_s + TOLERANCE_S


class CadenceFollower:
    """Follows the sounds of one line."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._patterns = patterns
        self._soonest_s = min(
            (one.continuous_s for one in patterns if not one.cadence_s), default=float("inf")
        )
        self._runs: list[_Run] = []
        self._heard: tuple[Pattern, float] | None = None
        self._over_s = -LONG_PAUSE_S  # when the last tone was

    @property
    def quiet(self) -> bool:
        """Nothing sounds, nothing is waited for."""
        return self._heard is None and all(run.sound == SILENCE for run in self._runs)

    @property
    def patient_until_s(self) -> float:
        """Silence that goes on, but not until then, changes nothing: its steps may be left out."""
        if self._heard is not None or not self._runs or self._runs[-1].sound != SILENCE:
            return 0.0
        last = self._runs[-1]
        return last.start_s + (LONG_PAUSE_S if last.length_s < LONG_PAUSE_S else FORGET_S)

    def step(self, sound: int, start_s: float, end_s: float) -> list[Heard]:
        """`sound` (or SILENCE) lasted from `start_s` to `end_s` and may go on; see `patient_until_s`."""
        found: list[Heard] = []
        if self._runs and self._runs[-1].sound == sound:
            self._runs[-1].end_s = end_s
        else:
            if self._runs:
                self._runs[-1].end_s = start_s  # silence may have been left out
            found += self._end_if_other() + self._recognise(whole=True)
            self._runs = [*self._runs[1 - KEPT_RUNS :], _Run(sound, start_s, end_s)]
        found += self._recognise(whole=False)
        found += self._end_if_over()
        if self._heard is None and self._runs[-1].sound == SILENCE and self._runs[-1].length_s > FORGET_S:
            self._runs = self._runs[-1:]
        return found

    def stop(self) -> list[Heard]:
        """Samples were lost: whatever was heard is over."""
        found = [self._over()] if self._heard else []
        self._runs, self._heard = [], None
        return found

    def _recognise(self, whole: bool) -> list[Heard]:
        """`whole`: the last run is complete; otherwise it may still grow."""
        if self._heard is not None or not self._runs or not (whole or self._lasts(self._runs[-1])):
            return []
        for pattern in self._patterns:
            start_s = self._fits_whole(pattern) if whole else self._fits_open(pattern)
            if start_s is not None:
                self._heard = pattern, start_s
                return [Heard(pattern.name, start_s, self._last_burst_end_s(pattern), False)]
        return []

    def _lasts(self, run: _Run) -> bool:
        """Is it long enough for any pattern that is recognised before the run is complete?"""
        return run.length_s >= (LONG_PAUSE_S if run.sound == SILENCE else self._soonest_s)

    def _fits_open(self, pattern: Pattern) -> float | None:
        run = self._runs[-1]
        if not pattern.cadence_s:
            fits = run.sound == pattern.sound and run.length_s >= pattern.continuous_s
            return run.start_s if fits else None
        if len(self._runs) < 2 or run.sound != SILENCE:
            return None
        burst = self._runs[-2]
        on_s, off_s = pattern.cadence_s[-2:]
        fits = burst.sound == pattern.sound and matches(burst.length_s, on_s)
        fits = fits and off_s > LONG_PAUSE_S and run.length_s >= LONG_PAUSE_S
        return burst.start_s if fits and self._alone(on_s, pattern.cadence_s) else None

    def _alone(self, on_s: float, cadence_s: tuple[float, ...]) -> bool:
        """Was the burst before this pause no leftover of another cadence?"""
        if on_s >= LONE_BURST_S or len(cadence_s) > 2:
            return True
        earlier = [run.end_s for run in self._runs[:-2] if run.sound != SILENCE]
        return self._runs[-2].start_s - max([self._over_s, *earlier]) >= LONG_PAUSE_S

    def _fits_whole(self, pattern: Pattern) -> float | None:
        """On, off, on as somewhere in the cadence."""
        last = self._runs[-3:]
        if len(last) < 3 or not pattern.cadence_s or last[-1].sound != pattern.sound:
            return None
        if last[0].sound != pattern.sound or last[1].sound != SILENCE:
            return None
        twice = pattern.cadence_s * 2
        for at in range(0, len(pattern.cadence_s), 2):
            wanted = twice[at : at + 3]
            if all(matches(run.length_s, one) for run, one in zip(last, wanted, strict=True)):
                return last[0].start_s
        return None

    def _end_if_other(self) -> list[Heard]:
        """The last run is complete: is it one of the cadence?"""
        if self._heard is None or not self._heard[0].cadence_s:
            return []
        run, cadence_s = self._runs[-1], self._heard[0].cadence_s
        allowed = cadence_s[1::2] if run.sound == SILENCE else cadence_s[::2]
        if any(matches(run.length_s, wanted_s) for wanted_s in allowed):
            return []
        found = self._over()
        self._over_s = self._runs[-1].start_s
        self._heard, self._runs = None, self._runs[-1:]
        return [found]

    def _end_if_over(self) -> list[Heard]:
        if self._heard is None:
            return []
        pattern = self._heard[0]
        run = self._runs[-1]
        allowed = pattern.cadence_s[1::2] if run.sound == SILENCE else pattern.cadence_s[::2]
        longest_s = max(allowed, default=float("inf") if run.sound == pattern.sound else 0.05)
        too_long = run.length_s > longest_s * (1 + TOLERANCE) + TOLERANCE_S
        if run.sound in (SILENCE, pattern.sound) and not too_long:
            return []
        found = self._over()
        self._over_s = self._runs[-1].start_s
        self._heard, self._runs = None, self._runs[-1:]
        return [found]

    def _over(self) -> Heard:
        assert self._heard is not None
        pattern, start_s = self._heard
        return Heard(pattern.name, start_s, self._last_burst_end_s(pattern), True)

    def _last_burst_end_s(self, pattern: Pattern) -> float:
        return max((run.end_s for run in self._runs if run.sound == pattern.sound), default=0.0)
