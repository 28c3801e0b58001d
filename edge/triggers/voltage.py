"""Recording by line voltage (压控): from off hook to on hook."""

from __future__ import annotations

from edge.line.events import DigitKeyed, LineEvent, LineLost, LoopOpened, OffHook, OnHook, SpeechHeard
from edge.triggers.wish import Wish


class VoltageTrigger:
    """Wants audio while a phone is off hook."""

    def __init__(self, rate_hz: int, hold_s: float) -> None:
        """The hold time plays no part: the hook is certain."""
        self._let_go = False  # the exchange opened the loop, the phone is not down yet

    def feed(self, event: LineEvent) -> Wish | None:
        """Off hook starts, on hook and a dead line end; after an open loop a sign of life starts again."""
        if isinstance(event, OffHook):
            return Wish(True, event.position)
        if isinstance(event, OnHook | LineLost):
            self._let_go = False
            return Wish(False, event.position)
        if isinstance(event, LoopOpened):
            self._let_go = True
        elif self._let_go and isinstance(event, DigitKeyed | SpeechHeard):
            self._let_go = False
            return Wish(True, event.position)
        return None

    def tick(self, position: int) -> Wish | None:
        """Nothing comes of time alone."""
        return None
