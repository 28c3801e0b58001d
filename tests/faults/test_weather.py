"""A night of weather: hundreds of stories of both ends, made up anew each time, on both databases.

`tests/sync/test_lossless.py` has what they are made of. WEATHERS says how many there are.
"""

from __future__ import annotations

import os
import sys

import pytest

from tests.sync.test_lossless import weather

NIGHTLY = 300


@pytest.mark.faults
def test_a_night_of_weather(database_url: str) -> None:
    tally = weather(database_url, int(os.environ.get("WEATHERS", NIGHTLY)))
    sys.stderr.write(f"{dict(tally)}\n")
    assert tally["repeated"] > tally["delivered"] / 100
