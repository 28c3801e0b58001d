"""Recording always: from the first ring, or off hook, so that what is said before the answer is kept too."""

from __future__ import annotations

from edge.line.events import LineEvent, RingStarted
from edge.triggers.voltage import VoltageTrigger
from edge.triggers.wish import Wish


class AlwaysTrigger(VoltageTrigger):
    """Wants audio from the first sign of a call; the end of the call ends it."""

    def feed(self, event: LineEvent) -> Wish | None:
        """Ring starts as off hook does; nothing ends it."""
        if isinstance(event, RingStarted):
            return Wish(True, event.position)
        wish = super().feed(event)
        return wish if wish is not None and wish.keep else None
