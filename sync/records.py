"""A TLS socket that gathers what is small: paho makes a record and a system call of each ack.

Each of those wakes the broker, too. Here small packets wait until `flush`, at the latest before anybody
sleeps, and go out as one record; the order is kept.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

RECORD_BYTES = 16_384  # RFC 8446, 5.1


class RecordSocket(ssl.SSLSocket):
    """A non-blocking TLS socket. What `send` took `flush` sends; what then fails is raised by `recv`."""

    _held = b""
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

    def recv(self, buflen: int = RECORD_BYTES, flags: int = 0) -> bytes:
        """At most a record: more would only be room that is made and given back."""
        if self._error is not None:
            raise self._error
        return super().recv(min(buflen, RECORD_BYTES), flags)

    def close(self) -> None:
        """Send what is held if the line takes it, and close."""
        self.flush()
        super().close()
