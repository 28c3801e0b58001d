"""A call as a state table: line events in, actions out.

One `LineCalls` follows one line. What an event means in each state stands in `TABLE`, what time alone brings
stands in `TIMEOUTS`; actions are data that the shell carries out. Time is the position of the samples.

    IDLE --ring--> RINGING --off hook--> TALKING --on hook--> IDLE
      |               `--no more ring--> IDLE (missed)
      `--off hook--> DIALLING --digits done--> CALLING --on hook--> IDLE
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from edge.callerid import CallerId
from edge.line.events import (
    CallerIdFailed,
    CallerIdRead,
    DigitKeyed,
    LineEvent,
    LineFound,
    LineLost,
    OffHook,
    OnHook,
    RingStarted,
    RingStopped,
)


class LineState(StrEnum):
    """What a line is doing, as the page shows it."""

    UNKNOWN = "unknown"  # before the first event after a start
    IDLE = "idle"
    RINGING = "ringing"
    TALKING = "talking"  # off hook after a ring
    DIALLING = "dialling"  # off hook without a ring, digits may come
    CALLING = "calling"  # digits are over
    LEFT_OFF = "left_off"  # off hook beyond the longest call: its call is over, the phone is not down
    LINE_LOST = "line_lost"


@dataclass(frozen=True, slots=True)
class CallRules:
    """The times that bound a call; all in seconds of the line's own time."""

    missed_after_s: float = 6.0  # without a further ring (China: 4 s pause x 1.5)
    digits_over_after_s: float = 4.0
    caller_before_ring_s: float = 10.0  # a caller ID sent before the first ring belongs to that ring
    settled_after_s: float = 1.5  # a line in use or dead at the start would have said so by then
    longest_call_s: float = 12 * 3600.0  # a stuck line ends its call and waits for on hook


@dataclass(frozen=True, slots=True)
class Call:
    """One call so far; positions are samples on the line's board."""

    id: str
    line: int
    direction: str  # in | out | unknown
    started: int
    answered: int | None = None
    ended: int | None = None
    outcome: str = "open"
    end_reason: str | None = None
    ring_count: int = 0
    caller: CallerId | None = None
    caller_failed: bool = False
    dialled: str = ""
    keys: str = ""
    hook_known: bool = True


@dataclass(frozen=True, slots=True)
class BeginCall:
    """Write the open call down."""

    call: Call


@dataclass(frozen=True, slots=True)
class UpdateCall:
    """Something about the open call became known."""

    call: Call


@dataclass(frozen=True, slots=True)
class StartRecording:
    """Keep the line's audio from `position` on; the recorder adds the pre-roll."""

    call: Call
    position: int
    pre_roll: bool = True


@dataclass(frozen=True, slots=True)
class StopRecording:
    """The call's running recording ends at `position`; the call may go on."""

    call: Call
    position: int


@dataclass(frozen=True, slots=True)
class KeepOnHook:
    """Keep what the idle or ringing line carried from `start` to `end`, as far as the ring has it."""

    call: Call
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class EndCall:
    """The call is over; its recording, if any, ends at `call.ended`."""

    call: Call


@dataclass(frozen=True, slots=True)
class ShowLine:
    """The line is in another state."""

    line: int
    state: LineState
    position: int
    call_id: str | None


Action = BeginCall | UpdateCall | StartRecording | StopRecording | KeepOnHook | EndCall | ShowLine


@dataclass(slots=True)
class LineCalls:
    """The calls of one line, one after another. Feed line events in order, and `tick` in between."""

    line: int
    rate_hz: int
    new_id: Callable[[], str]
    rules: CallRules = field(default_factory=CallRules)
    hook_known: bool = True
    state: LineState = LineState.UNKNOWN
    call: Call | None = None
    _since: int = 0  # position of the last thing that matters to the state's timeout
    _early_caller: tuple[int, CallerId] | None = None

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
        due = self._since + round(after_s(self.rules) * self.rate_hz)
        return step(self, LineEvent(self.line, due)) if position >= due else []

    # -- what the table's rows are made of

    def _enter(self, state: LineState, position: int) -> list[Action]:
        self.state, self._since = state, position
        return [ShowLine(self.line, state, position, self.call.id if self.call else None)]

    def _begin(self, direction: str, position: int, **facts: object) -> list[Action]:
        self.call = Call(self.new_id(), self.line, direction, position, hook_known=self.hook_known)
        self.call = replace(self.call, **facts)  # type: ignore[arg-type]
        return [BeginCall(self.call)]

    def _update(self, **facts: object) -> list[Action]:
        if self.call is None:
            return []
        known = self.call.hook_known and self.hook_known
        self.call = replace(self.call, hook_known=known, **facts)  # type: ignore[arg-type]
        return [UpdateCall(self.call)]

    def _end(self, position: int, outcome: str, reason: str) -> list[Action]:
        if self.call is None:
            return []
        self._update(ended=max(position, self.call.started), outcome=outcome, end_reason=reason)
        ended, self.call = self.call, None
        return [EndCall(ended)]


def _came_to_rest(calls: LineCalls, event: LineEvent) -> list[Action]:
    return calls._enter(LineState.IDLE, event.position)


def _first_ring(calls: LineCalls, event: LineEvent) -> list[Action]:
    caller = None
    if calls._early_caller is not None:
        heard, early = calls._early_caller
        recent = event.position - heard <= calls.rules.caller_before_ring_s * calls.rate_hz
        caller, calls._early_caller = (early if recent else None), None
    begun = calls._begin("in", event.position, ring_count=1, caller=caller)
    return begun + calls._enter(LineState.RINGING, event.position)


