"""The space ladder: how full the disk is, what is done about it, and how long until it is full.

Each rung is entered at one level and left a little below it, so that a disk at the edge does not climb up and
down all day. Room for the call log is set aside first: `used_percent` is 100 while that room is still there.

    rung    enters (default)   what is done
    ok                         -
    warn    80 %               the page warns
    purge   90 %               the oldest audio that head office has, and nobody holds, is deleted
    stop    95 %               all that is optional stops
    last    98 %               when none of that is left: the oldest audio nobody holds, loudly
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

LEAVES_BELOW = 3.0  # points of percent


class Rung(IntEnum):
    """How serious it is."""

    OK = 0
    WARN = 1
    PURGE = 2
    STOP = 3
    LAST = 4


@dataclass(frozen=True, slots=True)
class Space:
    """One look at the disk the audio is on."""

    total_bytes: int
    free_bytes: int
    reserve_bytes: int  # for the call log; audio never takes it

    @property
    def audio_free_bytes(self) -> int:
        """What audio may still take."""
        return max(0, self.free_bytes - self.reserve_bytes)

    @property
    def used_percent(self) -> float:
        """0 to 100; 100 when only the reserve is left."""
        budget = self.total_bytes - self.reserve_bytes
        return 100.0 if budget <= 0 else 100.0 * (1 - min(self.audio_free_bytes, budget) / budget)

    def above(self, percent: float) -> int:
        """Bytes that have to go until `percent` is used."""
        budget = max(0, self.total_bytes - self.reserve_bytes)
        missing_bytes = max(0, self.reserve_bytes - self.free_bytes)
        return max(0, round((self.used_percent - percent) / 100 * budget) + missing_bytes)


@dataclass(frozen=True, slots=True)
class Ladder:
    """At which percentage each rung is entered: warn, purge, stop, last."""

    enters: tuple[float, float, float, float]

    def leaves(self, rung: Rung) -> float:
        """A rung is left when no more than this is used."""
        return self.enters[rung - 1] - LEAVES_BELOW

    def climb(self, now: Rung, used_percent: float) -> Rung:
        """The rung to stand on: up at once, down only when it is clearly better."""
        reached = [rung for rung in Rung if rung and used_percent >= self.enters[rung - 1]]
        kept = [rung for rung in Rung if rung and rung <= now and used_percent > self.leaves(rung)]
        return max([Rung.OK, *reached, *kept])

    def purge_bytes(self, rung: Rung, space: Space) -> int:
        """How much confirmed audio has to go on this rung."""
        return space.above(self.leaves(Rung.PURGE)) if rung >= Rung.PURGE else 0

    def forced_bytes(self, rung: Rung, space: Space) -> int:
        """How much has to go whatever head office has: only on the last rung, and as little as possible."""
        return space.above(self.leaves(Rung.LAST)) if rung is Rung.LAST else 0


def hours_until_full(space: Space, removable_bytes: int, last_day_bytes: int) -> float | None:
    """Hours until audio has to go that nobody else has, at the last day's rate; None: not in sight."""
    if last_day_bytes <= 0:
        return None
    return (space.audio_free_bytes + removable_bytes) / (last_day_bytes / 24)


def complaint(
    rung: Rung, space: Space, hours: float | None, alarm_hours: int, reasons: Sequence[str] = ()
) -> str:
    """What the page says about the disk; empty while all is well. It changes by whole points and hours."""
    parts = []
    if rung:
        parts.append(f"the disk is {space.used_percent:.0f} % full: {_SAYS[rung]}")
    if hours is not None and hours < alarm_hours:
        parts.append(
            f"at the rate of the last day it is full in about {hours:.0f} hours,"
            " and then audio goes that head office does not have"
        )
    return "; ".join([*parts, *reasons])


_SAYS = {
    Rung.WARN: "there is still room",
    Rung.PURGE: "the oldest audio that head office has is being deleted",
    Rung.STOP: "the oldest audio that head office has is being deleted, all that is optional has stopped",
    Rung.LAST: "audio that is nowhere else has to go; calls are still logged",
}
