"""Line events: what happened on a line, one frozen dataclass each.

Facts in the past tense, made from readings (hook, ring, polarity) and from blocks (caller ID, digits, tones).
`position` is the sample where it happened, not where it was noticed.
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
    """A DTMF key: one of 0-9 * # A B C D."""

    digit: str
    end: int  # position where the tone ended


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
