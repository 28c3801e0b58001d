"""The fields SDMF and MDMF have in common: checksum, time, number, name, reasons of absence.

Both formats carry the same facts in the same bytes and differ only in what stands between them.
"""

from __future__ import annotations

import re

from edge.callerid.caller import BadChecksum, NotPlausible, NotThisStandard, WrongLength

WITHHELD = {b"P": "withheld", b"O": "unavailable"}  # GR-30-CORE: P private, O out of area
ABSENCE = {meaning: letter for letter, meaning in WITHHELD.items()}

_NUMBER = re.compile(rb"[0-9*#+A-D]{1,24}|")
_TIME = re.compile(rb"(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])([01][0-9]|2[0-3])[0-5][0-9]")


def open_message(message: bytes, kind: int) -> bytes:
    """Return the body of `kind | length | body | checksum`, or refuse with the reason."""
    if len(message) < 3:
        raise WrongLength(f"a message has at least 3 bytes, got {len(message)}")
    if len(message) != message[1] + 3:
        raise WrongLength(f"the length byte says {message[1] + 3} bytes, got {len(message)}")
    if sum(message) % 256:
        raise BadChecksum(f"the sum must be 0 modulo 256, got {sum(message) % 256}")
    if message[0] != kind:
        raise NotThisStandard(f"message type must be 0x{kind:02x}, got 0x{message[0]:02x}")
    return message[2:-1]


def close_message(kind: int, body: bytes) -> bytes:
    """Return `kind | length | body | checksum`; the checksum is the two's complement of the sum."""
    if len(body) > 255:
        raise WrongLength(f"a body has at most 255 bytes, got {len(body)}")
    head = bytes([kind, len(body)]) + body
    return head + bytes([-sum(head) % 256])


def read_time(raw: bytes) -> str:
    """Return MMDDhhmm; there is no year on the line."""
    if not _TIME.fullmatch(raw):
        raise NotPlausible(f"a time is MMDDhhmm, got {raw!r}")
    return raw.decode("ascii")


def read_number(raw: bytes) -> str:
    """Return the digits; exchanges may pad with spaces."""
    number = raw.strip(b" ")
    if not _NUMBER.fullmatch(number):
        raise NotPlausible(f"a number has up to 24 of 0-9 * # + A-D, got {raw!r}")
    return number.decode("ascii")


def read_name(raw: bytes) -> tuple[str, bool]:
    """Return the name and whether its bytes were understood: ASCII, else GB 2312, else taken as Latin-1."""
    name = raw.rstrip(b" \x00")
    if any(byte < 0x20 or byte == 0x7F for byte in name):
        raise NotPlausible(f"a name has no control characters, got {raw!r}")
    try:
        return name.decode("gb2312"), True
    except UnicodeDecodeError:
        return name.decode("latin-1"), False


def write_name(name: str) -> bytes:
    """Return ASCII, or GB 2312 as China sends it; refuses what neither can write."""
    try:
        return name.encode("gb2312")
    except UnicodeEncodeError:
        raise NotPlausible(f"a name must fit GB 2312, got {name!r}") from None