def _ring_again(calls: LineCalls, event: LineEvent) -> list[Action]:
    calls._since = event.position
    return calls._update(ring_count=calls.call.ring_count + 1 if calls.call else 1)


def _ring_paused(calls: LineCalls, event: LineEvent) -> list[Action]:
    calls._since = event.position
    return []


def _caller_before_ring(calls: LineCalls, event: LineEvent) -> list[Action]:
    if isinstance(event, CallerIdRead):
        calls._early_caller = (event.position, event.caller)
    return []


def _caller_read(calls: LineCalls, event: LineEvent) -> list[Action]:
    return calls._update(caller=event.caller) if isinstance(event, CallerIdRead) else []


def _caller_read_late(calls: LineCalls, event: LineEvent) -> list[Action]:
    """The verdict may come just after a quick answer; a burst inside the call is another caller."""
    answered = calls.call.answered if calls.call else None
    return _caller_read(calls, event) if answered is not None and event.position <= answered else []


def _caller_failed(calls: LineCalls, event: LineEvent) -> list[Action]:
    return calls._update(caller_failed=True)


def _answered(calls: LineCalls, event: LineEvent) -> list[Action]:
    return calls._update(answered=event.position) + calls._enter(LineState.TALKING, event.position)


def _lifted(calls: LineCalls, event: LineEvent) -> list[Action]:
    return calls._begin("out", event.position) + calls._enter(LineState.DIALLING, event.position)


def _found_lifted(calls: LineCalls, event: LineEvent) -> list[Action]:
    """The line is in use at the first look: nobody saw how that call began."""
    return calls._begin("unknown", event.position) + calls._enter(LineState.TALKING, event.position)


def _missed(calls: LineCalls, event: LineEvent) -> list[Action]:
    actions = calls._end(calls._since, "missed", "not_answered")  # the last ring was its end
    return actions + calls._enter(LineState.IDLE, event.position)


def _hung_up(calls: LineCalls, event: LineEvent) -> list[Action]:
    actions = calls._end(event.position, _outcome(calls), "hung_up")
    return actions + calls._enter(LineState.IDLE, event.position)


def _line_lost(calls: LineCalls, event: LineEvent) -> list[Action]:
    actions = calls._end(event.position, _outcome(calls), "line_lost")
    return actions + calls._enter(LineState.LINE_LOST, event.position)


def _too_long(calls: LineCalls, event: LineEvent) -> list[Action]:
    actions = calls._end(event.position, _outcome(calls), "too_long")
    return actions + calls._enter(LineState.LEFT_OFF, event.position)


def _outcome(calls: LineCalls) -> str:
    """An outgoing call's outcome is not guessed from tones."""
    if calls.call is None or calls.call.direction != "in":
        return "unknown"
    return "missed" if calls.call.answered is None else "answered"


def _digit_dialled(calls: LineCalls, event: LineEvent) -> list[Action]:
    calls._since = event.position
    if calls.call is None or not isinstance(event, DigitKeyed):
        return []
    return calls._update(dialled=calls.call.dialled + event.digit)


def _key_pressed(calls: LineCalls, event: LineEvent) -> list[Action]:
    if calls.call is None or not isinstance(event, DigitKeyed):
        return []
    return calls._update(keys=calls.call.keys + event.digit)


def _digits_over(calls: LineCalls, event: LineEvent) -> list[Action]:
    return calls._enter(LineState.CALLING, event.position)


Step = Callable[[LineCalls, LineEvent], list[Action]]

_AT_REST: dict[type[LineEvent], Step] = {
    RingStarted: _first_ring,
    OffHook: _lifted,
    CallerIdRead: _caller_before_ring,
    LineLost: _line_lost,
}
_IN_USE: dict[type[LineEvent], Step] = {
    OnHook: _hung_up,
    DigitKeyed: _key_pressed,
    LineLost: _line_lost,
}
_ROWS: dict[LineState, dict[type[LineEvent], Step]] = {
    LineState.UNKNOWN: {
        **_AT_REST,
        OnHook: _came_to_rest,
        LineFound: _came_to_rest,
        OffHook: _found_lifted,
    },
    LineState.IDLE: _AT_REST,
    LineState.RINGING: {
        RingStarted: _ring_again,
        RingStopped: _ring_paused,
        CallerIdRead: _caller_read,
        CallerIdFailed: _caller_failed,
        OffHook: _answered,
        LineLost: _line_lost,
    },
    LineState.TALKING: {**_IN_USE, CallerIdRead: _caller_read_late},
    LineState.DIALLING: {**_IN_USE, DigitKeyed: _digit_dialled},
    LineState.CALLING: _IN_USE,
    LineState.LEFT_OFF: {OnHook: _came_to_rest, LineLost: _line_lost},
    LineState.LINE_LOST: {
        LineFound: _came_to_rest,
        OnHook: _came_to_rest,
        RingStarted: _first_ring,
        OffHook: _found_lifted,
    },
}
TABLE: dict[tuple[LineState, type[LineEvent]], Step] = {
    (state, event): step for state, row in _ROWS.items() for event, step in row.items()
}
TIMEOUTS: dict[LineState, tuple[Callable[[CallRules], float], Step]] = {
    LineState.UNKNOWN: (lambda rules: rules.settled_after_s, _came_to_rest),
    LineState.RINGING: (lambda rules: rules.missed_after_s, _missed),
    LineState.DIALLING: (lambda rules: rules.digits_over_after_s, _digits_over),
    LineState.TALKING: (lambda rules: rules.longest_call_s, _too_long),
    LineState.CALLING: (lambda rules: rules.longest_call_s, _too_long),
}
