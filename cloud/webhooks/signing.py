"""How a delivery proves where it comes from: an HMAC over the moment and the body, as the receiver checks it.

Branchline-Signature: t=1772424000,v1=5257a8...      v1 = HMAC-SHA256(secret, "<t>." + body), hex

SignatureRefused (ValueError)     absent, malformed, of another secret or body, or too old
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets

SIGNATURE, DELIVERY, EVENT = "Branchline-Signature", "Branchline-Delivery", "Branchline-Event"
OLDEST_S = 300  # a receiver refuses what was signed longer ago, so that nothing can be played to it again
_FORM = re.compile(r"t=(\d{1,12}),v1=([0-9a-f]{64})")


class SignatureRefused(ValueError):
    """The body does not come from who has the secret, or not now."""


def new_secret() -> str:
    """256 random bits as text."""
    return secrets.token_urlsafe(32)


def signature(secret: str, body: bytes, unix_s: int) -> str:
    """The header's value for `body`, sent at `unix_s`."""
    return f"t={unix_s},v1={_mac(secret, body, str(unix_s))}"


def check_signature(secret: str, body: bytes, value: str, now_unix_s: int) -> None:
    """Raise SignatureRefused unless `value` signs `body` with `secret`, not longer ago than OLDEST_S."""
    form = _FORM.fullmatch(value)
    if form is None:
        raise SignatureRefused(f"wanted t=SECONDS,v1=64 hex digits, got {value[:100]!r}")
    unix_s, given = form.groups()
    if not hmac.compare_digest(_mac(secret, body, unix_s), given):
        raise SignatureRefused("the body was not signed with this secret")
    if abs(now_unix_s - int(unix_s)) > OLDEST_S:
        raise SignatureRefused(f"signed at {unix_s}, more than {OLDEST_S} s from now")


def _mac(secret: str, body: bytes, unix_s: str) -> str:
    return hmac.new(secret.encode(), unix_s.encode() + b"." + body, hashlib.sha256).hexdigest()
