"""Where the characters of a burst stand, given how well a character would fit at every grid point.

A comb of equal steps is the strongest hypothesis: two numbers, first start and pitch, are chosen on the whole
burst at once. Where marks are stuffed between bytes or samples are lost the steps differ; then a walk takes
the best chain of places with any pause between them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STEPS = 8  # grid points per bit
CHARACTER = 10 * STEPS
SHORTEST_PITCH, LONGEST_PITCH = 9.75 * STEPS, 12.25 * STEPS
PITCH_STEP = 0.05
SHORTEST_STEP, LONGEST_STEP = 77, CHARACTER + 21 * STEPS  # of the walk
MIN_CHARACTERS = 4
CHARACTER_PRICE = 0.4  # of the best fit

Places = NDArray[np.float64]
Fit = NDArray[np.float32]


def comb(fit: Fit, firsts: Places) -> Places | None:
    """Return equally spaced places that begin near the mark run's end and run to the end of the grid."""
    last = len(fit) - 1.0
    if last - firsts[-1] < MIN_CHARACTERS * LONGEST_PITCH:
        return None
    pitches = np.arange(SHORTEST_PITCH, LONGEST_PITCH, PITCH_STEP)
    total = np.zeros((len(firsts), len(pitches)))
    used = np.zeros_like(total)
    for character in range(int((last - firsts[0]) / SHORTEST_PITCH) + 1):
        places = firsts[:, None] + pitches[None, :] * character
        inside = places < last - CHARACTER + STEPS
        total += fit[np.minimum(np.rint(places), last).astype(np.intp)] * inside
        used += inside
    row, column = np.unravel_index(int(np.argmax(total / np.maximum(used, 1))), total.shape)
    first, pitch = float(firsts[row]), float(pitches[column])
    return np.asarray(first + pitch * np.arange(int((last - first) / pitch) + 1), np.float64)


def walk(fit: Fit, firsts: Places) -> Places | None:
    """Return the chain of places with the best total fit, any pause of up to 21 bits between two."""
    count = len(fit)
    if count < MIN_CHARACTERS * CHARACTER + firsts[-1]:
        return None
    fit = fit - np.float32(
        CHARACTER_PRICE * np.quantile(fit, 0.98)
    )  # or pauses would fill with half characters
    width = LONGEST_STEP - SHORTEST_STEP + 1
    reached = np.full(count + LONGEST_STEP, -np.inf)  # shifted: point p stands at p + LONGEST_STEP
    came = np.full(count, -1, np.intp)
    begin = np.unique(np.rint(firsts).astype(np.intp))
    start = np.full(count, -np.inf)
    start[begin] = fit[begin]
    for at in range(0, count, SHORTEST_STEP):
        stop = min(at + SHORTEST_STEP, count)
        before = np.lib.stride_tricks.sliding_window_view(reached[at : stop + width - 1], width)
        choice = before.argmax(axis=1)
        chained = fit[at:stop] + before[np.arange(stop - at), choice]
        reached[at + LONGEST_STEP : stop + LONGEST_STEP] = np.maximum(chained, start[at:stop])
        linked = chained > start[at:stop]
        came[at:stop] = np.where(linked, np.arange(at, stop) + choice - LONGEST_STEP, -1)
    return _chain(reached[LONGEST_STEP:], came)


def _chain(reached: NDArray[np.float64], came: NDArray[np.intp]) -> Places | None:
    point = int(np.argmax(reached))
    places = []
    while point >= 0:
        places.append(point)
        point = int(came[point])
    return np.array(places[::-1], np.float64) if len(places) >= MIN_CHARACTERS else None
