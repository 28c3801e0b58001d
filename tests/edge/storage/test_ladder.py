"""The space ladder as tables: every rung up and down, how much goes, how long it lasts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.storage.ladder import Ladder, Rung, Space, complaint, hours_until_full

LADDER = Ladder((80, 90, 95, 98))
OK, WARN, PURGE, STOP, LAST = Rung


def disk(used_percent: float, reserve: int = 0) -> Space:
    """10,000 bytes for audio, and the reserve beside them."""
    return Space(10_000 + reserve, round(10_000 * (1 - used_percent / 100)) + reserve, reserve)


@pytest.mark.parametrize(
    ("now", "used", "then"),
    [
        (OK, 0, OK), (OK, 79.9, OK), (OK, 80, WARN), (OK, 90, PURGE), (OK, 95, STOP), (OK, 98, LAST),
        (OK, 100, LAST), (WARN, 79, WARN), (WARN, 77.1, WARN), (WARN, 77, OK), (WARN, 90, PURGE),
        (PURGE, 89, PURGE), (PURGE, 87.1, PURGE), (PURGE, 87, WARN), (PURGE, 50, OK), (STOP, 94, STOP),
        (STOP, 92, PURGE), (STOP, 88, PURGE), (STOP, 80, WARN), (LAST, 97, LAST), (LAST, 95.1, LAST),
        (LAST, 95, STOP), (LAST, 93, STOP), (LAST, 91, PURGE), (LAST, 78, WARN), (LAST, 10, OK),
    ],
)  # fmt: skip
def test_climbing(now: Rung, used: float, then: Rung) -> None:
    assert LADDER.climb(now, used) is then


@pytest.mark.parametrize(
    ("rung", "used", "purged", "forced"),
    [
        (OK, 70, 0, 0),
        (WARN, 85, 0, 0),
        (PURGE, 90, 300, 0),  # down to 87 %
        (PURGE, 88, 100, 0),
        (STOP, 96, 900, 0),
        (LAST, 98, 1100, 300),  # what is nowhere else only down to 95 %
        (LAST, 100, 1300, 500),
        (LAST, 95, 800, 0),
    ],
)
def test_how_much_goes(rung: Rung, used: float, purged: int, forced: int) -> None:
    space = disk(used)
    assert (LADDER.purge_bytes(rung, space), LADDER.forced_bytes(rung, space)) == (purged, forced)


@pytest.mark.parametrize(
    ("total", "free", "reserve", "used", "audio_free"),
    [
        (1000, 1000, 0, 0, 1000),
        (1000, 100, 0, 90, 100),
        (1100, 200, 100, 90, 100),  # the reserve is set aside first
        (1100, 100, 100, 100, 0),
        (1100, 40, 100, 100, 0),  # the call log has begun to use it
        (1100, 1100, 100, 0, 1000),
        (100, 50, 100, 100, 0),  # a disk no larger than the reserve
        (100, 50, 200, 100, 0),
    ],
)
def test_the_reserve_is_not_audios(total: int, free: int, reserve: int, used: float, audio_free: int) -> None:
    space = Space(total, free, reserve)
    assert (round(space.used_percent, 6), space.audio_free_bytes) == (used, audio_free)


def test_a_reserve_in_use_has_to_be_given_back_too() -> None:
    assert Space(1100, 40, 100).above(90) == 100 + 60
    assert Space(1100, 100, 100).above(90) == 100


@pytest.mark.parametrize(
    ("free", "removable", "last_day", "hours"),
    [(240, 0, 240, 24), (240, 240, 240, 48), (0, 0, 240, 0), (240, 0, 0, None), (240, 0, -1, None)],
)
def test_hours_ahead(free: int, removable: int, last_day: int, hours: float | None) -> None:
    assert hours_until_full(Space(1000, free, 0), removable, last_day) == hours


@pytest.mark.parametrize(
    ("rung", "used", "hours", "parts"),
    [
        (OK, 10, None, []),
        (OK, 10, 24, []),
        (OK, 10, 23.4, ["full in about 23 hours", "head office does not have"]),
        (WARN, 81, None, ["81 % full", "still room"]),
        (PURGE, 90, 100, ["90 % full", "that head office has is being deleted"]),
        (STOP, 95, 5, ["optional has stopped", "about 5 hours"]),
        (LAST, 99, None, ["99 % full", "nowhere else", "calls are still logged"]),
    ],
)
def test_what_the_page_says(rung: Rung, used: float, hours: float | None, parts: list[str]) -> None:
    says = complaint(rung, disk(used), hours, 24)
    assert all(part in says for part in parts) and bool(says) is bool(parts)


@given(st.sampled_from(Rung), st.floats(0, 100), st.floats(0, 3))
def test_a_disk_that_wavers_does_not_climb_up_and_down(now: Rung, used: float, wobble: float) -> None:
    """Once a rung is reached, a fall of less than three points keeps it."""
    reached = LADDER.climb(now, used)
    assert LADDER.climb(reached, used) is reached
    if reached and used >= LADDER.enters[reached - 1]:
        assert LADDER.climb(reached, used - wobble * 0.99) is reached


@given(st.sampled_from(Rung), st.floats(0, 100))
def test_the_last_rung_needs_a_disk_that_full(now: Rung, used: float) -> None:
    if LADDER.climb(now, used) is LAST:
        assert used > 95
    if used < 77:
        assert LADDER.climb(now, used) is OK
    assert not (LADDER.forced_bytes(now, disk(used)) and used <= 95)
