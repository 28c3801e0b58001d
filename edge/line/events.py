"""Line events: what happened on a line, one frozen dataclass each.

Facts in the past tense, made from readings (hook, ring, polarity, dial pulses) and from blocks (caller ID,
keys, tones, fax, call waiting). `position` is the sample where it happened, not where it was noticed.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge.callerid import CallerId


@dataclass(frozen=True, slots=True)
class LineEvent:
    """Something happened on `line` at `position`."""

    line: int
    position: int


@dataclass(frozen=True, slots=True)
class RingStarted(LineEvent):
    """Ringing voltage (or, without a HAT, ringing audio) began."""


@dataclass(frozen=True, slots=True)
class RingStopped(LineEvent):
    """A burst of ringing ended."""


@dataclass(frozen=True, slots=True)
class OffHook(LineEvent):
    """A phone on the line was lifted."""


@dataclass(frozen=True, slots=True)
class OnHook(LineEvent):
    """The last phone on the line was put down, longer than any hook flash."""


@dataclass(frozen=True, slots=True)
class HookFlashed(LineEvent):
    """The hook was pressed shortly; the call goes on."""


@dataclass(frozen=True, slots=True)
class PolarityReversed(LineEvent):
    """Tip and ring changed sides: answer supervision, the start of caller ID, or wiring."""


@dataclass(frozen=True, slots=True)
class LineLost(LineEvent):
    """No voltage on the line: unplugged, or dead at the exchange."""


@dataclass(frozen=True, slots=True)
class LineFound(LineEvent):
    """Voltage is back."""


@dataclass(frozen=True, slots=True)
class CallerIdRead(LineEvent):
    """A caller-ID message was read and its check held."""

    caller: CallerId


@dataclass(frozen=True, slots=True)
class CallerIdFailed(LineEvent):
    """Something that should have been a caller-ID message was refused."""

    standard: str
    reason: str


@dataclass(frozen=True, slots=True)
class DigitKeyed(LineEvent):
    """A digit was dialled: a DTMF key, one of 0-9 * # A B C D, or a train of dial pulses, 0-9."""

    digit: str
    end: int  # position where the tone, or the last pulse, ended
    how: str = "dtmf"  # dtmf | pulse


@dataclass(frozen=True, slots=True)
class LoopOpened(LineEvent):
    """The exchange took the voltage away for a moment while a phone was off hook, and gave it back."""

    end: int  # position where the voltage was back


@dataclass(frozen=True, slots=True)
class LineHeld(LineEvent):
    """The box itself holds the line."""


@dataclass(frozen=True, slots=True)
class PhoneJoined(LineEvent):
    """A phone was lifted while the box held the line."""


@dataclass(frozen=True, slots=True)
class SpeechHeard(LineEvent):
    """Somebody spoke, or music played, for some tenths of a second: no tone and no key."""


@dataclass(frozen=True, slots=True)
class VoiceStarted(LineEvent):
    """Somebody speaks, or music plays: louder than the line's own noise floor."""


@dataclass(frozen=True, slots=True)
class VoiceStopped(LineEvent):
    """Nobody has spoken since."""


@dataclass(frozen=True, slots=True)
class RecordAsked(LineEvent):
    """A person pressed the record button: keep the call's audio from here, or no longer."""

    on: bool


@dataclass(frozen=True, slots=True)
class ToneHeard(LineEvent):
    """A call-progress tone was recognised: dial, ringback, busy, congestion."""

    tone: str
    country: str


@dataclass(frozen=True, slots=True)
class FaxHeard(LineEvent):
    """A fax machine or modem makes itself heard (ITU-T T.30, V.25)."""

    tone: str  # cng: the calling machine; ced: the answering one
    reversals: bool = False  # of the phase, every 450 ms: a modem that wants echo cancellers off


@dataclass(frozen=True, slots=True)
class CallWaitingHeard(LineEvent):
    """In a call, the exchange says that another caller waits; who it is comes as CallerIdRead in the call.

    tone           for people (SAS)
    alert          for the phone (CAS)
    acknowledged   the phone answers the alert with the key D or A
    """

    sign: str  # tone | alert | acknowledged


@dataclass(frozen=True, slots=True)
class HowlerHeard(LineEvent):
    """The exchange asks for the handset to be put down."""

    country: str


@dataclass(frozen=True, slots=True)
class MessageWaiting(LineEvent):
    """The exchange keeps messages for this line, or keeps none any more."""

    waiting: bool
    how: str  # fsk: a message of its own, on hook; stutter: an interrupted dial tone
    count: int | None = None
