"""Hours of a branch as somebody may see them: states and numbers of entries, never what stands in one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cloud.access.decision import Verdict
from cloud.access.grants import Place

MANIFEST = (
    "n", "state", "items", "received_utc", "closed_utc", "audited_utc", "countersigned", "announced",
    "stored", "lost", "readable",
)  # fmt: skip
PART = ("stream", "first", "last", "count", "agrees", "missing", "missing_count", "unsound", "mended")


def branch_place(box_id: str) -> Place:
    """Where a branch's own rows stand."""
    return Place(frozenset(), box_id)


def manifests(found: Iterable[Any], box_id: str, verdict: Verdict) -> list[Mapping[str, Any]]:
    """The manifests of an hour (`cloud.store.completeness_hours`); none of a branch that is not shown."""
    if not verdict.admits(branch_place(box_id)):
        return []
    return [
        {name: getattr(one, name) for name in MANIFEST}
        | {"parts": [{name: getattr(part, name) for name in PART} for part in one.parts]}
        for one in found
    ]
