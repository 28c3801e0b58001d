"""The calls of one line as they stand: the state, the call, and the few moves every step is made of.

`edge.call_steps` has the steps, `edge.calls` the table that says which of them an event means in which state.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from edge.call import (
    MOST_MARKS,
    Action,
    BeginCall,
    Call,
    EndCall,
    LineState,
    MarkCall,
    ShowLine,
    UpdateCall,
)
from edge.callerid import CallerId
from edge.outcomes import UNKNOWN, incoming, outgoing


@dataclass(frozen=True, slots=True)
class CallRules:
    """The times that bound a call, all in seconds of the line's own time, and what signs are believed."""

    missed_after_s: float = 6.0  # without a further ring (China: 4 s pause x 1.5)
    digits_over_after_s: float = 4.0
    caller_before_ring_s: float = 10.0  # a caller ID sent before the first ring belongs to that ring
    settled_after_s: float = 1.5  # a line in use or dead at the start would have said so by then
    longest_call_s: float = 12 * 3600.0  # a stuck line ends its call and waits for on hook
    held_with_answer_s: float = 1.0  # the box held the line so soon after the answer: it was the answer
    second_dial_s: float = 15.0  # digits so soon after a hook flash are a second call
    open_loop_ends: bool = False
    reversal_is_answer: bool = True


@dataclass(slots=True)
class LineCallsState:
    """Where one line's calls stand, and how they move on."""

    line: int
    rate_hz: int
    new_id: Callable[[], str]
    rules: CallRules = field(default_factory=CallRules)
    hook_known: bool = True
    state: LineState = LineState.UNKNOWN
    call: Call | None = None
    since: int = 0  # position of the last thing that matters to the state's timeout
    early_caller: tuple[int, CallerId] | None = None
    dialled_from: int = 0  # position of the call's first digit: evidence before it is about the dial tone

    def frames(self, seconds: float) -> int:
        """`seconds` as samples."""
        return round(seconds * self.rate_hz)

    def enter(self, state: LineState, position: int) -> list[Action]:
        """The line is in `state` from `position` on."""
        self.state, self.since = state, position
        return [ShowLine(self.line, state, position, self.call.id if self.call else None)]

    def begin(self, direction: str, position: int, **facts: object) -> list[Action]:
        """A call begins."""
        self.call = Call(self.new_id(), self.line, direction, position, hook_known=self.hook_known)
        self.call = replace(self.call, **facts)  # type: ignore[arg-type]
        return [BeginCall(self.call)]

    def update(self, **facts: object) -> list[Action]:
        """Something became known of the call, if there is one."""
        if self.call is None:
            return []
        known = self.call.hook_known and self.hook_known
        self.call = replace(self.call, hook_known=known, **facts)  # type: ignore[arg-type]
        return [UpdateCall(self.call)]

    def mark(self, kind: str, position: int, detail: str = "") -> list[Action]:
        """Something happened in the call; one that chatters is marked MOST_MARKS times."""
        if self.call is None or self.call.mark_count >= MOST_MARKS:
            return []
        self.call = replace(self.call, mark_count=self.call.mark_count + 1)
        return [MarkCall(self.call, max(position, self.call.started), kind, detail)]

    def end(self, position: int, reason: str) -> list[Action]:
        """The call, if any, is over; what became of it is what the evidence says."""
        if self.call is None:
            return []
        self.update()
        ended = replace(
            self.call,
            ended=max(position, self.call.started),
            outcome=_outcome(self.call, reason),
            end_reason=reason,
        )
        self.call = None
        return [EndCall(ended)]


def _outcome(call: Call, reason: str) -> str:
    if call.direction == "in":
        return incoming(call.answered is not None, call.answered_by_box)
    if call.direction == "out":
        return outgoing(call.evidence, bool(call.dialled), call.hook_known, reason == "hung_up")
    return UNKNOWN
