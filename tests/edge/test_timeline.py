"""Positions and times of day: sample lengths are exact, slow drift is followed, a set clock at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from edge.timeline import Timeline

NINE = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def test_a_position_is_a_time() -> None:
    timeline = Timeline(8000, NINE)
    assert timeline.utc(0) == "2026-03-02T09:00:00.000Z"
    assert timeline.utc(8000 * 90 + 4) == "2026-03-02T09:01:30.000Z"
    assert timeline.ms(12_004) == 1500


@pytest.mark.parametrize("drift_ppm", [-100, 0, 100])
def test_drift_of_the_card_is_followed(drift_ppm: int) -> None:
    timeline = Timeline(8000, NINE)
    for seconds in range(0, 24 * 3600, 2):
        card = round(seconds * 8000 * (1 + drift_ppm / 1e6))
        timeline.look(card, NINE + timedelta(seconds=seconds))
    error_s = (timeline.origin_utc + timedelta(seconds=card / 8000) - NINE).total_seconds() - seconds
    assert abs(error_s) < 0.05


def test_period_jitter_averages_out() -> None:
    timeline = Timeline(8000, NINE)
    for look in range(2000):
        timeline.look(look * 4000 - (look * 37) % 160, NINE + timedelta(seconds=look / 2))
    assert abs((timeline.origin_utc - NINE).total_seconds()) < 0.021


def test_the_first_look_counts_in_full_and_is_no_step() -> None:
    timeline = Timeline(8000, NINE)
    assert timeline.look(8000, NINE + timedelta(seconds=1.7)) == 0.0
    assert timeline.utc(8000) == "2026-03-02T09:00:01.700Z" and timeline.steps == 0


@pytest.mark.parametrize(
    ("by", "is_step"),
    [
        (timedelta(days=1), True),
        (timedelta(hours=-1), True),
        (timedelta(days=-20_000), True),
        (timedelta(seconds=2.1), True),
        (timedelta(seconds=-1.9), False),
    ],
)
def test_a_clock_that_was_set_is_followed_at_once_and_counted(by: timedelta, is_step: bool) -> None:
    timeline = Timeline(8000, NINE)
    timeline.look(8000, NINE + timedelta(seconds=1))
    stepped_s = timeline.look(16_000, NINE + timedelta(seconds=2) + by)
    assert stepped_s == (pytest.approx(by.total_seconds()) if is_step else 0.0)
    assert timeline.steps == is_step
    if is_step:
        assert timeline.moment(16_000) == NINE + timedelta(seconds=2) + by
        assert timeline.look(24_000, NINE + timedelta(seconds=3) + by) == 0.0
