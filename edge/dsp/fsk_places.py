"""Where the characters of a burst stand, given how well a character would fit at every grid point.

A comb of equal steps is the strongest hypothesis: two numbers, first start and pitch, are chosen on the whole
burst at once. Where marks are stuffed between bytes or samples are lost the steps differ; then a walk takes
the best chain of places with any pause between them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

STEPS = 8  # grid points per bit
CHARACTER = 10 * STEPS
SHORTEST_PITCH, LONGEST_PITCH = 9.75 * STEPS, 12.25 * STEPS
PITCH_STEP = 0.05
SHORTEST_STEP, LONGEST_STEP = 77, CHARACTER + 21 * STEPS  # of the walk
PAUSES = LONGEST_STEP - SHORTEST_STEP + 1  # lengths between two starts
MIN_CHARACTERS = 4
MOST_BENT, BENDING = 8, 0.03  # grid points; of a character, for every one of them

Places = NDArray[np.float64]


@dataclass(slots=True)
class Fit:
    """For every grid point: how well the best byte fits there, and the running sum of mark tone, (n,)."""

    byte: NDArray[np.float32]
    over_mark: NDArray[np.float32]  # by how much it fits better than a mark of that length
    marks: NDArray[np.complex128]
    even: Places | None = None  # what `comb` found, as others begin with it

    def __len__(self) -> int:
        return len(self.byte)


def comb(fit: Fit, firsts: Places) -> Places | None:
    """Return equally spaced places that begin near the mark run's end and run to the end of the grid."""
    if fit.even is not None:
        return fit.even
    last = len(fit) - 1.0
    if last - firsts[-1] < MIN_CHARACTERS * LONGEST_PITCH:
        return None
    pitches = np.arange(SHORTEST_PITCH, LONGEST_PITCH, PITCH_STEP)
    steps = np.arange(int((last - firsts[0]) / SHORTEST_PITCH) + 1)
    offsets = np.rint(firsts[0] + pitches[:, None] * steps).astype(np.intp)  # firsts are one apart
    room = len(fit) - CHARACTER + STEPS - 1  # a character that begins later is not whole
    beyond = np.zeros(int(offsets[-1, -1]) + len(firsts) + 1 - room, np.float32)
    runs = sliding_window_view(np.concatenate([fit.over_mark[:room], beyond]), len(firsts))
    used = np.maximum(1, np.ceil((room - firsts[:, None]) / pitches))
    total = runs[offsets].sum(axis=1).T / used
    row, column = np.unravel_index(int(np.argmax(total)), total.shape)
    first, pitch = float(firsts[row]), float(pitches[column])
    fit.even = np.asarray(first + pitch * np.arange(int((last - first) / pitch) + 1), np.float64)
    return fit.even


def earlier(fit: Fit, firsts: Places) -> Places | None:
    """Return the comb begun one character sooner: the first byte of a message is mostly the weaker tone."""
    even = comb(fit, firsts)
    if even is None:
        return None
    sooner = 2 * even[0] - even[1]
    return np.concatenate([[sooner], even]) if sooner >= STEPS else None


def bent(fit: Fit, firsts: Places) -> Places | None:
    """Return the comb with each place moved a little, as little as samples lost on the way ask for."""
    even = comb(fit, firsts)
    if even is None:
        return None
    reach = np.arange(-MOST_BENT, MOST_BENT + 1)
    at = np.clip(np.rint(even[:, None] + reach), 0, len(fit) - 1).astype(np.intp)
    cost = BENDING * float(np.median(fit.byte[at])) * np.abs(reach[:, None] - reach)
    best = fit.byte[at[0]].astype(np.float64)
    came = np.zeros(at.shape, np.intp)
    for place in range(1, len(at)):
        chained = best - cost  # (to, from)
        came[place] = chained.argmax(axis=1)
        best = chained.max(axis=1) + fit.byte[at[place]]
    moves = np.zeros(len(at), np.intp)
    moves[-1] = int(best.argmax())
    for place in range(len(at) - 1, 0, -1):
        moves[place - 1] = came[place, moves[place]]
    return even + reach[moves]


def walk(fit: Fit, firsts: Places) -> Places | None:
    """Return the best chain of places, counting the marks in its pauses of up to 21 bits."""
    count = len(fit)
    if count < MIN_CHARACTERS * CHARACTER + firsts[-1]:
        return None
    gain = fit.byte - float(np.quantile(fit.byte, 0.98)) / 11  # the stop bit before is in the pause, too
    begin = np.unique(np.rint(firsts).astype(np.intp))
    start = np.full(count, -np.inf)
    start[begin] = gain[begin] + np.abs(fit.marks[begin] - fit.marks[begin[0]])
    marks = _paused(fit)
    reached = np.full(count + LONGEST_STEP, -np.inf)  # shifted: point p stands at p + LONGEST_STEP
    before = sliding_window_view(reached, PAUSES)
    came = np.full(count, -1, np.intp)
    for at in range(0, count, SHORTEST_STEP):
        points = slice(at, min(at + SHORTEST_STEP, count))
        scores = before[points] + marks[points]
        choice = scores.argmax(axis=1)
        chained = gain[points] + scores[np.arange(len(choice)), choice]
        reached[points.start + LONGEST_STEP : points.stop + LONGEST_STEP] = np.maximum(chained, start[points])
        back = np.arange(points.start, points.stop) - LONGEST_STEP + choice
        came[points] = np.where(chained > start[points], back, -1)
    return _chain(reached[LONGEST_STEP:], came)


def _paused(fit: Fit) -> NDArray[np.float32]:
    """How strong is the mark in every pause before a point, the longest first? (points, PAUSES)"""
    marks = fit.marks.astype(np.complex64)
    padded = np.concatenate([np.full(PAUSES - 1, marks[0]), marks])
    overlap = CHARACTER - SHORTEST_STEP  # characters may come a little early: then there is no pause
    turned = marks[:, None] - sliding_window_view(padded, PAUSES)
    size = np.sqrt(turned.real**2 + turned.imag**2)
    size[:, : PAUSES - overlap] = size[:, overlap:]
    size[:, PAUSES - overlap :] = 0
    return np.asarray(size)


def _chain(reached: NDArray[np.float64], came: NDArray[np.intp]) -> Places | None:
    point = int(np.argmax(reached))
    places = []
    while point >= 0:
        places.append(point)
        point = int(came[point])
    return np.array(places[::-1], np.float64) if len(places) >= MIN_CHARACTERS else None
