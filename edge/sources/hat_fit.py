"""Where the microcontroller's milliseconds lie among the samples of the audio, from what the link sees.

    asked    TIME is sent when the newest sample is n; the board reads it at its m: sample(m) >= n
    heard    a frame stamped m arrives when the newest sample is n: about one audio period later

Each answer to TIME is a lower bound of the offset, short of the truth by how old the newest sample was and
how long the bytes took. The greatest of the last ones is the best: one of them met a fresh sample. Without
answers (an older board) the median of what was heard is right to within half a period.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from statistics import median

LOOKS = 64  # what was heard
ANSWERS = 80  # 16 s at five questions a second: a drift of 50 ppm is 0.8 ms
WRAP = 1 << 32
WAY_MS = 1  # of TIME: 0.4 ms of bytes at 460,800 baud, and the board looks every millisecond
BACK_MS = 500
ENOUGH = 4  # answers that weigh more than what was heard


@dataclass(slots=True)
class TimeFit:
    """The clock of one start of the board, against positions at `rate_hz`."""

    rate_hz: int
    _last_ms: int | None = None  # unwrapped, the latest seen
    _heard: deque[int] = field(default_factory=lambda: deque(maxlen=LOOKS))
    _asked: deque[int] = field(default_factory=lambda: deque(maxlen=ANSWERS))

    @property
    def is_known(self) -> bool:
        """Whether `position` has anything to go by."""
        return bool(self._heard or self._asked)

    def is_before(self, mcu_ms: int) -> bool:
        """Whether this stamp lies so far back that the board must have started again."""
        if self._last_ms is None:
            return False
        return (mcu_ms - self._last_ms + WRAP // 2) % WRAP - WRAP // 2 < -BACK_MS

    def look(self, mcu_ms: int, newest: int) -> None:
        """A frame stamped `mcu_ms` arrived when sample `newest` was the newest."""
        self._heard.append(newest - self._samples(mcu_ms))

    def answered(self, mcu_ms: int, newest: int) -> None:
        """TIME, sent when sample `newest` was the newest, was read at `mcu_ms`."""
        self._asked.append(newest - self._samples(mcu_ms) + WAY_MS * self.rate_hz // 1000)

    def position(self, mcu_ms: int) -> int:
        """The sample taken at `mcu_ms`."""
        offset = max(self._asked) if len(self._asked) >= ENOUGH else round(median(self._heard or self._asked))
        return self._samples(mcu_ms) + offset

    def _samples(self, mcu_ms: int) -> int:
        return self._unwrap(mcu_ms) * self.rate_hz // 1000

    def _unwrap(self, mcu_ms: int) -> int:
        """The stamp nearest to the latest one, so that a late event is not taken for a wrap."""
        if self._last_ms is None:
            self._last_ms = mcu_ms
        ms = self._last_ms + (mcu_ms - self._last_ms + WRAP // 2) % WRAP - WRAP // 2
        self._last_ms = max(self._last_ms, ms)
        return ms
