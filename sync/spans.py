"""Which bytes of a file are there: spans [start, end), sorted, apart from each other, none empty.

Chunks change their size with the line, so what a receiver has is said as spans; a bitmap would fix one size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

Span = tuple[int, int]
Spans = tuple[Span, ...]


def add(spans: Spans, start: int, end: int) -> Spans:
    """`spans` and the bytes from `start` to `end`."""
    if start >= end:
        return spans
    if spans and spans[-1][0] <= start <= spans[-1][1]:  # a file that grows at its end
        return (*spans[:-1], (spans[-1][0], max(end, spans[-1][1])))
    merged: list[Span] = []
    for first, last in sorted((*spans, (start, end))):
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return tuple(merged)


def without(spans: Spans, start: int, end: int) -> Spans:
    """`spans` less the bytes from `start` to `end`."""
    if start >= end:
        return spans
    kept = [piece for first, last in spans for piece in ((first, min(last, start)), (max(first, end), last))]
    return tuple((first, last) for first, last in kept if first < last)


def missing(spans: Spans, start: int, end: int) -> Iterator[Span]:
    """The pieces between `start` and `end` that are not there."""
    for first, last in spans:
        if first > start:
            yield start, min(first, end)
        start = max(start, last)
        if start >= end:
            return
    if start < end:
        yield start, end


def holds(spans: Spans, start: int, end: int) -> bool:
    """Whether every byte from `start` to `end` is there."""
    return start >= end or any(first <= start and end <= last for first, last in spans)


def from_zero(spans: Spans) -> int:
    """How many bytes are there from the beginning on without a hole."""
    return spans[0][1] if spans and spans[0][0] == 0 else 0


def are_spans(pairs: Iterable[Span]) -> bool:
    """Whether `pairs` are sorted, apart and none empty."""
    before = -1
    for start, end in pairs:
        if not before < start < end:
            return False
        before = end
    return True
