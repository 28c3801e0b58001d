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

from edge.dsp.level import level_dbm0
from hw.virtual.exchange import Exchange
from hw.virtual.script import Script, parse_script, read_script
from hw.virtual.timeline import ScriptedCall
from tests.hw.virtual.conftest import murmur

RATE_HZ = 8000
DEMO = Path(__file__).parents[3] / "hw" / "virtual" / "scripts" / "demo.toml"
CALLERS = """
[callers.wang]
number = "02155500147"
name = "王芳"
[callers.old]
number = "057155500119"
sends = "bell202-sdmf"
[callers.keys]
number = "13955500126"
sends = "dtmf"
[callers.private]
presentation = "withheld"
[callers.early]
number = "02155500101"
place = "before-ring"
[callers.late_keys]
presentation = "unavailable"
sends = "dtmf"
place = "after-first-ring"
"""


def script_of(*steps: str, head: str = "", line: str = "") -> Script:
    rows = "".join(f"  {{ {step} }},\n" for step in steps)
    return parse_script(f"{head}\n{CALLERS}\n[[lines]]\n{line}\nsteps = [\n{rows}]\n")


def exchange_of(*steps: str, head: str = "", line: str = "", **options: Any) -> Exchange:
    return Exchange(script_of(*steps, head=head, line=line), speak=murmur, **options)


def frames(seconds: float) -> int:
    return round(seconds * RATE_HZ)


def level(samples: NDArray[np.int16]) -> float:
    return level_dbm0(float(np.mean((samples / 32768.0) ** 2)))


def voltages(exchange: Exchange, until_s: float) -> dict[int, float]:
    """{end of window in ms: volts} of line 1."""
    return {
        reading.position * 1000 // RATE_HZ: reading.voltage_v
        for reading in exchange.readings(0, frames(until_s))
        if reading.line == 1
    }


ANSWERED = (
    'do = "wait", s = 1',
    'do = "ring", bursts = 2, caller = "wang"',
    'do = "pick_up", after_s = 1',
    'do = "say", who = "staff", text = "twenty characters!!!"',  # murmurs for a second
    'do = "say", who = "far", s = 2, after_s = 0.5',
    'do = "keys", who = "far", digits = "12", after_s = 0',
    'do = "hang_up", who = "far", staff_after_s = 2',
)

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


def test_hook_voltages_follow_the_story() -> None:
    volts = voltages(exchange_of(*ANSWERED), 16)
    for ms, voltage_v in volts.items():
        wanted = 8.0 if 8000 < ms <= 14_600 else 48.0
        assert voltage_v == pytest.approx(wanted, abs=0.2), ms


def test_a_window_across_the_hook_reads_the_mean() -> None:
    exchange = exchange_of(
        'do = "wait", s = 1.005', 'do = "dial", digits = "1"', 'do = "hang_up", who = "staff"'
    )
    assert voltages(exchange, 2)[1020] == pytest.approx(48 * 0.25 + 8 * 0.75, abs=0.2)


def test_line_voltages_are_its_own() -> None:
    steps = ('do = "dial", digits = "1", dial_tone_s = 1', 'do = "hang_up", who = "staff"')
    volts = voltages(exchange_of(*steps, line="idle_v = 60\noff_hook_v = 11.5\nreversed = true"), 30)
    assert volts[500] == pytest.approx(-11.5, abs=0.2)
    assert volts[30_000] == pytest.approx(-60, abs=0.2)


def test_polarity_reverses_while_the_far_end_is_there() -> None:
    steps = (
        'do = "dial", digits = "114", dial_tone_s = 1, ringbacks = 0, reverses = true',
        'do = "wait", s = 2',
        'do = "hang_up", who = "far", staff_after_s = 1',
    )
    volts = voltages(exchange_of(*steps), 8)
    at = {ms: round(volts[ms]) for ms in (2000, 2400, 4300, 4400, 5700, 5800)}
    assert at == {2000: 8, 2400: -8, 4300: -8, 4400: 8, 5700: 8, 5800: 48}


