"""Each row of the line state table as a voltage trace: what must be told and what not, holds to the tick."""

from __future__ import annotations

import random

import pytest

from firmware.linehat.line import HELD, IDLE, OFF_HOOK, Line
from firmware.linehat.profile import COUNTRIES, DEFAULTS, FIELDS, Profile, ProfileError, values_of
from hw import wire

TICK_MS = 10
IDLE_V, LOOP_V, NO_V = 48.0, 8.0, 0.0
Told = tuple[int, int]  # kind, data

# trace: (ms, volts, what: "" | "ring" | "mine")
Trace = list[tuple[int, float, str]]
REST = (1000, IDLE_V, "")
TALK = (1000, LOOP_V, "")


def play(trace: Trace, country: str = "cn", noise_v: float = 0.0, seed: int = 1) -> tuple[Line, list[Told]]:
    """Run a trace; return the line and what it told as (kind, data), backdating checked."""
    told: list[Told] = []
    now = 0

    def emit(line: int, kind: int, ago_ms: int, data: int) -> None:
        assert line == 1 and 0 <= ago_ms <= now, "nothing begins before the trace does"
        told.append((kind, data))

    line = Line(1, Profile(values_of(country)), emit)
    rng = random.Random(seed)
    ring_ms = 0
    for ms, volts, what in trace:
        for _ in range(ms // TICK_MS):
            now += TICK_MS
            ring_ms = ring_ms + TICK_MS if what == "ring" else 0
            waves = 1 if ring_ms and ring_ms % 20 == 0 else 0
            swing = (60.0 if ring_ms % 40 < 20 else -60.0) if ring_ms else 0.0
            cv = round((volts + swing + rng.uniform(-noise_v, noise_v)) * 100)
            line.step(TICK_MS, cv, waves, what == "mine")
    return line, told


K = wire
START = (K.STATE_KNOWN, IDLE)
RING = (1000, IDLE_V, "ring")
GAP = (4000, IDLE_V, "")
UP = (K.OFF_HOOK, 0)
DOWN = (K.ON_HOOK, 0)

ROWS: dict[str, tuple[str, Trace, list[Told]]] = {
    "idle": ("cn", [(5000, IDLE_V, "")], [START]),
    "unsettled at the start": ("cn", [(450, IDLE_V, ""), (100, LOOP_V, ""), REST], [START]),
    "held, the voltage creeps": (
        "cn", [REST, *[(100, 12.0 - step / 10, "mine") for step in range(40)], REST],
        [START, (K.HELD, 1190), (K.RELEASED, 0)],
    ),
    "60 V line": ("cn", [(30_000, 60.0, ""), (1000, 11.0, ""), (1000, 60.0, "")], [START, UP, DOWN]),
    "24 V line": ("cn", [(30_000, 24.0, ""), (1000, 7.0, ""), (1000, 24.0, "")], [START, UP, DOWN]),
    "starts off hook": ("cn", [TALK, REST], [(K.STATE_KNOWN, OFF_HOOK), DOWN]),
    "starts without a line": (
        "cn", [(1000, NO_V, ""), REST], [(K.STATE_KNOWN, 1), (K.LINE_FOUND, 0)],
    ),
    "outgoing": ("cn", [REST, TALK, REST], [START, UP, DOWN]),
    "answered in the pause": (
        "cn", [REST, RING, (1000, IDLE_V, ""), TALK, REST],
        [START, (K.RING_STARTED, 1), (K.RING_STOPPED, 990), (K.OFF_HOOK, 1), DOWN],
    ),
    "answered in the burst": (
        "cn", [REST, (500, IDLE_V, "ring"), TALK, REST],
        [START, (K.RING_STARTED, 1), (K.RING_STOPPED, 490), (K.OFF_HOOK, 1), DOWN],
    ),
    "nobody answers": (
        "cn", [REST, RING, GAP, RING, (7000, IDLE_V, "")],
        [START, (K.RING_STARTED, 1), (K.RING_STOPPED, 990), (K.RING_STARTED, 2), (K.RING_STOPPED, 990),
         (K.RING_ENDED, 2)],
    ),
    "reversed ringing": (
        "cn", [(1000, -IDLE_V, ""), (1000, -IDLE_V, "ring"), (7000, -IDLE_V, "")],
        [START, (K.RING_STARTED, 1), (K.RING_STOPPED, 990), (K.RING_ENDED, 1)],
    ),
    "bell tinkle": ("cn", [REST, (40, IDLE_V, "ring"), (3000, IDLE_V, "")], [START]),
    "flash": ("cn", [REST, TALK, (300, IDLE_V, ""), TALK], [START, UP, (K.FLASHED, 300)]),
    "american flash": ("us", [REST, TALK, (800, IDLE_V, ""), TALK], [START, UP, (K.FLASHED, 800)]),
    "british recall": ("uk", [REST, TALK, (80, IDLE_V, ""), TALK], [START, UP, (K.FLASHED, 80)]),
    "pulse digit 3": (
        "cn", [REST, TALK, *[(60, IDLE_V, ""), (40, LOOP_V, "")] * 3, TALK], [START, UP, (K.DIGIT, 3)],
    ),
    "pulse digits 1 and 0": (
        "cn", [REST, TALK, (60, IDLE_V, ""), (600, LOOP_V, ""),
         *[(60, IDLE_V, ""), (40, LOOP_V, "")] * 10, TALK],
        [START, UP, (K.DIGIT, 1), (K.DIGIT, 0)],
    ),
    "eleven pulses are no digit": (
        "cn", [REST, TALK, *[(60, IDLE_V, ""), (40, LOOP_V, "")] * 11, TALK], [START, UP],
    ),
    "far end releases": (
        "cn", [REST, TALK, (500, NO_V, ""), TALK, REST], [START, UP, (K.FAR_END_RELEASED, 500), DOWN],
    ),
    "line cut while talking": (
        "cn", [REST, TALK, (2500, NO_V, ""), REST], [START, UP, (K.LINE_LOST, 0), (K.LINE_FOUND, 0)],
    ),
    "line cut, back off hook": (
        "cn", [REST, (2500, NO_V, ""), TALK], [START, (K.LINE_LOST, 0), (K.LINE_FOUND, 0), UP],
    ),
    "polarity": (
        "cn", [REST, TALK, (1000, -LOOP_V, ""), (1000, LOOP_V, "")],
        [START, UP, (K.REVERSED, 0), (K.REVERSED, 1)],
    ),
    "held": (
        "cn", [REST, (2000, 9.0, "mine"), REST], [START, (K.HELD, 900), (K.RELEASED, 0)],
    ),
    "held, a phone joins and leaves": (
        "cn", [REST, (1000, 9.0, "mine"), (1000, 6.0, "mine"), (1000, 9.0, "mine"), REST],
        [START, (K.HELD, 900), (K.PHONE_JOINED, 300), (K.PHONE_LEFT, 0), (K.RELEASED, 0)],
    ),
    "held, a phone takes over": (
        "cn", [REST, (1000, 9.0, "mine"), (1000, 6.0, "mine"), TALK, REST],
        [START, (K.HELD, 900), (K.PHONE_JOINED, 300), (K.RELEASED, 0), (K.OFF_HOOK, 2), DOWN],
    ),
    "held, the far end releases": (
        "cn", [REST, (1000, 9.0, "mine"), (400, NO_V, "mine"), (500, 9.0, "mine"), REST],
        [START, (K.HELD, 900), (K.FAR_END_RELEASED, 400), (K.RELEASED, 0)],
    ),
    "no loop when taking": (
        "cn", [REST, (1000, IDLE_V, "mine"), REST], [START, (K.FAULT, K.NO_LOOP), (K.RELEASED, 0)],
    ),
    "loop gone while held": (
        "cn", [REST, (1000, 9.0, "mine"), (2000, NO_V, "mine"), REST],
        [START, (K.HELD, 900), (K.FAULT, K.LOOP_GONE), (K.RELEASED, 0)],
    ),
    "box answers a ringing line": (
        "cn", [REST, RING, (500, IDLE_V, ""), (1000, 9.0, "mine"), REST],
        [START, (K.RING_STARTED, 1), (K.RING_STOPPED, 990), (K.HELD, 900), (K.RELEASED, 0)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_row(name: str) -> None:
    country, trace, wanted = ROWS[name]
    assert play(trace, country)[1] == wanted


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("volts", [IDLE_V, 24.0, LOOP_V, -IDLE_V])
def test_noise_of_3_volts_tells_nothing(volts: float, seed: int) -> None:
    _, told = play([(60_000, volts, "")], noise_v=3.0 if abs(volts) > 10 else 2.5, seed=seed)
    assert len(told) == 1 and told[0][0] == K.STATE_KNOWN


# what a level must last: (before, the level, the kind it makes, the profile's hold)
HOLDS = [
    ([REST], (LOOP_V, ""), K.OFF_HOOK, 150),
    ([REST, TALK], (IDLE_V, ""), K.ON_HOOK, 700),
    ([REST], (NO_V, ""), K.LINE_LOST, 2000),
    ([REST, (3000, NO_V, "")], (IDLE_V, ""), K.LINE_FOUND, 150),
    ([REST, (1000, 9.0, "mine")], (6.0, "mine"), K.PHONE_JOINED, 190),
    ([REST], (IDLE_V, "mine"), K.FAULT, 500),
    ([REST], (-IDLE_V, ""), K.REVERSED, 40),
]


@pytest.mark.parametrize(("before", "level", "kind", "hold_ms"), HOLDS)
def test_holds_to_the_tick(before: Trace, level: tuple[float, str], kind: int, hold_ms: int) -> None:
    short = play([*before, (hold_ms, *level)])[1]
    enough = play([*before, (hold_ms + TICK_MS, *level)])[1]
    assert kind not in [one for one, _ in short]
    assert kind in [one for one, _ in enough]


@pytest.mark.parametrize(("volts", "high"), [(40.0, True), (35.0, True), (30.0, True), (19.0, False)])
def test_between_the_levels_it_stays_what_it_was(volts: float, high: bool) -> None:
    line, _ = play([REST, (1000, volts, "")])
    assert line.state == (IDLE if high else OFF_HOOK)
    line, _ = play([REST, TALK, (1000, volts, "")])
    assert line.state == (IDLE if volts >= 35.0 else OFF_HOOK)


def test_the_idle_voltage_is_learnt_slowly_and_within_limits() -> None:
    line, _ = play([(60_000, 52.0, "")])
    assert line.idle_cv == pytest.approx(5200, abs=5)
    line, _ = play([(120_000, 90.0, "")])
    assert line.idle_cv == pytest.approx(7500, abs=2)


def test_a_held_line_is_held() -> None:
    assert play([REST, (1000, 9.0, "mine")])[0].state == HELD


@pytest.mark.parametrize("country", COUNTRIES)
def test_every_countrys_row_makes_sense(country: str) -> None:
    profile = Profile(values_of(country))
    assert profile.flash_max_ms <= 1000 and len(FIELDS) == len(DEFAULTS)


REFUSED = {
    "too few": ((1, 2, 3), "has 33 numbers, got 3"),
    "flash": (("flash_min_ms", 600), "flash_min_ms must be below flash_max_ms"),
    "levels": (("off_share", 80), "off_share must be below idle_share"),
    "share": (("idle_share", 101), "at most 100"),
    "half-waves": (("ring_half_waves", 0), "at least 1"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_profiles_refused(name: str) -> None:
    change, reason = REFUSED[name]
    values = list(values_of("cn"))
    if len(change) == 2:
        values[FIELDS.index(change[0])] = change[1]
    else:
        values = list(change)
    with pytest.raises(ProfileError, match=reason):
        Profile(values)
