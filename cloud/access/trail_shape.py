"""What of an audit row its reader may see: the trail guards what it tells of as the records themselves are.

Old and new values are masked by the grades of their own kind of record; of a field nobody graded only the
name is shown. What was searched for is masked, for it is somebody's number or name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloud.access import shape
from cloud.access.decision import Verdict
from cloud.access.grades import INTERNAL, PERSONAL, Graded, Grades
from cloud.access.grants import Place
from cloud.access.shapes import customers
from sync.mask import mask_name, mask_number, mask_text

HIDDEN = "****"
FEWEST_DIGITS = 3
_INTERNAL = Graded(INTERNAL)

TRAIL_GRADES: Grades = {
    "id": _INTERNAL,
    "at_utc": _INTERNAL,
    "actor_name": _INTERNAL,
    "role": _INTERNAL,
    "unit_id": _INTERNAL,
    "address": _INTERNAL,
    "user_agent": _INTERNAL,
    "channel": _INTERNAL,
    "action": _INTERNAL,
    "kind": _INTERNAL,
    "object_id": _INTERNAL,
    "box_id": _INTERNAL,
    "purpose": _INTERNAL,
    "row_count": _INTERNAL,
    "result": _INTERNAL,
    "reason": _INTERNAL,
    "trace_id": _INTERNAL,
    "chain": _INTERNAL,
    "seq": _INTERNAL,
}
SEARCHED = ("party", "number", "name", "phone", "keyword", "q")  # questions that name somebody
GRADES_OF: Mapping[str, Grades] = {  # kind of object -> grades of its fields
    "calls": shape.CALL_GRADES,
    "recordings": shape.RECORDING_GRADES,
    "branches": shape.BRANCH_GRADES,
    "quarantine": shape.SET_ASIDE_GRADES,
    "customers": customers.CHANGED_GRADES,
    "applications": {"state": _INTERNAL, "act": _INTERNAL},
    "purpose": {"purpose": _INTERNAL},
}


@dataclass(frozen=True, slots=True)
class Change:
    """A field that was changed, as far as it may be seen."""

    field: str
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True)
class TrailRow:
    """An audit row. Times are UTC."""

    id: str
    at_utc: str
    actor_name: str
    role: str
    unit_id: str
    address: str
    user_agent: str
    channel: str
    action: str
    kind: str
    object_id: str
    box_id: str
    purpose: str
    row_count: int
    result: str
    reason: str
    trace_id: str
    chain: int
    seq: int
    query: tuple[tuple[str, str], ...]
    fields: tuple[str, ...]
    grants: tuple[str, ...]
    changes: tuple[Change, ...]


def trail_row(row: Mapping[Any, Any], verdict: Verdict) -> TrailRow | None:
    """A row of the trail as its reader may see it; None: not to be shown."""
    place = Place(frozenset(), None, row["at_utc"])
    if not verdict.admits(place):
        return None
    clear = verdict.reveals(PERSONAL, place)
    asked = json.loads(row["query"]).items()
    changes = json.loads(row["changes"])
    return TrailRow(
        **shape.seen(row, TRAIL_GRADES, place, verdict),
        query=tuple((name, value if clear else masked_question(name, value)) for name, value in asked),
        fields=tuple(json.loads(row["fields"])),
        grants=tuple(json.loads(row["grants"])),
        changes=tuple(_change(row["kind"], name, pair, verdict, place) for name, pair in changes.items()),
    )


def masked_question(name: str, value: str) -> str:
    """What somebody asked for under `name`, for who may not know of whom: a number's or a name's mask."""
    if name not in SEARCHED:
        return mask_text(value)
    digits = sum(one.isdigit() for one in value)
    return mask_number(value) or HIDDEN if digits >= FEWEST_DIGITS else mask_name(value)


def _change(kind: str, name: str, pair: Any, verdict: Verdict, place: Place) -> Change:
    graded = GRADES_OF.get(kind, {}).get(name)
    if graded is None or not isinstance(pair, list):
        return Change(name, HIDDEN, HIDDEN)
    clear = verdict.reveals(graded.grade, place)
    old, new = (one if one is None or clear else str(graded.hidden(one) or HIDDEN) for one in pair)
    return Change(name, old, new)
