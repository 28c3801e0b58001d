"""How much audio may be on the way: as much as delays it by a tenth of a second, so that others hardly wait.

A line's own delay is the shortest round trip of the last minute; what is longer is a queue, and the queue is
ours to keep short. While there is none the window grows; once there is, the window is what the line delivers
in its own delay and `QUEUE_S` more. Once a minute the queue is let run dry, or what we cause would pass for
the line's own. A call record that meets audio on a slow line then waits for a tenth of a second, and a fast
line is filled all the same.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

QUEUE_S = 0.1  # wanted delay by our own bytes
FORGET_S = 60.0  # the line's own delay is measured anew after this
RECENT = 8  # round trips: the shortest and the best rate of them count, for jitter is no queue
PROBE = 1.25  # a line without a queue may carry more than was seen
CHUNKS = 4  # in a window
MOST_CHUNKS = 8  # of the largest size: both ends then take several at a time, and more only fills memory


@dataclass(slots=True)
class Pace:
    """The window of one connection, from what was sent and when it was acknowledged."""

    least: int  # bytes of the smallest chunk
    most: int  # and of the largest
    window: float = 0.0  # bytes that may be on the way
    on_the_way: int = 0  # of all files, as their senders say
    rtt_s: float = 0.1
    _recent: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))  # round trips
    _rates: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))
    _came: deque[tuple[float, int]] = field(
        default_factory=lambda: deque(maxlen=64)
    )  # when, bytes until then
    _base_s: float = float("inf")  # shortest round trip since `_base_from_s`
    _base_from_s: float = 0.0

    def __post_init__(self) -> None:
        self.restart()

    @property
    def chunk(self) -> int:
        """Bytes of one chunk now."""
        return int(max(self.least, min(self.most, self.window / CHUNKS)))

    def room(self) -> bool:
        """Whether another chunk may go; two always may, or nothing would be on the way while one is taken."""
        chunk = self.chunk
        return self.on_the_way + chunk <= max(self.window, 2 * chunk)

    def restart(self) -> None:
        """Nothing is known of the line any more: begin small."""
        self._recent.clear()
        self._rates.clear()
        self._came.clear()
        self.window = float(min(CHUNKS * self.most, max(CHUNKS * self.least, self.window / CHUNKS)))

    def acked(self, bytes_: int, took_s: float, now_s: float) -> None:
        """`bytes_` came through; the last of them took `took_s` there and back."""
        self.rtt_s += (took_s - self.rtt_s) / 4
        self._recent.append(took_s)
        self._base_s = min(self._base_s, took_s)
        self._measure_rate(bytes_, took_s, now_s)
        wanted = max(self._rates) * (self._base_s + QUEUE_S)
        if min(self._recent) - self._base_s < QUEUE_S / 2:
            wanted = min(self.window + bytes_, PROBE * wanted)
        self.window = float(max(2 * self.least, min(MOST_CHUNKS * self.most, wanted)))
        if now_s - self._base_from_s > FORGET_S:
            self.window = float(2 * self.least)
            self._base_s, self._base_from_s = float("inf"), now_s

    def _measure_rate(self, bytes_: int, took_s: float, now_s: float) -> None:
        """What came through between the sending of a chunk and the word of its arrival."""
        total = bytes_ + (self._came[-1][1] if self._came else 0)
        before = next((came for at_s, came in reversed(self._came) if at_s <= now_s - took_s), 0)
        self._came.append((now_s, total))
        self._rates.append((total - before) / max(took_s, 1e-4))
