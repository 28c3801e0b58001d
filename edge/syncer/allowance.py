"""What the branch allows its uploads: cap, month and pause, as they are now (the sums: sync.budget)."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, tzinfo

from sync.budget import Bucket, Month, wire_bytes
from sync.db import write
from sync.uploads import Pause, month_bytes, note_month, pause_of

LEAST_BYTES = 1000  # on the line: with less left of a month nothing is begun
CapAt = Callable[[datetime], float]  # local time -> bytes a second, 0 = no cap


@dataclass(slots=True)
class Allowance:
    """Asked before audio is sent, told of everything that is."""

    db: sqlite3.Connection
    zone: tzinfo
    cap_at: CapAt
    month: Month
    bucket: Bucket = field(default_factory=Bucket)
    paused: Pause | None = None
    _local: datetime | None = None

    def step(self, now_s: float, now: datetime) -> None:
        """The time of the day decides the cap, the calendar the month."""
        minute = now.astimezone(self.zone).replace(second=0, microsecond=0)
        if minute != self._local:
            self._local = minute
            self.bucket.limit(self.cap_at(minute), now_s)
            name = f"{minute:%Y-%m}"
            if name != self.month.month:
                self.month.begin(name, month_bytes(self.db, name))

    def woken(self) -> None:
        """Somebody may have paused, or resumed."""
        self.paused = pause_of(self.db)

    @property
    def refusal(self) -> str:
        """Why no audio may be sent, for the page; "" if some may."""
        if self.paused:
            return f"the upload of audio was paused by {self.paused.by}"
        if not self.month.may(LEAST_BYTES):
            return f"this month's {self.month.limit / 1e9:g} GB for uploads are used up: audio waits"
        return ""

    def largest(self, most: int) -> int:
        """The most bytes of audio in one message."""
        rooms = [self.bucket.largest, self.month.limit - self.month.used if self.month.limit else None]
        return max(1, min([most, *(int(room * 0.9) - wire_bytes(100) for room in rooms if room is not None)]))

    def may(self, now_s: float) -> bool:
        """Whether audio may be sent now."""
        return not self.refusal and self.bucket.may(now_s)

    def spend(self, packet_bytes: int, now_s: float) -> None:
        """A packet of so many bytes goes out; the month's use is in the database before it does."""
        if not packet_bytes:
            return
        on_the_line = wire_bytes(packet_bytes)
        self.bucket.spend(on_the_line, now_s)
        noted = self.month.spend(on_the_line)
        if noted is not None:
            with write(self.db):
                note_month(self.db, self.month.month, noted)
