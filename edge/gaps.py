"""Samples that are missing from a recording: where, how many, why.

Positions are those of `edge.samples`; the store, which keeps gaps, needs no arrays for them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Gap:
    """Samples that were lost, and why: overrun, device_lost, ring_overtaken, disk_full, disk_error."""

    position: int
    length: int
    reason: str

    @property
    def end(self) -> int:
        """The position just after it."""
        return self.position + self.length


def joined(gaps: Iterable[Gap]) -> list[Gap]:
    """In order of position; neighbours with one reason are one gap."""
    found: list[Gap] = []
    for gap in sorted(gaps, key=lambda one: one.position):
        if found and found[-1].end == gap.position and found[-1].reason == gap.reason:
            found[-1] = Gap(found[-1].position, found[-1].length + gap.length, gap.reason)
        else:
            found.append(gap)
    return found


def without(gaps: Iterable[Gap], others: Iterable[Gap]) -> list[Gap]:
    """What is left of `gaps` where `others` are not: no sample is missing twice."""
    left = list(gaps)
    for other in others:
        pieces = []
        for gap in left:
            pieces.append(Gap(gap.position, min(gap.end, other.position) - gap.position, gap.reason))
            first = max(gap.position, other.end)
            pieces.append(Gap(first, gap.end - first, gap.reason))
        left = [piece for piece in pieces if piece.length > 0]
    return left
