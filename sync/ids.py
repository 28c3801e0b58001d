"""Names for rows that two databases share: UUIDv7 text, which sorts by the time it was made."""

from __future__ import annotations

import secrets
import uuid
from datetime import datetime

import uuid6


def new_id() -> str:
    """A new UUIDv7 (RFC 9562, 5.7). Time order keeps head office's primary key fast to insert into."""
    return str(uuid6.uuid7())


def id_at(moment: datetime, order: int) -> str:
    """A new UUIDv7 of that moment; ids of one millisecond sort by the lowest 12 bits of `order`."""
    head = _ms(moment) << 16 | 0x7000 | order & 0xFFF
    return str(uuid.UUID(int=head << 64 | 1 << 63 | secrets.randbits(62)))


def first_id_at(moment: datetime) -> str:
    """The smallest text that an id of that moment or later can be."""
    return str(uuid.UUID(int=_ms(moment) << 80))


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
