"""Reads FSK bytes one bit at a time, as a UART with soft bits does: quick, and right while the eye is open.

A bit window slides over the burst: d = mark - space, each relative to its own strength (twist). Where d
crosses zero downwards after a mark, a byte starts half a bit later:

    mark ----+      b0    b1   ...   b7   +---- stop (any length, fractions too)
             |start                       |
             +----+                       +
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.dsp.fsk_baseband import RATE_HZ, ramp

BIT = RATE_HZ // 1200
MARK_HZ, SPACE_HZ = 1230.0, 2170.0  # between Bell 202 and V.23: a bit is too short to tell them apart
MIN_MARK_BITS = 9.3
PIECE = (
    4096  # bit windows worked out at a time: what they need stays in the cache, and in memory that is there
)
_TONES = tuple(ramp(hz, PIECE + BIT - 1) for hz in (MARK_HZ, SPACE_HZ))


@dataclass(frozen=True, slots=True)
class Characters:
    """Bytes read in a row after a run of marks; `margins` holds the weakest bit of each (1: clean)."""

    start: int  # of the first start bit, in samples at 24 kHz
    end: int  # of the last stop bit
    mark: NDArray[np.complex64]  # the run of marks before it
    message: bytes
    margins: tuple[float, ...]


def read_characters(signal: NDArray[np.complex64]) -> list[Characters]:
    """Return what stands after each long run of marks; `signal` as from `analytic`."""
    if len(signal) < 12 * BIT:
        return []
    soft = soft_bits(signal)
    mark = soft >= 0
    edges = np.flatnonzero(mark[1:] != mark[:-1]) + 1
    falls = edges[int(not mark[0]) :: 2]
    runs = np.diff(edges, prepend=0)[int(not mark[0]) :: 2]  # of mark, before each fall
    found = []
    for fall, run in zip(falls[runs >= MIN_MARK_BITS * BIT], runs[runs >= MIN_MARK_BITS * BIT], strict=True):
        start, end, message, margins = _read(soft, falls, int(fall))
        if message:
            found.append(Characters(start, end, signal[fall - run + BIT : fall], message, margins))
    return found


def soft_bits(signal: NDArray[np.complex64]) -> NDArray[np.float32]:
    """Return d for a bit window starting at each sample: +1 mark, -1 space; shape (n - BIT + 1,)."""
    mark, space = (_size(signal, tone) for tone in _TONES)
    mark /= _strong(mark)
    space /= _strong(space)
    mark -= space
    return mark


def _size(signal: NDArray[np.complex64], tone: NDArray[np.complex64]) -> NDArray[np.float32]:
    """Return how strong a tone is in each bit window, whatever its phase; shape (n - BIT + 1,)."""
    size = np.empty(len(signal) - BIT + 1, np.float32)
    for at in range(0, len(size), PIECE):
        part = signal[at : at + PIECE + BIT - 1]
        turned = part * tone[: len(part)]
        quarter = turned[1:] + turned[:-1]
        quarter = quarter[2:] + quarter[:-2]  # four samples; a bit is five times that
        window = quarter[:-16] + quarter[16:]
        for back in (4, 8, 12):
            window += quarter[back : back - 16]
        np.sqrt(window.real**2 + window.imag**2, out=size[at : at + PIECE])
    return size


assert BIT == 20, "the sum of a bit window is made of five times four samples"


def _strong(size: NDArray[np.float32]) -> np.float32:
    """Return the strength of a tone: that of the strongest tenth of its windows."""
    some = size[:: BIT // 2]
    return np.float32(max(1e-12, np.partition(some, len(some) * 9 // 10)[len(some) * 9 // 10]))


def _read(
    soft: NDArray[np.float32], falls: NDArray[np.intp], fall: int
) -> tuple[int, int, bytes, tuple[float, ...]]:
    """Follow start bits from the crossing at `fall` until one is missing or a stop bit is not a mark."""
    starts = np.array(_starts(falls.tolist(), fall, len(soft)), np.intp)
    bits = soft[starts[:, None] + np.arange(10) * BIT]
    framed = (bits[:, 0] <= 0) & (bits[:, 9] >= 0)
    count = len(starts) if framed.all() else int(np.argmin(framed))
    first = fall + BIT // 2
    end = int(starts[count - 1]) + 10 * BIT if count else first
    message = np.packbits(bits[:count, 1:9] > 0, axis=1, bitorder="little").tobytes()
    return first, end, message, tuple(np.abs(bits[:count]).min(axis=1).tolist())


def _starts(falls: list[int], fall: int, length: int) -> list[int]:
    """Return where start bits are: each at the first fall once a character is over, while there is one."""
    starts = []
    start = fall + BIT // 2
    while start + 9 * BIT < length:
        starts.append(start)
        at = bisect_left(falls, start + int(8.8 * BIT))
        if at >= len(falls) or falls[at] > start + 32 * BIT:
            break
        start = falls[at] + BIT // 2
    return starts
