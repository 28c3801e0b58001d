"""Alarms of a line: each just before and just after its time, and what ends it."""

from __future__ import annotations

import pytest

from edge.alarms import NO_RING, OFF_HOOK, SILENT, AlarmRules, LineAlarms, LineMemory
from edge.calls import LineState
from edge.line.events import LineEvent, OffHook, OnHook, RingStarted, VoiceStarted, VoiceStopped

RATE_HZ = 1000
RULES = AlarmRules(off_hook_s=60, silent_s=10, no_ring_s=1000)
TALK, REST = LineState.TALKING, LineState.IDLE


def at(seconds: float) -> int:
    return round(seconds * RATE_HZ)


@pytest.mark.parametrize(
    ("story", "state", "now_s", "holds"),
    [
        ([OffHook(1, at(100))], TALK, 109.9, set()),
        ([OffHook(1, at(100))], TALK, 110, {SILENT}),
        ([OffHook(1, at(100))], TALK, 160, {SILENT, OFF_HOOK}),
        ([OffHook(1, at(100))], REST, 160, set()),
        ([OffHook(1, at(100))], LineState.LEFT_OFF, 160, {SILENT, OFF_HOOK}),
        ([OffHook(1, at(100)), VoiceStarted(1, at(105))], TALK, 150, set()),
        ([OffHook(1, at(100)), VoiceStarted(1, at(105)), VoiceStopped(1, at(120))], TALK, 129.9, set()),
        ([OffHook(1, at(100)), VoiceStarted(1, at(105)), VoiceStopped(1, at(120))], TALK, 130, {SILENT}),
        ([], REST, 999.9, set()),
        ([], REST, 1000, {NO_RING}),
        ([RingStarted(1, at(500))], REST, 1499.9, set()),
        ([RingStarted(1, at(500))], REST, 1500, {NO_RING}),
    ],
)
def test_which_alarms_hold(story: list[LineEvent], state: LineState, now_s: float, holds: set[str]) -> None:
    alarms = LineAlarms(RATE_HZ, RULES)
    for event in story:
        alarms.feed(event)
    assert alarms.conditions(state, at(now_s)) == holds


@pytest.mark.parametrize(
    ("memory", "story", "state", "now_s", "holds"),
    [
        # six days of seven were over before the start
        (LineMemory(ring_since=at(-900)), [], REST, 99.9, set()),
        (LineMemory(ring_since=at(-900)), [], REST, 100, {NO_RING}),
        (LineMemory(ring_since=at(-900)), [RingStarted(1, at(5))], REST, 100, set()),
        # the phone was off hook before the start, and still is
        (LineMemory(in_use_since=at(-58)), [OffHook(1, at(1))], TALK, 1.9, set()),
        (LineMemory(in_use_since=at(-58)), [OffHook(1, at(1))], TALK, 2, {OFF_HOOK}),
        (
            LineMemory(in_use_since=at(-58), alarms=frozenset({SILENT})),
            [OffHook(1, at(1))],
            TALK,
            1,
            {SILENT},
        ),
        # it was put down meanwhile
        (LineMemory(in_use_since=at(-58)), [OnHook(1, 0), OffHook(1, at(1))], TALK, 2, set()),
        # until the line has been seen, what held holds
        (LineMemory(alarms=frozenset({OFF_HOOK})), [], LineState.UNKNOWN, 1, {OFF_HOOK}),
        (LineMemory(alarms=frozenset({OFF_HOOK})), [], REST, 2, set()),
    ],
)
def test_a_restart_begins_no_alarm_anew(
    memory: LineMemory, story: list[LineEvent], state: LineState, now_s: float, holds: set[str]
) -> None:
    alarms = LineAlarms(RATE_HZ, RULES, memory)
    for event in story:
        alarms.feed(event)
    assert alarms.conditions(state, at(now_s)) == holds


def test_zero_switches_an_alarm_off() -> None:
    alarms = LineAlarms(RATE_HZ, AlarmRules(0, 0, 0))
    alarms.feed(OffHook(1, 0))
    assert alarms.conditions(TALK, at(10**6)) == set()
