"""Voice as line events: starts at the first loud tenth, stops where the last one ended; speech, said once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.dsp.activity import Slots
from edge.line.events import DigitKeyed, LineEvent, SpeechHeard, VoiceStarted, VoiceStopped
from edge.line.voice import VoiceWatcher

SLOT = 800
Told = list[tuple[str, int]]


def slots(*lines: str, first: int = 0) -> Slots:
    """A mark for every slot of a line: '#' a voice, '~' a tone, '.' nothing."""
    marks = np.array([list(line) for line in lines]).T
    return Slots(first * SLOT, SLOT, marks != ".", np.zeros(marks.shape, np.bool_), marks == "~")


def watched(*pieces: Slots, heard: Sequence[LineEvent] = (), lines: int = 1) -> list[LineEvent]:
    watcher = VoiceWatcher(lines, 8000)
    return watcher.take([], heard) + [one for some in pieces for one in watcher.take([some], [])]


def told(found: list[LineEvent], line: int = 1, speech: bool = True) -> Told:
    return [
        (type(one).__name__.removeprefix("Voice"), one.position // SLOT)
        for one in found
        if one.line == line and (speech or not isinstance(one, SpeechHeard))
    ]


LOUD: list[tuple[str, Told]] = [
    ("......", []),
    ("..##......", [("Started", 2), ("Stopped", 4)]),
    ("#....#.......", [("Started", 0), ("Stopped", 6)]),
    ("#.....#......", [("Started", 0), ("Stopped", 1), ("Started", 6), ("Stopped", 7)]),
    ("####", [("Started", 0)]),
    ("~~~~......", [("Started", 0), ("Stopped", 4)]),
]


@pytest.mark.parametrize(("loud", "expected"), LOUD)
def test_loud_tenths_become_starts_and_stops(loud: str, expected: Told) -> None:
    found = watched(slots(loud))
    assert told(found, speech=False) == expected
    assert all(isinstance(one, VoiceStarted | VoiceStopped | SpeechHeard) for one in found)


SPEECH: list[tuple[str, list[int]]] = [
    ("##...", [0]),
    ("##..", []),  # a key may still be told
    ("#.#.#.....", []),
    (".##......", [1]),
    ("~~~~~~~~~~", []),
    ("~#~#~~~~~~", []),
    ("~~##~~~~~~", [2]),
    ("##########", [0]),
    ("##...##...", [0]),  # a pause between words: the same stretch
    ("##.....##...", [0, 7]),
    ("##......##...", [0, 8]),
]


@pytest.mark.parametrize(("loud", "expected"), SPEECH)
def test_speech_is_said_once_in_a_stretch(loud: str, expected: list[int]) -> None:
    assert [at for name, at in told(watched(slots(loud))) if name == "SpeechHeard"] == expected


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0.1, 0.9, [2]),
        (0.1, 1.4, [2]),
        (0.1, 1.6, [3]),
        (1.6, 2.4, [3]),
        (-1.0, -0.6, [0]),
        (-1.0, -0.4, [1]),  # half a slot more counts as the key's
        (0.0, 8.0, []),
    ],
)
def test_where_a_key_sounds_is_no_speech(start: float, end: float, expected: list[int]) -> None:
    key = DigitKeyed(1, round((10 + start) * SLOT), "5", round((10 + end) * SLOT))
    found = watched(slots("#" * 9, first=10), heard=[key])
    assert [at - 10 for name, at in told(found) if name == "SpeechHeard"] == expected


@pytest.mark.parametrize(
    ("before", "first", "after", "expected"),
    [
        ("###", 5, "#####", [("Started", 0), ("SpeechHeard", 5)]),
        ("##.##", 7, "#####", [("Started", 0), ("SpeechHeard", 0)]),
        ("##.##", 10, "#####", [("Started", 0), ("SpeechHeard", 0), ("SpeechHeard", 10)]),
        ("##.", 30, "..#", [("Started", 0), ("Stopped", 2), ("Started", 32)]),
    ],
)
def test_lost_samples_count_as_silence_and_are_no_speech(
    before: str, first: int, after: str, expected: Told
) -> None:
    assert told(watched(slots(before), slots(after, first=first))) == expected


lines_of_marks = st.integers(1, 40).flatmap(
    lambda length: st.lists(st.text("#~.", min_size=length, max_size=length), min_size=1, max_size=4)
)


@given(lines_of_marks, st.integers(1, 5))
def test_each_line_is_followed_as_if_it_were_alone(lines: list[str], cut: int) -> None:
    pieces = [
        slots(*(line[at : at + cut] for line in lines), first=at) for at in range(0, len(lines[0]), cut)
    ]
    together = watched(*pieces, lines=len(lines))
    for number, line in enumerate(lines, 1):
        assert told(together, number) == told(watched(slots(line)))


@given(st.text("#~.", min_size=1, max_size=30), st.text("#~.", min_size=1, max_size=30))
def test_a_watcher_that_takes_over_goes_on_where_the_other_was(before: str, after: str) -> None:
    first, second = VoiceWatcher(3, 8000), VoiceWatcher(2, 8000)
    blank = "." * len(before)
    found = first.take([slots(blank, blank, before)], [])
    second.take([slots(before, blank)], [])
    second.take_over(2, first, 3)
    found += second.take([slots("." * len(after), after, first=len(before))], [])
    expected = watched(slots(before + after))
    assert [(type(one), one.position) for one in found if one.line > 1] == [
        (type(one), one.position) for one in expected
    ]
