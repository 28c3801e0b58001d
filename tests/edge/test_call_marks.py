"""What happens inside a call: stories as rows, with the marks, outcome and second call they leave behind."""

from __future__ import annotations

import pytest

from edge.call import MARKS, MOST_MARKS, EndCall, LineState, MarkCall
from edge.callerid import CallerId
from edge.calls import Call, CallRules
from edge.line.events import (
    CallerIdFailed,
    CallerIdRead,
    CallWaitingHeard,
    DigitKeyed,
    FaxHeard,
    HookFlashed,
    HowlerHeard,
    LineHeld,
    LineLost,
    LoopOpened,
    OffHook,
    OnHook,
    PhoneJoined,
    PolarityReversed,
    RingStarted,
    RingStopped,
    SpeechHeard,
    ToneHeard,
)
from tests.edge.test_calls import WANG, at, ended, line_calls, play, states

ZHANG = CallerId("bell202", "mdmf", number="02155509999")
HIDDEN = CallerId("bell202", "mdmf", presentation="withheld")
RUNG = [(1, RingStarted), (2, RingStopped), (2.9, CallerIdRead, WANG), (4, OffHook)]
DIALLED = [(1, OffHook), (2, DigitKeyed, "1", at(2.1)), (2.4, DigitKeyed, "0", at(2.5))]


def told(story: list[tuple], rules: CallRules | None = None, until_s: float = 60) -> tuple[Call, list[tuple]]:
    """The one call of a story, and its marks as (second, kind, detail)."""
    calls = line_calls()
    calls.rules = rules or CallRules()
    actions = play(calls, story, until_s)
    call = next(action.call for action in actions if isinstance(action, EndCall))
    marks = [action for action in actions if isinstance(action, MarkCall)]
    assert all(one.kind in MARKS for one in marks)
    assert call.mark_count == len([one for one in marks if one.call.id == call.id])
    return call, [(one.position / 8000, one.kind, one.detail) for one in marks]


@pytest.mark.parametrize(
    ("story", "outcome", "answered_s"),
    [
        ([(8, ToneHeard, "busy", "cn"), (12, OnHook)], "busy", None),
        ([(8, ToneHeard, "congestion", "cn"), (12, OnHook)], "busy", None),
        ([(8, ToneHeard, "ringback", "cn"), (30, OnHook)], "no_answer", None),
        ([(8, ToneHeard, "ringback", "cn"), (15, SpeechHeard), (30, OnHook)], "unknown", None),
        ([(8, ToneHeard, "ringback", "cn"), (15, PolarityReversed), (30, OnHook)], "answered", 15),
        ([(3, PolarityReversed), (30, OnHook)], "answered", 3),
        ([(9, SpeechHeard), (20, ToneHeard, "busy", "cn"), (22, OnHook)], "unknown", None),
        ([(8, ToneHeard, "busy", "cn"), (9, LineLost)], "unknown", None),
        ([(3, ToneHeard, "dial", "cn"), (9, OnHook)], "unknown", None),
        ([(30, OnHook)], "unknown", None),
    ],
    ids=str,
)
def test_an_outgoing_call(story: list[tuple], outcome: str, answered_s: float | None) -> None:
    call, _ = told([*DIALLED, *story])
    assert call.outcome == outcome
    assert call.answered == (None if answered_s is None else at(answered_s))


def test_a_busy_tone_without_a_number_is_the_exchange_giving_up() -> None:
    assert told([(1, OffHook), (12, ToneHeard, "busy", "cn"), (15, OnHook)])[0].outcome == "unknown"


def test_a_line_whose_reversals_are_wiring() -> None:
    call, marks = told([*DIALLED, (9, PolarityReversed), (15, OnHook)], CallRules(reversal_is_answer=False))
    assert (call.outcome, call.answered) == ("unknown", None)
    assert (9, "reversal", "") in marks


def test_keys_after_an_answer_are_not_dialled_though_they_come_soon() -> None:
    call, _ = told([*DIALLED, (3, PolarityReversed), (4, DigitKeyed, "7", at(4.1)), (20, OnHook)])
    assert (call.dialled, call.keys) == ("10", "7")


def test_every_key_flash_tone_and_reversal_leaves_a_mark() -> None:
    story = [
        *RUNG, (5, DigitKeyed, "1", at(5.1)), (6, PolarityReversed), (7, HookFlashed), (25, FaxHeard, "cng"),
        (26, ToneHeard, "busy", "cn"), (27, HowlerHeard, "cn"), (28, OnHook),
    ]  # fmt: skip
    call, marks = told(story)
    assert marks == [
        (4, "answered", ""), (5, "key", "1"), (6, "reversal", ""), (7, "flash", ""), (25, "fax", "cng"),
        (26, "tone", "busy"), (27, "howler", ""),
    ]  # fmt: skip
    assert (call.is_fax, call.outcome, call.keys) == (True, "answered", "1")


