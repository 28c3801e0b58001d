"""The HAT's end of its serial cable: a pseudo-terminal that carries bytes and does not know what they say.

As on a real board, what is sent while nobody has the port open is lost; so is what the box does not read.
"""

from __future__ import annotations

import os
import select
import termios
import tty
from pathlib import Path

READ_BYTES = 4096


class Link:
    """One pseudo-terminal, reachable through a symlink at `path` (one that lies there is replaced)."""

    def __init__(self, path: Path) -> None:
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
        self._is_open = False

    def close(self) -> None:
        """Hang up, and remove the symlink unless another board has taken it over."""
        if self._path.is_symlink() and str(self._path.readlink()) == self.device:
            self._path.unlink()
        os.close(self._board_end)

    def receive(self) -> bytes:
        """What the box has sent; also notices who opened or closed the port."""
        state = dict(self._poll.poll(0)).get(self._board_end, 0)
        was_open, self._is_open = self._is_open, not state & select.POLLHUP
        if was_open and not self._is_open:
            self._forget_unread()
        return os.read(self._board_end, READ_BYTES) if self._is_open and state & select.POLLIN else b""

    def send(self, data: bytes) -> None:
        """Towards the box, if anybody has the port open and reads."""
        if not (data and self._is_open):
            return
        try:
            os.write(self._board_end, data)
        except BlockingIOError:
            return  # the box does not read: a UART loses bytes too, and the sequence number tells

    def _forget_unread(self) -> None:
        """What the last one to open the port left unread lies at its end of the pair, so flush it there."""
        port = os.open(self.device, os.O_RDWR | os.O_NOCTTY)
        termios.tcflush(port, termios.TCIOFLUSH)
        os.close(port)
