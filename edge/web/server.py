"""Serves the branch page with cheroot until told to stop, over TLS when there is a certificate."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterable
from typing import Any

from cheroot.ssl.builtin import BuiltinSSLAdapter
from cheroot.wsgi import Server

from edge.web.app import build_app
from edge.web.settings import WebSettings
from edge.web.site import MOST_STREAMS

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

THREADS = MOST_STREAMS + 10  # a stream holds a thread for as long as it lasts
MOST_BODY_BYTES = 64 * 1024
MOST_SHEET_BYTES = 24 * 1024 * 1024
SHEET_PATHS = ("/customers/import", "/communications/import")  # the only ones that take more in


def serve(
    settings: WebSettings, stop: threading.Event, ready: Callable[[str], None] = lambda address: None
) -> None:
    """Serve until `stop` is set; `ready` is told the address once it can be reached.

    Raises OSError when the port is taken, ssl.SSLError when certificate and key are of no use.
    """
    app = build_app(settings, stop=stop)
    server = Server(
        (settings.host, settings.port),
        small_bodies(app),
        numthreads=THREADS,
        max=THREADS,
        shutdown_timeout=3,
        timeout=30,
    )
    server.max_request_body_size = MOST_SHEET_BYTES
    server.ssl_adapter = _tls(settings)
    server.prepare()
    worker = threading.Thread(target=server.serve, name="web")
    worker.start()
    try:
        ready(f"{'https' if settings.tls else 'http'}://{settings.host}:{server.bind_addr[1]}")
        stop.wait()
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


def _tls(settings: WebSettings) -> BuiltinSSLAdapter | None:
    if not settings.tls:
        return None
    adapter = BuiltinSSLAdapter(str(settings.certificate), str(settings.key))
    adapter.context.minimum_version = ssl.TLSVersion.TLSv1_2
    return adapter
