"""The cadence of one line, run by run: what fits, what ends, and which silence may be left out."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.dsp.cadence import FORGET_S, LONG_PAUSE_S, SILENCE, CadenceFollower, Heard, Pattern, matches

RINGBACK, BUSY, DIAL = (
    Pattern("ringback", 0, (1.0, 4.0)),
    Pattern("busy", 0, (0.35, 0.35)),
    Pattern("dial", 0, (), 1.5),
)


def follower() -> CadenceFollower:
    return CadenceFollower((DIAL, RINGBACK, BUSY))


def runs_of(*lengths_s: float) -> list[tuple[int, float, float]]:
    """Sound, silence, sound ... one after the other."""
    at, found = 0.0, []
    for number, length_s in enumerate(lengths_s):
        found.append((0 if number % 2 == 0 else SILENCE, at, at + length_s))
        at += length_s
    return found


def stepped(
    one: CadenceFollower, runs: list[tuple[int, float, float]], step_s: float, lazy: bool
) -> list[Heard]:
    """Hand the runs over in steps; `lazy` leaves out the silence that changes nothing."""
    found: list[Heard] = []
    for sound, start_s, end_s in runs:
        count = max(1, round((end_s - start_s) / step_s))
        for at in range(count):
            until_s = end_s if at == count - 1 else start_s + (at + 1) * step_s
            if lazy and sound == SILENCE and until_s < one.patient_until_s:
                continue
            found += one.step(sound, start_s + at * step_s, until_s)
    return found


@pytest.mark.parametrize(
    ("lengths_s", "name"),
    [
        ((1.0, 4.0, 1.0), "ringback"),
        ((0.35, 0.35, 0.35), "busy"),
        ((2.0,), "dial"),
        ((0.5, 0.5, 0.5), None),
        ((0.35, 0.6, 0.35), None),
        ((1.4,), None),
    ],
)
@pytest.mark.parametrize("lazy", [False, True])
def test_what_is_recognised(lengths_s: tuple[float, ...], name: str | None, lazy: bool) -> None:
    found = stepped(
        follower(), [*runs_of(*lengths_s), (SILENCE, sum(lengths_s), sum(lengths_s) + 6)], 0.1, lazy
    )
    assert {one.name for one in found} == ({name} if name else set())
    assert [one.ended for one in found] == ([False, True] if name else [])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([0.35, 0.7, 1.0, 1.3, 2.0, 2.7, 4.0]), min_size=1, max_size=12))
def test_silence_that_is_left_out_changes_nothing(lengths_s: list[float]) -> None:
    runs = runs_of(*lengths_s)
    assert stepped(follower(), runs, 0.1, True) == stepped(follower(), runs, 0.1, False)


def test_patience() -> None:
    one = follower()
    assert one.patient_until_s == 0
    one.step(0, 0.0, 0.5)
    assert one.patient_until_s == 0
    one.step(SILENCE, 0.5, 0.6)
    assert one.patient_until_s == 0.5 + LONG_PAUSE_S
    one.step(SILENCE, 0.6, 0.5 + LONG_PAUSE_S)
    assert one.patient_until_s == 0.5 + FORGET_S
    one.step(SILENCE, 0.5 + LONG_PAUSE_S, 0.6 + FORGET_S)
    assert one.quiet


def test_while_a_tone_is_heard_every_step_counts() -> None:
    one = follower()
    stepped(one, runs_of(0.35, 0.35, 0.35, 0.2), 0.1, False)
    assert one.patient_until_s == 0 and not one.quiet


@pytest.mark.parametrize(
    ("length_s", "fits"), [(0.35, True), (0.27, True), (0.26, False), (0.43, True), (0.44, False)]
)
def test_a_run_may_be_off_by_so_much(length_s: float, fits: bool) -> None:
    assert matches(length_s, 0.35) is fits
