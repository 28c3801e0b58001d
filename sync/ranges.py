"""Runs of sequence numbers beyond a hole: merged, kept sorted, and eaten up when the hole closes."""

from __future__ import annotations

from collections.abc import Iterable

Ranges = tuple[tuple[int, int], ...]  # (first, last), sorted, not touching


def add(upto: int, ranges: Ranges, first: int, last: int) -> tuple[int, Ranges]:
    """Return (upto, ranges) after `first`..`last` arrived on top of everything up to `upto` and `ranges`."""
    merged: list[tuple[int, int]] = [(1, upto)] if upto else []
    for start, end in sorted((*ranges, (first, last))):
        if merged and start <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    if merged and merged[0][0] == 1:
        return merged[0][1], tuple(merged[1:])
    return 0, tuple(merged)


def holds(upto: int, ranges: Iterable[tuple[int, int]], seq: int) -> bool:
    """Whether `seq` has arrived."""
    return seq <= upto or any(first <= seq <= last for first, last in ranges)
