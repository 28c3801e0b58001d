"""The call table: stories as rows, every state with a way out, no sequence of events that breaks it."""

from __future__ import annotations

from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from edge.call import ShowMessages
from edge.callerid import CallerId
from edge.calls import (
    TABLE,
    TIMEOUTS,
    BeginCall,
    Call,
    CallRules,
    EndCall,
    LineCalls,
    LineState,
    MarkCall,
    ShowLine,
    UpdateCall,
)
from edge.line import events as line_events
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
    RecordAsked,
    RingStarted,
    RingStopped,
    SpeechHeard,
    ToneHeard,
    VoiceStarted,
    VoiceStopped,
)

RATE_HZ = 8000
WANG = CallerId("bell202", "mdmf", number="02155501234", name="王芳")


def at(seconds: float) -> int:
    return round(seconds * RATE_HZ)


def line_calls() -> LineCalls:
    numbers = count(1)
    calls = LineCalls(3, RATE_HZ, lambda: f"call-{next(numbers)}")
    calls.feed(OnHook(3, 0))
    return calls


def play(calls: LineCalls, story: list[tuple], until_s: float = 0.0) -> list:
    """Feed (seconds, event type, extra...) rows with a tick every 100 ms in between; return all actions."""
    actions, now = [], 0
    for seconds, kind, *extra in story:
        while now < at(seconds):
            actions += calls.tick(now)
            now += at(0.1)
        actions += calls.feed(kind(3, at(seconds), *extra))
    while now <= at(until_s):
        actions += calls.tick(now)
        now += at(0.1)
    return actions


def ended(actions: list) -> list[Call]:
    return [action.call for action in actions if isinstance(action, EndCall)]


def states(actions: list) -> list[str]:
    return [str(action.state) for action in actions if isinstance(action, ShowLine)]


ANSWERED = [
    (1.0, RingStarted), (2.0, RingStopped), (2.9, CallerIdRead, WANG), (6.0, RingStarted), (6.8, RingStopped),
    (7.0, OffHook), (9.0, DigitKeyed, "1", at(9.1)), (20.0, OnHook),
]  # fmt: skip


def test_answered_call_keeps_who_when_and_how_long() -> None:
    actions = play(line_calls(), ANSWERED)
    (call,) = ended(actions)
    assert (call.direction, call.outcome, call.end_reason) == ("in", "answered", "hung_up")
    assert (call.started, call.answered, call.ended) == (at(1), at(7), at(20))
    assert (call.ring_count, call.caller, call.keys, call.dialled) == (2, WANG, "1", "")
    assert states(actions) == ["ringing", "talking", "idle"]


def test_missed_call_ends_where_the_last_ring_did() -> None:
    actions = play(line_calls(), [(1, RingStarted), (2, RingStopped), (6, RingStarted), (7, RingStopped)], 20)
    (call,) = ended(actions)
    assert (call.outcome, call.end_reason, call.ended, call.answered) == (
        "missed",
        "not_answered",
        at(7),
        None,
    )
    assert states(actions) == ["ringing", "idle"]


@pytest.mark.parametrize(("silent_s", "over"), [(5.9, False), (6.1, True)])
def test_missed_only_after_the_pause_is_too_long(silent_s: float, over: bool) -> None:
    actions = play(line_calls(), [(1, RingStarted), (2, RingStopped)], 2 + silent_s)
    assert bool(ended(actions)) is over


def test_outgoing_call_keeps_dialled_digits_apart_from_later_keys() -> None:
    dialled = [(2 + n * 0.3, DigitKeyed, digit, at(2.1 + n * 0.3)) for n, digit in enumerate("95588")]
    story = [(1, OffHook), *dialled, (12, DigitKeyed, "2", at(12.1)), (30, OnHook)]
    actions = play(line_calls(), story)
    (call,) = ended(actions)
    assert (call.direction, call.dialled, call.keys) == ("out", "95588", "2")
    assert call.outcome == "unknown", "whether an outgoing call was answered is not guessed"
    assert states(actions) == ["dialling", "calling", "idle"]


