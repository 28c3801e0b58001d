"""Recording by voice (声控): while somebody speaks over the line's noise floor, and a hold time after."""

from __future__ import annotations

from edge.line.events import LineEvent, VoiceStarted, VoiceStopped
from edge.triggers.wish import Wish


class VoiceTrigger:
    """Wants audio from the first voice until nobody has spoken for `hold_s`."""

    def __init__(self, rate_hz: int, hold_s: float) -> None:
        self._hold = round(hold_s * rate_hz)
        self._quiet_since: int | None = None

    def feed(self, event: LineEvent) -> Wish | None:
        """A voice starts at once; silence only starts the hold time."""
        if isinstance(event, VoiceStarted):
            self._quiet_since = None
            return Wish(True, event.position)
        if isinstance(event, VoiceStopped):
            self._quiet_since = event.position
        return None

    def tick(self, position: int) -> Wish | None:
        """The hold time is over."""
        if self._quiet_since is None or position < self._quiet_since + self._hold:
            return None
        until, self._quiet_since = self._quiet_since + self._hold, None
        return Wish(False, until)
