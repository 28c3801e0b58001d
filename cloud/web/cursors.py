"""Cursors of lists: where the next page begins, signed, so that only one that head office gave out is taken.

A cursor belongs to one list: with another filter or order it is refused like one that was made up.

    base64url( started_utc " " call_id " " first 16 bytes of HMAC-SHA256, hex )
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from cloud.store.call_search import Position

SIGNATURE = 32  # hex digits


class CursorForged(ValueError):
    """Not a cursor of this list."""


def make_cursor(secret: bytes, same_list: str, position: Position) -> str:
    """The text that stands for the place after that call in that list."""
    place = f"{position.started_utc} {position.call_id}"
    text = f"{place} {_signature(secret, same_list, place)}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def parse_cursor(secret: bytes, same_list: str, cursor: str) -> Position:
    """The inverse of `make_cursor`; CursorForged for anything else."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        data = base64.b64decode(padded, altchars=b"-_", validate=True)
        if base64.urlsafe_b64encode(data).decode() != padded:
            raise CursorForged("a cursor that is written otherwise")  # the last character has bits to spare
        text = data.decode()
        place, _, signature = text.rpartition(" ")
        started_utc, call_id = place.split(" ")
    except (binascii.Error, UnicodeDecodeError, ValueError) as error:
        raise CursorForged("not a cursor") from error
    wanted = _signature(secret, same_list, place)
    if not hmac.compare_digest(signature.encode(), wanted.encode()):
        raise CursorForged("a cursor of another list, or of nobody")
    return Position(started_utc, call_id)


def _signature(secret: bytes, same_list: str, place: str) -> str:
    message = f"{len(same_list)} {same_list} {place}".encode()
    return hmac.new(secret, message, hashlib.sha256).hexdigest()[:SIGNATURE]
