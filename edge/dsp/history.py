"""The last seconds of all lines, so that a burst can be read from its beginning once it is known as one."""

from __future__ import annotations

import numpy as np

from edge.samples import Samples


class History:
    """Keeps the last `frames` frames, each where its position says; a jump of the position empties it."""

    def __init__(self, lines: int, frames: int) -> None:
        self._kept = np.zeros((frames, lines), np.int16)
        self._start = self.end = 0  # positions: of the first kept frame, and just after the last

    def feed(self, samples: Samples, position: int) -> None:
        """Append int16 (frames, lines)."""
        frames = len(self._kept)
        if position != self.end:
            self._start = position
        self.end = position + len(samples)
        self._start = max(self._start, self.end - frames)
        samples = samples[-frames:]
        place = (self.end - len(samples)) % frames
        before_edge = samples[: frames - place]
        self._kept[place : place + len(before_edge)] = before_edge
        self._kept[: len(samples) - len(before_edge)] = samples[len(before_edge) :]

    def read(self, column: int, start: int, end: int) -> tuple[int, Samples]:
        """Return (position of the first frame, a copy of what is kept of start..end of one line)."""
        start = max(start, self._start)
        places = np.arange(start, max(start, min(end, self.end))) % len(self._kept)
        return start, self._kept[places, column]
