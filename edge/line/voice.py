"""Voice on a line as line events, from tenths of a second that were loud against the line's own noise floor.

VoiceStarted    at the first loud tenth
VoiceStopped    at the end of the last one, said after `QUIET_S` without another (pauses between words)
SpeechHeard     once in each such stretch, when SPEECH_SLOTS tenths in a row were loud with no tone and no key
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from edge.line.events import DigitKeyed, LineEvent, SpeechHeard, VoiceStarted, VoiceStopped

QUIET_S = 0.5
SPEECH_SLOTS = 2  # an edge of a tone makes one
KEY_WAIT = 3  # slots until a key that sounded is known
SLOTS_KEPT = SPEECH_SLOTS + KEY_WAIT
KEY_MARGIN_S = 0.05


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


@dataclass(slots=True)
class SpeechWatcher:
    """Tells speech from tones and keys on one line; keys are told late, so it answers late."""

    line: int
    rate_hz: int
    _slots: deque[tuple[int, int, bool]] = field(default_factory=lambda: deque(maxlen=SLOTS_KEPT))
    _keys: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=8))
    _said: bool = False

    def key(self, event: DigitKeyed) -> None:
        """A key sounded from its position to its end."""
        margin = round(KEY_MARGIN_S * self.rate_hz)
        self._keys.append((event.position - margin, event.end + margin))

    def slot(self, position: int, length: int, active: bool, tonal: bool) -> list[LineEvent]:
        """Take the next tenth of a second: loud or not, and whether a tone of the exchange sounds in it."""
        if self._slots and position > sum(self._slots[-1][:2]):
            self._slots.clear()  # nothing was heard for a while
            self._said = False
        self._slots.append((position, length, active and not tonal))
        if self._said or len(self._slots) < SLOTS_KEPT:
            return []
        oldest = list(self._slots)[:SPEECH_SLOTS]
        if not all(loud and not self._is_key(start, size) for start, size, loud in oldest):
            return []
        self._said = True
        return [SpeechHeard(self.line, oldest[0][0])]

    def _is_key(self, start: int, length: int) -> bool:
        return any(begin < start + length and start < end for begin, end in self._keys)
