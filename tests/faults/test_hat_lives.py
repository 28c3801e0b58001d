"""Five hundred random lives of a board and a box; the quick form is tests/firmware/test_lives.py."""

from __future__ import annotations

import pytest

from tests.firmware.scripts import live

LIVES = 500


@pytest.mark.faults
def test_switches_rest_and_events_arrive_once_in_500_lives() -> None:
    for seed in range(1000, 1000 + LIVES):
        numbered, kept, late = live(seed)
        assert (kept, late) == (numbered, []), f"life {seed}"
