"""Recording by line voltage (压控): from off hook to on hook."""

from __future__ import annotations

from edge.line.events import LineEvent, LineLost, OffHook, OnHook
from edge.triggers.wish import Wish


class VoltageTrigger:
    """Wants audio while a phone is off hook."""

    def __init__(self, rate_hz: int, hold_s: float) -> None:
        """The hold time plays no part: the hook is certain."""

    def feed(self, event: LineEvent) -> Wish | None:
        """Off hook starts, on hook and a dead line end."""
        if isinstance(event, OffHook):
            return Wish(True, event.position)
        return Wish(False, event.position) if isinstance(event, OnHook | LineLost) else None

    def tick(self, position: int) -> Wish | None:
        """Nothing comes of time alone."""
        return None
