"""A call as data, what happens in it, and the actions by which it reaches disk and page.

Apart from the state table because everything behind it (keeping, ledger) speaks of these and of no state.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from edge.callerid import CallerId
from edge.outcomes import Evidence


class LineState(StrEnum):
    """What a line is doing, as the page shows it."""

    UNKNOWN = "unknown"  # before the first event after a start
    IDLE = "idle"
    RINGING = "ringing"
    TALKING = "talking"  # off hook after a ring
    DIALLING = "dialling"  # off hook without a ring, digits may come
    CALLING = "calling"  # digits are over
    HELD = "held"  # the box itself has answered and holds the line
    LEFT_OFF = "left_off"  # off hook beyond the longest call: its call is over, the phone is not down
    RELEASED = "released"  # the exchange let go: the call is over, the phone is not down yet
    LINE_LOST = "line_lost"


@dataclass(frozen=True, slots=True)
class Call:
    """One call so far; positions are samples on the line's board."""

    id: str
    line: int
    direction: str  # in | out | unknown
    started: int
    answered: int | None = None  # a phone was lifted (in); the other side is known to have answered (out)
    ended: int | None = None
    outcome: str = "open"
    end_reason: str | None = None
    ring_count: int = 0
    caller: CallerId | None = None
    caller_failed: bool = False
    dialled: str = ""
    keys: str = ""
    hook_known: bool = True
    answered_by_box: bool = False
    is_fax: bool = False
    second_caller: CallerId | None = None  # who waited (call waiting)
    second_failed: bool = False
    second_dialled: str = ""  # after a hook flash
    flashed: int | None = None  # the latest hook flash
    evidence: Evidence = field(default_factory=Evidence)
    mark_count: int = 0


@dataclass(frozen=True, slots=True)
class BeginCall:
    """Write the open call down."""

    call: Call


@dataclass(frozen=True, slots=True)
class UpdateCall:
    """Something about the open call became known."""

    call: Call


@dataclass(frozen=True, slots=True)
class MarkCall:
    """Something happened in the open call, worth a tick on its picture: a row of MARKS."""

    call: Call
    position: int
    kind: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class StartRecording:
    """Keep the line's audio from `position` on, and `pre_roll_s` before it as far as that may be."""

    call: Call
    position: int
    pre_roll_s: float = 0.0


@dataclass(frozen=True, slots=True)
class StopRecording:
    """The call's running recording ends at `position`; the call may go on."""

    call: Call
    position: int


@dataclass(frozen=True, slots=True)
class KeepOnHook:
    """Keep what the idle or ringing line carried from `start` to `end`, as far as the ring has it."""

    call: Call
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class EndCall:
    """The call is over; its recording, if any, ends at `call.ended`."""

    call: Call


@dataclass(frozen=True, slots=True)
class ShowLine:
    """The line is in another state."""

    line: int
    state: LineState
    position: int
    call_id: str | None


@dataclass(frozen=True, slots=True)
class TakeSettings:
    """From `position` on the line follows version `version` of its settings."""

    line: int
    version: int
    position: int


@dataclass(frozen=True, slots=True)
class NameLine:
    """People call the line something else now."""

    line: int
    name: str


@dataclass(frozen=True, slots=True)
class ShowMessages:
    """The exchange keeps messages for the line, `count` if it says so, or keeps none any more."""

    line: int
    waiting: bool
    count: int | None


Noted = BeginCall | UpdateCall | MarkCall | EndCall | ShowLine | ShowMessages | TakeSettings | NameLine
Action = Noted | StartRecording | StopRecording | KeepOnHook

# Everything that can happen in a call, as rows and pages know it; the detail in brackets.
MARKS = (
    "answered",  # a phone was lifted, or the other side is known to have answered
    "key",  # a key was pressed (which)
    "flash",  # the hook was pressed shortly
    "reversal",  # tip and ring changed sides
    "waiting",  # another caller waits (the number, withheld, unavailable or failed)
    "second_call",  # a second call was dialled after a flash (first digit)
    "tone",  # a call-progress tone (which)
    "voice",  # the first speech after the digits
    "fax",  # a fax machine made itself heard (cng, ced)
    "howler",  # the exchange asks for the handset to be put down
    "loop_open",  # the exchange opened the loop for a moment
    "held",  # the box holds the line
    "taken_over",  # a phone was lifted while the box held the line
)
MOST_MARKS = 500  # of one call: a line that chatters fills no disk
