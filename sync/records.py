"""A TLS socket that gathers what is small: paho makes a record and a system call of each ack.

Each of those wakes the broker, too. Here small packets wait until `flush`, at the latest before anybody
sleeps, and go out as one record; the order is kept. What arrives is gathered the other way round: paho asks
for single bytes at a packet's head and gets them from a record that was read whole, and for a chunk of audio
it gets all that is there instead of a record at a time.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

RECORD_BYTES = 16_384  # RFC 8446, 5.1
ROOM_BYTES = 20 * RECORD_BYTES  # a chunk of audio, and what is around it


class RecordSocket(ssl.SSLSocket):
    """A non-blocking TLS socket. What `send` took `flush` sends; what then fails is raised by `recv`."""

    dry = False  # the last `recv` found the line empty: only poll knows when there is more
    _held = b""
    _ahead = memoryview(b"")  # read, and not yet asked for
    _room = memoryview(b"")
    _error: OSError | None = None

    @property
    def holds(self) -> bool:
        """Whether something waits to be sent."""
        return bool(self._held)

    @property
    def broken(self) -> bool:
        """Whether sending failed: `recv` says why."""
        return self._error is not None

    def send(self, data: ReadableBuffer, flags: int = 0) -> int:
        """Take `data`, or as much of it as the line takes now; SSLWantWriteError if that is nothing."""
        view = memoryview(data)
        if len(self._held) + len(view) <= RECORD_BYTES:
            self._held += view
            return len(view)
        self.flush()
        if self._held:
            raise ssl.SSLWantWriteError(ssl.SSL_ERROR_WANT_WRITE, "the line takes nothing now")
        return super().send(view)

    def flush(self) -> None:
        """Send what is held, as far as the line takes it."""
        if not self._held:
            return
        try:
            self._held = self._held[super().send(self._held) :]
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            return
        except OSError as error:
            self._held, self._error = b"", error

    def pending(self) -> int:
        """Bytes that can be had without the line."""
        return len(self._ahead) + super().pending()

    def recv(self, buflen: int = RECORD_BYTES, flags: int = 0) -> bytes:
        """Up to `buflen` bytes of what has arrived; SSLWantReadError if that is nothing, b"" at the end."""
        if self._error is not None:
            raise self._error
        if not self._ahead:
            self.dry = True  # unless bytes come
            if buflen >= RECORD_BYTES:
                return self._gathered(min(buflen, ROOM_BYTES))
            self._ahead = memoryview(self.read(RECORD_BYTES))
            self.dry = False
        given, self._ahead = self._ahead[:buflen], self._ahead[buflen:]
        return bytes(given)

    def _gathered(self, most: int) -> bytes:
        """As many whole records as are there."""
        room = self._room = self._room or memoryview(bytearray(ROOM_BYTES))
        filled = self.recv_into(room, RECORD_BYTES)
        self.dry = False
        while 0 < filled < most:
            try:
                more = self.recv_into(room[filled:], min(RECORD_BYTES, most - filled))
            except ssl.SSLWantReadError:
                self.dry = True
                break
            if not more:
                break  # the end, which the next one meets again
            filled += more
        return bytes(room[:filled])

    def close(self) -> None:
        """Send what is held if the line takes it, and close."""
        self.flush()
        super().close()
