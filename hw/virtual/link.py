"""The HAT's side of its serial link: a pseudo-terminal that speaks hw/wire as the microcontroller would.

As on a real board, what is sent while nobody has the port open is lost; whoever opens it is greeted by HELLO.
"""

from __future__ import annotations

import os
import select
import termios
import tty
from pathlib import Path

from hw import wire
from hw.virtual.exchange import Reading

BOARD = "virtual-hat"
READ_BYTES = 4096


class Link:
    """One pseudo-terminal, reachable through a symlink at `path` (one that lies there is replaced)."""

    def __init__(self, path: Path, lines: int) -> None:
        self._lines = lines
        self._path = path
        self._board_end, port = os.openpty()
        tty.setraw(port)
        self.device = os.ttyname(port)
        os.close(port)  # so that the board's end can see when somebody else opens it
        os.set_blocking(self._board_end, False)
        self._poll = select.poll()
        self._poll.register(self._board_end, select.POLLIN)
        half_made = path.with_name(f".{path.name}.{os.getpid()}")
        half_made.symlink_to(self.device)
        half_made.rename(path)
        self._deframer = wire.Deframer()
        self._is_open = False
        self._seq = 0

    def close(self) -> None:
        """Hang up, and remove the symlink unless another board has taken it over."""
        if self._path.is_symlink() and str(self._path.readlink()) == self.device:
            self._path.unlink()
        os.close(self._board_end)

    def step(self) -> None:
        """Notice who opened or closed the port, and take what the box sent."""
        state = dict(self._poll.poll(0)).get(self._board_end, 0)
        was_open, self._is_open = self._is_open, not state & select.POLLHUP
        if self._is_open and not was_open:
            self._send(wire.HELLO, wire.pack_hello(BOARD, self._lines))
        if was_open and not self._is_open:
            self._forget_unread()
        if self._is_open and state & select.POLLIN:
            self._deframer.feed(os.read(self._board_end, READ_BYTES))

    def _forget_unread(self) -> None:
        """What the last one to open the port left unread lies at its end of the pair, so flush it there."""
        port = os.open(self.device, os.O_RDWR | os.O_NOCTTY)
        termios.tcflush(port, termios.TCIOFLUSH)
        os.close(port)

    def send_beat(self, mcu_ms: int) -> None:
        """BEAT: alive, and how many frames from the box could not be read."""
        self._send(wire.BEAT, wire.pack_beat(mcu_ms, mcu_ms // 1000, self._deframer.refused))

    def send_readings(self, mcu_ms: int, readings: list[Reading]) -> None:
        """READINGS of one window, lines 1 to the last, in as many frames as they need."""
        rows = [(reading.voltage_v, reading.ring_half_waves) for reading in readings]
        for first in range(0, len(rows), wire.MAX_LINES_PER_READINGS):
            some = rows[first : first + wire.MAX_LINES_PER_READINGS]
            self._send(wire.READINGS, wire.pack_readings(mcu_ms, first + 1, some))

    def _send(self, kind: int, body: bytes) -> None:
        if not self._is_open:
            return
        self._seq = (self._seq + 1) % 256
        try:
            os.write(self._board_end, wire.pack(kind, self._seq, body))
        except BlockingIOError:
            return  # the box does not read: a UART loses bytes too, and the sequence number tells
