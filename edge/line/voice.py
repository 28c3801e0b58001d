"""Voices as line events, from tenths of a second that were loud against a line's own noise floor.

VoiceStarted    at the first loud tenth
VoiceStopped    at the end of the last one, said after QUIET_S without another (pauses between words)
SpeechHeard     once in each such stretch, when SPEECH_SLOTS tenths in a row were loud with no tone and no key

Keys are told late, so speech is too: slots are a row of bits, the newest lowest, and it is looked for at the
left end of that row, KEY_WAIT slots ago.

    1 1 | 0 1 1     1: loud, and no tone of the exchange
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge.dsp.activity import Slots
from edge.line.events import DigitKeyed, LineEvent, SpeechHeard, VoiceStarted, VoiceStopped

QUIET_S = 0.5
SPEECH_SLOTS = 2  # an edge of a tone makes one
KEY_WAIT = 3  # slots until a key that sounded is known
KEYS_KEPT = 8
KEY_MARGIN_S = 0.05

_SPEECH = np.uint8((2**SPEECH_SLOTS - 1) << KEY_WAIT)
_KEPT = np.uint8(2 ** (SPEECH_SLOTS + KEY_WAIT) - 1)


class VoiceWatcher:
    """Follows some lines, counted from 1, in steps that serve all of them."""

    def __init__(self, lines: int, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._end = 0  # of the last slot
        self._speaking = np.zeros(lines, np.bool_)
        self._loud_until = np.zeros(lines, np.int64)
        self._plain: NDArray[np.uint8] = np.zeros(lines, np.uint8)  # the row of bits
        self._said = np.zeros(lines, np.bool_)  # that there is speech in this stretch
        self._keys: defaultdict[int, deque[tuple[int, int]]] = defaultdict(lambda: deque(maxlen=KEYS_KEPT))

    def take(self, slots: Sequence[Slots], heard: Sequence[LineEvent]) -> list[LineEvent]:
        """Take the next slots, and what else was heard up to their end."""
        margin = round(KEY_MARGIN_S * self._rate_hz)
        for what in heard:
            if isinstance(what, DigitKeyed):
                self._keys[what.line].append((what.position - margin, what.end + margin))
        found: list[LineEvent] = []
        for some in slots:
            for at, (active, tonal) in enumerate(zip(some.active, some.tonal, strict=True)):
                found += self._slot(some.position + at * some.length, some.length, active, tonal)
        return found

    def take_over(self, line: int, other: VoiceWatcher, its_line: int) -> None:
        """From now on `line` is what `its_line` was to another watcher."""
        mine, its = line - 1, its_line - 1
        self._speaking[mine], self._loud_until[mine] = other._speaking[its], other._loud_until[its]
        self._plain[mine], self._said[mine] = other._plain[its], other._said[its]
        self._keys[line] = other._keys[its_line].copy()

    def _slot(
        self, position: int, length: int, active: NDArray[np.bool_], tonal: NDArray[np.bool_]
    ) -> list[LineEvent]:
        quiet = round(QUIET_S * self._rate_hz)
        if position != self._end:  # samples were lost
            self._plain[:] = 0
            self._said &= self._loud_until > position - quiet
        self._end = end = position + length
        open_now = self._speaking | active
        if not open_now.any():
            return []
        started = open_now > self._speaking
        self._loud_until[active] = end
        stopped = open_now & (self._loud_until <= end - quiet)
        self._speaking = open_now > stopped
        self._said &= self._speaking
        self._plain = (self._plain << np.uint8(1) | (active > tonal)) & _KEPT
        found: list[LineEvent] = [VoiceStarted(line, position) for line in _lines(started)]
        found += [VoiceStopped(line, int(self._loud_until[line - 1])) for line in _lines(stopped)]
        maybe = _lines((self._plain >= _SPEECH) > self._said)
        return found + self._speech(maybe, length) if maybe else found

    def _speech(self, maybe: list[int], length: int) -> list[LineEvent]:
        start = self._end - (SPEECH_SLOTS + KEY_WAIT) * length
        end = start + SPEECH_SLOTS * length
        spoken = [line for line in maybe if not self._keyed(line, start, end)]
        self._said[[line - 1 for line in spoken]] = True
        return [SpeechHeard(line, start) for line in spoken]

    def _keyed(self, line: int, start: int, end: int) -> bool:
        return any(key_start < end and start < key_end for key_start, key_end in self._keys[line])


def _lines(which: NDArray[np.bool_]) -> list[int]:
    return [column + 1 for column in which.nonzero()[0].tolist()]
