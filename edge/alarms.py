"""Three things about a line that somebody should look at: off hook or silent too long, no ring for days.

An alarm is a state: `conditions` tells which of them hold now, and the shell writes down when that changes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from edge.call import LineState
from edge.line.events import LineEvent, OffHook, RingStarted, VoiceStarted, VoiceStopped

OFF_HOOK = "off_hook"
SILENT = "silent"
NO_RING = "no_ring"
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


@dataclass(slots=True)
class LineAlarms:
    """Follows one line; positions are samples."""

    rate_hz: int
    rules: AlarmRules = field(default_factory=AlarmRules)
    _off_hook_since: int = 0
    _voice_since: int = 0  # when somebody was last heard, or could have begun to speak
    _speaking: bool = False
    _ring_since: int = 0

    def feed(self, event: LineEvent) -> None:
        """Remember what the alarms are counted from."""
        if isinstance(event, OffHook):
            self._off_hook_since = self._voice_since = event.position
        elif isinstance(event, RingStarted):
            self._ring_since = event.position
        elif isinstance(event, VoiceStarted | VoiceStopped):
            self._speaking, self._voice_since = isinstance(event, VoiceStarted), event.position

    def conditions(self, state: LineState, position: int) -> frozenset[str]:
        """The alarms that hold at `position` while the line is in `state`."""
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
