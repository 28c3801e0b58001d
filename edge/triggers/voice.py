"""Recording by voice (声控): while somebody speaks over the line's noise floor, and a hold time after."""

from __future__ import annotations

from edge.line.events import LineEvent, LineLost, OffHook, OnHook, VoiceStarted, VoiceStopped
from edge.triggers.wish import Wish


class VoiceTrigger:
    """Wants audio, while a phone is off hook, from the first voice until nobody has spoken for `hold_s`.

    What is loud on hook is ringing or a caller ID, not a voice.
    """

    def __init__(self, rate_hz: int, hold_s: float) -> None:
        self._hold = round(hold_s * rate_hz)
        self._quiet_since: int | None = None
        self._off_hook = self._loud = False

    def feed(self, event: LineEvent) -> Wish | None:
        """A voice starts at once; silence only starts the hold time."""
        if isinstance(event, OffHook | OnHook | LineLost):
            self._off_hook = isinstance(event, OffHook)
        elif isinstance(event, VoiceStarted):
            self._loud, self._quiet_since = True, None
        elif isinstance(event, VoiceStopped):
            self._loud, self._quiet_since = False, event.position
        else:
            return None
        return Wish(True, event.position) if self._off_hook and self._loud else None

    def tick(self, position: int) -> Wish | None:
        """The hold time is over."""
        if self._quiet_since is None or position < self._quiet_since + self._hold:
            return None
        until, self._quiet_since = self._quiet_since + self._hold, None
        return Wish(False, until)
