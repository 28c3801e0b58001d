"""What people put on calls, as somebody may see it: notes with their versions, tags, reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloud.access.decision import Verdict
from cloud.access.grades import INTERNAL, PERSONAL, PUBLIC, Graded, Grades
from cloud.access.grants import Place
from cloud.access.shape import seen

Row = Mapping[Any, Any]
_PUBLIC, _INTERNAL, _TEXT = Graded(PUBLIC), Graded(INTERNAL), Graded(PERSONAL, "text")

NOTE_GRADES: Grades = {
    "id": _PUBLIC,
    "version": _PUBLIC,
    "text": _TEXT,
    "by_name": _INTERNAL,
    "at_utc": _PUBLIC,
}
REPORT_GRADES: Grades = {
    "id": _PUBLIC,
    "call_id": _PUBLIC,
    "box_id": _PUBLIC,
    "state": _PUBLIC,
    "text": _TEXT,
    "by_name": _INTERNAL,
    "at_utc": _PUBLIC,
    "assigned_to": _INTERNAL,
    "changed_utc": _PUBLIC,
}
REPORT_STEP_GRADES: Grades = {
    "report_id": _PUBLIC,
    "step": _PUBLIC,
    "text": _TEXT,
    "by_name": _INTERNAL,
    "at_utc": _PUBLIC,
}
TAG_GRADES: Grades = {"tag": _TEXT}


@dataclass(frozen=True, slots=True)
class Note:
    """A note as it reads now. `before`: its versions before, the newest first."""

    now: Mapping[str, Any]
    before: tuple[Mapping[str, Any], ...]
    is_whole: bool  # nothing of it is masked, so it can be written anew from what is shown


def notes(rows: Sequence[Row], place: Place, verdict: Verdict) -> tuple[Note, ...]:
    """Versions of the notes on a call at `place`, newest version first, as notes."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["id"], []).append(row)
    return tuple(_note(versions, place, verdict) for versions in found.values())


def tags(names: Iterable[str], place: Place, verdict: Verdict) -> tuple[str, ...]:
    """The tags of a call at `place`."""
    shown = (seen({"tag": name}, TAG_GRADES, place, verdict)["tag"] for name in names)
    return tuple(one for one in shown if one)


def report(row: Row, steps: Iterable[Row], place: Place, verdict: Verdict) -> dict[str, Any] | None:
    """A report on the call at `place` and what became of it; None: not to be shown."""
    if not verdict.admits(place):
        return None
    own = (one for one in steps if one["report_id"] == row["id"])
    became = [seen(one, REPORT_STEP_GRADES, place, verdict) for one in own]
    return seen(row, REPORT_GRADES, place, verdict) | {"steps": became}


def _note(versions: Sequence[Row], place: Place, verdict: Verdict) -> Note:
    shown = [seen(one, NOTE_GRADES, place, verdict) for one in versions]
    return Note(shown[0], tuple(shown[1:]), is_whole=shown[0]["text"] == versions[0]["text"])
