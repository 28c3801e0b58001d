"""Spans against the plainest model there is: a set of byte numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.spans import Spans, add, are_spans, from_zero, holds, missing, without

PAIR = st.tuples(st.integers(0, 40), st.integers(0, 40))


def members(spans: Spans) -> set[int]:
    return {byte for start, end in spans for byte in range(start, end)}


@given(st.lists(PAIR, max_size=12), st.lists(PAIR, max_size=3), PAIR)
def test_spans_are_sets_of_bytes(
    added: list[tuple[int, int]], taken: list[tuple[int, int]], at: tuple[int, int]
) -> None:
    spans: Spans = ()
    model: set[int] = set()
    for start, end in added:
        spans = add(spans, start, end)
        model |= set(range(start, end))
    for start, end in taken:
        spans = without(spans, min(start, end), max(start, end))
        model -= set(range(min(start, end), max(start, end)))
    start, end = sorted(at)
    assert members(spans) == model
    assert are_spans(spans)
    assert members(tuple(missing(spans, start, end))) == set(range(start, end)) - model
    assert holds(spans, start, end) == (set(range(start, end)) <= model)
    assert from_zero(spans) == next(byte for byte in range(99) if byte not in model)


@pytest.mark.parametrize(
    ("pairs", "good"),
    [
        ([], True),
        ([(0, 1), (2, 3)], True),
        ([(0, 1), (1, 3)], False),
        ([(2, 3), (0, 1)], False),
        ([(1, 1)], False),
        ([(-2, 1)], False),
    ],
)
def test_what_spans_are(pairs: list[tuple[int, int]], good: bool) -> None:
    assert are_spans(pairs) is good
