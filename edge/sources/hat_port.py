"""A serial port that is never waited for: missing, silent or full are answers, not exceptions.

It is the only file of the box that touches a terminal's settings.
"""

from __future__ import annotations

import os
import select
import termios
import tty
from dataclasses import dataclass

READ_BYTES = 4096
MOST_BYTES = 1 << 16  # taken at once, however much a broken sender piles up


class PortError(OSError):
    """The port cannot be opened, or has gone."""


@dataclass(slots=True)
class Port:
    """The port at `path`; open or not."""

    path: str
    _handle: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is something to read from."""
        return self._handle is not None

    def open(self) -> None:
        """Open it raw at 460,800 baud; raises PortError."""
        try:
            self._handle = os.open(self.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            tty.setraw(self._handle)
            attributes = termios.tcgetattr(self._handle)
            attributes[4] = attributes[5] = termios.B460800
            termios.tcsetattr(self._handle, termios.TCSANOW, attributes)
        except (OSError, termios.error) as error:
            self.close()
            raise PortError(str(error)) from None

    def close(self) -> None:
        """Give it back."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def read(self) -> bytes:
        """What has come in, perhaps nothing; raises PortError when the port has gone and nothing was left."""
        data = b""
        while self._handle is not None and len(data) < MOST_BYTES:
            if not select.select([self._handle], [], [], 0)[0]:
                break
            try:
                piece = os.read(self._handle, READ_BYTES)
            except OSError as error:
                return data or self._gone(str(error))
            if not piece:
                return data or self._gone("closed at the other end")
            data += piece
        return data

    def write(self, data: bytes) -> bool:
        """Send all of `data`; False if the other end does not take it now, or has gone."""
        if self._handle is None:
            return False
        try:
            return os.write(self._handle, data) == len(data)
        except OSError:
            return False  # whoever reads the port next learns that it has gone

    def _gone(self, reason: str) -> bytes:
        self.close()
        raise PortError(reason)
