"""How far a clock is off: what one exchange shows, and what it says of the time before the clock was set."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.skew import (
    MEASURED,
    STEPPED,
    STEPPED_ERROR_MS,
    Offset,
    Stretch,
    Told,
    carried_back,
    corrected,
    jumped,
    measured,
)

NOW = datetime(2026, 11, 22, 4, 5, 6, tzinfo=UTC)
SECOND = timedelta(seconds=1)
YEARS_MS = 56 * 365 * 86_400_000


@given(st.integers(-(10**12), 10**12), st.integers(0, 4000), st.integers(0, 4000))
def test_the_error_covers_what_is_not_known(offset_ms: int, there_ms: int, back_ms: int) -> None:
    """Whatever part of the round trip each way took, the true offset lies within the error."""
    asked = NOW
    hq = NOW + timedelta(milliseconds=there_ms + offset_ms)
    answered = NOW + timedelta(milliseconds=there_ms + back_ms)
    found = measured(asked, answered, hq)
    assert abs(found.ms - offset_ms) <= found.error_ms + 1
    assert found.error_ms <= max(1, (there_ms + back_ms + 1) // 2)


@pytest.mark.parametrize(
    ("base_ms", "is_jump"), [(0, False), (1900, False), (-1900, False), (2100, True), (-3_600_000, True)]
)
def test_a_clock_that_was_set_is_noticed(base_ms: int, is_jump: bool) -> None:
    assert jumped(0, base_ms) is is_jump


def test_a_clock_that_is_right_is_not_told_of() -> None:
    assert carried_back([Stretch(0, 0)], Offset(300, 20)) == []


def test_a_clock_that_is_wrong_is_told_of() -> None:
    assert carried_back([Stretch(7, 0)], Offset(-86_400_000, 20)) == [
        Told(7, None, Offset(-86_400_000, 20), MEASURED)
    ]


def test_entries_written_in_1970_get_the_offset_of_the_jump() -> None:
    told = carried_back([Stretch(10, 0), Stretch(14, YEARS_MS)], Offset(40, 20))
    assert told == [Told(10, 14, Offset(YEARS_MS + 40, 20 + STEPPED_ERROR_MS), STEPPED)]


def test_every_stretch_of_a_boot_is_carried_back() -> None:
    told = carried_back([Stretch(0, 0), Stretch(4, 86_400_000), Stretch(9, -3_600_000)], Offset(0, 5))
    assert [(one.after_seq, one.upto_seq, one.offset.ms) for one in told] == [
        (0, 4, -3_600_000),
        (4, 9, -90_000_000),
    ]


def test_a_stretch_without_entries_is_not_told_of() -> None:
    assert carried_back([Stretch(5, 0), Stretch(5, YEARS_MS)], Offset(0, 5)) == []


def test_a_moment_is_corrected() -> None:
    assert corrected(NOW, 1500) == NOW + 1.5 * SECOND
