"""Tries a broker's TLS door without an MQTT session, so that the connection the box has is left alone.

A second session under the same certificate would make the broker end the first one; a handshake does not.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from datetime import datetime

from sync.reasons import LinkError, check_certificate, explained
from sync.transport import LinkSettings, tls_context

TIMEOUT_S = 5.0
REFUSAL_WAIT_S = 0.5  # TLS 1.3: a refused client certificate is told of after the handshake


def knock(settings: LinkSettings, now: datetime) -> str | None:
    """None when the broker accepts our certificate and we its; else why not, in one sentence."""
    address = f"{settings.host}:{settings.port}"
    try:
        check_certificate(settings.cert_file, now, address)
        context = tls_context(settings, address)
        with (
            socket.create_connection((settings.host, settings.port), TIMEOUT_S) as plain,
            context.wrap_socket(plain, server_hostname=settings.host) as door,
        ):
            door.settimeout(REFUSAL_WAIT_S)
            with suppress(TimeoutError):  # it waits for us to speak: we are let in
                door.recv(1)
    except LinkError as error:
        return str(error)
    except OSError as error:
        return str(explained(error, address))
    return None
