"""Headers that every answer carries, and the limit on what a request may bring.

The page needs no script, style or font from elsewhere, so the policy allows none.
"""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LONGEST_BODY_BYTES = 64 * 1024

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",  # the style sheet's own icons
        "media-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class SecureAnswers:
    """ASGI middleware around the whole application, its error pages included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, unless it brings too much, and add the headers to the answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(SECURITY_HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        if brings_too_much(Headers(scope=scope)):
            await PlainTextResponse("The request is too long.", 413)(scope, receive, send_secured)
        else:
            await self._app(scope, receive, send_secured)


def brings_too_much(headers: Headers) -> bool:
    """Whether the request's body is longer than any form of ours, or does not say how long it is."""
    length = headers.get("content-length", "0")
    return (
        "transfer-encoding" in headers or not length.isascii() or not length.isdigit()
        or int(length) > LONGEST_BODY_BYTES
    )  # fmt: skip
