"""One board at work: its ring and readings in, actions of its lines' calls out.

Pure but for the ring it reads: time comes in as positions, so a WAV runs through it as a live line does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from edge.calls import Action, LineCalls
from edge.line.arbiter import Arbiter
from edge.line.events import LineEvent
from edge.line.profile import LineProfile
from edge.ring import RingOvertaken, RingReader, RingWriter
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
    position: int = 0  # everything before it has been looked at
    events: list[LineEvent] = field(default_factory=list)  # of the last step, for who wants to watch
    _arbiter: Arbiter = field(init=False)
    _calls: list[LineCalls] = field(init=False)

    def __post_init__(self) -> None:
        self._arbiter = Arbiter(self.ring.lines, self.ring.rate_hz, self.profile, self.country)
        self._calls = [
            LineCalls(self.first_line + at, self.ring.rate_hz, self.new_id) for at in range(self.ring.lines)
        ]

    def step(self, readings: Sequence[LineReading]) -> list[Action]:
        """Look at what is new in the ring and at `readings` (box line numbers)."""
        local = [replace(one, line=one.line - self.first_line + 1) for one in readings]
        actions: list[Action] = []
        self.events = []
        while (block := self._next_block()) is not None or local:
            if block is None:
                block = AudioBlock(self.position, self.ring.read(self.position, 0))
            found = self._arbiter.feed(block, local)
            local = []
            for event in found:
                calls = self._calls_of(event.line)
                self.events.append(replace(event, line=calls.line))
                actions += calls.feed(self.events[-1])
            for calls in self._calls:
                actions += calls.tick(self.position)
        return actions

    def hook_known(self, line: int) -> bool:
        """Whether readings come in for the box's line `line`."""
        return self._arbiter.hook_known(line - self.first_line + 1)

    def _calls_of(self, line: int) -> LineCalls:
        calls = self._calls[line - 1]
        calls.hook_known = self._arbiter.hook_known(line)
        return calls

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
