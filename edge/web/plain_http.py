"""What answers on the port without HTTPS: it sends everybody on, and shows only how to trust the box."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote, urlsplit

from edge.web.door import host_is_ours
from edge.web.settings import WebSettings

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
OPEN = ("/trust", "/static/")  # what needs no secret and has none


def redirecting(app: Wsgi, settings: WebSettings) -> Wsgi:
    """`app` for the pages in OPEN; for any other GET the way to HTTPS, for all else a refusal."""

    def ask(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        host, method = environ.get("HTTP_HOST", ""), environ["REQUEST_METHOD"]
        path = environ.get("PATH_INFO", "")
        if not host_is_ours(host, settings.host_names):
            return _short(start, "421 Misdirected Request")
        if method not in ("GET", "HEAD"):
            return _short(start, "403 Forbidden")
        if path.startswith(OPEN):
            return app(environ, start)
        query = environ.get("QUERY_STRING", "")
        name = urlsplit(f"//{host}").hostname or ""
        port = "" if settings.port == 443 else f":{settings.port}"
        shown = f"[{name}]" if ":" in name else name
        target = f"https://{shown}{port}{quote(path, encoding='latin-1')}{'?' if query else ''}{query}"
        return _short(start, "307 Temporary Redirect", [("Location", target)])

    return ask


def _short(start: Callable[..., Any], status: str, more: Iterable[tuple[str, str]] = ()) -> Iterable[bytes]:
    start(status, [("Content-Type", "text/plain"), ("Cache-Control", "no-store"), *more])
    return [f"{status}\n".encode()]
