"""Asks the C library to give freed memory back: a recorder runs for months on a box with little of it.

glibc learns from the first large block that is freed to keep such blocks; the arrays of one caller ID read in
noise then stay, some 20 MB, beside what was only needed to start. Fixed limits (mallopt(3)) cost 3 % of CPU.
"""

from __future__ import annotations

import ctypes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
MAPPED_FROM_BYTES = 1 << 20  # larger blocks are mapped, so that freeing them is giving them back
KEPT_BYTES = 4 << 20  # at the heap's end; more is given back


def keep_heap_small() -> bool:
    """Set the limits; False where the C library has none."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, MAPPED_FROM_BYTES) and mallopt(M_TRIM_THRESHOLD, KEPT_BYTES))
