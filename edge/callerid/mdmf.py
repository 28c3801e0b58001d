"""Multiple data message format: a list of typed parameters, sent by FSK between the first two rings.

Used by China (YD/T 1277.1), North America (GR-30-CORE) and Europe (EN 300 659-3), by Bell 202 or V.23 tones.

      0      1      2 ...                                     n-1
    +------+------+-----------------------------------------+------+
    | 0x80 | len  | parameters                              | sum  |    all bytes together are 0 modulo 256
    +------+------+-----------------------------------------+------+
    parameter:      | type | len | value |
                      01          MMDDhhmm
                      02          number, ASCII
                      04          number absent:  O not available, P withheld
                      07          name: ASCII, GB 2312 in China
                      08          name absent:    O, P
                      else        kept as bytes

A refusal says why: WrongLength, BadChecksum, NotThisStandard, NotPlausible (see caller.py).
"""

from __future__ import annotations

from collections.abc import Iterator

from edge.callerid.caller import CallerId, NotPlausible, WrongLength
from edge.callerid.fields import (
    ABSENCE,
    WITHHELD,
    close_message,
    open_message,
    read_name,
    read_number,
    read_time,
    write_name,
)

KIND = 0x80
TIME, NUMBER, NUMBER_ABSENT, NAME, NAME_ABSENT = 0x01, 0x02, 0x04, 0x07, 0x08


def parse(message: bytes, standard: str = "bell202") -> CallerId:
    """Return what the message says; raises CallerIdError. `standard` is how it was sent, if known."""
    number = name = date_time = None
    presentation = "available"
    other: list[tuple[int, bytes]] = []
    for kind, value in parameters(open_message(message, KIND)):
        if kind == TIME and date_time is None:
            date_time = read_time(value)
        elif kind == NUMBER and number is None:
            number = read_number(value)
        elif kind == NUMBER_ABSENT and value in WITHHELD:
            presentation = WITHHELD[value]
        elif kind == NAME and name is None:
            name, understood = read_name(value)
            other += [] if understood else [(kind, value)]
        else:
            other.append((kind, value))
    if number is None and presentation == "available":
        presentation = "unavailable"
    return CallerId(standard, "mdmf", number, name, date_time, presentation, other=tuple(other))


def build(caller: CallerId) -> bytes:
    """Return the message as an exchange would send it: time, number or its absence, name, the rest."""
    pairs: list[tuple[int, bytes]] = []
    if caller.date_time is not None:
        pairs.append((TIME, caller.date_time.encode("ascii")))
    if caller.number is not None:
        pairs.append((NUMBER, caller.number.encode("ascii")))
    else:
        pairs.append((NUMBER_ABSENT, ABSENCE.get(caller.presentation, b"O")))
    if caller.name is not None:
        pairs.append((NAME, write_name(caller.name)))
    pairs += caller.other
    return close_message(KIND, b"".join(bytes([kind, len(value)]) + value for kind, value in pairs))


def parameters(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (type, value) of a body; raises WrongLength for one that runs past the end."""
    if not body:
        raise NotPlausible("a message without a parameter says nothing")
    at = 0
    while at < len(body):
        end = at + 2 + body[at + 1] if at + 1 < len(body) else len(body) + 1
        if end > len(body):
            raise WrongLength(f"the parameter at byte {at + 2} runs past the end of {len(body)} bytes")
        yield body[at], body[at + 2 : end]
        at = end