@pytest.mark.parametrize(("before_s", "belongs"), [(0.5, True), (9.9, True), (10.1, False)])
def test_caller_sent_before_the_first_ring(before_s: float, belongs: bool) -> None:
    actions = play(line_calls(), [(1, CallerIdRead, WANG), (1 + before_s, RingStarted)])
    (begun,) = [action.call for action in actions if isinstance(action, BeginCall)]
    assert (begun.caller == WANG) is belongs


def test_a_verdict_that_comes_just_after_the_answer_still_counts() -> None:
    story = [(1, RingStarted), (2, RingStopped), (3, OffHook)]
    calls = line_calls()
    play(calls, story)
    calls.feed(CallerIdRead(3, at(2.9), WANG))
    assert calls.call and calls.call.caller == WANG


def test_a_burst_inside_the_call_does_not_rename_the_caller() -> None:
    other = CallerId("bell202", "mdmf", number="02155509999")
    calls = line_calls()
    play(calls, [*ANSWERED[:6], (10, CallerIdRead, other)])
    assert calls.call and calls.call.caller == WANG


def test_refused_caller_id_is_remembered_as_failed() -> None:
    story = [(1, RingStarted), (2, RingStopped), (3, CallerIdFailed, "bell202", "bad_checksum"), (4, OffHook)]
    (call,) = ended(play(line_calls(), [*story, (9, OnHook)]))
    assert call.caller is None and call.caller_failed


def test_busy_tone_does_not_end_a_call_while_the_loop_is_up() -> None:
    actions = play(line_calls(), [*ANSWERED[:6], (8, ToneHeard, "busy", "cn")], until_s=60)
    assert not ended(actions)


def test_hook_flash_and_reversal_do_not_end_a_call() -> None:
    assert not ended(play(line_calls(), [*ANSWERED[:6], (8, HookFlashed), (9, PolarityReversed)], until_s=30))


def test_line_in_use_at_start_is_a_call_of_unknown_direction() -> None:
    calls = LineCalls(3, RATE_HZ, lambda: "call-1")
    actions = play(calls, [(1, OffHook), (9, OnHook)])
    (call,) = ended(actions)
    assert (call.direction, call.outcome, call.started, call.ended) == ("unknown", "unknown", at(1), at(9))


def test_line_lost_in_a_call_ends_it_and_says_so() -> None:
    actions = play(line_calls(), [*ANSWERED[:6], (8, LineLost), (12, LineFound)])
    (call,) = ended(actions)
    assert (call.end_reason, call.outcome) == ("line_lost", "answered")
    assert states(actions)[-2:] == ["line_lost", "idle"]


def test_a_line_that_is_never_hung_up_ends_its_call_at_the_limit() -> None:
    calls = LineCalls(3, RATE_HZ, lambda: "call-1", CallRules(longest_call_s=30))
    calls.feed(OnHook(3, 0))
    actions = play(calls, ANSWERED[:6], until_s=60)
    (call,) = ended(actions)
    assert (call.end_reason, call.ended) == ("too_long", at(37))
    assert calls.state is LineState.LEFT_OFF
    assert states(play(calls, [(70, OnHook)])) == ["idle"]


@pytest.mark.parametrize(("after_s", "state"), [(1.4, "unknown"), (1.6, "idle")])
def test_a_line_nothing_is_heard_of_is_idle(after_s: float, state: str) -> None:
    calls = LineCalls(3, RATE_HZ, lambda: "call-1")
    calls.tick(at(after_s))
    assert calls.state == state


def test_call_says_when_the_hook_was_unknown_for_a_moment() -> None:
    calls = line_calls()
    play(calls, ANSWERED[:3])
    calls.hook_known = False
    play(calls, ANSWERED[3:5])
    calls.hook_known = True
    (call,) = ended(play(calls, ANSWERED[5:]))
    assert call.hook_known is False


