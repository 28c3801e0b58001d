"""Recording by hand (键控): from one press of the record button to the next."""

from __future__ import annotations

from edge.line.events import LineEvent
from edge.triggers.wish import Wish


class ManualTrigger:
    """Wants nothing by itself; the button is heard in every mode (`edge.keeping`)."""

    def __init__(self, rate_hz: int, hold_s: float) -> None:
        """No settings."""

    def feed(self, event: LineEvent) -> Wish | None:
        """No event of the line starts it."""
        return None

    def tick(self, position: int) -> Wish | None:
        """Nothing comes of time alone."""
        return None
