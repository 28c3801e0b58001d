"""The last seconds of all lines are there, however they came; what is older, or lost, is not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.dsp.history import History

FRAMES = 100


def numbered(start: int, count: int) -> np.ndarray:
    return np.stack([np.arange(start, start + count), -np.arange(start, start + count)], axis=1).astype(
        np.int16
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 250), min_size=1, max_size=20))
def test_the_last_frames_are_kept(lengths: list[int]) -> None:
    history, at = History(2, FRAMES), 0
    for length in lengths:
        history.feed(numbered(at, length), at)
        at += length
    assert history.end == at
    first = max(0, at - FRAMES)
    for column in (0, 1):
        start, samples = history.read(column, first, at)
        assert start == first and np.array_equal(samples, numbered(first, at - first)[:, column])


@pytest.mark.parametrize(("start", "end", "last"), [(90, 500, 119), (50, 70, 69), (300, 400, None)])
def test_no_more_is_read_than_there_is(start: int, end: int, last: int | None) -> None:
    history = History(2, FRAMES)
    history.feed(numbered(0, 120), 0)
    first, samples = history.read(0, start, end)
    assert first == start and samples.tolist()[-1:] == ([] if last is None else [last])


def test_a_jump_empties_it() -> None:
    history = History(2, FRAMES)
    history.feed(numbered(0, 50), 0)
    history.feed(numbered(500, 10), 500)
    start, samples = history.read(0, 0, 510)
    assert start == 500 and samples.tolist() == list(range(500, 510))


def test_what_is_read_is_a_copy() -> None:
    history = History(2, FRAMES)
    history.feed(numbered(0, 50), 0)
    _, samples = history.read(0, 0, 50)
    samples[:] = 0
    assert history.read(0, 0, 50)[1][-1] == 49
