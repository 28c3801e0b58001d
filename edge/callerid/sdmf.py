"""Single data message format: time and number in fixed places, the older and shorter of the two.

      0      1      2        10 ...          n-1
    +------+------+--------+---------------+------+
    | 0x04 | len  | MMDDhhmm | number, O or P | sum |    all bytes together are 0 modulo 256
    +------+------+--------+---------------+------+

Telcordia GR-30-CORE, YD/T 1277.1. There is no name. O = number not available, P = withheld.
"""

from __future__ import annotations

from edge.callerid.caller import CallerId, NotPlausible, WrongLength
from edge.callerid.fields import ABSENCE, WITHHELD, close_message, open_message, read_number, read_time

KIND = 0x04


def parse(message: bytes, standard: str = "bell202") -> CallerId:
    """Return what the message says; raises CallerIdError. `standard` is how it was sent, if known."""
    body = open_message(message, KIND)
    if len(body) < 8:
        raise WrongLength(f"a body has at least 8 bytes of time, got {len(body)}")
    date_time, rest = read_time(body[:8]), body[8:]
    if rest in WITHHELD:
        return CallerId(standard, "sdmf", None, None, date_time, WITHHELD[rest])
    number = read_number(rest)
    presentation = "available" if number else "unavailable"
    return CallerId(standard, "sdmf", number or None, None, date_time, presentation)


def build(caller: CallerId) -> bytes:
    """Return the message; raises NotPlausible without a time, which this format cannot leave out."""
    if caller.date_time is None:
        raise NotPlausible("SDMF always carries a time, got none")
    number = caller.number.encode("ascii") if caller.number else ABSENCE.get(caller.presentation, b"O")
    return close_message(KIND, caller.date_time.encode("ascii") + number)
