"""What a caller-ID message says, whatever the standard, and the reasons for refusing one.

CallerIdError
  WrongLength        the length byte and the bytes do not agree
  NotThisStandard    a good message, but of another kind
  BadChecksum        the sum over the message is not zero modulo 256
  NotPlausible       the sum holds, the content cannot be (month 13, a letter in a number)
"""

from __future__ import annotations

from dataclasses import dataclass


class CallerIdError(ValueError):
    """A message that was refused."""

    reason = "refused"


class WrongLength(CallerIdError):
    """The length byte and the bytes do not agree."""

    reason = "wrong_length"


class NotThisStandard(CallerIdError):
    """A good message, but of another kind."""

    reason = "not_this_standard"


class BadChecksum(CallerIdError):
    """The sum over the message is not zero modulo 256."""

    reason = "bad_checksum"


class NotPlausible(CallerIdError):
    """The sum holds, the content cannot be."""

    reason = "not_plausible"


@dataclass(frozen=True, slots=True)
class CallerId:
    """Who is calling. `presentation` tells apart a number that is there, withheld, or not available."""

    standard: str  # bell202 | v23 | dtmf: how it was sent
    format: str  # mdmf | sdmf | dtmf: how it was laid out
    number: str | None = None
    name: str | None = None
    date_time: str | None = None  # MMDDhhmm as sent by the exchange: no year, its clock
    presentation: str = "available"  # available | withheld | unavailable
    confidence: float = 1.0  # 0..1, how sure the receiver is
    other: tuple[tuple[int, bytes], ...] = ()  # parameters we keep without understanding them
