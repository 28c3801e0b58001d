"""What of a ringing line is kept, and when that is decided: stories of actions in, one span or none out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge.callerid import CallerId
from edge.calls import Action, BeginCall, Call, EndCall, KeepOnHook, UpdateCall
from edge.keeping import KeepRules
from edge.numbers import read_patterns
from edge.on_hook import OnHookKeeping

RATE_HZ = 1000
RINGS = Call("call-a", 1, "in", 20_000, ring_count=1)
BANK = CallerId("bell202", "mdmf", number="95555")
WANG = CallerId("bell202", "mdmf", number="13800138000")
RULES = KeepRules(never=read_patterns(["95555"]))

Story = list[tuple[float, Action | None]]  # second, what was done


def told(story: Story, rules: KeepRules = RULES) -> list[tuple[float, tuple[int, int]]]:
    """(second of the decision, span) of everything kept."""
    keeping = OnHookKeeping(RATE_HZ)
    found = []
    for second, action in story:
        for kept in keeping.follow([action] if action else [], round(second * RATE_HZ), rules):
            assert isinstance(kept, KeepOnHook)
            found.append((second, (kept.start, kept.end)))
    return found


ANSWERED = replace(RINGS, answered=25_000)
LATE = replace(RINGS, answered=40_000)
MISSED = replace(RINGS, ended=21_000, outcome="missed")
FAILED = replace(RINGS, caller_failed=True)

STORIES: dict[str, tuple[Story, list[tuple[float, tuple[int, int]]]]] = {
    "answered after one ring": (
        [(20, BeginCall(RINGS)), (25, UpdateCall(ANSWERED)), (25.9, None), (26, None), (27, None)],
        [(26, (10_000, 25_000))],
    ),
    "answered after five": (
        [(20, BeginCall(RINGS)), (40, UpdateCall(LATE)), (41, None)],
        [(41, (10_000, 27_000))],
    ),
    "missed": ([(20, BeginCall(RINGS)), (27, EndCall(MISSED))], [(27, (10_000, 27_000))]),
    "a caller ID that failed": (
        [
            (20, BeginCall(RINGS)),
            (22, UpdateCall(FAILED)),
            (27, EndCall(replace(MISSED, caller_failed=True))),
        ],
        [(27, (10_000, 27_000))],
    ),
    "hung up at once": (
        [
            (20, BeginCall(RINGS)),
            (25, UpdateCall(ANSWERED)),
            (25.5, EndCall(replace(ANSWERED, ended=25_500))),
        ],
        [(25.5, (10_000, 25_000))],
    ),
    "it rings and rings": (
        [(20, BeginCall(RINGS)), (49.9, None), (50, None), (80, EndCall(MISSED))],
        [(50, (10_000, 27_000))],
    ),
    "a call out": ([(20, BeginCall(replace(RINGS, direction="out"))), (60, None)], []),
    "nobody knows how it began": ([(20, BeginCall(replace(RINGS, direction="unknown"))), (60, None)], []),
    "a number never recorded": (
        [
            (20, BeginCall(RINGS)),
            (22, UpdateCall(replace(RINGS, caller=BANK))),
            (25, UpdateCall(replace(ANSWERED, caller=BANK))),
            (26, None),
        ],
        [],
    ),
    "a number never recorded, known only after the answer": (
        [
            (20, BeginCall(RINGS)),
            (25, UpdateCall(ANSWERED)),
            (25.9, UpdateCall(replace(ANSWERED, caller=BANK))),
            (27, None),
        ],
        [],
    ),
    "another number": (
        [(20, BeginCall(RINGS)), (22, UpdateCall(replace(RINGS, caller=WANG))), (27, EndCall(MISSED))],
        [(27, (10_000, 27_000))],
    ),
    "two calls": (
        [
            (20, BeginCall(RINGS)),
            (27, EndCall(MISSED)),
            (60, BeginCall(replace(RINGS, id="call-b", started=60_000))),
            (67, EndCall(replace(MISSED, id="call-b", started=60_000, ended=61_000))),
        ],
        [(27, (10_000, 27_000)), (67, (50_000, 67_000))],
    ),
}


@pytest.mark.parametrize("name", STORIES)
def test_story(name: str) -> None:
    story, expected = STORIES[name]
    assert told(story) == expected


@pytest.mark.parametrize("name", STORIES)
def test_a_line_that_is_not_recorded_keeps_nothing(name: str) -> None:
    assert told(STORIES[name][0], KeepRules(record=False)) == []
