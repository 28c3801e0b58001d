"""Opens a TLS connection without ever waiting: look the name up, connect, shake hands, a step at a time.

The C library offers no look-up that does not wait, so that alone is done by a thread, one at a time, which
ends with its answer. Every address of the name gets its turn.

    TimeoutError, OSError, ssl.SSLError    why it failed, from `step`; sync.reasons puts it into words
"""

from __future__ import annotations

import errno
import ipaddress
import os
import select
import socket
import ssl
import threading
from dataclasses import dataclass, field

ADDRESS_S = 5.0  # to connect to one address and shake hands
LOOKUP_S = 5.0
UNANSWERED_MS = 15_000  # data the other side does not acknowledge for so long ends the connection

Address = tuple[socket.AddressFamily, tuple[str, int]]


class Lookup:
    """The addresses of a name. One that hangs is waited for, not asked twice."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._asked: tuple[str, int] = ("", 0)
        self._found: list[Address] | OSError | None = None

    def start(self, host: str, port: int) -> None:
        """Ask for `host`, unless the same question is still out."""
        if self._thread is not None and self._thread.is_alive() and self._asked == (host, port):
            return
        self._asked, self._found = (host, port), None
        if _is_address(host):
            self._found = _look_up(host, port)
            return
        self._thread = threading.Thread(target=self._ask, args=(host, port), daemon=True)
        self._thread.start()

    def answer(self) -> list[Address] | None:
        """What was found; None while nothing is known. OSError if there is no such name."""
        if isinstance(self._found, OSError):
            raise self._found
        return self._found

    def _ask(self, host: str, port: int) -> None:
        found: list[Address] | OSError
        try:
            found = _look_up(host, port)
        except OSError as error:
            found = error
        if self._asked == (host, port):
            self._found = found


def _look_up(host: str, port: int) -> list[Address]:
    return [
        (family, (str(address[0]), int(address[1])))
        for family, _, _, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    ]


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


@dataclass(slots=True)
class Dial:
    """One attempt to connect."""

    lookup: Lookup
    host: str
    port: int
    context: ssl.SSLContext
    begun_s: float
    _addresses: list[Address] | None = None
    _plain: socket.socket | None = None  # connecting
    _tls: ssl.SSLSocket | None = None  # shaking hands
    _address_s: float = 0.0  # when the current address was begun
    _error: OSError = field(default_factory=lambda: OSError(errno.EHOSTUNREACH, "no address"))
    _wants_write: bool = True

    def __post_init__(self) -> None:
        self.lookup.start(self.host, self.port)

    @property
    def waits_on(self) -> tuple[socket.socket, int] | None:
        """The socket that has to become ready, and for what (poll events)."""
        if self._tls is not None:
            return self._tls, select.POLLOUT if self._wants_write else select.POLLIN
        return None if self._plain is None else (self._plain, select.POLLOUT)

    def step(self, now_s: float) -> ssl.SSLSocket | None:
        """Do what can be done now; the socket once it is ready. Raises why no address could be reached."""
        if self._addresses is None:
            self._addresses = self._looked_up(now_s)
            if self._addresses is None:
                return None
        try:
            ready = self._connect(now_s)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as wants:
            self._wants_write = isinstance(wants, ssl.SSLWantWriteError)
        except OSError as error:
            self._next_address(error)
            return None
        else:
            if ready is not None:
                return ready
        if now_s - self._address_s > ADDRESS_S:
            self._next_address(TimeoutError(errno.ETIMEDOUT, "no answer"))
        return None

    def close(self) -> None:
        """Give up."""
        for sock in (self._tls, self._plain):
            if sock is not None:
                sock.close()
        self._tls = self._plain = None

    def _looked_up(self, now_s: float) -> list[Address] | None:
        addresses = self.lookup.answer()
        if addresses is None and now_s - self.begun_s > LOOKUP_S:
            raise socket.gaierror(socket.EAI_AGAIN, "no answer about this name")
        return None if addresses is None else list(addresses)

    def _connect(self, now_s: float) -> ssl.SSLSocket | None:
        if self._tls is None and self._plain is None:
            self._begin_address(now_s)
        if self._tls is None:
            assert self._plain is not None
            if not _writable(self._plain):
                return None
            failed = self._plain.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if failed:
                raise OSError(failed, os.strerror(failed))
            self._tls = self.context.wrap_socket(
                self._plain, server_hostname=self.host, do_handshake_on_connect=False
            )
            self._plain = None
        self._tls.do_handshake()
        ready, self._tls = self._tls, None
        return ready

    def _begin_address(self, now_s: float) -> None:
        if not self._addresses:
            raise self._error
        family, address = self._addresses.pop(0)
        self._address_s = now_s
        self._plain = socket.socket(family, socket.SOCK_STREAM)
        self._plain.setblocking(False)
        self._plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNANSWERED_MS)
        begun = self._plain.connect_ex(address)
        if begun not in (0, errno.EINPROGRESS):
            raise OSError(begun, os.strerror(begun))

    def _next_address(self, error: OSError) -> None:
        self.close()
        self._error = error
        if not self._addresses:
            raise error


def _writable(sock: socket.socket) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    return bool(poll.poll(0))
