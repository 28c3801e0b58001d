"""The words of the script language: what can happen on a line, one frozen dataclass per step.

The dataclasses are the schema as well: script.py checks every field against its annotation.
A `Span` is seconds, or [least, most] from which the seed picks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

Seconds = Annotated[float, Meta(ge=0, le=3600)]
# Not tuple[Seconds, Seconds]: msgspec 0.22.0 crashes on a bounded number or a tuple of fixed length.
Span = Seconds | Annotated[tuple[Seconds, ...], Meta(min_length=2, max_length=2)]
Who = Literal["far", "staff"]
Voice = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9+-]{1,30}$")]
KeyPresses = Annotated[str, Meta(pattern=r"^[0-9*#A-D]{1,40}$")]


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing happens: silence in a call, peace between calls."""

    s: Span


@dataclass(frozen=True, slots=True)
class Ring:
    """The exchange rings; unless `pick_up` follows, the caller gives up after the last burst."""

    bursts: Annotated[int, Meta(ge=1, le=50)] = 2
    caller: str | Annotated[tuple[str, ...], Meta(min_length=1)] | None = None  # of several the seed picks
    on_s: Annotated[float, Meta(ge=0.2, le=5)] = 1.0
    off_s: Annotated[float, Meta(ge=0.2, le=10)] = 4.0


@dataclass(frozen=True, slots=True)
class PickUp:
    """The staff lift the handset, `after_s` after the last burst."""

    after_s: Span = 1.0


@dataclass(frozen=True, slots=True)
class Dial:
    """The staff lift the handset and dial; `then` is what the far end does after the ringback."""

    digits: KeyPresses
    dial_tone_s: Span = 1.0
    ringbacks: Annotated[int, Meta(ge=0, le=20)] = 1
    then: Literal["answer", "busy", "no_answer"] = "answer"
    reverses: bool = False  # the exchange swaps tip and ring while the far end is there


@dataclass(frozen=True, slots=True)
class Say:
    """Somebody speaks `text`, or goes on for `s` seconds."""

    who: Who
    text: Annotated[str, Meta(min_length=1, max_length=1000)] | None = None
    s: Span | None = None
    voice: Voice | None = None  # of espeak-ng; without one, the language of the script's `voices`
    after_s: Span = 0.3


@dataclass(frozen=True, slots=True)
class Keys:
    """Somebody presses DTMF keys in the call."""

    who: Who
    digits: KeyPresses
    tone_ms: Annotated[int, Meta(ge=20, le=2000)] = 100
    gap_ms: Annotated[int, Meta(ge=20, le=2000)] = 100
    after_s: Span = 0.3


@dataclass(frozen=True, slots=True)
class Flash:
    """The staff press the hook shortly."""

    ms: Annotated[int, Meta(ge=20, le=2000)] = 300


@dataclass(frozen=True, slots=True)
class OpenLoop:
    """The exchange takes the voltage away for a moment: its way, in some countries, of saying it is over."""

    ms: Annotated[int, Meta(ge=20, le=5000)] = 500


@dataclass(frozen=True, slots=True)
class CallWaiting:
    """Another caller waits: an alert, the phone's key that acknowledges it, then who it is (Bell 202)."""

    caller: str
    after_s: Span = 0.5


@dataclass(frozen=True, slots=True)
class Fax:
    """A fax machine makes itself heard: the calling one (cng) or the answering one (ced)."""

    tone: Literal["cng", "ced"] = "cng"
    s: Span = 8.0
    after_s: Span = 0.3


@dataclass(frozen=True, slots=True)
class HangUp:
    """The call ends. If the far end goes first, the staff hear busy tone and follow `staff_after_s` later."""

    who: Who
    staff_after_s: Span = 1.5


@dataclass(frozen=True, slots=True)
class Dead:
    """No voltage on the line: unplugged, or dead at the exchange."""

    s: Span


@dataclass(frozen=True, slots=True)
class Repeat:
    """The same steps several times."""

    times: Annotated[int, Meta(ge=1, le=1000)]
    steps: tuple[Step, ...]


Step = (
    Wait | Ring | PickUp | Dial | Say | Keys | Flash | OpenLoop | CallWaiting | Fax | HangUp | Dead | Repeat
)

STEPS: dict[str, type[Step]] = {
    "wait": Wait,
    "ring": Ring,
    "pick_up": PickUp,
    "dial": Dial,
    "say": Say,
    "keys": Keys,
    "flash": Flash,
    "open_loop": OpenLoop,
    "call_waiting": CallWaiting,
    "fax": Fax,
    "hang_up": HangUp,
    "dead": Dead,
    "repeat": Repeat,
}

# What may come next: (where the line is, step) -> where it is then. Anything not listed makes no sense.
# "called" is ringing that nobody answered yet; "unanswered" is a dialled call that will get no answer.
NEXT: Mapping[tuple[str, str], str] = {
    ("idle", "wait"): "idle",
    ("idle", "dead"): "idle",
    ("idle", "ring"): "called",
    ("idle", "dial"): "talking",
    ("called", "pick_up"): "talking",
    ("called", "wait"): "idle",
    ("called", "dead"): "idle",
    ("called", "ring"): "called",
    ("called", "dial"): "talking",
    ("talking", "wait"): "talking",
    ("talking", "say"): "talking",
    ("talking", "keys"): "talking",
    ("talking", "flash"): "talking",
    ("talking", "open_loop"): "talking",
    ("talking", "call_waiting"): "talking",
    ("talking", "fax"): "talking",
    ("talking", "hang_up"): "idle",
    ("talking", "dead"): "idle",
    ("unanswered", "wait"): "unanswered",
    ("unanswered", "hang_up"): "idle",
}
