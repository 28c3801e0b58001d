"""hw/wire under damage: counted mutations of real frames; ten million of them run with the faults."""

from __future__ import annotations

from tests.hw.mutations import wrong_frames

FRAMES = 20_000


def test_no_damaged_frame_is_taken_for_another() -> None:
    wrong, unharmed, refused = wrong_frames(seed=8, count=FRAMES)
    assert wrong == 0
    assert refused > 0.9 * FRAMES
    assert unharmed < 0.1 * FRAMES, "the damage must be real"
