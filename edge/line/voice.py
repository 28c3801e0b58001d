"""Voice on a line as line events, from tenths of a second that were loud against the line's own noise floor.

VoiceStarted    at the first loud tenth
VoiceStopped    at the end of the last one, said after `QUIET_S` without another (pauses between words)
"""

from __future__ import annotations

from dataclasses import dataclass

from edge.line.events import LineEvent, VoiceStarted, VoiceStopped

QUIET_S = 0.5


@dataclass(slots=True)
class VoiceWatcher:
    """Follows one line."""

    line: int
    rate_hz: int
    speaking: bool = False
    _last_end: int = 0

    def slot(self, position: int, length: int, active: bool) -> list[LineEvent]:
        """Take the next tenth of a second: `length` samples from `position` on, loud or not."""
        if active:
            self._last_end = position + length
            if self.speaking:
                return []
            self.speaking = True
            return [VoiceStarted(self.line, position)]
        if self.speaking and position + length - self._last_end >= QUIET_S * self.rate_hz:
            self.speaking = False
            return [VoiceStopped(self.line, self._last_end)]
        return []
