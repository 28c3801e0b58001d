"""Runs of numbers against the plain set they stand for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.ranges import Ranges, add, holds

RUNS = st.lists(st.tuples(st.integers(1, 60), st.integers(0, 8)), max_size=20)


@pytest.mark.parametrize(
    ("upto", "ranges", "run", "wanted"),
    [
        (0, (), (1, 3), (3, ())),
        (3, (), (4, 4), (4, ())),
        (3, (), (5, 6), (3, ((5, 6),))),
        (3, ((5, 6),), (4, 4), (6, ())),
        (3, ((5, 6), (9, 9)), (7, 8), (3, ((5, 9),))),
        (9, (), (2, 5), (9, ())),
        (0, ((2, 2),), (1, 1), (2, ())),
        (0, (), (2, 2), (0, ((2, 2),))),
    ],
)
def test_add(upto: int, ranges: Ranges, run: tuple[int, int], wanted: tuple[int, Ranges]) -> None:
    assert add(upto, ranges, *run) == wanted


@given(RUNS)
def test_as_the_set_says(runs: list[tuple[int, int]]) -> None:
    upto, ranges, arrived = 0, (), set[int]()
    for first, more in runs:
        upto, ranges = add(upto, ranges, first, first + more)
        arrived |= set(range(first, first + more + 1))
        assert {seq for seq in range(1, 80) if holds(upto, ranges, seq)} == arrived
        assert upto + 1 not in arrived
        assert all(first <= last for first, last in ranges)
        edges = [upto, *(edge for run in ranges for edge in run)]
        assert edges == sorted(edges)
