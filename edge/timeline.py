"""Positions and the time of day: which UTC a sample had, although sound card and clock drift apart."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sync.moment import to_text

STEP_S = 2.0  # a larger difference is a clock that was set, and is followed at once
SHARE = 0.02  # of a smaller difference taken over per look: period jitter averages out


@dataclass(slots=True)
class Timeline:
    """Where position 0 lies in UTC, followed slowly. Feed it a look at both clocks now and then."""

    rate_hz: int
    origin_utc: datetime
    steps: int = 0  # times the clock was set, as far as was seen
    _seen: bool = False

    def look(self, position: int, utc: datetime) -> float:
        """`position` was the newest sample at `utc`; returns the seconds it was set by, mostly 0."""
        seen = utc - timedelta(seconds=position / self.rate_hz)
        difference_s = (seen - self.origin_utc).total_seconds()
        is_step = self._seen and abs(difference_s) > STEP_S
        share = 1.0 if is_step or not self._seen else SHARE
        self.origin_utc += timedelta(seconds=difference_s * share)
        self._seen = True
        self.steps += is_step
        return difference_s if is_step else 0.0

    def utc(self, position: int) -> str:
        """The time of day of the sample at `position`, as text that sorts."""
        return to_text(self.moment(position))

    def moment(self, position: int) -> datetime:
        """The time of day of the sample at `position`, in UTC."""
        return self.origin_utc + timedelta(seconds=position / self.rate_hz)

    def ms(self, samples: int) -> int:
        """The length of `samples` in milliseconds."""
        return round(samples * 1000 / self.rate_hz)
