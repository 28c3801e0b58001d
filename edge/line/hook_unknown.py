"""What a line does, guessed from sound alone, for as long as there are no readings of its voltage.

    idle      ringing that leaks into the audio, or a caller ID ........ RingStarted, RingStopped
    idle      a dial, ringback or busy tone; a second of speech in three . OffHook, dated back
    off hook  busy or congestion for some seconds ...................... OnHook, at the end of the call
    off hook  long silence ............................................. OnHook, where it began

A guess is worse than a reading; the arbiter only asks for it when it has to.
"""

from __future__ import annotations

from collections import deque

from edge.line.events import (
    CallerIdRead,
    LineEvent,
    OffHook,
    OnHook,
    RingStarted,
    RingStopped,
    ToneHeard,
)
from edge.line.profile import LineProfile

SPEECH_WINDOW = 30  # slots of 100 ms
TONE_PAUSE = 15  # slots
NEVER = 2**62


class HookGuess:
    """Follows one line by sound."""

    def __init__(self, line: int, rate_hz: int, profile: LineProfile, off_hook: bool = False) -> None:
        self.off_hook, self.ringing = off_hook, False
        self._line, self._rate_hz, self._profile = line, rate_hz, profile
        self._spoken: deque[int] = deque()  # positions of the loud slots of the last SPEECH_WINDOW
        self._silent_since: int | None = None
        self._last_ring: int | None = None
        self._busy: int | None = None  # since when
        self._tone_silent: int | None = None  # slots of silence since a busy tone that goes on after the call

    @property
    def steady(self) -> tuple[bool, int]:
        """Slots that are loud (True) or silent, do not ring and end before this position change nothing."""
        if self.ringing or self._tone_silent is not None or self._busy is not None:
            return False, 0
        if not self.off_hook:
            return False, NEVER
        if self._silent_since is None:
            return True, NEVER
        return False, self._silent_since + int(self._profile.silence_on_hook_s * self._rate_hz)

    def hear(self, heard: LineEvent) -> list[LineEvent]:
        """Take what the receivers found on this line."""
        if isinstance(heard, CallerIdRead) and not self.off_hook and not self._rang_lately(heard.position):
            self._last_ring = heard.position
            ring = RingStarted(self._line, heard.position), RingStopped(self._line, heard.position)
            return list(ring)
        if not isinstance(heard, ToneHeard):
            return []
        if self.off_hook or self._tone_silent is not None:
            if self.off_hook and heard.tone in ("busy", "congestion"):
                self._busy = heard.position
            return []
        return self._lift(heard.position)

    def slot(self, position: int, length: int, active: bool, ringing: bool) -> list[LineEvent]:
        """Take the next 100 ms of this line."""
        if ringing != self.ringing and not self.off_hook:
            return self._ring(position, ringing)
        if self.off_hook:
            return self._maybe_put_down(position, length, active)
        if self._same_tone(active) or not active or ringing:
            return []
        while self._spoken and self._spoken[0] <= position - SPEECH_WINDOW * length:
            self._spoken.popleft()
        self._spoken.append(position)
        if len(self._spoken) * length < self._profile.speech_off_hook_s * self._rate_hz:
            return []
        return self._lift(self._spoken[0])

    def _same_tone(self, active: bool) -> bool:
        """Is this still the busy tone of the call before? A silence longer than its pauses ends it."""
        if self._tone_silent is None:
            return False
        self._tone_silent = 0 if active else self._tone_silent + 1
        if self._tone_silent >= TONE_PAUSE:
            self._tone_silent = None
        return True

    def _rang_lately(self, position: int) -> bool:
        wait = (self._profile.ring_pause_s + 2) * self._rate_hz
        return self._last_ring is not None and position - self._last_ring < wait

    def _ring(self, position: int, ringing: bool) -> list[LineEvent]:
        self.ringing, self._last_ring = ringing, position
        self._spoken.clear()
        return [(RingStarted if ringing else RingStopped)(self._line, position)]

    def _lift(self, position: int) -> list[LineEvent]:
        found: list[LineEvent] = [RingStopped(self._line, position)] if self.ringing else []
        self.off_hook, self.ringing = True, False
        self._silent_since = self._busy = None
        self._spoken.clear()
        return [*found, OffHook(self._line, position)]

    def _maybe_put_down(self, position: int, length: int, active: bool) -> list[LineEvent]:
        profile, rate_hz = self._profile, self._rate_hz
        if self._busy is not None and position - self._busy >= profile.busy_on_hook_s * rate_hz:
            self._tone_silent = 0
            return self._put_down(self._busy)
        if active:
            self._silent_since = None
            return []
        if self._silent_since is None:
            self._silent_since = position
        if position + length - self._silent_since < profile.silence_on_hook_s * rate_hz:
            return []
        return self._put_down(self._silent_since)

    def _put_down(self, position: int) -> list[LineEvent]:
        self.off_hook = False
        self._silent_since = self._busy = None
        self._spoken.clear()
        return [OnHook(self._line, position)]
