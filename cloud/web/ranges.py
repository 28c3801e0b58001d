"""HTTP byte ranges (RFC 9110, 14): what a player's Range header asks for, of a file of known size.

Several ranges in one header are answered with the whole file, which the standard allows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_ONE_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes `first` to `last`, both included, of `size_bytes`."""

    first: int
    last: int
    size_bytes: int

    @property
    def length(self) -> int:
        """How many bytes it is."""
        return self.last - self.first + 1

    @property
    def content_range(self) -> str:
        """The Content-Range header's value."""
        return f"bytes {self.first}-{self.last}/{self.size_bytes}"


class RangeNotSatisfiable(ValueError):
    """The range begins beyond the file's end: answered with 416."""


def parse_range(header: str | None, size_bytes: int) -> ByteRange | None:
    """The range asked for, or None for the whole file (no header, several ranges, or not understood)."""
    match = _ONE_RANGE.fullmatch(header.strip()) if header else None
    if match is None or match.groups() == ("", ""):
        return None
    first_text, last_text = match.groups()
    if not first_text:  # the last n bytes
        first, last = max(0, size_bytes - int(last_text)), size_bytes - 1
    else:
        first, last = int(first_text), min(int(last_text or size_bytes), size_bytes - 1)
        if last_text and int(last_text) < first:
            return None
    if first > last:
        raise RangeNotSatisfiable(f"{header} of {size_bytes} bytes")
    return ByteRange(first, last, size_bytes)
