"""One story per line from two witnesses: the voltage, which is sure of the hook, and the audio, which hears.

Readings decide about hook and ringing as long as they arrive; after two seconds without them the line falls
back to guessing by sound (`hook_known` is False) until they are back. What both say comes out in order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from edge.dsp.activity import Slots
from edge.line.audio import AudioWatcher, LineState, StateAt
from edge.line.events import LineEvent, LineLost, OffHook, OnHook, RingStarted, RingStopped
from edge.line.hook_unknown import HookGuess
from edge.line.profile import Hearing, LineProfile
from edge.line.voice import VoiceWatcher
from edge.line.voltage import ON_HOOK, VoltageWatcher
from edge.samples import AudioBlock, LineReading

READINGS_WAIT_S = 2.0


class _Line:
    """What is known about one line, and by which witness."""

    def __init__(self, line: int, rate_hz: int, profile: LineProfile) -> None:
        self.voltage = VoltageWatcher(line, rate_hz, profile)
        self.profile = profile
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


@dataclass(slots=True)
class _Ear:
    """The receivers for one country's tones, on some of the board's lines."""

    country: str
    watcher: AudioWatcher
    voice: VoiceWatcher
    lines: tuple[int, ...]
    total: int  # lines of the board
    deaf: set[int] = field(default_factory=set)  # lines that another ear listens to now
    mine: NDArray[np.bool_] = field(init=False)  # whose word counts, by the board's lines

    def __post_init__(self) -> None:
        self.mine = np.zeros(self.total, np.bool_)
        self.mine[[line - 1 for line in self.lines]] = True

    def mute(self, line: int, deaf: bool) -> None:
        """Another ear listens to `line` from now on, or no longer."""
        (self.deaf.add if deaf else self.deaf.discard)(line)
        self.mine[line - 1] = not deaf

    def take_over(self, line: int, other: _Ear) -> None:
        """Go on where `other` leaves off."""
        self.voice.take_over(self.lines.index(line) + 1, other.voice, other.lines.index(line) + 1)

    def feed(
        self, block: AudioBlock, state_at: StateAt
    ) -> tuple[list[Slots], list[LineEvent], list[LineEvent]]:
        """Return the slots that are whole now, what was heard, and the voices in it."""
        if len(self.lines) == self.total:
            slots, heard = self.watcher.feed(block, state_at)
            return slots, self._counting(heard), self._counting(self.voice.take(slots, heard))
        columns = [line - 1 for line in self.lines]
        part = AudioBlock(block.position, np.ascontiguousarray(block.samples[:, columns]))
        slots, heard = self.watcher.feed(
            part, lambda line, position: state_at(self.lines[line - 1], position)
        )
        voices = self.voice.take(slots, heard)
        told, said = (
            [replace(one, line=self.lines[one.line - 1]) for one in some] for some in (heard, voices)
        )
        return [self._spread(some) for some in slots], self._counting(told), self._counting(said)

    def _counting(self, found: list[LineEvent]) -> list[LineEvent]:
        return [one for one in found if one.line not in self.deaf] if self.deaf else found

    def _spread(self, some: Slots) -> Slots:
        """The same with a column for every line of the board."""
        wide = [np.zeros((len(some.active), self.total), np.bool_) for _ in range(3)]
        for array, part in zip(wide, (some.active, some.ringing, some.tonal), strict=True):
            array[:, [line - 1 for line in self.lines]] = part
        return Slots(some.position, some.length, *wide)


class Arbiter:
    """Readings and blocks of all lines of one HAT in, line events out."""

    def __init__(self, lines: int, rate_hz: int, profile: LineProfile, country: str) -> None:
        self._rate_hz = rate_hz
        self._lines = {line: _Line(line, rate_hz, profile) for line in range(1, lines + 1)}
        self._ears = [self._ear(country, tuple(self._lines))]
        self._guessed: dict[int, _Line] = {}  # lines whose hook is guessed, and
        self._loud = np.zeros(lines, np.bool_)  # whether they must go on loud or silent
        self._until = np.zeros(lines, np.int64)  # until when, to leave the guess as it is
        self._first: int | None = None

    def _ear(self, country: str, lines: tuple[int, ...]) -> _Ear:
        watcher = AudioWatcher(len(lines), self._rate_hz, country)
        voice = VoiceWatcher(len(lines), self._rate_hz)
        return _Ear(country, watcher, voice, lines, len(self._lines))

    def listen(self, hearings: Sequence[Hearing]) -> None:
        """Before the first block: how each line, in order, is listened to. One ear per country."""
        countries = {line: one.country for line, one in zip(self._lines, hearings, strict=True)}
        self._ears = [
            self._ear(country, tuple(line for line in self._lines if countries[line] == country))
            for country in dict.fromkeys(countries.values())
        ]
        for line, hearing in zip(self._lines, hearings, strict=True):
            self.change(line, hearing)

    def change(self, line: int, hearing: Hearing) -> None:
        """Listen to `line` in another way from now on; the other lines notice nothing."""
        one = self._lines[line]
        one.profile = hearing.profile
        one.voltage.change(hearing.profile)
        if self._ear_of(line).country != hearing.country:
            self._move(line, hearing.country)
        ear = self._ear_of(line)
        ear.watcher.listen(ear.lines.index(line) + 1, hearing.voice_over_floor_db)

    def _ear_of(self, line: int) -> _Ear:
        return next(ear for ear in self._ears if ear.mine[line - 1])

    def _move(self, line: int, country: str) -> None:
        """Another ear takes over; the first ear goes on for its other lines without a break."""
        before = self._ear_of(line)
        before.mute(line, True)
        self._ears = [ear for ear in self._ears if len(ear.lines) > 1 or ear.mine.any()]
        of_country = (ear for ear in self._ears if line in ear.lines and ear.country == country)
        after = next(of_country, None)
        if after is None:
            after = self._ear(country, (line,))
            self._ears.append(after)
        after.mute(line, False)
        after.take_over(line, before)

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
        for ear in self._ears:
            slots, heard, voices = ear.feed(block, self._state_at)
            if slots:
                self._miss_readings(block.end)
            if slots or heard:
                found += self._guess(ear, slots, heard) + heard + voices
        return found

    def _state_at(self, line: int, position: int) -> LineState:
        return self._lines[line].at(position)

    def _miss_readings(self, now: int) -> None:
        for line, one in self._lines.items():
            if one.guess is None and not self._heard_from(one, now):
                one.guess = HookGuess(line, self._rate_hz, one.profile, one.state is LineState.OFF_HOOK)
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
            one.voltage = VoltageWatcher(reading.line, self._rate_hz, one.profile)
        one.last_reading, was_guessed = reading.position, one.guess is not None
        if was_guessed:
            one.guess = None
            del self._guessed[reading.line]
        found = one.voltage.feed(reading)
        if not found and one.state is LineState.OFF_HOOK and one.voltage.state == ON_HOOK:
            found = [OnHook(reading.line, reading.position)]  # the guess was wrong
        return [what for what in found if one.follow(what)] if found else found

    def _guess(self, ear: _Ear, slots: Sequence[Slots], heard: list[LineEvent]) -> list[LineEvent]:
        found: list[LineEvent] = []
        moved = self._moved(ear, slots)
        for line in sorted({*moved, *(what.line for what in heard if what.line in self._guessed)}):
            one = self._guessed[line]
            assert one.guess is not None
            guessed = [guess for what in heard if what.line == line for guess in one.guess.hear(what)]
            for slot in _each(slots, line):
                guessed += one.guess.slot(*slot)
            self._loud[line - 1], self._until[line - 1] = one.guess.steady
            found += [what for what in guessed if one.follow(what)]
        return found

    def _moved(self, ear: _Ear, slots: Sequence[Slots]) -> list[int]:
        """Return the lines whose guess has something to learn from these slots."""
        if not self._guessed:
            return []
        moved = np.zeros(len(self._lines), np.bool_)
        for some in slots:
            end = some.position + len(some.active) * some.length
            moved |= ((some.active != self._loud) | some.ringing).any(axis=0) | (end >= self._until)
        return [line for line in _lines(moved & ear.mine) if line in self._guessed]


def _lines(which: NDArray[np.bool_]) -> list[int]:
    return [column + 1 for column in which.nonzero()[0].tolist()]


def _each(slots: Sequence[Slots], line: int) -> Iterator[tuple[int, int, bool, bool]]:
    """Position, length, and whether a line was active and ringing, slot by slot."""
    for some in slots:
        sound = zip(some.active[:, line - 1].tolist(), some.ringing[:, line - 1].tolist(), strict=True)
        for at, (active, ringing) in enumerate(sound):
            yield some.position + at * some.length, some.length, active, ringing