EVERY_EVENT = [
    RingStarted(3, 1), RingStopped(3, 1), OffHook(3, 1), OnHook(3, 1), HookFlashed(3, 1),
    PolarityReversed(3, 1), LineLost(3, 1), LineFound(3, 1), CallerIdRead(3, 1, WANG),
    CallerIdFailed(3, 1, "dtmf", "not_plausible"),
    DigitKeyed(3, 1, "5", 2), ToneHeard(3, 1, "busy", "cn"), VoiceStarted(3, 1), VoiceStopped(3, 1),
    RecordAsked(3, 1, True), FaxHeard(3, 1, "cng"), CallWaitingHeard(3, 1, "tone"), HowlerHeard(3, 1, "cn"),
    MessageWaiting(3, 1, True, "fsk"), LoopOpened(3, 1, 2), LineHeld(3, 1), PhoneJoined(3, 1),
    SpeechHeard(3, 1),
]  # fmt: skip


def test_the_list_of_every_event_is_complete() -> None:
    kinds = {
        kind for kind in vars(line_events).values() if isinstance(kind, type) and issubclass(kind, LineEvent)
    }
    assert kinds - {LineEvent} == {type(event) for event in EVERY_EVENT}


@pytest.mark.parametrize("state", list(LineState))
@pytest.mark.parametrize("event", EVERY_EVENT, ids=lambda event: type(event).__name__)
def test_every_state_takes_every_event(state: LineState, event: LineEvent) -> None:
    calls = in_state(state)
    calls.feed(event)
    assert calls.state in LineState
    assert (calls.call is None) == (calls.state in AT_REST)


@pytest.mark.parametrize("state", list(LineState))
def test_messages_at_the_exchange_are_shown_whatever_the_line_does(state: LineState) -> None:
    calls = in_state(state)
    assert calls.feed(MessageWaiting(3, 1, True, "fsk", 4)) == [ShowMessages(3, True, 4)]
    assert calls.feed(MessageWaiting(3, 1, False, "fsk")) == [ShowMessages(3, False, None)]
    assert calls.state is state


@pytest.mark.parametrize("state", list(LineState))
def test_every_state_has_a_way_out(state: LineState) -> None:
    assert state in TIMEOUTS or any(known is state for known, _ in TABLE)
    calls = in_state(state)
    for event in (LineFound(3, at(1)), OnHook(3, at(2))):
        calls.feed(event)
    calls.tick(at(10))
    assert calls.state is LineState.IDLE


AT_REST = {
    LineState.UNKNOWN, LineState.IDLE, LineState.LINE_LOST, LineState.LEFT_OFF, LineState.RELEASED,
}  # fmt: skip
WAY_TO: dict[LineState, list[LineEvent]] = {
    LineState.UNKNOWN: [],
    LineState.IDLE: [OnHook(3, 0)],
    LineState.RINGING: [OnHook(3, 0), RingStarted(3, 0)],
    LineState.TALKING: [OnHook(3, 0), RingStarted(3, 0), OffHook(3, 0)],
    LineState.DIALLING: [OnHook(3, 0), OffHook(3, 0)],
    LineState.CALLING: [OnHook(3, 0), OffHook(3, -at(5))],
    LineState.HELD: [OnHook(3, 0), RingStarted(3, 0), LineHeld(3, 0)],
    LineState.RELEASED: [OnHook(3, 0), OffHook(3, 0), LoopOpened(3, 0, 1)],
    LineState.LEFT_OFF: [RingStarted(3, 0), OffHook(3, -at(13 * 3600))],
    LineState.LINE_LOST: [OnHook(3, 0), LineLost(3, 0)],
}


def in_state(state: LineState) -> LineCalls:
    calls = LineCalls(3, RATE_HZ, lambda: "call", CallRules(open_loop_ends=True))
    for event in WAY_TO[state]:
        calls.feed(event)
    calls.tick(0)
    assert calls.state is state
    return calls