def test_flash_and_dead_line() -> None:
    steps = (
        'do = "dead", s = 2',
        'do = "wait", s = 1',
        'do = "dial", digits = "1", dial_tone_s = 1, ringbacks = 0',
        'do = "flash", ms = 300',
        'do = "wait", s = 1',
        'do = "hang_up", who = "staff"',
    )
    volts = [round(voltage_v) for voltage_v in voltages(exchange_of(*steps), 8).values()]
    changes = [(b, a * 20) for a, b in enumerate(volts) if a == 0 or volts[a - 1] != b]
    held = [(value, end - start) for (value, start), (_, end) in pairwise(changes)]
    assert [value for value, _ in changes if value in (0, 8, 48)] == [0, 48, 8, 48, 8, 48]
    assert (0, 2000) in held and (48, 1000) in held
    assert any(value == 48 and 280 <= ms <= 300 for value, ms in held)


def test_ringing_is_25_hz_in_the_bursts_only_and_leaves_the_mean_alone() -> None:
    readings = exchange_of('do = "wait", s = 1', 'do = "ring", bursts = 2').readings(0, frames(10))
    ringing = {reading.position * 1000 // RATE_HZ: reading.ring_half_waves for reading in readings}
    for ms, half_waves in ringing.items():
        assert half_waves == (1 if 1000 < ms <= 2000 or 6000 < ms <= 7000 else 0), ms
    assert all(abs(reading.voltage_v - 48) < 0.2 for reading in readings)


def test_half_waves_are_counted_once_when_bursts_begin_anywhere() -> None:
    exchange = exchange_of('do = "wait", s = 0.507', 'do = "ring", bursts = 1')
    assert sum(reading.ring_half_waves for reading in exchange.readings(0, frames(5))) == 50


LEVELS = {  # seconds of the ANSWERED script -> dBm0 that must be there
    "idle": (0.1, 0.9, -60.0, 0.5),
    "ringing leaks a little": (1.2, 1.9, -42.0, 2.0),
    "between the bursts": (4.0, 5.9, -60.0, 0.5),
    "staff are near": (8.35, 9.2, -15.0, 1.0),
    "the caller is far": (9.9, 11.7, -20.0, 1.0),
    "busy tone, half of the time": (12.6, 14.0, -13.0, 0.5),
    "idle again": (14.7, 16.0, -60.0, 0.5),
}


@pytest.mark.parametrize("name", LEVELS)
def test_levels_on_the_line(name: str) -> None:
    first_s, last_s, wanted, within = LEVELS[name]
    heard = exchange_of(*ANSWERED).audio(0, frames(17))
    assert level(heard[frames(first_s) : frames(last_s)]) == pytest.approx(wanted, abs=within)


def test_hook_clicks_are_heard() -> None:
    heard = exchange_of(*ANSWERED).audio(0, frames(17))
    for seconds in (1.0, 2.0, 8.0, 14.6):
        assert level(heard[frames(seconds) : frames(seconds + 0.005)]) > -30


def test_busy_tone_has_its_cadence() -> None:
    heard = exchange_of(*ANSWERED).audio(0, frames(17))[:, 0]
    tone = heard[frames(12.6) : frames(14.55)].astype(float)
    loud = [bool(np.abs(part).max() > 3000) for part in np.array_split(tone, 195)]  # 10 ms each
    edges = [at for at in range(1, 195) if loud[at] != loud[at - 1]]
    assert [edges[0], *np.diff(edges)] == pytest.approx([35, 35, 35, 35, 35], abs=1)


def bits_of(heard: NDArray[np.int16], end: int) -> list[int]:
    """A plain Bell 202 receiver: for every bit time before `end`, is 1200 or 2200 Hz stronger?"""
    bit = RATE_HZ / 1200
    found = []
    for number in range(int(1.2 * 1200), 0, -1):
        at = end - round(number * bit)
        part = heard[at : at + round(bit)] / 32768.0
        turns = 2j * np.pi * np.arange(len(part)) / RATE_HZ
        power = [abs(np.sum(part * np.exp(-turns * hz))) for hz in (2200, 1200)]
        found.append(int(power[1] > power[0]))
    return found


def bytes_of(bits: list[int]) -> bytes:
    """Start bit, eight bits with the lowest first, stop bit; after at least 100 bits of mark."""
    at = "".join(map(str, bits)).index("1" * 100)
    found = bytearray()
    while at < len(bits) - 9:
        if bits[at] == 0 and bits[at + 9] == 1:
            found.append(sum(bits[at + 1 + place] << place for place in range(8)))
            at += 10
        else:
            at += 1
    return bytes(found)


FSK_MESSAGES = {
    "wang": b"\x80\x1d\x01\x0803060930\x02\x0b02155500147\x07\x04" + "王芳".encode("gb2312"),
    "private": b"\x80\x0d\x01\x0803060930\x04\x01P",
    "old": b"\x04\x1403060930057155500119",
}


@pytest.mark.parametrize("caller", FSK_MESSAGES)
def test_caller_id_by_fsk_can_be_read_from_the_line(caller: str) -> None:
    exchange = exchange_of(f'do = "ring", bursts = 2, caller = "{caller}"')
    heard = exchange.audio(0, frames(8))[:, 0]
    (call,) = exchange.story()
    assert call.caller_id_end is not None
    message = bytes_of(bits_of(heard, call.caller_id_end))
    wanted = FSK_MESSAGES[caller]
    wanted = bytes([wanted[0], len(wanted) - 2]) + wanted[2:]
    assert message[: len(wanted)] == wanted
    assert sum(message[: len(wanted) + 1]) % 256 == 0


def signal_span(heard: NDArray[np.int16], first_s: float, last_s: float) -> tuple[float, float]:
    """Where between two times something louder than -40 dBm0 is, in seconds."""
    blocks = np.arange(frames(first_s), frames(last_s), 80)
    loud = [at for at in blocks if level(heard[at : at + 80]) > -40]
    return loud[0] / RATE_HZ, (loud[-1] + 80) / RATE_HZ


@pytest.mark.parametrize("caller", ["wang", "private", "old", "late_keys"])
def test_caller_id_lies_between_the_first_two_bursts(caller: str) -> None:
    exchange = exchange_of(f'do = "ring", bursts = 2, caller = "{caller}"')
    heard = exchange.audio(0, frames(8))[:, 0]
    begin_s, end_s = signal_span(heard, 1.1, 4.9)
    assert 1.5 <= begin_s <= 2.5  # YD/T 1277.1: 0.5-1.5 s after the burst
    assert end_s <= 4.8  # 0.2-0.5 s before the next
    (call,) = exchange.story()
    assert call.caller_id_end == pytest.approx(end_s * RATE_HZ, abs=700)


@pytest.mark.parametrize("caller", ["keys", "early"])
def test_caller_id_before_the_ring(caller: str) -> None:
    exchange = exchange_of('do = "wait", s = 1', f'do = "ring", bursts = 1, caller = "{caller}"')
    heard = exchange.audio(0, frames(8))[:, 0]
    (call,) = exchange.story()
    assert call.caller_id_end is not None and call.caller_id_end < call.begin
    begin_s, end_s = signal_span(heard, 0, call.begin / RATE_HZ - 0.02)
    assert begin_s == pytest.approx(1.0, abs=0.03)
    assert 0.3 <= call.begin / RATE_HZ - end_s <= 0.5


def test_caller_id_levels_are_those_of_real_lines() -> None:
    for seed in range(8):
        exchange = exchange_of('do = "ring", bursts = 2, caller = "wang"', seed=seed)
        heard = exchange.audio(0, frames(3))[:, 0]
        assert -20.5 <= level(heard[frames(1.7) : frames(2.2)]) <= -13


def test_lifting_the_handset_cuts_caller_id_off() -> None:
    steps = (
        'do = "ring", bursts = 1, caller = "wang"',
        'do = "pick_up", after_s = 0.9',
        'do = "wait", s = 3',
        'do = "hang_up", who = "staff"',
    )
    exchange = exchange_of(*steps)
    heard = exchange.audio(0, frames(6))[:, 0]
    assert exchange.story()[0].caller_id_end is None
    assert level(heard[frames(1.65) : frames(1.85)]) > -21
    assert level(heard[frames(1.95) : frames(4.8)]) == pytest.approx(-60, abs=0.5)


def test_exchange_clock_goes_on_between_calls() -> None:
    exchange = exchange_of('do = "wait", s = 600', 'do = "ring", bursts = 2, caller = "old"')
    exchange.audio(frames(601), frames(8))
    heard = exchange.audio(frames(600), frames(8))[:, 0]
    end = exchange.story()[0].caller_id_end
    assert end is not None
    assert bytes_of(bits_of(heard, end - frames(600)))[2:10] == b"03060940"


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
