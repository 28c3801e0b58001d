"""Why a connection failed, in words the people at the branch understand.

LinkError(code, text)     `code` is one of REASONS, `text` is its sentence about that address
"""

from __future__ import annotations

import socket
import ssl
from datetime import datetime
from pathlib import Path

from cryptography import x509

REASONS = {
    "connection_refused": "nothing listens on {address}",
    "unreachable": "{address} cannot be reached: {detail}",
    "timeout": "{address} does not answer",
    "name_unknown": "the name of {address} is not known: {detail}",
    "not_tls": "{address} does not speak TLS as expected: {detail}",
    "server_certificate_expired": "the certificate of {address} has expired",
    "server_certificate_not_yet_valid": "the certificate of {address} is not yet valid; is this clock right?",
    "unknown_ca": "the certificate of {address} is not signed by our certificate authority (unknown CA)",
    "wrong_host_name": "the certificate of {address} is for another host name: {detail}",
    "own_certificate_expired": "our certificate has expired: {detail}",
    "own_certificate_not_yet_valid": "our certificate is not yet valid; is this clock right? {detail}",
    "own_certificate_unusable": "our certificate or key cannot be used: {detail}",
    "not_accepted": "{address} did not let us in; it may not accept our certificate: {detail}",
    "not_allowed": "{address} does not let us read our topics: {detail}",
    "closed": "the connection to {address} was lost: {detail}",
}
_VERIFY_CODES = {
    9: "server_certificate_not_yet_valid",
    10: "server_certificate_expired",
    62: "wrong_host_name",
    64: "wrong_host_name",
}


class LinkError(OSError):
    """A connection that failed or ended, with a reason people understand."""

    def __init__(self, code: str, address: str, detail: str = "") -> None:
        super().__init__(REASONS[code].format(address=address, detail=detail))
        self.code = code


def check_certificate(path: Path, now: datetime, address: str) -> None:
    """Raise LinkError if our own certificate cannot be read, has expired or is not yet valid at `now`."""
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise LinkError("own_certificate_unusable", address, f"{path.name}: {error}") from error
    if now > certificate.not_valid_after_utc:
        raise LinkError(
            "own_certificate_expired", address, f"{certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
        )
    if now < certificate.not_valid_before_utc:
        raise LinkError(
            "own_certificate_not_yet_valid", address, f"{certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
        )


def explained(error: OSError, address: str) -> LinkError:
    """The reason for a failed connection in words people understand."""
    if isinstance(error, LinkError):
        return error
    if isinstance(error, ssl.SSLCertVerificationError):
        return LinkError(_VERIFY_CODES.get(error.verify_code, "unknown_ca"), address, error.verify_message)
    if isinstance(error, ssl.SSLError):
        return LinkError("not_accepted" if "ALERT" in str(error) else "not_tls", address, str(error))
    if isinstance(error, TimeoutError):
        return LinkError("timeout", address)
    if isinstance(error, socket.gaierror):
        return LinkError("name_unknown", address, str(error.strerror))
    if isinstance(error, ConnectionRefusedError):
        return LinkError("connection_refused", address)
    return LinkError("unreachable", address, str(error))