@given(st.lists(st.tuples(st.integers(0, 200), st.sampled_from(EVERY_EVENT)), max_size=40))
def test_any_story_begins_and_ends_calls_in_pairs(steps: list[tuple[int, LineEvent]]) -> None:
    numbers = count(1)
    calls = LineCalls(3, RATE_HZ, lambda: f"call-{next(numbers)}")
    now, begun, over = 0, [], []
    for tenths, event in steps:
        now += at(tenths / 10)
        kind = type(event)
        extra = [getattr(event, name) for name in kind.__slots__]
        for action in calls.tick(now) + calls.feed(kind(3, now, *extra)):
            if isinstance(action, BeginCall):
                begun.append(action.call.id)
            if isinstance(action, EndCall):
                over.append(action.call.id)
                assert action.call.ended is not None and action.call.ended >= action.call.started
                assert action.call.outcome != "open" and action.call.end_reason
    assert begun[: len(over)] == over
    assert len(begun) - len(over) == (calls.call is not None)


OUTCOMES_KNOWN = ("answered", "missed", "voicemail", "busy", "no_answer", "unknown")


class AnyLine(RuleBasedStateMachine):
    """A line on which anything may happen, under any rules; whatever state it is in, it gets out again."""

    @initialize(ends=st.booleans(), believes=st.booleans(), longest_s=st.sampled_from([5.0, 12 * 3600.0]))
    def begin(self, ends: bool, believes: bool, longest_s: float) -> None:
        numbers = count(1)
        rules = CallRules(open_loop_ends=ends, reversal_is_answer=believes, longest_call_s=longest_s)
        self.calls = LineCalls(3, RATE_HZ, lambda: f"call-{next(numbers)}", rules)
        self.now, self.open, self.shown = 0, [], LineState.UNKNOWN

    @rule(tenths=st.integers(0, 200), event=st.sampled_from(EVERY_EVENT))
    def happens(self, tenths: int, event: LineEvent) -> None:
        self.now += at(tenths / 10)
        self.look(self.calls.tick(self.now))
        extra = [getattr(event, name) for name in type(event).__slots__]
        self.look(self.calls.feed(type(event)(3, self.now, *extra)))

    @rule(seconds=st.integers(0, 100))
    def time_passes(self, seconds: int) -> None:
        self.now += at(seconds)
        self.look(self.calls.tick(self.now))

    def look(self, actions: list) -> None:
        for action in actions:
            if isinstance(action, BeginCall):
                assert not self.open, "one call at a time"
                self.open.append(action.call.id)
            elif isinstance(action, EndCall):
                assert self.open == [action.call.id]
                assert action.call.outcome in (
                    "answered",
                    "missed",
                    "voicemail",
                    "busy",
                    "no_answer",
                    "unknown",
                )
                assert action.call.ended is not None and action.call.ended >= action.call.started
                self.open.clear()
            elif isinstance(action, ShowLine):
                self.shown = action.state
            elif isinstance(action, UpdateCall | MarkCall):
                assert [action.call.id] == self.open

    @invariant()
    def a_call_is_open_while_its_state_says_so(self) -> None:
        assert self.shown is self.calls.state
        assert (self.calls.call is None) == (self.calls.state in AT_REST) == (not self.open)

    def teardown(self) -> None:
        """The way out, the same from everywhere: the line is there, the phone is down, nobody rings."""
        if hasattr(self, "calls"):
            for event in (LineFound(3, self.now + 1), OnHook(3, self.now + 2)):
                self.look(self.calls.feed(event))
            self.look(self.calls.tick(self.now + at(30)))
            assert self.calls.state is LineState.IDLE and not self.open


AnyLine.TestCase.settings = settings(max_examples=60, stateful_step_count=30)
TestAnyLine = AnyLine.TestCase
