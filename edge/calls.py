"""A call as a state table: line events in, actions out.

One `LineCalls` follows one line. What an event means in each state stands in `TABLE`, what time alone brings
stands in `TIMEOUTS`; actions are data that the shell carries out. Time is the position of the samples.

    IDLE --ring--> RINGING --off hook--> TALKING --on hook--> IDLE
      |               |--box holds--> HELD --phone joins--> TALKING
      |               `--no more ring--> IDLE (missed)
      `--off hook--> DIALLING --digits done--> CALLING --on hook--> IDLE

    any call --loop opened by the exchange, where that ends it--> RELEASED --on hook--> IDLE
    any call --no voltage--> LINE_LOST --voltage--> IDLE         any call --12 h--> LEFT_OFF --on hook--> IDLE

A tone never ends a call: while the loop is up only the loop tells.
"""

from __future__ import annotations

from collections.abc import Callable

from edge import call_steps as steps
from edge.call import (
    Action,
    BeginCall,
    Call,
    EndCall,
    KeepOnHook,
    LineState,
    MarkCall,
    ShowLine,
    StartRecording,
    StopRecording,
    TakeSettings,
    UpdateCall,
)
from edge.line.events import (
    CallerIdFailed,
    CallerIdRead,
    CallWaitingHeard,
    DigitKeyed,
    FaxHeard,
    HookFlashed,
    HowlerHeard,
    LineEvent,
    LineFound,
    LineHeld,
    LineLost,
    LoopOpened,
    MessageWaiting,
    OffHook,
    OnHook,
    PhoneJoined,
    PolarityReversed,
    RingStarted,
    RingStopped,
    SpeechHeard,
    ToneHeard,
)
from edge.line_calls import CallRules, LineCallsState

__all__ = [
    "TABLE", "TIMEOUTS", "Action", "BeginCall", "Call", "CallRules", "EndCall", "KeepOnHook", "LineCalls",
    "LineState", "MarkCall", "ShowLine", "StartRecording", "StopRecording", "TakeSettings", "UpdateCall",
]  # fmt: skip

Step = Callable[[LineCallsState, LineEvent], list[Action]]
Row = dict[type[LineEvent], Step]


class LineCalls(LineCallsState):
    """The calls of one line, one after another. Feed line events in order, and `tick` in between."""

    __slots__ = ()

    def feed(self, event: LineEvent) -> list[Action]:
        """What to do about `event`."""
        step = TABLE.get((self.state, type(event)))
        return step(self, event) if step else []

    def tick(self, position: int) -> list[Action]:
        """What to do because it is `position` now and nothing else happened."""
        timeout = TIMEOUTS.get(self.state)
        if timeout is None:
            return []
        after_s, step = timeout
        due = self.since + self.frames(after_s(self.rules))
        return step(self, LineEvent(self.line, due)) if position >= due else []


_AT_REST: Row = {
    RingStarted: steps.first_ring,
    OffHook: steps.lifted,
    LineHeld: steps.lifted,
    CallerIdRead: steps.caller_before_ring,
    LineLost: steps.line_lost,
}
_IN_USE: Row = {
    OnHook: steps.hung_up,
    LineLost: steps.line_lost,
    LoopOpened: steps.loop_opened,
    DigitKeyed: steps.key_pressed,
    HookFlashed: steps.flashed,
    PolarityReversed: steps.reversed_,
    ToneHeard: steps.tone_heard,
    FaxHeard: steps.fax_heard,
    HowlerHeard: steps.howler_heard,
    CallWaitingHeard: steps.waiting_heard,
    CallerIdRead: steps.second_read,
    CallerIdFailed: steps.second_failed,
    LineHeld: steps.held_in_call,
    PhoneJoined: steps.taken_over,
}
_GOING_OUT: Row = {
    **_IN_USE,
    PolarityReversed: steps.reversed_going_out,
    SpeechHeard: steps.speech_heard,
}
_PHONE_NOT_DOWN: Row = {
    OnHook: steps.came_to_rest,
    LineLost: steps.line_lost,
    RingStarted: steps.first_ring,
}
_ROWS: dict[LineState, Row] = {
    LineState.UNKNOWN: {
        **_AT_REST,
        OnHook: steps.came_to_rest,
        LineFound: steps.came_to_rest,
        OffHook: steps.found_in_use,
        LineHeld: steps.found_in_use,
    },
    LineState.IDLE: _AT_REST,
    LineState.RINGING: {
        RingStarted: steps.rang_again,
        RingStopped: steps.ring_paused,
        CallerIdRead: steps.caller_read,
        CallerIdFailed: steps.caller_failed,
        PolarityReversed: steps.reversed_,
        OffHook: steps.answered,
        LineHeld: steps.held,
        LineLost: steps.line_lost,
    },
    LineState.TALKING: _IN_USE,
    LineState.DIALLING: {**_GOING_OUT, DigitKeyed: steps.digit_dialled},
    LineState.CALLING: _GOING_OUT,
    LineState.HELD: _IN_USE,
    LineState.LEFT_OFF: _PHONE_NOT_DOWN,
    LineState.RELEASED: {
        **_PHONE_NOT_DOWN,
        DigitKeyed: steps.dialled_again,
        SpeechHeard: steps.found_in_use,
    },
    LineState.LINE_LOST: {
        LineFound: steps.came_to_rest,
        OnHook: steps.came_to_rest,
        RingStarted: steps.first_ring,
        OffHook: steps.found_in_use,
    },
}
TABLE: dict[tuple[LineState, type[LineEvent]], Step] = {
    (state, event): step
    for state, row in _ROWS.items()
    for event, step in {**row, MessageWaiting: steps.messages_wait}.items()
}
TIMEOUTS: dict[LineState, tuple[Callable[[CallRules], float], Step]] = {
    LineState.UNKNOWN: (lambda rules: rules.settled_after_s, steps.came_to_rest),
    LineState.RINGING: (lambda rules: rules.missed_after_s, steps.missed),
    LineState.DIALLING: (lambda rules: rules.digits_over_after_s, steps.digits_over),
    LineState.TALKING: (lambda rules: rules.longest_call_s, steps.too_long),
    LineState.CALLING: (lambda rules: rules.longest_call_s, steps.too_long),
    LineState.HELD: (lambda rules: rules.longest_call_s, steps.too_long),
}
