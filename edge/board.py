"""One board at work: its ring and readings in, actions of its lines' calls out.

Pure but for the ring it reads: time comes in as positions, so a WAV runs through it as a live line does. What
was set anew for a line is taken at once while nothing goes on there, else the moment its call is over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from edge.alarms import LineAlarms, LineMemory
from edge.call import Action, EndCall, TakeSettings
from edge.calls import LineCalls
from edge.keeping import LineKeeping
from edge.line.arbiter import Arbiter
from edge.line.events import LineEvent, RecordAsked
from edge.on_hook import OnHookKeeping
from edge.ring import RingOvertaken, RingReader, RingWriter
from edge.rules import LineRules
from edge.samples import AudioBlock, LineReading

BLOCK_S = 0.02  # what the detectors are fed at a time when nothing waits
MOST_BLOCK_S = 0.5  # when they are behind


@dataclass(slots=True)
class _LineParts:
    """Everything that follows one line."""

    calls: LineCalls
    keeping: LineKeeping
    alarms: LineAlarms
    on_hook: OnHookKeeping
    rules: LineRules
    waiting: LineRules | None = None  # to be taken when the call is over


@dataclass(slots=True)
class Board:
    """The lines of one HAT. Lines inside are counted as on the board; actions carry the box's numbers."""

    ring: RingReader | RingWriter
    first_line: int
    new_id: Callable[[], str]
    rules_of: Callable[[int], LineRules]  # of the box's line
    local_time: Callable[[int], datetime]  # of a position
    memory_of: Callable[[int], LineMemory] = lambda line: LineMemory()  # of the box's line
    position: int = 0  # everything before it has been looked at
    _arbiter: Arbiter = field(init=False)
    _lines: list[_LineParts] = field(init=False)

    def __post_init__(self) -> None:
        rules = [self.rules_of(line) for line in self.lines]
        first = rules[0].hearing
        self._arbiter = Arbiter(self.ring.lines, self.ring.rate_hz, first.profile, first.country)
        self._arbiter.listen([one.hearing for one in rules])
        self._lines = [self._parts(line, one) for line, one in zip(self.lines, rules, strict=True)]

    def _parts(self, line: int, rules: LineRules) -> _LineParts:
        rate_hz = self.ring.rate_hz
        return _LineParts(
            LineCalls(line, rate_hz, self.new_id, rules.calls),
            LineKeeping(rate_hz, rules.keep, self.local_time),
            LineAlarms(rate_hz, rules.alarms, self.memory_of(line)),
            OnHookKeeping(rate_hz),
            rules,
        )

    def change(self, line: int, rules: LineRules) -> list[Action]:
        """Follow other rules on the box's line `line`: alarms now, the rest as soon as no call goes on."""
        parts = self._lines[line - self.first_line]
        parts.alarms.rules, parts.waiting = rules.alarms, rules
        return self._take_rules(parts)

    @property
    def lines(self) -> range:
        """The box's numbers of its lines."""
        return range(self.first_line, self.first_line + self.ring.lines)

    def _take_rules(self, parts: _LineParts) -> list[Action]:
        rules = parts.waiting
        if rules is None or parts.calls.call is not None:
            return []
        parts.rules, parts.waiting = rules, None
        parts.calls.rules = rules.calls
        parts.keeping.change(rules.keep)
        self._arbiter.change(parts.calls.line - self.first_line + 1, rules.hearing)
        return [TakeSettings(parts.calls.line, rules.version, self.position)]

    def step(
        self,
        readings: Sequence[LineReading],
        asked: Mapping[int, bool] | None = None,
        seen: Sequence[LineEvent] = (),
    ) -> list[Action]:
        """Look at what is new in the ring, at `readings`, and at presses of the record button.

        Readings count lines as on the board, the others as on the box. `asked` says for a line whether to
        record from now on (lines of other boards are passed over); `seen` is what only the board knows.
        """
        actions: list[Action] = []
        for line, keep in (asked or {}).items():
            if line in self.lines:
                actions += self._take(RecordAsked(line, self.position, keep))
        while (block := self._next_block()) is not None or readings:
            if block is None:
                block = AudioBlock(self.position, self.ring.read(self.position, 0))
            found = self._arbiter.feed(block, readings)
            readings = ()
            for event in found:
                actions += self._take(replace(event, line=event.line + self.first_line - 1))
            for parts in self._lines:
                actions += self._finished(parts, parts.calls.tick(self.position), self.position)
                actions += parts.keeping.tick(self.position, parts.calls.call, parts.calls.state)
        for event in seen:
            actions += self._take(event)
        return actions

    def _take(self, event: LineEvent) -> list[Action]:
        """What one line event (box line number) makes happen."""
        at = event.line - self.first_line
        parts = self._lines[at]
        parts.alarms.feed(event)
        parts.calls.hook_known = self._arbiter.hook_known(at + 1)
        actions = self._finished(parts, parts.calls.feed(event), event.position)
        return actions + parts.keeping.feed(event, parts.calls.call, parts.calls.state)

    def _finished(self, parts: _LineParts, actions: list[Action], position: int) -> list[Action]:
        """Let the last word on an ended call come before its end, and new settings after it."""
        on_hook = parts.on_hook.follow(actions, position, parts.rules.keep)
        if not any(isinstance(action, EndCall) for action in actions):
            return actions + on_hook
        found: list[Action] = []
        for action in actions:
            found += parts.keeping.finish(action.call) if isinstance(action, EndCall) else []
            found.append(action)
        return found + on_hook + self._take_rules(parts)

    def alarms(self) -> list[tuple[int, str]]:
        """(line, alarm) of everything somebody should look at now."""
        return [
            (parts.calls.line, name)
            for parts in self._lines
            for name in sorted(parts.alarms.conditions(parts.calls.state, self.position))
        ]

    def hook_known(self, line: int) -> bool:
        """Whether readings come in for the box's line `line`."""
        return self._arbiter.hook_known(line - self.first_line + 1)

    def _next_block(self) -> AudioBlock | None:
        """The next frames nobody has looked at; those the ring has lost meanwhile are passed over."""
        waiting = self.ring.position - self.position
        shortest = round(BLOCK_S * self.ring.rate_hz)
        if waiting < shortest:
            return None
        frames = min(waiting, round(MOST_BLOCK_S * self.ring.rate_hz))
        try:
            block = AudioBlock(self.position, self.ring.read(self.position, frames))
        except RingOvertaken as overtaken:
            self.position = overtaken.first
            return self._next_block()
        self.position = block.end
        return block
