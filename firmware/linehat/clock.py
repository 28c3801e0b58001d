"""Differences of a millisecond counter that wraps at 2**30, as MicroPython's does on the chip.

Every difference of times goes through here, in steps that stay small integers: nothing is allocated.
"""

HALF = 1 << 29
SPAN_BITS = 30


def diff(later: int, earlier: int) -> int:
    """Milliseconds from `earlier` to `later`, at most 2**29 either way."""
    ms = later - earlier
    if ms < -HALF:
        return ms + HALF + HALF
    if ms >= HALF:
        return ms - HALF - HALF
    return ms
