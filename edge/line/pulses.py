"""Digits dialled by pulses, from one line's voltage: how often, how long and how evenly the loop is opened.

    open          __      __      __
    closed  _____|  |____|  |____|  |______________    3: breaks of 60 ms, makes of 40 ms; over after a pause

A reading is the mean of its window, so one that lies between high and low says for how much of the window the
loop was open: lengths come out finer than readings do.

    limit                      accepted              refused
    speed                      8 .. 20 pulses/s      6, 26
    break                      30 .. 90 ms           20 ms; a flash from 95 ms on
    share of the break         45 .. 75 %
    pause between digits       250 ms and more
    pulses                     1 .. 10 (0)           11
    readings                   100 a second; 50 a second up to 12 pulses/s

A single break is the digit 1 up to the longest break of a pulse; a longer one is a flash, as long as the
profile says, and a hang-up after that. A break that fits both is a pulse, as in the board's own firmware.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from edge.line.events import DigitKeyed
from edge.samples import LineReading

MIN_BREAK_S, MAX_BREAK_S = 0.026, 0.0925
PAUSE_S = 0.2  # closed for so long, the digit is over; the standards say 250 ms and more
MIN_PERIOD_S, MAX_PERIOD_S = 0.043, 0.14
MIN_SHARE, MAX_SHARE = 0.40, 0.80  # of the break in the period
UNEVEN = 0.35  # of the mean: a period may differ by so much
MOST_PULSES = 10
OPEN = 0.4  # of a window
LOOP_V = 8.0  # until the line's own is learnt
LONGEST_WINDOW_S = 0.05


@dataclass(frozen=True, slots=True)
class Break:
    """The loop was open from `start` to `end` (positions, finer than samples)."""

    start: float
    end: float


@dataclass(slots=True)
class PulseDigits:
    """Follows one line while it is off hook; feed it every reading then."""

    line: int
    rate_hz: int
    was_pulse: bool = False  # the last break that is over
    _breaks: list[Break] = field(default_factory=list)
    _start: float | None = None  # of the break that goes on
    _open: float = 0.0  # how much of it there was so far
    _before: float = 0.0  # what the last closed window had of it already
    _window: float = 0.0  # length of a reading
    _last: int | None = None
    _loop_v: float = LOOP_V
    _closed_v: float = LOOP_V  # the last reading while the loop was closed

    def feed(self, reading: LineReading, idle_v: float) -> list[DigitKeyed]:
        """Take the next reading, whose window ends at its position; return the digit that is over now."""
        window = self._measure(reading.position)
        size = abs(reading.voltage_v)
        part = min(1.0, max(0.0, (size - self._loop_v) / max(1.0, idle_v - self._loop_v))) * window
        if part > OPEN * window:
            if self._start is None:
                self._start, self._open = reading.position - part - self._before, self._before
            self._open += part
            self._before = 0.0
            return []
        if self._start is not None:
            self._end(Break(self._start, self._start + self._open + part))
            self._start = None
        else:
            self._before = part
            self._loop_v += (min(size, self._closed_v) - self._loop_v) / 8  # half a pulse teaches nothing
        self._closed_v = size
        return self._closed(reading.position)

    def forget(self) -> None:
        """The handset is down, or the line is gone."""
        self._breaks.clear()
        self._start = self._last = None
        self._before, self.was_pulse = 0.0, False

    def _measure(self, position: int) -> float:
        """The length of this reading's window; readings that said nothing new were left out before it."""
        longest = LONGEST_WINDOW_S * self.rate_hz
        passed = longest if self._last is None else min(longest, float(position - self._last))
        self._last = position
        self._window = min(self._window or longest, passed) or passed
        return min(passed, self._window)

    def _end(self, one: Break) -> None:
        self.was_pulse = MIN_BREAK_S <= (one.end - one.start) / self.rate_hz <= MAX_BREAK_S
        if self.was_pulse:
            self._breaks.append(one)
        else:
            self._breaks.clear()

    def _closed(self, now: int) -> list[DigitKeyed]:
        if not self._breaks or now - self._breaks[-1].end < PAUSE_S * self.rate_hz:
            return []
        breaks, self._breaks = self._breaks, []
        if not self._is_digit(breaks):
            return []
        start, end = round(breaks[0].start), round(breaks[-1].end)
        return [DigitKeyed(self.line, start, str(len(breaks) % 10), end, "pulse")]

    def _is_digit(self, breaks: list[Break]) -> bool:
        """Are these the even pulses of a dial?"""
        if len(breaks) == 1 or len(breaks) > MOST_PULSES:
            return len(breaks) == 1
        periods_s = [(after.start - one.start) / self.rate_hz for one, after in pairwise(breaks)]
        mean_s = sum(periods_s) / len(periods_s)
        share = sum(one.end - one.start for one in breaks[:-1]) / self.rate_hz / sum(periods_s)
        even = all(abs(one - mean_s) <= UNEVEN * mean_s for one in periods_s)
        speed = MIN_PERIOD_S <= mean_s <= MAX_PERIOD_S
        return even and speed and MIN_SHARE <= share <= MAX_SHARE
