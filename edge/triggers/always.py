"""Recording always: from the first ring, or off hook, so that what is said before the answer is kept too."""

from __future__ import annotations

from edge.line.events import LineEvent, OffHook, RingStarted
from edge.triggers.wish import Wish


class AlwaysTrigger:
    """Wants audio from the first sign of a call; the end of the call ends it."""

    def __init__(self, rate_hz: int, hold_s: float) -> None:
        """No settings."""

    def feed(self, event: LineEvent) -> Wish | None:
        """Ring and off hook start."""
        return Wish(True, event.position) if isinstance(event, RingStarted | OffHook) else None

    def tick(self, position: int) -> Wish | None:
        """Nothing comes of time alone."""
        return None
