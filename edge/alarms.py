"""Three things about a line that somebody should look at: off hook or silent too long, no ring for days.

An alarm is a state: `conditions` tells which of them hold now, and the shell writes down when that changes.
A restart ends none: what was known before it comes in as `LineMemory`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from edge.call import LineState
from edge.line.events import (
    LineEvent,
    LineLost,
    OffHook,
    OnHook,
    RingStarted,
    VoiceStarted,
    VoiceStopped,
)

OFF_HOOK = "off_hook"
SILENT = "silent"
NO_RING = "no_ring"
ALARMS = (OFF_HOOK, SILENT, NO_RING)
IN_USE = (
    LineState.TALKING, LineState.DIALLING, LineState.CALLING, LineState.HELD, LineState.LEFT_OFF,
    LineState.RELEASED,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class AlarmRules:
    """After how long; 0 switches an alarm off."""

    off_hook_s: float = 3600.0
    silent_s: float = 600.0
    no_ring_s: float = 7 * 86400.0


@dataclass(frozen=True, slots=True)
class LineMemory:
    """What is known of a line from before the start; positions before it are negative."""

    ring_since: int = 0  # the last ring, or since when the line is known
    in_use_since: int | None = None  # it was off hook when the recorder stopped
    alarms: frozenset[str] = frozenset()  # that held then


@dataclass(slots=True)
class LineAlarms:
    """Follows one line; positions are samples."""

    rate_hz: int
    rules: AlarmRules = field(default_factory=AlarmRules)
    memory: LineMemory = field(default_factory=LineMemory)
    _off_hook_since: int = 0
    _voice_since: int = 0  # when somebody was last heard, or could have begun to speak
    _speaking: bool = False
    _ring_since: int = field(init=False)
    _at_start: bool = True  # nothing of the hook seen yet

    def __post_init__(self) -> None:
        self._ring_since = self.memory.ring_since

    def feed(self, event: LineEvent) -> None:
        """Remember what the alarms are counted from."""
        if isinstance(event, OffHook):
            self._off_hook_since = self._voice_since = event.position
            if self._at_start and self.memory.in_use_since is not None:
                self._goes_on(self.memory.in_use_since)
            self._at_start = False
        elif isinstance(event, OnHook | LineLost | RingStarted):
            self._at_start = False
            self._ring_since = event.position if isinstance(event, RingStarted) else self._ring_since
        elif isinstance(event, VoiceStarted | VoiceStopped):
            self._speaking, self._voice_since = isinstance(event, VoiceStarted), event.position

    def _goes_on(self, since: int) -> None:
        """The phone was off hook before the start, and nobody has put it down."""
        self._off_hook_since = since
        if SILENT in self.memory.alarms:
            self._voice_since = since

    def conditions(self, state: LineState, position: int) -> frozenset[str]:
        """The alarms that hold at `position` while the line is in `state`."""
        if state is LineState.UNKNOWN:
            return self.memory.alarms
        rules, in_use = self.rules, state in IN_USE
        quiet = in_use and not self._speaking
        holds = {
            OFF_HOOK: in_use and self._over(self._off_hook_since, position, rules.off_hook_s),
            SILENT: quiet and self._over(self._voice_since, position, rules.silent_s),
            NO_RING: self._over(self._ring_since, position, rules.no_ring_s),
        }
        return frozenset(name for name, on in holds.items() if on)

    def _over(self, since: int, position: int, after_s: float) -> bool:
        return after_s > 0 and position - since >= after_s * self.rate_hz
