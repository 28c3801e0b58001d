"""Board and box through random failures: switches come to rest in time, no event is lost or doubled."""

from __future__ import annotations

import pytest

from tests.firmware.scripts import live


@pytest.mark.parametrize("seed", range(40))
def test_a_random_life(seed: int) -> None:
    numbered, kept, late = live(seed)
    assert kept == numbered
    assert late == []
