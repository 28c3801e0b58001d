"""Orders to branches and their receipts, as somebody may see them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloud.access.decision import Verdict
from cloud.access.grades import INTERNAL, PERSONAL, PUBLIC, Graded, Grades
from cloud.access.grants import Place
from cloud.access.shape import seen

Row = Mapping[Any, Any]
_PUBLIC, _INTERNAL, _TEXT = Graded(PUBLIC), Graded(INTERNAL), Graded(PERSONAL, "text")

ORDER_GRADES: Grades = {
    "id": _PUBLIC,
    "box_id": _PUBLIC,
    "n": _INTERNAL,
    "kind": _PUBLIC,
    "call_id": _PUBLIC,
    "days": _PUBLIC,
    "reason": _TEXT,
    "by_name": _INTERNAL,
    "ordered_utc": _PUBLIC,
    "decided_by": _INTERNAL,
    "decided_utc": _PUBLIC,
    "remark": _TEXT,
    "state": _PUBLIC,
    "code": _PUBLIC,
    "owed": _INTERNAL,
    "sent_utc": _PUBLIC,
    "taken_utc": _PUBLIC,
    "answered_utc": _PUBLIC,
    "signed": _PUBLIC,
}
HOLD_GRADES: Grades = {"reason": _TEXT, "by_name": _INTERNAL, "since_utc": _PUBLIC}
DELETION_GRADES: Grades = {"order_id": _PUBLIC, "at_utc": _PUBLIC}
RECEIPT_GRADES: Grades = {
    "outcome": _PUBLIC,
    "code": _PUBLIC,
    "answered_utc": _PUBLIC,
    "received_utc": _PUBLIC,
    "signed": _PUBLIC,
}


def order(row: Row, place: Place, verdict: Verdict) -> dict[str, Any]:
    """A row of orders about the call or branch at `place`, which the verdict admits."""
    return seen(row, ORDER_GRADES, place, verdict)


def hold(row: Row | None, place: Place, verdict: Verdict) -> dict[str, Any] | None:
    """The hold on the call at `place`; None where there is none."""
    return None if row is None else seen(row, HOLD_GRADES, place, verdict)


def deletion(row: Row | None, place: Place, verdict: Verdict) -> dict[str, Any] | None:
    """The tombstone of the call at `place`; None where it was not deleted."""
    return None if row is None else seen(row, DELETION_GRADES, place, verdict)


def receipt(row: Row, place: Place, verdict: Verdict) -> dict[str, Any]:
    """A row of receipts."""
    return seen(row, RECEIPT_GRADES, place, verdict)
