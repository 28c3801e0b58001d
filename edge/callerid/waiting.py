"""Message waiting: the exchange lights or puts out the lamp of a phone that is on hook.

      0      1      2 ...                  n-1
    +------+------+----------------------+------+
    | 0x06 | 0x03 | "BBB" on, "ooo" off  | sum  |     SDMF (GR-30-CORE)
    +------+------+----------------------+------+
    | 0x82 | len  | parameters           | sum  |     MDMF (GR-30-CORE, EN 300 659-3), all 0 modulo 256
    +------+------+----------------------+------+
    parameter:      | type | len | value |
                      0B     1     indicator: FF on, 00 off
                      13     1     number of messages
                      01           MMDDhhmm of the newest
                      02           number of whom it is from
                      else         kept as bytes

It goes the same way as caller ID and names nobody, so it is a format of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge.callerid.caller import NotPlausible, NotThisStandard, WrongLength
from edge.callerid.fields import close_message, open_message, read_number, read_time
from edge.callerid.mdmf import NUMBER, TIME, parameters

SDMF, MDMF = 0x06, 0x82
KINDS = (SDMF, MDMF)
INDICATOR, COUNT = 0x0B, 0x13
_LAMP = {b"BBB": True, b"ooo": False}
_INDICATOR = {b"\xff": True, b"\x00": False}


@dataclass(frozen=True, slots=True)
class Waiting:
    """Whether messages wait, and what else was said about them."""

    format: str  # mdmf | sdmf
    waiting: bool
    count: int | None = None
    number: str | None = None
    date_time: str | None = None  # MMDDhhmm
    other: tuple[tuple[int, bytes], ...] = ()


def parse(message: bytes) -> Waiting:
    """Return what the message says; raises CallerIdError."""
    if not message:
        raise WrongLength("a message has at least 3 bytes, got 0")
    if message[0] not in KINDS:
        raise NotThisStandard(f"a message-waiting type is 0x06 or 0x82, got 0x{message[0]:02x}")
    body = open_message(message, message[0])
    return _sdmf(body) if message[0] == SDMF else _mdmf(body)


def _sdmf(body: bytes) -> Waiting:
    if len(body) != 3:
        raise WrongLength(f"the lamp is three letters, got {len(body)}")
    if body not in _LAMP:
        raise NotPlausible(f"the lamp is BBB or ooo, got {body!r}")
    return Waiting("sdmf", _LAMP[body])


def _mdmf(body: bytes) -> Waiting:
    lamp = count = number = date_time = None
    other: list[tuple[int, bytes]] = []
    for kind, value in parameters(body):
        if kind == INDICATOR and lamp is None:
            if value not in _INDICATOR:
                raise NotPlausible(f"an indicator is FF or 00, got {value.hex() or 'nothing'}")
            lamp = _INDICATOR[value]
        elif kind == COUNT and count is None and len(value) == 1:
            count = value[0]
        elif kind == NUMBER and number is None:
            number = read_number(value)
        elif kind == TIME and date_time is None:
            date_time = read_time(value)
        else:
            other.append((kind, value))
    if lamp is None and count is None:
        raise NotPlausible("neither an indicator nor a number of messages")
    return Waiting("mdmf", bool(count) if lamp is None else lamp, count, number, date_time, tuple(other))


def build(said: Waiting) -> bytes:
    """Return the message as an exchange sends it; raises NotPlausible for what SDMF cannot say."""
    if said.format == "sdmf":
        if said != Waiting("sdmf", said.waiting):
            raise NotPlausible("SDMF says only whether messages wait")
        return close_message(SDMF, b"BBB" if said.waiting else b"ooo")
    pairs = [(INDICATOR, b"\xff" if said.waiting else b"\x00")]
    pairs += [] if said.count is None else [(COUNT, bytes([said.count]))]
    pairs += [] if said.date_time is None else [(TIME, said.date_time.encode("ascii"))]
    pairs += [] if said.number is None else [(NUMBER, said.number.encode("ascii"))]
    body = b"".join(bytes([kind, len(value)]) + value for kind, value in (*pairs, *said.other))
    return close_message(MDMF, body)
