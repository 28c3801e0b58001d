"""The last seconds of all lines, so that a burst can be read from its beginning once it is known as one."""

from __future__ import annotations

import numpy as np

from edge.samples import Samples


class History:
    """Keeps at least the last `frames` frames; a jump of the position empties it."""

    def __init__(self, lines: int, frames: int) -> None:
        self._frames = frames
        self._kept = np.zeros((2 * frames, lines), np.int16)
        self._start = 0  # position of the first kept frame
        self._length = 0

    @property
    def end(self) -> int:
        """The position just after the last frame."""
        return self._start + self._length

    def feed(self, samples: Samples, position: int) -> None:
        """Append int16 (frames, lines)."""
        if position != self.end:
            self._start, self._length = position, 0
        if len(samples) > self._frames:
            self._start, self._length = position + len(samples) - self._frames, 0
            samples = samples[-self._frames :]
        if self._length + len(samples) > len(self._kept):
            dropped = self._length - self._frames
            self._kept[: self._frames] = self._kept[dropped : self._length]
            self._start += dropped
            self._length = self._frames
        self._kept[self._length : self._length + len(samples)] = samples
        self._length += len(samples)

    def read(self, column: int, start: int, end: int) -> tuple[int, Samples]:
        """Return (position of the first frame, a copy of what is kept of start..end of one line)."""
        start = max(start, self._start)
        first, last = start - self._start, min(end, self.end) - self._start
        return start, self._kept[first : max(first, last), column].copy()
