"""The microcontroller of the virtual HAT: the real firmware on its CPython port, fed with line voltages.

It lives in steps of 10 ms of the card's time, so what it says and when is the same at any speed.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from firmware.linehat.app import App
from firmware.linehat.journal import SIZE
from firmware.ports.cpython.hal import Hal

TICK_MS = 10
WATCHDOG_MS = 2000
POWERED, BY_PIN, BY_WATCHDOG = 1, 2, 3  # reset causes, as the chip's port gives them


@dataclass(frozen=True, slots=True)
class Constants:
    """What the firmware asks of a board's file of constants."""

    ID: str
    LINES: int
    OFFSET_COUNTS: int = 32768
    GAIN_UV: int = 2550


class Board:
    """One microcontroller. Its memory outlives a reset and not a loss of power."""

    def __init__(self, lines: int, seed: int = 0) -> None:
        self.board = Constants("virtual-hat", lines)
        self.ms = 0
        self._rng = random.Random(seed)
        self._memory = bytearray(SIZE)
        self._booted_ms = 0
        self._is_hung = self._is_off = False
        self._start(POWERED)

    def _start(self, cause: int) -> None:
        self._booted_ms, self._is_hung = self.ms, False
        board = self.board
        self.hal = Hal(lambda: self.ms - self._booted_ms, board.LINES, board.OFFSET_COUNTS, board.GAIN_UV)
        self._app = App(self.hal, board, self._memory, self._rng.getrandbits(30), cause)

    def _step(self) -> None:
        self._app.step()

    def close(self) -> None:
        """Nothing is left to end."""

    def live(self, until_ms: int, volts: Sequence[float], half_waves: Sequence[int]) -> None:
        """Live on to `until_ms` with these voltages; the half-waves came in since the last call."""
        self.hal.volts[1:] = volts
        for line, count in enumerate(half_waves, start=1):
            self.hal.waves[line] += count
        while self.ms + TICK_MS <= until_ms:
            self.ms += TICK_MS
            if self._is_off:
                continue
            if not self._is_hung:
                self._step()
            if self.ms - self._booted_ms - self.hal.fed_ms >= WATCHDOG_MS:
                self._start(BY_WATCHDOG)

    def reset(self) -> None:
        """The Pi pulls the reset pin."""
        self._start(BY_PIN)

    def hang(self) -> None:
        """The program loses its way: nothing more until the watchdog bites."""
        self._is_hung = True

    def power(self, on: bool) -> None:
        """Power goes, or comes back to a memory that has forgotten."""
        if on and self._is_off:
            self._memory[:] = self._rng.randbytes(SIZE)
            self._is_off = False
            self._start(POWERED)
        elif not on:
            self._is_off = True
            self.hal.switches = [False] * (self.board.LINES + 1)

    def closed(self, line: int) -> bool:
        """Whether the line's hook contact is closed."""
        return not self._is_off and self.hal.closed(line)

    def receive(self, data: bytes) -> None:
        """Bytes from the box."""
        if not (self._is_off or self._is_hung):
            self.hal.to_board += data

    def sent(self) -> bytes:
        """Bytes for the box since the last call."""
        data = bytes(self.hal.to_box)
        self.hal.to_box.clear()
        return data
