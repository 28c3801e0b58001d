"""Session tokens: made new at each log-in, kept by the browser as a cookie, by the box only as a hash.

An open Lines page counts as use (its stream comes back every ten minutes), as it is left open all day.
ABSOLUTE ends that too, so each working day has its own log-in.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import timedelta

TOKEN_BYTES = 32
IDLE = timedelta(hours=8)
ABSOLUTE = timedelta(hours=16)
TOUCH_EVERY = timedelta(minutes=1)


def new_token() -> str:
    """256 random bits as text."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def token_hash(token: str) -> str:
    """What the database keeps of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def form_token(token: str) -> str:
    """What every form of this session carries, so that another site cannot have made it."""
    return hmac.new(token.encode(), b"form", hashlib.sha256).hexdigest()


def form_token_matches(token: str, given: str) -> bool:
    """Whether `given` came from a form of this session; takes the same time either way."""
    return hmac.compare_digest(form_token(token).encode(), given.encode())


def cookie_name(tls: bool) -> str:
    """The session cookie's name; over TLS the prefix makes browsers insist on Secure and our own host."""
    return "__Host-session" if tls else "session"
