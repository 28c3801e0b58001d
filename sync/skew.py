"""How far a box's clock is off: measured by the welcome exchange, carried back over jumps of the clock.

    box  asked (its clock) ---- hello ---->  head office
    box  answered          <--- welcome ---  hq_utc

    offset = hq_utc - middle of asked and answered, right to half the round trip

A stretch is the time between two jumps of the clock, in entries of stream `evt`. When the clock was set after
a stretch, its offset is that of the stretch after it plus the jump. Stamps are never rewritten.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

JUMP_MS = 2_000  # more than two looks at both clocks differ by: the clock was set
WRONG_MS = 2_000  # an offset worth telling
STEPPED_ERROR_MS = 2_000  # of an offset that was carried over a jump
MEASURED, STEPPED = "measured", "stepped"


@dataclass(frozen=True, slots=True)
class Offset:
    """What to add to a box's stamps."""

    ms: int
    error_ms: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time in which the clock ran on without being set."""

    after_seq: int  # the last entry of `evt` before it
    base_ms: int  # wall clock minus monotonic clock


@dataclass(frozen=True, slots=True)
class Told:
    """A stretch and its offset."""

    after_seq: int
    upto_seq: int | None  # None: it lasts
    offset: Offset
    quality: str


def measured(asked: datetime, answered: datetime, hq: datetime) -> Offset:
    """The offset from one welcome exchange."""
    half = (answered - asked) / 2
    ms = timedelta(milliseconds=1)
    return Offset(round((hq - (asked + half)) / ms), max(1, round(abs(half) / ms)))


def jumped(base_ms: int, now_base_ms: int) -> bool:
    """Whether the clock was set since."""
    return abs(now_base_ms - base_ms) > JUMP_MS


def carried_back(stretches: list[Stretch], now: Offset) -> list[Told]:
    """What to tell when the last of `stretches` (of one boot, in order) was measured: those that are off."""
    told: list[Told] = []
    for at, one in enumerate(stretches):
        last = stretches[-1]
        is_last = at == len(stretches) - 1
        offset = now
        if not is_last:
            offset = Offset(now.ms + last.base_ms - one.base_ms, now.error_ms + STEPPED_ERROR_MS)
        upto = None if is_last else stretches[at + 1].after_seq
        if abs(offset.ms) > WRONG_MS and upto != one.after_seq:
            told.append(Told(one.after_seq, upto, offset, MEASURED if is_last else STEPPED))
    return told


def corrected(utc: datetime, offset_ms: int) -> datetime:
    """The moment by head office's clock."""
    return utc + timedelta(milliseconds=offset_ms)
