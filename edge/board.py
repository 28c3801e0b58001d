"""One board at work: its ring and readings in, actions of its lines' calls out.

Pure but for the ring it reads: time comes in as positions, so a WAV runs through it as a live line does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from edge.alarms import LineAlarms
from edge.calls import Action, LineCalls
from edge.keeping import LineKeeping
from edge.line.arbiter import Arbiter
from edge.line.events import LineEvent, RecordAsked
from edge.line.profile import LineProfile
from edge.on_hook import OnHookKeeping
from edge.ring import RingOvertaken, RingReader, RingWriter
from edge.rules import LineRules
from edge.samples import AudioBlock, LineReading

BLOCK_S = 0.02  # what the detectors are fed at a time when nothing waits
MOST_BLOCK_S = 0.5  # when they are behind


@dataclass(slots=True)
class Board:
    """The lines of one HAT. Lines inside are counted as on the board; actions carry the box's numbers."""

    ring: RingReader | RingWriter
    first_line: int
    profile: LineProfile
    country: str
    new_id: Callable[[], str]
    rules_of: Callable[[int], LineRules]  # of the box's line
    local_time: Callable[[int], datetime]  # of a position
    position: int = 0  # everything before it has been looked at
    _arbiter: Arbiter = field(init=False)
    _calls: list[LineCalls] = field(init=False)
    _keeping: list[LineKeeping] = field(init=False)
    _on_hook: list[OnHookKeeping] = field(init=False)
    _alarms: list[LineAlarms] = field(init=False)

    def __post_init__(self) -> None:
        self._arbiter = Arbiter(self.ring.lines, self.ring.rate_hz, self.profile, self.country)
        lines = range(self.first_line, self.first_line + self.ring.lines)
        self._calls = [LineCalls(line, self.ring.rate_hz, self.new_id) for line in lines]
        rules = [self.rules_of(line) for line in lines]
        self._alarms = [LineAlarms(self.ring.rate_hz, one.alarms) for one in rules]
        self._on_hook = [OnHookKeeping(self.ring.rate_hz) for _ in lines]
        self._keeping = [LineKeeping(self.ring.rate_hz, one.keep, self.local_time) for one in rules]

    def step(self, readings: Sequence[LineReading], asked: Mapping[int, bool] | None = None) -> list[Action]:
        """Look at what is new in the ring, at `readings`, and at presses of the record button.

        All by the box's line numbers; `asked` says for a line whether to record from now on (lines of other
        boards in it are passed over).
        """
        local: Sequence[LineReading] = readings
        if self.first_line != 1:
            local = [replace(one, line=one.line - self.first_line + 1) for one in readings]
        actions: list[Action] = []
        for line, keep in (asked or {}).items():
            if self.first_line <= line < self.first_line + self.ring.lines:
                actions += self._take(RecordAsked(line, self.position, keep))
        while (block := self._next_block()) is not None or local:
            if block is None:
                block = AudioBlock(self.position, self.ring.read(self.position, 0))
            found = self._arbiter.feed(block, local)
            local = ()
            for event in found:
                actions += self._take(replace(event, line=event.line + self.first_line - 1))
            for calls, keeping, on_hook in zip(self._calls, self._keeping, self._on_hook, strict=True):
                ticked = calls.tick(self.position)
                actions += ticked + on_hook.follow(ticked, self.position, keeping.rules)
                actions += keeping.tick(self.position, calls.call, calls.state)
        return actions

    def _take(self, event: LineEvent) -> list[Action]:
        """What one line event (box line number) makes happen."""
        at = event.line - self.first_line
        calls, keeping = self._calls[at], self._keeping[at]
        self._alarms[at].feed(event)
        calls.hook_known = self._arbiter.hook_known(at + 1)
        actions = calls.feed(event)
        actions += self._on_hook[at].follow(actions, event.position, keeping.rules)
        return actions + keeping.feed(event, calls.call, calls.state)

    def alarms(self) -> list[tuple[int, str]]:
        """(line, alarm) of everything somebody should look at now."""
        return [
            (calls.line, name)
            for calls, alarms in zip(self._calls, self._alarms, strict=True)
            for name in sorted(alarms.conditions(calls.state, self.position))
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
