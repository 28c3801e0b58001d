"""Serves the branch page with cheroot until told to stop, over TLS when there is a certificate."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from cheroot.ssl.builtin import BuiltinSSLAdapter
from cheroot.wsgi import Server

from edge.clock import SystemClock
from edge.web.app import build_app
from edge.web.plain_http import Wsgi, redirecting
from edge.web.settings import WebSettings
from edge.web.site import MOST_STREAMS

THREADS = MOST_STREAMS + 10  # a stream holds a thread for as long as it lasts
PLAIN_THREADS = 4
LOOK_EVERY_S = 3600.0  # at the certificate's age and the box's addresses
MOST_BODY_BYTES = 64 * 1024
MOST_SHEET_BYTES = 24 * 1024 * 1024
_SHEETS = ("/customers/import", "/communications/import")
SHEET_PATHS = (*_SHEETS, *(f"/api{path}" for path in _SHEETS))  # the only ones that take more in


def serve(
    settings: WebSettings, stop: threading.Event, ready: Callable[[str], None] = lambda address: None
) -> None:
    """Serve until `stop` is set; `ready` is told the address once it can be reached.

    Raises OSError when the port is taken, ssl.SSLError when certificate and key are of no use.
    """
    clock = SystemClock()
    if settings.authority:
        settings.authority.keep(clock.utc())
    app = small_bodies(build_app(settings, stop=stop))
    server, tls = _server(settings.host, settings.port, app, THREADS), _tls(settings)
    server.ssl_adapter = tls
    with ExitStack() as running:
        address = running.enter_context(_running(server, settings.host))
        if settings.http_port and tls:
            plain = _server(settings.host, settings.http_port, redirecting(app, settings), PLAIN_THREADS)
            running.enter_context(_running(plain, settings.host))
        ready(f"{'https' if tls else 'http'}://{address}")
        while not stop.wait(LOOK_EVERY_S):
            if settings.authority and tls and settings.authority.keep(clock.utc()):
                tls.context.load_cert_chain(settings.authority.certificate, settings.authority.key)


def _server(host: str, port: int, app: Wsgi, threads: int) -> Server:
    server = Server((host, port), app, numthreads=threads, max=threads, shutdown_timeout=3, timeout=30)
    server.max_request_body_size = MOST_SHEET_BYTES
    return server


@contextmanager
def _running(server: Server, host: str) -> Iterator[str]:
    """Serves in a thread of its own; the address it is reached at."""
    server.prepare()
    worker = threading.Thread(target=server.serve, name="web")
    worker.start()
    try:
        yield f"{host}:{server.bind_addr[1]}"
    finally:
        server.stop()
        worker.join()


def small_bodies(app: Wsgi) -> Wsgi:
    """`app`, which is not asked when a body is larger than its path takes, or does not say its size."""

    def ask(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        said = environ.get("CONTENT_LENGTH") or "0"
        most = MOST_SHEET_BYTES if environ.get("PATH_INFO") in SHEET_PATHS else MOST_BODY_BYTES
        untold = "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower()
        if untold or not said.isdecimal() or int(said) > most:
            start("413 Content Too Large", [("Content-Type", "text/plain"), ("Connection", "close")])
            return [b"too large\n"]
        return app(environ, start)

    return ask


class PatientAdapter(BuiltinSSLAdapter):
    """Shakes hands in the thread that reads, so that one slow browser keeps nobody else waiting."""

    def wrap(self, sock: socket.socket) -> tuple[ssl.SSLSocket, dict[str, str]]:
        """The socket as it will speak TLS, and what the application is told of it."""
        wrapped = self.context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        return wrapped, {"wsgi.url_scheme": "https", "HTTPS": "on"}


def _tls(settings: WebSettings) -> PatientAdapter | None:
    if not settings.tls:
        return None
    adapter = PatientAdapter(str(settings.certificate), str(settings.key))
    adapter.context.minimum_version = ssl.TLSVersion.TLSv1_2
    return adapter
