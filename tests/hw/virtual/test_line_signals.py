"""What a line shows for each part of a call: voltages, ringing, levels, tones, caller ID in its place."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from tests.hw.virtual.lines import (
    ANSWERED,
    RATE_HZ,
    bits_of,
    bytes_of,
    exchange_of,
    frames,
    level,
    signal_span,
    voltages,
)


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
