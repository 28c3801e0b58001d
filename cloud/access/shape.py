"""The one serialiser: turns database rows into what a person may see, for pages and API alike.

No row leaves the process by another way. A column that has no line in its table here is never shown; of
one that the verdict does not clear its mask is left, or None.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cloud.access.decision import Verdict
from cloud.access.grades import INTERNAL, PERSONAL, PUBLIC, SENSITIVE, Graded, Grades
from cloud.access.grants import Place
from cloud.access.roles import Right
from cloud.access.subjects import call_place

Row = Mapping[Any, Any]

_PUBLIC, _INTERNAL = Graded(PUBLIC), Graded(INTERNAL)
_NUMBER, _NAME = Graded(PERSONAL, "number"), Graded(PERSONAL, "name")

CALL_GRADES: Grades = {
    "id": _PUBLIC,
    "box_id": _PUBLIC,
    "branch": _PUBLIC,
    "line": _INTERNAL,
    "line_name": _INTERNAL,
    "direction": _PUBLIC,
    "outcome": _PUBLIC,
    "started_utc": _PUBLIC,
    "answered_utc": _PUBLIC,
    "ended_utc": _PUBLIC,
    "duration_ms": _PUBLIC,
    "ring_count": _PUBLIC,
    "caller_number": _NUMBER,
    "caller_name": _NAME,
    "caller_presentation": _PUBLIC,
    "caller_standard": _INTERNAL,
    "dialled": _NUMBER,
    "keys": Graded(SENSITIVE),  # may be somebody's code
    "end_reason": _PUBLIC,
    "hook_known": _PUBLIC,
    "clock_quality": _PUBLIC,
    "received_utc": _PUBLIC,
    "corrected_utc": _PUBLIC,
    "clock_error_ms": _PUBLIC,
}
RECORDING_GRADES: Grades = {
    "id": _PUBLIC,
    "call_id": _PUBLIC,
    "state": _PUBLIC,
    "started_utc": _PUBLIC,
    "rate_hz": _PUBLIC,
    "samples": _PUBLIC,
    "codec": _PUBLIC,
    "size_bytes": _PUBLIC,
    "sha256": Graded(INTERNAL, right=Right.PLAY_RECORDINGS),
    "stored_utc": _PUBLIC,
    "lost_reason": _PUBLIC,
}
GAP_GRADES: Grades = {"start_sample": _PUBLIC, "length_samples": _PUBLIC, "reason": _PUBLIC}
BOX_NAME_GRADES: Grades = {"id": _PUBLIC, "name": _PUBLIC}
BRANCH_GRADES: Grades = {
    "id": _INTERNAL,
    "name": _INTERNAL,
    "unit_id": _INTERNAL,
    "first_seen_utc": _INTERNAL,
    "last_seen_utc": _INTERNAL,
    "calls_today": _INTERNAL,
    "recordings_waiting": _INTERNAL,
}
# What a fault says of itself may hold a piece of the record it is about.
_DETAIL = Graded(PERSONAL, "text")

TROUBLE_GRADES: Grades = {"kind": _INTERNAL, "detail": _DETAIL, "since_utc": _INTERNAL}
COMPLETENESS = (
    "box_id", "name", "behind", "missing", "holes", "audio", "set_aside", "last_closed", "online",
    "since_utc", "heard_utc", "hours", "unreconciled",
)  # fmt: skip
SET_ASIDE_GRADES: Grades = {
    "id": _INTERNAL,
    "box_id": _INTERNAL,
    "branch": _INTERNAL,
    "topic": _INTERNAL,
    "kind": _INTERNAL,
    "code": _INTERNAL,
    "detail": _DETAIL,
    "received_utc": _INTERNAL,
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
    masked: tuple[str, ...]  # fields of which only the mask is shown, or nothing


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
    unit_id: str
    first_seen_utc: str | None
    last_seen_utc: str | None
    calls_today: int
    recordings_waiting: int


def call(row: Row, recordings: Iterable[Row], gaps: Iterable[Row], verdict: Verdict) -> Call | None:
    """A row of calls with its `branch` (the box's name) and what belongs to it; None: not to be shown."""
    place = call_place(row)
    if not verdict.admits(place):
        return None
    gaps = list(gaps)
    shaped = tuple(recording(one, gaps, place, verdict) for one in recordings if one["call_id"] == row["id"])
    clear = _clear(CALL_GRADES, place, verdict)
    masked = tuple(name for name in CALL_GRADES if row[name] and name not in clear)
    return Call(**seen(row, CALL_GRADES, place, verdict), recordings=shaped, masked=masked)


def recording(row: Row, gaps: Iterable[Row], place: Place, verdict: Verdict) -> Recording:
    """A row of recordings of the call at `place`, and those of `gaps` that are its own."""
    own = tuple(
        Gap(**seen(gap, GAP_GRADES, place, verdict)) for gap in gaps if gap["recording_id"] == row["id"]
    )
    listens = verdict.admits(place) and verdict.ask.person.may(Right.PLAY_RECORDINGS)
    audio = f"/api/v1/recordings/{row['id']}/audio" if row["state"] == "stored" and listens else None
    return Recording(**seen(row, RECORDING_GRADES, place, verdict), gaps=own, audio=audio)


def box_names(rows: Iterable[Row], verdict: Verdict) -> tuple[BoxName, ...]:
    """Rows of boxes as choices of a filter: those whose rows the verdict admits."""
    return tuple(BoxName(row["id"], row["name"]) for row in rows if verdict.reaches(row["id"]))


def branch(row: Row, verdict: Verdict) -> Branch | None:
    """A row of boxes with its two counts; None: not to be shown."""
    place = Place(frozenset(), row["id"])
    return Branch(**seen(row, BRANCH_GRADES, place, verdict)) if verdict.admits(place) else None


def completeness(branch: Any, verdict: Verdict) -> dict[str, Any] | None:
    """How far a branch agrees with head office (`cloud.store.completeness.Branch`); None: not to be shown."""
    place = Place(frozenset(), branch.box_id)
    if not verdict.admits(place):
        return None
    shown = {name: getattr(branch, name) for name in COMPLETENESS}
    return shown | {"troubles": troubles(branch.troubles, branch.box_id, verdict)}


def troubles(rows: Iterable[Row], box_id: str, verdict: Verdict) -> list[dict[str, Any]]:
    """Rows of troubles of one box, or of head office itself; none if not to be shown."""
    place = Place(frozenset(), box_id)
    return [seen(row, TROUBLE_GRADES, place, verdict) for row in rows] if verdict.admits(place) else []


def set_aside(row: Row, verdict: Verdict) -> dict[str, Any] | None:
    """A row of the quarantine, None if not to be shown; the bytes themselves are never shown."""
    place = Place(frozenset(), row["box_id"])
    return seen(row, SET_ASIDE_GRADES, place, verdict) if verdict.admits(place) else None


def seen(row: Row, grades: Grades, place: Place, verdict: Verdict) -> dict[str, Any]:
    """Each graded column of `row`, which stands at `place`: clear, masked or None."""
    clear = _clear(grades, place, verdict)
    return {
        column: row[column] if column in clear else graded.hidden(row[column])
        for column, graded in grades.items()
    }


def _clear(grades: Grades, place: Place, verdict: Verdict) -> frozenset[str]:
    """The columns that are shown clear; the decision is asked once for each grade among them."""
    asked = {one.grade for one in grades.values()}
    revealed = {grade for grade in asked if verdict.reveals(grade, place)}
    may = verdict.ask.person.may
    return frozenset(
        column
        for column, graded in grades.items()
        if graded.grade in revealed and (graded.right is None or may(graded.right))
    )