@pytest.mark.parametrize(
    ("event", "detail", "second", "failed"),
    [
        ((10, CallerIdRead, ZHANG), "02155509999", ZHANG, False),
        ((10, CallerIdRead, HIDDEN), "withheld", HIDDEN, False),
        ((10, CallerIdFailed, "bell202", "bad_checksum"), "failed", None, True),
    ],
    ids=["number", "withheld", "failed"],
)
def test_somebody_waits(event: tuple, detail: str, second: CallerId | None, failed: bool) -> None:
    call, marks = told([*RUNG, (9.8, CallWaitingHeard, "alert"), event, (12, HookFlashed), (20, OnHook)])
    assert (call.caller, call.second_caller, call.second_failed) == (WANG, second, failed)
    assert marks[1:] == [(9.8, "waiting", "alert"), (10, "waiting", detail), (12, "flash", "")]


def test_a_second_call_is_dialled_after_a_flash() -> None:
    digits = [(9 + n * 0.3, DigitKeyed, digit, at(9.1 + n * 0.3)) for n, digit in enumerate("8001")]
    late = (40, DigitKeyed, "5", at(40.1))
    call, marks = told([*RUNG, (8, HookFlashed), *digits, late, (50, OnHook)])
    assert (call.second_dialled, call.keys) == ("8001", "5")
    assert [kind for _, kind, _ in marks].count("second_call") == 1


def test_keys_after_a_flash_to_one_who_waits_dial_nobody() -> None:
    story = [*RUNG, (8, CallerIdRead, ZHANG), (9, HookFlashed), (10, DigitKeyed, "1", at(10.1)), (20, OnHook)]
    call, _ = told(story)
    assert (call.second_dialled, call.keys) == ("", "1")


@pytest.mark.parametrize(
    ("story", "outcome", "seen"),
    [
        ([(4, LineHeld), (20, OnHook)], "voicemail", ["ringing", "held", "idle"]),
        ([(4, OffHook), (4.3, LineHeld), (20, OnHook)], "voicemail", ["ringing", "talking", "held", "idle"]),
        ([(4, LineHeld), (4.1, OffHook), (20, OnHook)], "voicemail", ["ringing", "held", "idle"]),
        (
            [(4, LineHeld), (9, PhoneJoined), (20, OnHook)],
            "answered",
            ["ringing", "held", "talking", "idle"],
        ),
        ([(4, OffHook), (9, LineHeld), (20, OnHook)], "answered", ["ringing", "talking", "idle"]),
        ([(4, OffHook), (20, OnHook)], "answered", ["ringing", "talking", "idle"]),
    ],
    ids=str,
)
def test_who_answered(story: list[tuple], outcome: str, seen: list[str]) -> None:
    actions = play(line_calls(), [(1, RingStarted), (2, RingStopped), *story], 30)
    (call,) = ended(actions)
    assert (call.outcome, call.answered) == (outcome, at(4))
    assert states(actions) == seen


@pytest.mark.parametrize(
    ("ends", "reason", "after"),
    [(True, "loop_opened", LineState.RELEASED), (False, "hung_up", LineState.IDLE)],
)
def test_an_open_loop_ends_the_call_or_is_noted(ends: bool, reason: str, after: LineState) -> None:
    calls = line_calls()
    calls.rules = CallRules(open_loop_ends=ends)
    actions = play(calls, [*RUNG, (9, LoopOpened, at(9.5)), *([] if ends else [(15, OnHook)])], 20)
    (call,) = ended(actions)
    assert (call.end_reason, call.outcome, calls.state) == (reason, "answered", after)
    assert [one.kind for one in actions if isinstance(one, MarkCall)] == ["answered", "loop_open"]
    assert call.ended == at(9 if ends else 15)


def test_a_line_let_go_is_used_again_without_being_hung_up() -> None:
    calls = line_calls()
    calls.rules = CallRules(open_loop_ends=True)
    again = [(12, DigitKeyed, "9", at(12.1)), (12.4, DigitKeyed, "5", at(12.5)), (30, OnHook)]
    first, second = ended(play(calls, [*RUNG, (9, LoopOpened, at(9.5)), *again]))
    assert (first.direction, second.direction, second.dialled, second.started) == ("in", "out", "95", at(12))
    calls.rules = CallRules(open_loop_ends=True)
    _, spoken = ended(play(calls, [*RUNG, (9, LoopOpened, at(9.5)), (11, SpeechHeard), (20, OnHook)]))
    assert (spoken.direction, spoken.started, spoken.ended) == ("unknown", at(11), at(20))


def test_withheld_unavailable_and_failed_are_three_things() -> None:
    def caller_of(*event: object) -> tuple[str | None, bool]:
        call, _ = told([(1, RingStarted), (2, RingStopped), (2.9, *event), (4, OffHook), (9, OnHook)])
        return call.caller.presentation if call.caller else None, call.caller_failed

    unavailable = CallerId("bell202", "mdmf", presentation="unavailable")
    assert caller_of(CallerIdRead, HIDDEN) == ("withheld", False)
    assert caller_of(CallerIdRead, unavailable) == ("unavailable", False)
    assert caller_of(CallerIdFailed, "bell202", "bad_checksum") == (None, True)


def test_a_line_that_chatters_fills_no_disk() -> None:
    flashes = [(5 + n * 0.01, HookFlashed) for n in range(MOST_MARKS + 50)]
    call, marks = told([*RUNG, *flashes, (60, OnHook)], until_s=70)
    assert (len(marks), call.mark_count) == (MOST_MARKS, MOST_MARKS)
