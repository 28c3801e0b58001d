"""Golden traces: voltage over time and the line events it means; every hold time just short and just long."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.line.events import LineEvent
from edge.line.profile import PROFILES
from edge.line.voltage import LOST, OFF_HOOK, ON_HOOK, UNKNOWN, VoltageWatcher
from edge.samples import LineReading

RATE_HZ = 8000
WINDOW_S = 0.02
RING_HZ = 25


@dataclass(frozen=True)
class Span:
    """A stretch of a trace: how long, which mean voltage, ringing or not."""

    seconds: float
    volts: float = 48.0
    ringing: bool = False


def ring(seconds: float, volts: float = 48.0) -> Span:
    return Span(seconds, volts, ringing=True)


def readings(
    spans: list[Span], noise_v: float = 0.0, window_s: float = WINDOW_S, seed: int = 0
) -> list[LineReading]:
    """What the HAT would report for the trace; half-waves accumulate as the ringing goes on."""
    rng = np.random.default_rng(seed)
    made, at, owed = [], 0, 0.0
    for span in spans:
        for _ in range(round(span.seconds / window_s)):
            owed = owed + 2 * RING_HZ * window_s if span.ringing else 0.0
            half_waves, owed = int(owed), owed - int(owed)
            volts = span.volts + float(rng.uniform(-noise_v, noise_v))
            made.append(LineReading(1, round(at * window_s * RATE_HZ), volts, half_waves))
            at += 1
    return made


def story(spans: list[Span], country: str = "cn", **more: float) -> list[tuple[str, float]]:
    """Return (line event, second) for a trace."""
    watcher = VoltageWatcher(1, RATE_HZ, PROFILES[country])
    found: list[LineEvent] = []
    for reading in readings(spans, **more):  # type: ignore[arg-type]
        found += watcher.feed(reading)
    return [(type(one).__name__, round(one.position / RATE_HZ, 2)) for one in found]


IDLE, TALK = Span(2.0), Span(3.0, 8.0)

GOLDEN: dict[str, tuple[list[Span], list[tuple[str, float]]]] = {
    "nothing": ([Span(10)], []),
    "a call out": ([IDLE, TALK, Span(2)], [("OffHook", 2.0), ("OnHook", 5.0)]),
    "a call out on a 24 V line": (
        [Span(3, 24), Span(3, 6), Span(2, 24)],
        [("OffHook", 3.0), ("OnHook", 6.0)],
    ),
    "a call out on a 60 V line": (
        [Span(3, 60), Span(3, 12), Span(2, 60)],
        [("OffHook", 3.0), ("OnHook", 6.0)],
    ),
    "a line wired the other way round": (
        [Span(2, -50), Span(3, -9), Span(2, -50)],
        [("OffHook", 2.0), ("OnHook", 5.0)],
    ),
    "missed": (
        [IDLE, ring(1), Span(4), ring(1), Span(8)],
        [("RingStarted", 2.0), ("RingStopped", 2.98), ("RingStarted", 7.0), ("RingStopped", 7.98)],
    ),
    "answered in the pause": (
        [IDLE, ring(1), Span(2), TALK, Span(2)],
        [("RingStarted", 2.0), ("RingStopped", 2.98), ("OffHook", 5.0), ("OnHook", 8.0)],
    ),
    "answered while it rings": (
        [IDLE, ring(0.6), TALK, Span(2)],
        [("RingStarted", 2.0), ("RingStopped", 2.58), ("OffHook", 2.6), ("OnHook", 5.6)],
    ),
    "ringing that pulls the mean down": (
        [IDLE, ring(1, 15), Span(3)],
        [("RingStarted", 2.0), ("RingStopped", 2.98)],
    ),
    "a flash": (
        [IDLE, TALK, Span(0.3), TALK, Span(2)],
        [("OffHook", 2.0), ("HookFlashed", 5.0), ("OnHook", 8.3)],
    ),
    "two flashes": (
        [IDLE, TALK, Span(0.3), TALK, Span(0.2), TALK],
        [("OffHook", 2.0), ("HookFlashed", 5.0), ("HookFlashed", 8.3)],
    ),
    "dial pulses are a digit, not flashes": (
        [IDLE, TALK, *[Span(0.06), Span(0.04, 8)] * 5, TALK],
        [("OffHook", 2.0), ("DigitKeyed", 4.98)],
    ),
    "answer supervision": (
        [IDLE, TALK, Span(3, -8), Span(2, -48)],
        [("OffHook", 2.0), ("PolarityReversed", 5.0), ("OnHook", 8.0)],
    ),
    "reversal before caller ID": ([IDLE, Span(3, -48)], [("PolarityReversed", 2.0)]),
    "unplugged and back": (
        [IDLE, Span(5, 0), Span(2)],
        [("LineLost", 2.0), ("LineFound", 7.0), ("OnHook", 7.0)],
    ),
    "unplugged in a call, back on hook": (
        [IDLE, TALK, Span(4, 0), Span(2)],
        [("OffHook", 2.0), ("LineLost", 5.0), ("LineFound", 9.0), ("OnHook", 9.0)],
    ),
    "back off hook": (
        [IDLE, Span(4, 0), Span(2, 8)],
        [("LineLost", 2.0), ("LineFound", 6.0), ("OffHook", 6.0)],
    ),
    "open loop from the far end": (
        [IDLE, TALK, Span(0.5, 0.5), TALK],
        [("OffHook", 2.0), ("LoopOpened", 5.0)],
    ),
    "too short for an open loop": ([IDLE, TALK, Span(0.2, 0.5), TALK], [("OffHook", 2.0)]),
    "an open loop, and the phone goes down meanwhile": (
        [IDLE, TALK, Span(0.5, 0.5), Span(3)],
        [("OffHook", 2.0), ("OnHook", 5.5)],
    ),
    "the loop is opened twice": (
        [IDLE, TALK, Span(0.5, 0.5), TALK, Span(0.8, 0.5), TALK],
        [("OffHook", 2.0), ("LoopOpened", 5.0), ("LoopOpened", 8.5)],
    ),
    "off hook from the start": ([Span(3, 8), Span(2)], [("OffHook", 0.0), ("OnHook", 3.0)]),
    "dead from the start": ([Span(3, 0), Span(1)], [("LineLost", 0.0), ("LineFound", 3.0), ("OnHook", 3.0)]),
    "it rings from the start": ([ring(1), Span(2)], [("RingStarted", 0.0), ("RingStopped", 0.98)]),
    "ringing ends a call nobody saw ending": (
        [IDLE, TALK, ring(1), Span(3)],
        [("OffHook", 2.0), ("OnHook", 5.0), ("RingStarted", 5.0), ("RingStopped", 5.98)],
    ),
}


@pytest.mark.parametrize("noise_v", [0.0, 3.0])
@pytest.mark.parametrize("name", GOLDEN)
def test_golden_trace(name: str, noise_v: float) -> None:
    spans, expected = GOLDEN[name]
    quiet = noise_v and any(abs(span.volts) < 6.1 for span in spans)  # there noise itself crosses "dead"
    assert story(spans, noise_v=0.0 if quiet else noise_v) == expected


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_trace_in_windows_of_10_ms(name: str) -> None:
    spans, expected = GOLDEN[name]
    made = story(spans, window_s=0.01)
    assert [one for one, _ in made] == [one for one, _ in expected]
    assert all(abs(got - wanted) <= 0.021 for (_, got), (_, wanted) in zip(made, expected, strict=True))


# hold time: (before, the voltage that is tried, after, how long it must last, the line event)
HOLDS = {
    "off hook": (IDLE, 8.0, IDLE, PROFILES["cn"].off_hook_s, "OffHook"),
    "on hook": (TALK, 48.0, TALK, PROFILES["cn"].flash_max_s + PROFILES["cn"].flash_margin_s, "OnHook"),
    "lost": (IDLE, 0.0, IDLE, PROFILES["cn"].lost_s, "LineLost"),
    "reversed": (IDLE, -48.0, IDLE, PROFILES["cn"].reversal_s, "PolarityReversed"),
}


@pytest.mark.parametrize("name", HOLDS)
def test_one_window_short_is_nothing_and_one_more_is_it(name: str) -> None:
    before, volts, after, hold_s, event = HOLDS[name]
    windows = round(hold_s / WINDOW_S)
    for count, expected in ((windows - 1, False), (windows + 1, True)):
        made = story([IDLE, before, Span(count * WINDOW_S, volts), after])
        assert any(one == event and at > 1.9 for one, at in made) is expected


@pytest.mark.parametrize(
    ("windows", "expected"), [(3, False), (5, True), (29, True), (31, True), (36, False)]
)
def test_flash_limits(windows: int, expected: bool) -> None:
    made = story([IDLE, TALK, Span(windows * WINDOW_S), TALK])
    assert any(one == "HookFlashed" for one, _ in made) is expected


@pytest.mark.parametrize(("windows", "expected"), [(1, False), (2, False), (7, True)])
def test_a_short_burst_of_half_waves_is_no_ring(windows: int, expected: bool) -> None:
    made = story([IDLE, ring(windows * WINDOW_S), Span(1)])
    assert any(one == "RingStarted" for one, _ in made) is expected


@pytest.mark.parametrize("country", PROFILES)
def test_every_country_sees_a_call(country: str) -> None:
    made = story([IDLE, ring(0.4), Span(0.5), TALK, Span(3)], country)
    assert [one for one, _ in made] == ["RingStarted", "RingStopped", "OffHook", "OnHook"]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("volts", [24, 48, -48, 60])
def test_noise_of_three_volts_is_no_line_event(volts: float, seed: int) -> None:
    assert story([Span(60, volts)], noise_v=3.0, seed=seed) == []


def test_learns_the_idle_voltage() -> None:
    watcher = VoltageWatcher(1, RATE_HZ, PROFILES["cn"])
    for reading in readings([Span(20, 57)], noise_v=2):
        watcher.feed(reading)
    assert abs(watcher.idle_v - 57) < 1
    assert watcher.state == ON_HOOK


def test_follows_an_idle_voltage_that_wanders() -> None:
    watcher = VoltageWatcher(1, RATE_HZ, PROFILES["cn"])
    falling = [Span(2, 57 - step / 2) for step in range(30)]
    assert [one for reading in readings(falling) for one in watcher.feed(reading)] == []
    assert abs(watcher.idle_v - 42.5) < 1


def test_states_one_after_the_other() -> None:
    watcher = VoltageWatcher(1, RATE_HZ, PROFILES["cn"])
    states = [watcher.state]
    for reading in readings([IDLE, TALK, Span(4, 0)]):
        watcher.feed(reading)
        if watcher.state != states[-1]:
            states.append(watcher.state)
    assert states == [UNKNOWN, ON_HOOK, OFF_HOOK, LOST]


spans = st.builds(
    Span,
    st.sampled_from([0.02, 0.06, 0.1, 0.3, 0.9, 2.5]),
    st.sampled_from([0.0, 4.0, 9.0, 22.0, 48.0, -48.0, -9.0]),
    st.booleans(),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(spans, max_size=25))
def test_any_trace_tells_a_story_that_holds_together(trace: list[Span]) -> None:
    """Lifted only when down, rings in pairs, lost only when there, nothing in the future."""
    watcher = VoltageWatcher(1, RATE_HZ, PROFILES["cn"])
    off_hook, ringing, lost = False, False, False
    for reading in readings([IDLE, *trace]):
        for one in watcher.feed(reading):
            assert one.line == 1 and 0 <= one.position <= reading.position
            name = type(one).__name__
            if name == "OffHook":
                assert not off_hook
                off_hook = True
            elif name == "OnHook":
                off_hook = False
            elif name in ("RingStarted", "RingStopped"):
                assert ringing is (name == "RingStopped") and not off_hook
                ringing = name == "RingStarted"
            elif name in ("LineLost", "LineFound"):
                assert lost is (name == "LineFound")
                lost = name == "LineLost"
                off_hook = False  # what a lost line does nobody knows; found again, it says so
            elif name == "HookFlashed":
                assert off_hook
