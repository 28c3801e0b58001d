"""The window against a made-up line: it fills the line, and hardly anyone else waits."""

from __future__ import annotations

from collections import deque

import pytest

from sync.chunks import MAX_CHUNK, MIN_CHUNK
from sync.pace import CHUNKS, MOST_CHUNKS, Pace


class Line:
    """A line of a rate and a delay with a queue before it, as a modem has."""

    def __init__(self, bytes_per_s: float, delay_s: float) -> None:
        self.bytes_per_s, self.delay_s = bytes_per_s, delay_s
        self.free_s = 0.0  # when the queue is empty

    def send(self, bytes_: int, now_s: float) -> float:
        """When the word comes back that these bytes came through."""
        self.free_s = max(now_s, self.free_s) + bytes_ / self.bytes_per_s
        return self.free_s + self.delay_s

    def wait_s(self, now_s: float) -> float:
        return max(0.0, self.free_s - now_s)


def run(line: Line, seconds: float, jitter_s: float = 0.0) -> tuple[float, list[float]]:
    """Send for so long: bytes a second in the second half, and what others waited in it."""
    pace = Pace(MIN_CHUNK, MAX_CHUNK)
    flights: deque[tuple[float, float, int]] = deque()
    now_s = came = 0.0
    waits: list[float] = []
    turn = 0
    while now_s < seconds:
        while pace.room():
            turn += 1
            assert pace.chunk == min(256 * 1024, max(8 * 1024, int(pace.window / 4)))
            back_s = line.send(pace.chunk, now_s) + (turn % 3) * jitter_s
            flights.append((now_s, max(back_s, flights[-1][1] if flights else 0.0), pace.chunk))
            pace.on_the_way += pace.chunk
        assert pace.on_the_way <= 2 << 20
        sent_s, now_s, size = flights.popleft()
        pace.on_the_way -= size
        pace.acked(size, now_s - sent_s, now_s)
        if now_s > seconds / 2:
            waits.append(line.wait_s(now_s))
            came += size
    return came / (seconds / 2), waits


@pytest.mark.parametrize("bytes_per_s", [16_000, 125_000, 1_250_000, 12_500_000])
@pytest.mark.parametrize("delay_s", [0.002, 0.04, 0.3])
def test_a_line_is_filled_and_others_hardly_wait(bytes_per_s: float, delay_s: float) -> None:
    rate, waits = run(Line(bytes_per_s, delay_s), 60.0)
    most = (2 << 20) / delay_s  # no window is larger
    assert rate >= 0.8 * min(bytes_per_s, most)
    two_chunks_s = 2 * MIN_CHUNK / bytes_per_s
    assert sorted(waits)[int(len(waits) * 0.95)] <= max(0.13, two_chunks_s) + 0.01


def test_jitter_is_no_queue() -> None:
    rate, _ = run(Line(1_250_000, 0.04), 30.0, jitter_s=0.08)
    assert rate >= 0.4 * 1_250_000


def test_after_silence_it_begins_small() -> None:
    pace = Pace(MIN_CHUNK, MAX_CHUNK)
    for number in range(50):
        pace.acked(100_000, 0.01, number * 0.01)
    large = pace.window
    assert large == MOST_CHUNKS * MAX_CHUNK
    pace.restart()
    assert pace.window == large / CHUNKS
