"""One story per line from two witnesses: the voltage, which is sure of the hook, and the audio, which hears.

Readings decide about hook and ringing as long as they arrive; after two seconds without them the line falls
back to guessing by sound (`hook_known` is False) until they are back. What both say comes out in order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from edge.dsp.activity import Slots
from edge.line.audio import AudioWatcher, LineState
from edge.line.events import LineEvent, LineLost, OffHook, OnHook, RingStarted, RingStopped
from edge.line.hook_unknown import HookGuess
from edge.line.profile import LineProfile
from edge.line.voice import VoiceWatcher
from edge.line.voltage import ON_HOOK, VoltageWatcher
from edge.samples import AudioBlock, LineReading

READINGS_WAIT_S = 2.0


class _Line:
    """What is known about one line, and by which witness."""

    def __init__(self, line: int, rate_hz: int, profile: LineProfile) -> None:
        self.voltage = VoltageWatcher(line, rate_hz, profile)
        self.voice = VoiceWatcher(line, rate_hz)
        self.guess: HookGuess | None = None
        self.last_reading: int | None = None
        self.state = LineState.IDLE
        self.before, self.since = LineState.IDLE, 0  # the state until `since`

    def follow(self, found: LineEvent) -> bool:
        """Bring the state up to date; False when it says what is known already."""
        state = _STATE_AFTER.get(type(found))
        if state is None:
            return True
        if state is self.state and isinstance(found, OffHook | OnHook):
            return False
        if isinstance(found, RingStopped) and self.state is LineState.OFF_HOOK:
            return True
        self.before, self.since, self.state = self.state, found.position, state
        return True

    def at(self, position: int) -> LineState:
        return self.before if position < self.since else self.state


_STATE_AFTER: dict[type[LineEvent], LineState] = {
    OffHook: LineState.OFF_HOOK,
    OnHook: LineState.IDLE,
    LineLost: LineState.IDLE,
    RingStarted: LineState.RINGING,
    RingStopped: LineState.IDLE,
}


class Arbiter:
    """Readings and blocks of all lines of one HAT in, line events out."""

    def __init__(self, lines: int, rate_hz: int, profile: LineProfile, country: str) -> None:
        self._rate_hz, self._profile = rate_hz, profile
        self._lines = {line: _Line(line, rate_hz, profile) for line in range(1, lines + 1)}
        self._audio = AudioWatcher(lines, rate_hz, country)
        self._guessed: dict[int, _Line] = {}  # lines whose hook is guessed, and
        self._loud = np.zeros(lines, np.bool_)  # whether they must go on loud or silent
        self._until = np.zeros(lines, np.int64)  # until when, to leave the guess as it is
        self._speaking: set[int] = set()
        self._first: int | None = None

    def feed(self, block: AudioBlock, readings: Sequence[LineReading]) -> list[LineEvent]:
        """Take the next block and the readings that came with it; what happened, ordered by position."""
        found: list[LineEvent] = []
        waiting = sorted(readings, key=attrgetter("position"))
        for start in range(0, max(1, len(block.samples)), self._rate_hz):
            piece = AudioBlock(block.position + start, block.samples[start : start + self._rate_hz])
            last = piece.end >= block.end
            due = waiting if last else [one for one in waiting if one.position < piece.end]
            waiting = waiting[len(due) :]
            found += self._feed(piece, due)
        return sorted(found, key=attrgetter("position")) if found else found

    def _feed(self, block: AudioBlock, readings: Sequence[LineReading]) -> list[LineEvent]:
        if self._first is None:
            self._first = block.position
        found: list[LineEvent] = []
        for reading in readings:
            found += self._read(reading)
        slots, heard = self._audio.feed(block, lambda line, position: self._lines[line].at(position))
        if slots:
            self._miss_readings(block.end)
        if slots or heard:
            found += self._guess(slots, heard) + heard + self._voices(slots)
        return found

    def _miss_readings(self, now: int) -> None:
        for line, one in self._lines.items():
            if one.guess is None and not self._heard_from(one, now):
                one.guess = HookGuess(line, self._rate_hz, self._profile, one.state is LineState.OFF_HOOK)
                self._guessed[line], self._until[line - 1] = one, 0

    def hook_known(self, line: int) -> bool:
        """Do readings tell what this line does? False while it is guessed from sound."""
        return self._lines[line].guess is None

    def _heard_from(self, one: _Line, now: int) -> bool:
        last = one.last_reading if one.last_reading is not None else self._first
        return last is not None and now - last <= READINGS_WAIT_S * self._rate_hz

    def _read(self, reading: LineReading) -> list[LineEvent]:
        one = self._lines.get(reading.line)
        if one is None:
            return []
        if one.last_reading is None or one.guess is not None:
            one.voltage = VoltageWatcher(reading.line, self._rate_hz, self._profile)
        one.last_reading, was_guessed = reading.position, one.guess is not None
        if was_guessed:
            one.guess = None
            del self._guessed[reading.line]
        found = one.voltage.feed(reading)
        if not found and one.state is LineState.OFF_HOOK and one.voltage.state == ON_HOOK:
            found = [OnHook(reading.line, reading.position)]  # the guess was wrong
        return [what for what in found if one.follow(what)] if found else found

    def _voices(self, slots: Sequence[Slots]) -> list[LineEvent]:
        found: list[LineEvent] = []
        for position, length, active, _ in _each(slots):
            for line in sorted(self._speaking.union(_lines(active))):
                voice = self._lines[line].voice
                found += voice.slot(position, length, bool(active[line - 1]))
                (self._speaking.add if voice.speaking else self._speaking.discard)(line)
        return found

    def _guess(self, slots: Sequence[Slots], heard: list[LineEvent]) -> list[LineEvent]:
        found: list[LineEvent] = []
        moved = self._moved(slots)
        for line in sorted({*moved, *(what.line for what in heard if what.line in self._guessed)}):
            one = self._guessed[line]
            assert one.guess is not None
            guessed = [guess for what in heard if what.line == line for guess in one.guess.hear(what)]
            for position, length, active, ringing in _each(slots):
                guessed += one.guess.slot(position, length, bool(active[line - 1]), bool(ringing[line - 1]))
            self._loud[line - 1], self._until[line - 1] = one.guess.steady
            found += [what for what in guessed if one.follow(what)]
        return found

    def _moved(self, slots: Sequence[Slots]) -> list[int]:
        """Return the lines whose guess has something to learn from these slots."""
        if not self._guessed:
            return []
        moved = np.zeros(len(self._lines), np.bool_)
        for position, length, active, ringing in _each(slots):
            moved |= (active != self._loud) | ringing | (position + length >= self._until)
        return [line for line in _lines(moved) if line in self._guessed]


def _lines(which: NDArray[np.bool_]) -> list[int]:
    return (np.flatnonzero(which) + 1).tolist()


def _each(slots: Sequence[Slots]) -> Iterator[tuple[int, int, NDArray[np.bool_], NDArray[np.bool_]]]:
    """Position, length, and which lines were active and ringing, slot by slot."""
    for some in slots:
        for at in range(len(some.active)):
            yield some.position + at * some.length, some.length, some.active[at], some.ringing[at]
