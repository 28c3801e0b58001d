"""Tells the C library what to give back of freed memory: fixed limits (mallopt(3)) instead of its guesses.

A recorder runs for months on a box with little memory, and glibc learns from the first large block that is
freed to keep such blocks: 20 MB of arrays of one caller ID read in noise then stay. Whoever passes chunks of
audio on has the opposite trouble: a quarter of a megabyte that is given back at once and asked for again is
64 page faults for each copy of it, more than the copy costs.
"""

from __future__ import annotations

import ctypes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
SMALL = 4 << 20
MAPPED_FROM_BYTES = 1 << 20  # larger blocks are mapped, so that freeing them is giving them back


def keep_heap(kept_bytes: int = SMALL) -> bool:
    """Keep so much of what is free at the heap's end; False where the C library has no limits."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, MAPPED_FROM_BYTES) and mallopt(M_TRIM_THRESHOLD, kept_bytes))
