"""What the exchange tells people and phones beside the call itself: who waits, which messages, put it down.

    call-waiting tone, off hook for some seconds ............ CallWaitingHeard, tone
    alert off hook, the key D or A just after it ............ CallWaitingHeard, alert, acknowledged
    special dial tone, where it means messages .............. MessageWaiting, stutter
    a message that says so, by FSK .......................... MessageWaiting, fsk
    howler .................................................. HowlerHeard

An acknowledging key is the phone's, not a person's: it is no digit.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from edge.callerid import CallerIdError, waiting
from edge.dsp.alert import AlertFound
from edge.dsp.dtmf import KeyFound
from edge.dsp.tones import ToneFound
from edge.line.events import CallWaitingHeard, HowlerHeard, LineEvent, MessageWaiting, ToneHeard

ACKNOWLEDGEMENTS = "DA"  # the key a phone answers the alert with (GR-30-CORE; EN 300 659-2)
ACKNOWLEDGED_S = 0.5  # after the alert at the latest; the standards say 160 ms
IN_CALL_S = 5.0  # a burst just after lifting is the end of a dial tone
STUTTER_COUNTRIES = ("us",)  # where special dial tone means messages
STUTTER_S = 0.9  # shorter: the exchange confirms a flash


@dataclass(slots=True)
class Signs:
    """The signs of one board's lines."""

    rate_hz: int
    country: str
    _alerts: dict[int, int] = field(default_factory=dict)  # line -> end of its last alert

    def alert(self, found: AlertFound) -> list[LineEvent]:
        """An alert on a line that is off hook."""
        self._alerts[found.line] = found.end
        return [CallWaitingHeard(found.line, found.start, "alert")]

    def acknowledges(self, key: KeyFound) -> bool:
        """Is this key, off hook, the phone's answer to an alert?"""
        end = self._alerts.get(key.line)
        if end is None or key.digit not in ACKNOWLEDGEMENTS:
            return False
        return 0 <= key.start - end <= ACKNOWLEDGED_S * self.rate_hz

    def tone(self, tone: ToneFound, long_off_hook: bool) -> list[LineEvent]:
        """A tone begins or is over; `long_off_hook`: the line was in use for IN_CALL_S before it."""
        if tone.ended:
            return self._over(tone)
        if tone.tone == "howler":
            return [HowlerHeard(tone.line, tone.start, self.country)]
        if tone.tone == "call_waiting":
            return [CallWaitingHeard(tone.line, tone.start, "tone")] if long_off_hook else []
        return [ToneHeard(tone.line, tone.start, tone.tone, self.country)]

    def _over(self, tone: ToneFound) -> list[LineEvent]:
        if tone.tone != "special_dial" or self.country not in STUTTER_COUNTRIES:
            return []
        lasted = tone.end - tone.start >= STUTTER_S * self.rate_hz
        return [MessageWaiting(tone.line, tone.start, True, "stutter")] if lasted else []


def waiting_messages(line: int, position: int, message: bytes) -> list[LineEvent]:
    """What a good message that names no caller says about messages; nothing if it is about something else."""
    try:
        found = waiting.parse(message)
    except CallerIdError:
        return []
    return [MessageWaiting(line, position, found.waiting, "fsk", found.count)]
