"""The virtual microcontroller on MicroPython itself: the firmware in a process of its unix port.

For whoever wants the board's own interpreter under the virtual HAT (`--firmware unix`). It says byte for byte
what the CPython port says; a test holds them to that.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from firmware.ports.cpython.hal import Hal
from hw.virtual.board import POWERED, Board

ROOT = Path(__file__).parents[2]
MICROPYTHON = ROOT / "build/micropython/bin/micropython"


class UnixBoard(Board):
    """As `Board`; `close` ends it. OSError if the unix port is not there (make setup-test brings it)."""

    def __init__(self, lines: int, seed: int = 0) -> None:
        self._process: subprocess.Popen[str] | None = None
        super().__init__(lines, seed)

    def close(self) -> None:
        """End the process."""
        if self._process:
            self._process.communicate(timeout=10)
            self._process = None

    def _start(self, cause: int) -> None:
        self._booted_ms, self._is_hung = self.ms, False
        board = self.board
        self.hal = Hal(lambda: self.ms - self._booted_ms, board.LINES, board.OFFSET_COUNTS, board.GAIN_UV)
        if cause == POWERED:
            self.close()  # its memory goes with it
        if self._process is None:
            self._process = self._launch()
        self._ask(f"start {cause} {self._rng.getrandbits(30)} {self.hal.ticks()}")

    def _launch(self) -> subprocess.Popen[str]:
        board = self.board
        command = [str(MICROPYTHON), "-X", "heapsize=192k", "-m", "firmware.ports.unix.boot", board.ID]
        numbers = [str(number) for number in (board.LINES, board.OFFSET_COUNTS, board.GAIN_UV)]
        environment = os.environ | {"MICROPYPATH": f"{ROOT}:.frozen"}
        return subprocess.Popen(
            [*command, *numbers],
            cwd=ROOT,
            env=environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def _step(self) -> None:
        hal, lines = self.hal, range(1, self.board.LINES + 1)
        counts = [str(hal.counts(line)) for line in lines]
        waves = [str(hal.half_waves(line)) for line in lines]
        arrived = hal.read().hex() or "-"
        self._ask(" ".join([f"tick {hal.ticks()} {arrived}", *counts, *waves]))

    def _ask(self, line: str) -> None:
        """Send one line, do to the pins what comes back."""
        assert self._process and self._process.stdin and self._process.stdout
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        sent, switches, kicked, fed = self._process.stdout.readline().split()
        self.hal.write(bytes.fromhex(sent) if sent != "-" else b"")
        for number in range(1, self.board.LINES + 1):
            self.hal.switch(number, bool(int(switches) >> number & 1))
        if int(kicked):
            self.hal.kick()
        if int(fed):
            self.hal.feed()
