"""The one serialiser: turns database rows into what a person may see, for pages and API alike.

No row leaves the process by another way. A column that has no line in its table here is never shown; one
whose right the person lacks comes out as None.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cloud.access.guard import Person
from cloud.access.roles import Right

Row = Mapping[Any, Any]
Grades = dict[str, Right]  # column -> the right to see it

_CALLS, _PLAY, _BRANCHES = Right.READ_CALLS, Right.PLAY_RECORDINGS, Right.READ_BRANCHES

CALL_GRADES: Grades = {
    "id": _CALLS,
    "box_id": _CALLS,
    "branch": _CALLS,
    "line": _CALLS,
    "line_name": _CALLS,
    "direction": _CALLS,
    "outcome": _CALLS,
    "started_utc": _CALLS,
    "answered_utc": _CALLS,
    "ended_utc": _CALLS,
    "duration_ms": _CALLS,
    "ring_count": _CALLS,
    "caller_number": _CALLS,
    "caller_name": _CALLS,
    "caller_presentation": _CALLS,
    "caller_standard": _CALLS,
    "dialled": _CALLS,
    "keys": _CALLS,
    "end_reason": _CALLS,
    "hook_known": _CALLS,
    "clock_quality": _CALLS,
    "received_utc": _CALLS,
    "corrected_utc": _CALLS,
    "clock_error_ms": _CALLS,
}
RECORDING_GRADES: Grades = {
    "id": _CALLS,
    "call_id": _CALLS,
    "state": _CALLS,
    "started_utc": _CALLS,
    "rate_hz": _CALLS,
    "samples": _CALLS,
    "codec": _CALLS,
    "size_bytes": _CALLS,
    "sha256": _PLAY,
    "stored_utc": _CALLS,
    "lost_reason": _CALLS,
}
GAP_GRADES: Grades = {"start_sample": _CALLS, "length_samples": _CALLS, "reason": _CALLS}
BOX_NAME_GRADES: Grades = {"id": _CALLS, "name": _CALLS}
BRANCH_GRADES: Grades = {
    "id": _BRANCHES,
    "name": _BRANCHES,
    "first_seen_utc": _BRANCHES,
    "last_seen_utc": _BRANCHES,
    "calls_today": _BRANCHES,
    "recordings_waiting": _BRANCHES,
}


TROUBLE_GRADES: Grades = {"kind": _BRANCHES, "detail": _BRANCHES, "since_utc": _BRANCHES}
COMPLETENESS = (
    "box_id", "name", "behind", "missing", "holes", "audio", "set_aside", "last_closed", "online",
    "since_utc", "heard_utc", "hours", "unreconciled",
)  # fmt: skip
SET_ASIDE_GRADES: Grades = {
    "id": _BRANCHES,
    "box_id": _BRANCHES,
    "branch": _BRANCHES,
    "topic": _BRANCHES,
    "kind": _BRANCHES,
    "code": _BRANCHES,
    "detail": _BRANCHES,
    "received_utc": _BRANCHES,
}


@dataclass(frozen=True, slots=True)
class Gap:
    """Samples missing from a recording."""

    start_sample: int
    length_samples: int
    reason: str


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording of a call. State: announced (its audio is on the way), stored, or lost."""

    id: str
    call_id: str
    state: str
    started_utc: str | None
    rate_hz: int | None
    samples: int | None
    codec: str | None
    size_bytes: int | None
    sha256: str | None
    stored_utc: str | None
    lost_reason: str | None
    gaps: tuple[Gap, ...]
    audio: str | None  # path to fetch the audio from; None when there is none, or not for this person


@dataclass(frozen=True, slots=True)
class Call:
    """A call at a branch, and its recordings. Times are UTC."""

    id: str
    box_id: str
    branch: str
    line: int
    line_name: str
    direction: str
    outcome: str
    started_utc: str
    answered_utc: str | None
    ended_utc: str
    duration_ms: int
    ring_count: int
    caller_number: str | None
    caller_name: str | None
    caller_presentation: str | None
    caller_standard: str | None
    dialled: str | None
    keys: str | None
    end_reason: str
    hook_known: bool
    clock_quality: str
    received_utc: str
    corrected_utc: str | None  # started_utc by head office's clock, where the box's was off
    clock_error_ms: int | None
    recordings: tuple[Recording, ...]


@dataclass(frozen=True, slots=True)
class BoxName:
    """A branch to choose in a filter."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch's box and how far its data has come."""

    id: str
    name: str
    first_seen_utc: str | None
    last_seen_utc: str | None
    calls_today: int
    recordings_waiting: int


def call(row: Row, recordings: Iterable[Row], gaps: Iterable[Row], person: Person) -> Call:
    """A row of calls with its `branch` (the box's name) and what belongs to it, as `person` may see it."""
    gaps = list(gaps)
    shaped = tuple(recording(one, gaps, person) for one in recordings if one["call_id"] == row["id"])
    return Call(**_seen(row, CALL_GRADES, person), recordings=shaped)


def recording(row: Row, gaps: Iterable[Row], person: Person) -> Recording:
    """A row of recordings and those of `gaps` that are its own, as `person` may see them."""
    own = tuple(Gap(**_seen(gap, GAP_GRADES, person)) for gap in gaps if gap["recording_id"] == row["id"])
    playable = row["state"] == "stored" and person.may(Right.PLAY_RECORDINGS)
    audio = f"/api/recordings/{row['id']}/audio" if playable else None
    return Recording(**_seen(row, RECORDING_GRADES, person), gaps=own, audio=audio)


def box_names(rows: Iterable[Row], person: Person) -> tuple[BoxName, ...]:
    """Rows of boxes as choices for `person`; none without the right to read calls."""
    if not person.may(_CALLS):
        return ()
    return tuple(BoxName(**_seen(row, BOX_NAME_GRADES, person)) for row in rows)


def branch(row: Row, person: Person) -> Branch:
    """A row of boxes with its two counts, as `person` may see it."""
    return Branch(**_seen(row, BRANCH_GRADES, person))


def completeness(branch: Any, person: Person) -> dict[str, Any]:
    """How far a branch agrees with head office (`cloud.store.completeness.Branch`), for `person`."""
    may = person.may(_BRANCHES)
    shown = {name: getattr(branch, name) if may else None for name in COMPLETENESS}
    return shown | {"troubles": [_seen(row, TROUBLE_GRADES, person) for row in branch.troubles]}


def set_aside(row: Row, person: Person) -> dict[str, Any]:
    """A row of the quarantine for `person`; the bytes themselves are never shown."""
    return _seen(row, SET_ASIDE_GRADES, person)


def _seen(row: Row, grades: Grades, person: Person) -> dict[str, Any]:
    return {column: row[column] if person.may(right) else None for column, right in grades.items()}
