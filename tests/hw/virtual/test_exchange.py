"""The exchange: its story is what was scripted, its audio and readings say the same, however they are cut."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hw.virtual.exchange import Exchange
from hw.virtual.script import Script, read_script
from hw.virtual.stage import ScriptedCall
from tests.hw.virtual.conftest import murmur
from tests.hw.virtual.lines import ANSWERED, exchange_of, frames, level

DEMO = Path(__file__).parents[3] / "hw" / "virtual" / "scripts" / "demo.toml"


# What is scripted -> what the story must say of the one call, times in seconds.
STORIES: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "answered": (
        ANSWERED,
        {
            "direction": "in",
            "outcome": "answered",
            "begin": 1.0,
            "answered": 8.0,
            "far_gone": 12.2,
            "end": 14.6,
            "rings": 2,
            "keys": (("far", "12"),),
        },
    ),
    "missed": (
        ('do = "wait", s = 2', 'do = "ring", bursts = 3', 'do = "wait", s = 5'),
        {"direction": "in", "outcome": "missed", "begin": 2.0, "answered": None, "end": 13.0, "rings": 3},
    ),
    "missed at the very end": (
        ('do = "ring", bursts = 1',),
        {"outcome": "missed", "begin": 0.0, "end": 1.0, "rings": 1},
    ),
    "our own cadence": (
        ('do = "ring", bursts = 2, on_s = 0.4, off_s = 0.2',),
        {"outcome": "missed", "begin": 0.0, "end": 1.0, "rings": 2},
    ),
    "dialled and answered": (
        (
            'do = "dial", digits = "114", dial_tone_s = 1, ringbacks = 0',
            'do = "say", who = "far", s = 2',
            'do = "hang_up", who = "staff"',
        ),
        {
            "direction": "out",
            "outcome": "answered",
            "begin": 0.0,
            "answered": 2.34,
            "end": 4.64,
            "dialled": "114",
            "far_gone": None,
            "rings": 0,
        },
    ),
    "busy": (
        (
            'do = "dial", digits = "114", dial_tone_s = 1, then = "busy"',
            'do = "wait", s = 3',
            'do = "hang_up", who = "staff"',
        ),
        {"direction": "out", "outcome": "busy", "answered": None, "end": 5.34, "dialled": "114"},
    ),
    "nobody answers": (
        (
            'do = "dial", digits = "114", dial_tone_s = 1, ringbacks = 2, then = "no_answer"',
            'do = "hang_up", who = "staff"',
        ),
        {"direction": "out", "outcome": "no_answer", "answered": None, "end": 12.34},
    ),
    "flash": (
        (
            'do = "dial", digits = "1", dial_tone_s = 1, ringbacks = 0',
            'do = "flash", ms = 200',
            'do = "hang_up", who = "staff"',
        ),
        {"outcome": "answered", "flashes": 1, "end": 2.18},
    ),
    "open loop": (
        (
            'do = "dial", digits = "1", dial_tone_s = 1, ringbacks = 0, reverses = true',
            'do = "open_loop", ms = 500',
            'do = "hang_up", who = "staff"',
        ),
        {"outcome": "answered", "open_loops": 1, "reversals": 2, "end": 2.48},
    ),
    "call waiting": (
        (
            'do = "dial", digits = "1", dial_tone_s = 1, ringbacks = 0',
            'do = "call_waiting", caller = "wang"',
            'do = "hang_up", who = "staff"',
        ),
        {"outcome": "answered", "keys": ()},
    ),
    "fax": (
        (
            'do = "dial", digits = "1", dial_tone_s = 1, ringbacks = 0',
            'do = "fax", tone = "ced", s = 3',
            'do = "hang_up", who = "staff"',
        ),
        {"is_fax": True, "end": 5.28},
    ),
    "the line breaks in mid call": (
        ('do = "dial", digits = "1", dial_tone_s = 1, ringbacks = 0', 'do = "dead", s = 3'),
        {"outcome": "answered", "end": 1.98},
    ),
}


@pytest.mark.parametrize("name", STORIES)
def test_story_is_what_was_scripted(name: str) -> None:
    steps, wanted = STORIES[name]
    exchange = exchange_of(*steps)
    exchange.audio(0, frames(20))
    (call,) = exchange.story()
    for field, value in wanted.items():
        found = getattr(call, field)
        if isinstance(value, float):
            assert found == pytest.approx(frames(value), abs=2), field
        else:
            assert found == value, field


def test_caller_id_ends_before_anything_else_begins() -> None:
    exchange = exchange_of(
        'do = "ring", bursts = 1, caller = "wang"',
        'do = "dial", digits = "1"',
        'do = "hang_up", who = "staff"',
    )
    exchange.audio(0, frames(20))
    missed, dialled = exchange.story()
    assert missed.caller_id_end == dialled.begin > missed.end


def test_story_tells_only_what_is_over() -> None:
    exchange = exchange_of(*ANSWERED)
    exchange.audio(0, frames(14))
    assert exchange.story() == []
    exchange.audio(frames(14), frames(1))
    assert len(exchange.story()) == 1
    assert exchange.story(until=frames(14)) == []


def test_ring_again_is_a_second_call() -> None:
    exchange = exchange_of('do = "ring", caller = "wang"', 'do = "wait", s = 9', *ANSWERED[1:])
    exchange.audio(0, frames(40))
    assert [call.outcome for call in exchange.story()] == ["missed", "answered"]


@pytest.fixture(scope="module")
def demo() -> tuple[Script, NDArray[np.int16]]:
    script = read_script(DEMO)
    return script, Exchange(script, 5, speak=murmur).audio(0, frames(70))


def test_a_sound_across_the_end_of_a_round_is_whole() -> None:
    steps = ('do = "dial", digits = "1", dial_tone_s = 1, ringbacks = 0', 'do = "hang_up", who = "staff"')
    whole = exchange_of(*steps, head="loop = true").audio(0, frames(20))
    cut = exchange_of(*steps, head="loop = true")
    blocks = [cut.audio(start, 80) for start in range(0, frames(20), 80)]
    assert np.array_equal(np.concatenate(blocks), whole)


@settings(max_examples=15)
@given(st.lists(st.integers(0, frames(70)), max_size=20))
def test_blocks_of_any_length_give_the_same_samples(
    demo: tuple[Script, NDArray[np.int16]], cuts: list[int]
) -> None:
    script, whole = demo
    exchange = Exchange(script, 5, speak=murmur)
    for start, end in pairwise([0, *sorted(cuts), len(whole)]):
        assert np.array_equal(exchange.audio(start, end - start), whole[start:end])


@settings(max_examples=15)
@given(st.lists(st.integers(0, frames(69)), max_size=5))
def test_any_position_can_be_asked_for_in_any_order(
    demo: tuple[Script, NDArray[np.int16]], positions: list[int]
) -> None:
    script, whole = demo
    exchange = Exchange(script, 5, speak=murmur)
    for position in positions:
        assert np.array_equal(exchange.audio(position, 500), whole[position : position + 500])


@given(st.lists(st.integers(0, frames(5)), max_size=6))
def test_readings_do_not_depend_on_how_they_are_asked_for(cuts: list[int]) -> None:
    exchange = exchange_of(*ANSWERED)
    edges = [0, *sorted(cuts), frames(5)]
    pieces = [reading for a, b in pairwise(edges) for reading in exchange.readings(a, b)]
    assert pieces == exchange.readings(0, frames(5))
    assert [reading.position for reading in pieces] == list(range(160, frames(5) + 1, 160))


def calls_of(script: Script, seconds: float, **options: Any) -> list[ScriptedCall]:
    exchange = Exchange(script, speak=murmur, **options)
    for position in range(0, frames(seconds), frames(10)):
        exchange.readings(position, position + frames(10))
    return exchange.story()


def test_seed_decides_everything(demo: tuple[Script, NDArray[np.int16]]) -> None:
    script, _ = demo
    assert calls_of(script, 120, seed=1) == calls_of(script, 120, seed=1)
    assert calls_of(script, 120, seed=1) != calls_of(script, 120, seed=2)


def test_lines_beyond_the_script_live_their_own_lives(demo: tuple[Script, NDArray[np.int16]]) -> None:
    script, _ = demo
    begins: dict[int, list[int]] = {}
    for call in calls_of(script, 200, lines=8):
        begins.setdefault(call.line, []).append(call.begin)
    assert sorted(begins) == list(range(1, 9))
    assert begins[1] != begins[5]


def test_going_back_after_the_past_is_forgotten_plays_it_again() -> None:
    exchange = exchange_of('do = "wait", s = [1, 3]', *ANSWERED[1:], head="loop = true")
    first = exchange.audio(0, frames(30))
    exchange.audio(frames(900), frames(1))
    assert np.array_equal(exchange.audio(0, frames(30)), first)


def test_a_loop_without_end_stays_small() -> None:
    exchange = exchange_of('do = "ring", bursts = 1', 'do = "wait", s = 1', head="loop = true")
    for second in range(0, 4000, 100):
        exchange.readings(frames(second), frames(second + 100))
    assert len(exchange.story()) == 1000
    assert len(exchange._lines[0]._rounds) < 100
    assert exchange.story()[-1].begin == frames(3998)


def test_without_loop_the_line_is_idle_for_ever() -> None:
    exchange = exchange_of(*ANSWERED)
    assert level(exchange.audio(frames(5000), frames(1))) == pytest.approx(-60, abs=0.5)
    exchange.audio(frames(9000), frames(1))
    assert len(exchange.story()) == 1


def test_a_loop_that_takes_no_time_still_moves_on() -> None:
    exchange = exchange_of('do = "wait", s = 0', head="loop = true")
    assert exchange.audio(frames(20), 100).shape == (100, 1)


@pytest.mark.parametrize("rate_hz", [16_000, 48_000])
def test_story_is_the_same_at_every_rate(rate_hz: int) -> None:
    exchange = exchange_of(*ANSWERED, rate_hz=rate_hz)
    assert exchange.audio(0, 100).dtype == np.int16
    exchange.readings(0, 20 * rate_hz)
    (call,) = exchange.story()
    assert call.begin == rate_hz and call.answered == 8 * rate_hz
    assert call.end / rate_hz == pytest.approx(14.6, abs=0.001)


@pytest.mark.parametrize("rate_hz", [0, 4000, 8001, 11_025])
def test_rates_that_have_no_whole_window_are_refused(rate_hz: int) -> None:
    with pytest.raises(ValueError, match=f"multiple of 50 from 8000 Hz on, got {rate_hz}"):
        exchange_of(*ANSWERED, rate_hz=rate_hz)


def test_demo_shows_every_kind_of_call_soon(demo: tuple[Script, NDArray[np.int16]]) -> None:
    script, _ = demo
    calls = calls_of(script, 300)
    assert {(call.direction, call.outcome) for call in calls} >= {
        ("in", "answered"),
        ("in", "missed"),
        ("out", "answered"),
        ("out", "busy"),
    }
    assert {call.caller.presentation for call in calls if call.caller} == {
        "available",
        "withheld",
        "unavailable",
    }
    assert {"王芳", "Ellen Marsh"} <= {call.caller.name for call in calls if call.caller}
    assert min(call.begin for call in calls) < frames(3)
