"""The board's pins as plain Python: volts are set, bytes are piped, switches can be looked at.

Time is what `clock` says, so a test turns it by hand and the virtual HAT gives it the card's own time.
"""

from __future__ import annotations

from collections.abc import Callable

ONE_SHOT_MS = 300  # chosen: how long the switches' supply outlives the last kick
WRAP = (1 << 30) - 1


class Hal:
    """One board; `clock()` = milliseconds that only grow."""

    def __init__(self, clock: Callable[[], int], lines: int, offset_counts: int, gain_uv: int) -> None:
        self._clock = clock
        self._offset, self._gain_uv = offset_counts, gain_uv
        self.volts = [0.0] * (lines + 1)
        self.waves = [0] * (lines + 1)
        self.switches = [False] * (lines + 1)
        self.leds = [0] * (lines + 1)
        self.fed_ms = self._clock()
        self._kicked_ms = -ONE_SHOT_MS
        self.to_board = bytearray()
        self.to_box = bytearray()

    def closed(self, line: int) -> bool:
        """Whether the line's contact is closed: its pin is on, and the one-shot still holds the supply."""
        return self.switches[line] and self._clock() - self._kicked_ms < ONE_SHOT_MS

    def ticks(self) -> int:
        return self._clock() & WRAP

    def counts(self, line: int) -> int:
        return max(0, min(65535, self._offset + round(self.volts[line] * 1e6 / self._gain_uv)))

    def half_waves(self, line: int) -> int:
        seen, self.waves[line] = self.waves[line], 0
        return seen

    def switch(self, line: int, on: bool) -> None:
        self.switches[line] = on

    def switch_is(self, line: int) -> bool:
        return self.switches[line]

    def led(self, line: int, colour: int) -> None:
        self.leds[line] = colour

    def kick(self) -> None:
        self._kicked_ms = self._clock()

    def feed(self) -> None:
        self.fed_ms = self._clock()

    def read(self) -> bytes:
        data = bytes(self.to_board)
        self.to_board.clear()
        return data

    def write(self, data: bytes) -> None:
        self.to_box += data
