"""From blocks of audio to line events: who is calling, which keys, tones, fax, signs, on all lines at once.

The same sound means different things in different states: keys on an idle or ringing line are caller ID sent
as DTMF, keys off hook are dialled. So the caller says what each line is doing at a position.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from edge.callerid import PARSE_DIGITS, CallerIdError
from edge.callerid.receiver import CallerFound, CallerIdReceiver
from edge.dsp.activity import ActivityMeter, Slots
from edge.dsp.alert import AlertReceiver
from edge.dsp.dtmf import DtmfReceiver, KeyFound
from edge.dsp.fax import FaxReceiver
from edge.dsp.hops import HopBank
from edge.dsp.tones import ToneFound, ToneReceiver, tone_hz
from edge.dsp.turns import Turns
from edge.line.events import CallerIdFailed, CallerIdRead, CallWaitingHeard, DigitKeyed, FaxHeard, LineEvent
from edge.line.signs import IN_CALL_S, Signs, waiting_messages
from edge.samples import AudioBlock

DTMF_PAUSE_S = 0.4  # a longer pause ends a caller ID sent as keys
MIN_KEYS_REFUSED = 4  # fewer keys on hook are not worth a refusal
END_KEYS = "C#"


class LineState(Enum):
    """What a line is doing."""

    IDLE = "idle"
    RINGING = "ringing"
    OFF_HOOK = "off_hook"


StateAt = Callable[[int, int], LineState]  # (line, position) -> state


@dataclass(slots=True)
class _Keys:
    """Keys heard on hook, until a pause or an end key."""

    start: int
    end: int
    digits: str = field(default="")


class AudioWatcher:
    """Runs all receivers on one shared bank of frequencies, ten hops at a time."""

    def __init__(self, lines: int, rate_hz: int, country: str) -> None:
        hz = (*DtmfReceiver.HZ, *tone_hz(country), *FaxReceiver.HZ, *AlertReceiver.HZ)
        receivers = DtmfReceiver, CallerIdReceiver, ToneReceiver, FaxReceiver, AlertReceiver, ActivityMeter
        self._bank = HopBank(lines, rate_hz, hz, [band for one in receivers for band in one.BANDS])
        self._turns = Turns(lines, rate_hz)
        self._rate_hz = rate_hz
        self._dtmf = DtmfReceiver(lines, rate_hz, self._bank)
        self._tones = ToneReceiver(lines, rate_hz, country, self._bank)
        self._callers = CallerIdReceiver(lines, rate_hz, self._bank)
        self._fax = FaxReceiver(lines, rate_hz, self._bank)
        self._alerts = AlertReceiver(lines, rate_hz, self._bank)
        self._activity = ActivityMeter(lines, self._bank)
        self._signs = Signs(rate_hz, country)
        self._keys: dict[int, _Keys] = {}

    def listen(self, line: int, voice_over_floor_db: float) -> None:
        """From now on a voice on `line` is what lies so far above its noise floor."""
        self._activity.listen(line, voice_over_floor_db)

    def feed(self, block: AudioBlock, state_at: StateAt) -> tuple[list[Slots], list[LineEvent]]:
        """Take a block of at most a second; return the slots that are now whole, and what was heard."""
        slots: list[Slots] = []
        found: list[LineEvent] = []
        for turn in self._turns.feed(block, urgent=self._callers.reading or bool(self._keys)):
            one, heard = self._listen(turn, state_at)
            slots.append(one)
            found += heard
        for caller in self._callers.search(len(block.samples)):
            found += _caller(caller, state_at)
        return slots, found

    def _listen(self, block: AudioBlock, state_at: StateAt) -> tuple[Slots, list[LineEvent]]:
        hops = self._bank.feed(block.samples, block.position)
        found: list[LineEvent] = []
        for alert in self._alerts.take(hops):
            if state_at(alert.line, alert.start) is LineState.OFF_HOOK:
                found += self._signs.alert(alert)
        for key in self._dtmf.take(hops):
            found += self._key(key, state_at)
        for line in [line for line, keys in self._keys.items() if self._paused(keys, block.end)]:
            found += self._close_keys(line)
        for caller in self._callers.take(hops, block.samples, block.position):
            found += _caller(caller, state_at)
        for tone in self._tones.take(hops):
            found += self._tone(tone, state_at)
        for fax in self._fax.take(hops):
            found += [] if fax.ended else [FaxHeard(fax.line, fax.start, fax.tone, fax.reversals)]
        return self._activity.take(hops, self._tones.sounding), found

    def _tone(self, tone: ToneFound, state_at: StateAt) -> list[LineEvent]:
        before = tone.start - round(IN_CALL_S * self._rate_hz)
        return self._signs.tone(tone, state_at(tone.line, before) is LineState.OFF_HOOK)

    def _key(self, key: KeyFound, state_at: StateAt) -> list[LineEvent]:
        found: list[LineEvent] = []
        keys = self._keys.get(key.line)
        if keys is not None and key.start - keys.end > DTMF_PAUSE_S * self._rate_hz:
            found += self._close_keys(key.line)
        if state_at(key.line, key.start) is LineState.OFF_HOOK:
            if self._signs.acknowledges(key):
                return [*found, CallWaitingHeard(key.line, key.start, "acknowledged")]
            return [*found, DigitKeyed(key.line, key.start, key.digit, key.end)]
        keys = self._keys.setdefault(key.line, _Keys(key.start, key.end))
        keys.digits, keys.end = keys.digits + key.digit, key.end
        if key.digit in END_KEYS and len(keys.digits) > 1:
            found += self._close_keys(key.line)
        return found

    def _paused(self, keys: _Keys, now: int) -> bool:
        return now - keys.end > (DTMF_PAUSE_S + 0.1) * self._rate_hz  # a key is known only once it has ended

    def _close_keys(self, line: int) -> list[LineEvent]:
        keys = self._keys.pop(line)
        refusal = ""
        for standard, parse in PARSE_DIGITS.items():
            try:
                return [CallerIdRead(line, keys.start, parse(keys.digits, standard))]
            except CallerIdError as error:
                refusal = error.reason
        if len(keys.digits) < MIN_KEYS_REFUSED:
            return []
        return [CallerIdFailed(line, keys.start, "dtmf", refusal)]


def _caller(found: CallerFound, state_at: StateAt) -> list[LineEvent]:
    if found.caller is not None:
        return [CallerIdRead(found.line, found.start, found.caller)]
    if found.message:
        return waiting_messages(found.line, found.start, found.message)
    if state_at(found.line, found.start) is LineState.OFF_HOOK:
        return []  # speech may look like the beginning of a message; nobody waits for one here
    return [CallerIdFailed(found.line, found.start, found.standard, found.reason)]
