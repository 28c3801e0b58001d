"""What of a call is kept: triggers, the button, schedule, numbers never recorded, splits; stories as rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import count
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.callerid import CallerId
from edge.calls import Action, CallRules, EndCall, LineCalls, StartRecording, StopRecording
from edge.keeping import KeepRules, LineKeeping
from edge.line.events import (
    CallerIdRead,
    DigitKeyed,
    HookFlashed,
    LineEvent,
    LoopOpened,
    OffHook,
    OnHook,
    RecordAsked,
    RingStarted,
    RingStopped,
    SpeechHeard,
    VoiceStarted,
    VoiceStopped,
)
from edge.numbers import read_patterns
from edge.schedule import read_schedule
from edge.triggers import TRIGGERS

RATE_HZ = 1000
NINE = datetime(2026, 3, 2, 9, 0, tzinfo=ZoneInfo("Asia/Shanghai"))  # a Monday
WANG = CallerId("bell202", "mdmf", number="02155501234")
BANK = CallerId("bell202", "mdmf", number="95555")

ANSWERED = [(1, RingStarted), (2, RingStopped), (2.5, CallerIdRead, WANG), (4, OffHook), (30, OnHook)]
SPOKEN = [
    (1, RingStarted), (2, RingStopped), (4, OffHook), (6, VoiceStarted), (8, VoiceStopped),
    (9, VoiceStarted), (10, VoiceStopped), (25, VoiceStarted), (26, VoiceStopped), (40, OnHook),
]  # fmt: skip


def kept(
    story: list[tuple], rules: KeepRules, until_s: float = 60, call_rules: CallRules | None = None
) -> list[tuple[float, float, bool]]:
    """(from, until, with pre-roll) of every recording, in seconds."""
    numbers = count(1)
    calls = LineCalls(1, RATE_HZ, lambda: f"call-{next(numbers)}", call_rules or CallRules())
    calls.feed(OnHook(1, 0))
    keeping = LineKeeping(RATE_HZ, rules, lambda position: NINE + timedelta(seconds=position / RATE_HZ))
    found: list[tuple[float, float, bool]] = []
    running: StartRecording | None = None
    for actions in _steps(story, calls, keeping, until_s):
        for action in actions:
            if isinstance(action, StartRecording):
                assert running is None, "one recording at a time"
                running = action
            ends = action.position if isinstance(action, StopRecording) else None
            ends = action.call.ended if isinstance(action, EndCall) else ends
            if ends is not None and running is not None:
                found.append((running.position / RATE_HZ, ends / RATE_HZ, running.pre_roll_s > 0))
                running = None
    assert running is None, "every recording ends"
    return found


def _steps(story: list[tuple], calls: LineCalls, keeping: LineKeeping, until_s: float):
    now = 0
    for seconds, kind, *extra in [*story, (until_s, None)]:
        while now < round(seconds * RATE_HZ):
            yield _with_last_word(keeping, calls.tick(now))
            yield keeping.tick(now, calls.call, calls.state)
            now += RATE_HZ // 10
        if kind is not None:
            event: LineEvent = kind(1, round(seconds * RATE_HZ), *extra)
            yield _with_last_word(keeping, calls.feed(event))
            yield keeping.feed(event, calls.call, calls.state)


def _with_last_word(keeping: LineKeeping, actions: list[Action]) -> list[Action]:
    ends = [action.call for action in actions if isinstance(action, EndCall)]
    return [one for call in ends for one in keeping.finish(call)] + actions


@pytest.mark.parametrize(
    ("rules", "story", "expected"),
    [
        (KeepRules(), ANSWERED, [(4, 30, True)]),
        (KeepRules(), [(1, RingStarted), (2, RingStopped)], []),
        (KeepRules(record=False), ANSWERED, []),
        (KeepRules(trigger="always"), ANSWERED, [(1, 30, True)]),
        (KeepRules(trigger="always"), [(1, RingStarted), (2, RingStopped)], [(1, 2, True)]),
        (KeepRules(trigger="voice", hold_s=3), SPOKEN, [(6, 13, True), (25, 29, True)]),
        (KeepRules(trigger="voice", hold_s=20), SPOKEN, [(6, 40, True)]),
        (KeepRules(trigger="voice", hold_s=3), ANSWERED, []),
        (KeepRules(trigger="manual"), ANSWERED, []),
        (KeepRules(trigger="manual"), [*ANSWERED[:4], (9, RecordAsked, True), (30, OnHook)], [(9, 30, True)]),
        (
            KeepRules(trigger="manual"),
            [*ANSWERED[:4], (9, RecordAsked, True), (12, RecordAsked, False), (30, OnHook)],
            [(9, 12, True)],
        ),
        (KeepRules(longest_part_s=10), ANSWERED, [(4, 14, True), (14, 24, False), (24, 30, False)]),
        (KeepRules(longest_part_s=13), ANSWERED, [(4, 17, True), (17, 30, False)]),
    ],
    ids=str,
)
def test_what_is_kept(rules: KeepRules, story: list[tuple], expected: list[tuple]) -> None:
    assert kept(story, rules) == expected


def test_voice_outside_a_call_is_not_recorded() -> None:
    assert kept([(1, VoiceStarted), (5, VoiceStopped)], KeepRules(trigger="voice", hold_s=1)) == []


@pytest.mark.parametrize(("window", "on"), [("mon 08:00-10:00", True), ("mon 10:00-12:00", False)])
def test_schedule_decides_where_the_recording_would_begin(window: str, on: bool) -> None:
    assert bool(kept(ANSWERED, KeepRules(schedule=read_schedule(window)))) is on


def test_the_button_works_outside_the_schedule() -> None:
    rules = KeepRules(schedule=read_schedule("mon 10:00-12:00"))
    assert kept([*ANSWERED[:4], (9, RecordAsked, True), (30, OnHook)], rules)[0][1] == 30


# -- numbers never recorded

NEVER = KeepRules(never=read_patterns(["95555", "163"]))


def dialled(digits: str) -> list[tuple]:
    keys = [(2 + n * 0.4, DigitKeyed, digit, 0) for n, digit in enumerate(digits)]
    return [(1, OffHook), *keys, (30, OnHook)]


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        (dialled("95555"), []),
        (dialled("163"), []),
        (dialled("95556"), [(1, 30, True)]),
        (dialled("02155501234"), [(1, 30, True)]),
        (dialled(""), [(1, 30, True)]),
        (dialled("955"), [(1, 30, True)]),
        ([(1, RingStarted), (2, RingStopped), (2.5, CallerIdRead, BANK), (4, OffHook), (30, OnHook)], []),
        (ANSWERED, [(4, 30, True)]),
        ([(1, RingStarted), (2, RingStopped), (4, OffHook), (30, OnHook)], [(4, 30, True)]),
        # the verdict on the caller comes just after a quick answer
        ([(1, RingStarted), (2, RingStopped), (2.2, OffHook), (2.1, CallerIdRead, BANK), (30, OnHook)], []),
    ],
    ids=str,
)
def test_numbers_never_recorded(story: list[tuple], expected: list[tuple]) -> None:
    assert kept(story, NEVER) == expected


def test_nothing_is_begun_while_digits_may_still_make_it_a_number_on_the_list() -> None:
    begun: list[int] = []
    calls = LineCalls(1, RATE_HZ, lambda: "call")
    calls.feed(OnHook(1, 0))
    keeping = LineKeeping(RATE_HZ, NEVER, lambda position: NINE)
    for digits, event in enumerate(
        [OffHook(1, 1000), *(DigitKeyed(1, 2000 + n * 400, d, 0) for n, d in enumerate("9558"))]
    ):
        calls.feed(event)
        if any(isinstance(one, StartRecording) for one in keeping.feed(event, calls.call, calls.state)):
            begun.append(digits)
    assert begun == [4], "not before the 8 makes 95555 impossible"


def test_a_caller_who_turns_out_to_be_on_the_list_is_kept_no_longer() -> None:
    """Parts are split too; what was read first had been allowed."""
    calls = LineCalls(1, RATE_HZ, lambda: "call")
    calls.feed(OnHook(1, 0))
    rules = KeepRules(trigger="always", longest_part_s=2.0, never=NEVER.never)
    keeping = LineKeeping(RATE_HZ, rules, lambda position: NINE)
    told: list[Action] = []
    for event in (RingStarted(1, 1000), CallerIdRead(1, 1500, WANG), CallerIdRead(1, 1800, BANK)):
        calls.feed(event)
        told += keeping.feed(event, calls.call, calls.state)
    for position in range(2000, 12_000, 500):
        told += keeping.tick(position, calls.call, calls.state)
    assert [type(action) for action in told] == [StartRecording, StopRecording]
    assert [told[1].position] == [1800]  # type: ignore[union-attr]


EVENTS: list[Callable[[int], LineEvent]] = [
    lambda at: RingStarted(1, at), lambda at: RingStopped(1, at), lambda at: OffHook(1, at),
    lambda at: OnHook(1, at), lambda at: VoiceStarted(1, at), lambda at: VoiceStopped(1, at),
    lambda at: RecordAsked(1, at, True), lambda at: RecordAsked(1, at, False),
    lambda at: CallerIdRead(1, at, BANK), lambda at: CallerIdRead(1, at, WANG),
    lambda at: DigitKeyed(1, at, "9", at), lambda at: DigitKeyed(1, at, "5", at),
    lambda at: HookFlashed(1, at), lambda at: LoopOpened(1, at, at),
]  # fmt: skip


@given(
    st.sampled_from(sorted(TRIGGERS)),
    st.sampled_from([0.0, 2.0]),
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from(EVENTS)), max_size=40),
)
def test_any_story_starts_and_ends_in_pairs_inside_its_call(
    trigger: str, longest_s: float, steps: list
) -> None:
    rules = KeepRules(trigger=trigger, hold_s=1, longest_part_s=longest_s, never=NEVER.never)
    numbers = count(1)
    calls = LineCalls(1, RATE_HZ, lambda: f"call-{next(numbers)}")
    keeping = LineKeeping(RATE_HZ, rules, lambda position: NINE)
    now, running = 0, None
    for tenths, make in steps:
        now += tenths * 100
        for actions in _one(make(now), now, calls, keeping):
            for action in actions:
                if isinstance(action, StartRecording):
                    assert running is None
                    assert calls.call is None or action.call.id == calls.call.id
                    number = action.call.caller.number if action.call.caller else action.call.dialled
                    assert number not in ("95555", "163")
                    running = action
                elif isinstance(action, StopRecording):
                    assert running is not None and action.call.id == running.call.id
                    assert action.position >= running.position
                    running = None
                elif isinstance(action, EndCall):
                    running = None


def _one(event: LineEvent, now: int, calls: LineCalls, keeping: LineKeeping) -> Iterator[list[Action]]:
    """What time and then the event bring, each asked for only when the one before was looked at."""
    yield _with_last_word(keeping, calls.tick(now))
    yield keeping.tick(now, calls.call, calls.state)
    yield _with_last_word(keeping, calls.feed(event))
    yield keeping.feed(event, calls.call, calls.state)


# -- a second call inside the call, and the last word


ZHANG = CallerId("bell202", "mdmf", number="02155509999")
ALLOWED = ANSWERED[:4]


def flash_dialled(digits: str, at_s: float = 11) -> list[tuple]:
    return [(at_s + n * 0.4, DigitKeyed, digit, 0) for n, digit in enumerate(digits)]


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        # nobody else: the recording goes on, without a lost sample
        ([*ALLOWED, (10, HookFlashed), (30, OnHook)], [(4, 10, True), (10, 30, False)]),
        # a number on the list waits, and is taken: nothing more is kept
        ([*ALLOWED, (8, CallerIdRead, BANK), (10, HookFlashed), (30, OnHook)], [(4, 10, True)]),
        # it waits and is not taken
        ([*ALLOWED, (8, CallerIdRead, BANK), (30, OnHook)], [(4, 30, True)]),
        # an allowed one waits, and is taken
        (
            [*ALLOWED, (8, CallerIdRead, ZHANG), (10, HookFlashed), (30, OnHook)],
            [(4, 10, True), (10, 30, False)],
        ),
        # a number on the list is called after the flash
        ([*ALLOWED, (10, HookFlashed), *flash_dialled("95555"), (30, OnHook)], [(4, 10, True)]),
        # an allowed one is
        (
            [*ALLOWED, (10, HookFlashed), *flash_dialled("8001"), (30, OnHook)],
            [(4, 10, True), (10, 30, False)],
        ),
        # it is over before that is certain
        ([*ALLOWED, (10, HookFlashed), (12, OnHook)], [(4, 10, True), (10, 12, False)]),
        ([*ALLOWED, (10, HookFlashed), *flash_dialled("95555"), (13, OnHook)], [(4, 10, True)]),
    ],
    ids=str,
)
def test_a_second_call_that_may_be_of_a_number_on_the_list(story: list[tuple], expected: list[tuple]) -> None:
    assert kept(story, NEVER) == expected


def test_a_flash_splits_nothing_where_there_is_no_list() -> None:
    assert kept([*ALLOWED, (10, HookFlashed), (30, OnHook)], KeepRules()) == [(4, 30, True)]


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        ([*dialled("955")[:-1], (3.5, OnHook)], [(1, 3.5, True)]),  # hung up while it might become 95555
        ([*dialled("95555")[:-1], (4, OnHook)], []),
        ([(1, RingStarted), (2, RingStopped), (4, OffHook), (4.8, OnHook)], []),  # too short to know who
        ([(1, RingStarted), (2, RingStopped), (4, OffHook), (5.2, OnHook)], [(4, 5.2, True)]),
    ],
    ids=str,
)
def test_the_last_word_on_a_short_call(story: list[tuple], expected: list[tuple]) -> None:
    assert kept(story, NEVER) == expected


def test_a_missed_call_from_the_list_is_not_kept_even_where_ringing_is() -> None:
    rules = KeepRules(trigger="always", never=NEVER.never)
    assert kept([(1, RingStarted), (2, RingStopped), (2.5, CallerIdRead, BANK)], rules) == []
    assert kept([(1, RingStarted), (2, RingStopped), (2.5, CallerIdRead, WANG)], rules) == [(1, 2, True)]


@pytest.mark.parametrize("trigger", ["voltage", "always"])
def test_after_an_open_loop_a_sign_of_life_begins_a_new_recording(trigger: str) -> None:
    story = [*ALLOWED, (9, LoopOpened, 9500), (12, SpeechHeard), (20, OnHook)]
    rules = KeepRules(trigger=trigger)
    ends = kept(story, rules, call_rules=CallRules(open_loop_ends=True))
    assert [(start, end) for start, end, _ in ends][1:] == [(12, 20)] and ends[0][1] == 9


def test_other_rules_hold_from_the_next_call_on() -> None:
    keeping = LineKeeping(RATE_HZ, KeepRules(), lambda position: NINE)
    keeping.change(KeepRules(trigger="manual"))
    calls = LineCalls(1, RATE_HZ, lambda: "call")
    calls.feed(OnHook(1, 0))
    calls.feed(OffHook(1, 1000))
    assert keeping.feed(OffHook(1, 1000), calls.call, calls.state) == []
    (begun,) = keeping.feed(RecordAsked(1, 2000, True), calls.call, calls.state)
    assert isinstance(begun, StartRecording)
