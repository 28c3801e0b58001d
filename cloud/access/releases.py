"""Files that wait for a review, as somebody may see them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cloud.access.decision import Verdict
from cloud.access.grades import INTERNAL, PERSONAL, PUBLIC, Graded, Grades
from cloud.access.grants import Place
from cloud.access.shape import seen
from cloud.access.trail_shape import masked_question

Row = Mapping[Any, Any]
_PUBLIC, _INTERNAL, _TEXT = Graded(PUBLIC), Graded(INTERNAL), Graded(PERSONAL, "text")

RELEASE_GRADES: Grades = {
    "id": _PUBLIC,
    "kind": _PUBLIC,
    "form": _PUBLIC,
    "name": _PUBLIC,
    "size_bytes": _PUBLIC,
    "sha256": _PUBLIC,
    "rows": _PUBLIC,
    "purpose": _PUBLIC,
    "asked": _TEXT,
    "audit_id": _PUBLIC,
    "by_name": _INTERNAL,
    "made_utc": _PUBLIC,
    "state": _PUBLIC,
    "decided_by": _INTERNAL,
    "decided_utc": _PUBLIC,
    "remark": _TEXT,
    "opened_utc": _PUBLIC,
    "gone_utc": _PUBLIC,
}


def release(row: Row, verdict: Verdict) -> dict[str, Any]:
    """A row of releases; what was typed to find its rows is masked as in the trail."""
    place = Place(frozenset(), "")
    clear, asked = verdict.reveals(PERSONAL, place), json.loads(row["asked"])
    said = {name: value if clear else masked_question(name, value) for name, value in asked.items() if value}
    plain = dict(row) | {"asked": " · ".join(f"{name}: {value}" for name, value in said.items())}
    return seen(plain, RELEASE_GRADES, place, verdict) | {"why": json.loads(row["why"])}
