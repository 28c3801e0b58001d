"""The exchange, the phones and the people: script, seed and position in, audio and readings out.

There is no clock in it, so a test need not wait; how the time is cut into blocks changes nothing.
"""

from __future__ import annotations

import random
from collections import deque
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np

from hw.virtual.script import Script
from hw.virtual.sound import RINGING_HZ, Samples, Sounds, Speak, mix
from hw.virtual.speech import speak as espeak
from hw.virtual.stage import Burst, Level, ScriptedCall
from hw.virtual.timeline import WINDOW_MS, Round, idle_round, play_round, prepare

KEEP_S = 120  # rounds that ended longer ago are forgotten; going back further plays the script again
KEPT_CALLS = 1000  # per line, in the story
IDLE_S = 60
RIPPLE_V = 0.1


class Reading(NamedTuple):
    """What the HAT's microcontroller finds over the window that ends at `position`."""

    position: int
    line: int
    voltage_v: float
    ring_half_waves: int


class Exchange:
    """All lines of one virtual HAT. Positions count frames from 0 at `rate_hz`; lines count from 1."""

    def __init__(
        self,
        script: Script,
        lines: int | None = None,
        rate_hz: int = 8000,
        seed: int = 0,
        *,
        speak: Speak = espeak,
        window_ms: int = WINDOW_MS,
        began: datetime = datetime(2025, 3, 6, 9, 30, tzinfo=UTC),
    ) -> None:
        """`lines` may exceed the script's; `began` is the exchange's wall clock at position 0.

        `window_ms` is how long each reading looks; a window is a whole number of frames.
        """
        if rate_hz * window_ms % 1000 or rate_hz < 8000:
            raise ValueError(f"the rate is a multiple of {1000 // window_ms} from 8000 Hz on, got {rate_hz}")
        self._script = script
        self.lines = len(script.lines) if lines is None else lines
        self.rate_hz = rate_hz
        self.window = rate_hz * window_ms // 1000
        self._sounds = Sounds(rate_hz, seed, speak)
        self._lines = [
            _Line(script, number, self._sounds, seed, began) for number in range(1, self.lines + 1)
        ]
        self._until = 0
        ripple = np.random.default_rng(seed).uniform(-RIPPLE_V, RIPPLE_V, 997)
        self._ripple_v = [float(volts) for volts in ripple]

    def prepare(self) -> None:
        """Make all speech now rather than when it is first needed."""
        prepare(self._script, self._sounds)

    def audio(self, position: int, frames: int) -> Samples:
        """Return int16 of shape (frames, lines) from `position` on."""
        self._until = max(self._until, position + frames)
        heard = self._sounds.noise(position, frames, self.lines)
        for row, line in zip(heard, self._lines, strict=True):
            for part in line.rounds(position, position + frames):
                mix(row, position, part.cues)
        return np.ascontiguousarray(np.clip(heard, -32768, 32767).astype(np.int16).T)

    def readings(self, position_from: int, position_to: int) -> list[Reading]:
        """Return the readings of all windows that end in (position_from, position_to], by time, then line."""
        self._until = max(self._until, position_to)
        found = []
        for window in range(position_from // self.window + 1, position_to // self.window + 1):
            end = window * self.window
            for line in self._lines:
                voltage_v, half_waves = line.reading(end - self.window, end)
                ripple_v = self._ripple_v[(window + 37 * line.number) % len(self._ripple_v)]
                found.append(Reading(end, line.number, round(voltage_v + ripple_v, 2), half_waves))
        return found

    def story(self, until: int | None = None) -> list[ScriptedCall]:
        """Return the calls that ended by `until` (how far anyone has asked, if not given), in that order.

        A line remembers its last 1000 calls; positions that nobody asked for have no calls yet.
        """
        limit = self._until if until is None else until
        calls = [call for line in self._lines for call in line.calls if call.end <= limit]
        return sorted(calls, key=lambda call: (call.end, call.line))


class _Line:
    """One line's rounds, made when needed and forgotten when past."""

    def __init__(self, script: Script, number: int, sounds: Sounds, seed: int, began: datetime) -> None:
        self.number = number
        self._script = script
        self._sounds = sounds
        self._seed = seed
        self._began = began
        self._rewind()

    def _rewind(self) -> None:
        self.calls: deque[ScriptedCall] = deque(maxlen=KEPT_CALLS)
        self._rounds: deque[Round] = deque()
        self._made = 0
        self._end = 0

    def rounds(self, start: int, end: int) -> list[Round]:
        """The rounds that share something with [start, end)."""
        if start < (self._rounds[0].start if self._rounds else self._end):
            self._rewind()
        while self._end < end:
            self._add()
            while self._rounds and self._rounds[0].end < start - KEEP_S * self._sounds.rate_hz:
                self._rounds.popleft()
        return [part for part in self._rounds if part.start < end and part.end > start]

    def _add(self) -> None:
        if self._made and not self._script.loop:
            made = idle_round(
                self._script.line(self.number), self._end, self._end + IDLE_S * self._sounds.rate_hz
            )
        else:
            rng = random.Random(f"{self._seed} {self.number} {self._made}")
            made = play_round(self._script, self.number, self._end, self._sounds, rng, self._began)
        self._rounds.append(made)
        self.calls.extend(made.calls)
        self._made += 1
        self._end = made.end

    def reading(self, start: int, end: int) -> tuple[float, int]:
        """Mean voltage and ring half-waves of one window; a window never spans two rounds."""
        (part,) = self.rounds(start, end)
        half_wave = self._sounds.rate_hz / (2 * RINGING_HZ)
        return _mean_v(part.levels, start, end), _half_waves(part.bursts, start, end, half_wave)


def _mean_v(levels: tuple[Level, ...], start: int, end: int) -> float:
    total, until = 0.0, end
    for level in reversed(levels):
        if level.position >= until:
            continue
        total += level.voltage_v * (until - max(level.position, start))
        until = level.position
        if until <= start:
            break
    return total / (end - start)


def _half_waves(bursts: tuple[Burst, ...], start: int, end: int, half_wave: float) -> int:
    crossings = 0
    for burst in bursts:
        first, last = max(start, burst.position), min(end, burst.end)
        if first < last:
            crossings += int((last - burst.position) / half_wave) - int((first - burst.position) / half_wave)
    return crossings
