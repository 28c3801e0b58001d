"""Ten million damaged frames: none may come out as something that was not sent."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor

import pytest

from tests.hw.mutations import wrong_frames

FRAMES = 10_000_000
PARTS = 100


@pytest.mark.faults
def test_no_damaged_frame_in_ten_million_is_taken_for_another() -> None:
    with ProcessPoolExecutor(2) as pool:
        parts = list(pool.map(wrong_frames, range(PARTS), [FRAMES // PARTS] * PARTS))
    assert sum(wrong for wrong, _, _ in parts) == 0
    assert sum(refused for _, _, refused in parts) > 0.9 * FRAMES
