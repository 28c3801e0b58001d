"""Whole tenths of a second come out in order, whatever the blocks; a jump gives out what was waiting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.dsp.turns import PATIENCE, Turns
from edge.samples import AudioBlock, SamplesError

RATE_HZ = 8000
TURN = 800


def counted(position: int, frames: int) -> AudioBlock:
    """Samples that say where they belong."""
    return AudioBlock(position, (np.arange(position, position + frames) % 30000).astype(np.int16)[:, None])


@given(st.lists(st.tuples(st.integers(0, 2500), st.booleans()), max_size=20), st.integers(0, 10**6))
def test_nothing_is_lost_and_every_turn_is_whole(blocks: list[tuple[int, bool]], first: int) -> None:
    turns, position, end = Turns(1, RATE_HZ), first, first
    for length, urgent in blocks:
        for turn in turns.feed(counted(position, length), urgent):
            assert turn.position == end and len(turn.samples) % TURN == 0
            assert (turn.samples == counted(end, len(turn.samples)).samples).all()
            end = turn.end
        position += length
        assert 0 <= position - end < TURN * (1 if urgent else PATIENCE)


def test_turns_wait_for_each_other_unless_it_is_urgent() -> None:
    turns = Turns(1, RATE_HZ)
    ends = [
        [turn.end for turn in turns.feed(counted(at * TURN // 2, TURN // 2), urgent=at in (4, 6, 7))]
        for at in range(12)
    ]
    assert ends == [[], [], [], [1600], [], [], [2400], [3200], [], [], [], [4800]]


def test_a_jump_gives_out_what_was_waiting_and_starts_anew() -> None:
    turns = Turns(1, RATE_HZ)
    assert next(turns.feed(counted(0, 1700))).end == 1600
    out = list(turns.feed(counted(5000, 1650)))
    assert [(one.position, one.end) for one in out] == [(1600, 1700), (5000, 6600)]


def test_other_lines_than_promised_are_refused() -> None:
    with pytest.raises(SamplesError, match="shape"):
        list(Turns(2, RATE_HZ).feed(counted(0, 80)))
