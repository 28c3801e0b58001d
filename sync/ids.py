"""Names for rows that two databases share: UUIDv7 text, which sorts by the time it was made."""

from __future__ import annotations

import uuid6


def new_id() -> str:
    """A new UUIDv7 (RFC 9562, 5.7). Time order keeps head office's primary key fast to insert into."""
    return str(uuid6.uuid7())
