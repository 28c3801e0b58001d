"""The hook switches and lamps: a switch is closed only while the box goes on asking for it.

A lease runs out by itself, so a dead box or a cut cable hangs up. The one-shot that holds the switches'
supply is kicked only from the tick, so a dead program hangs up as well. Everything starts at rest.
"""

from hw.wire import LEASE_ENDED, MAX_LEASE_MS

KICK_EVERY_MS = 100


class Outputs:
    """Hook switches and lamps of lines 1..`lines` on `hal`; `emit` as in line.py."""

    def __init__(self, hal, lines: int, emit) -> None:
        self._hal, self._lines, self._emit = hal, lines, emit
        self._left_ms = [0] * (lines + 1)
        self._kick_ms = 0
        self.rest()

    def rest(self) -> None:
        """Every switch open, every lamp dark."""
        for line in range(1, self._lines + 1):
            self._left_ms[line] = 0
            self._hal.switch(line, False)
            self._hal.led(line, 0)

    def is_held(self, line: int) -> bool:
        """Whether the line's switch should be closed."""
        return self._left_ms[line] > 0

    def hold(self, line: int, lease_ms: int) -> None:
        """Close the line's switch for `lease_ms` (1-MAX_LEASE_MS) from now."""
        self._left_ms[line] = min(MAX_LEASE_MS, lease_ms)
        self._hal.switch(line, True)
        self._hal.kick()

    def release(self, line: int) -> None:
        """Open the line's switch."""
        self._left_ms[line] = 0
        self._hal.switch(line, False)

    def led(self, line: int, colour: int) -> None:
        """Light the line's lamp."""
        self._hal.led(line, colour)

    def step(self, dt_ms: int) -> None:
        """Let leases run; kick the one-shot while one does."""
        held = False
        for line in range(1, self._lines + 1):
            left_ms = self._left_ms[line]
            if not left_ms:
                continue
            if left_ms <= dt_ms:
                self.release(line)
                self._emit(line, LEASE_ENDED, 0, 0)
                continue
            self._left_ms[line] = left_ms - dt_ms
            held = True
        self._kick_ms += dt_ms
        if held and self._kick_ms >= KICK_EVERY_MS:
            self._kick_ms = 0
            self._hal.kick()
