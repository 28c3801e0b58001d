"""How long audio is kept, here and at branches: looked at with a preview, ordered, approved by another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from cloud.access import shape
from cloud.access.decision import Verb, Verdict
from cloud.access.grants import Place
from cloud.access.log import Action
from cloud.access.roles import Right
from cloud.orders.rules import BAD_DAYS
from cloud.reading import Found, Look
from cloud.store import boxes, kept_days
from cloud.store.database import read
from cloud.store.kept_days import Preview
from cloud.store.orders import Wanted
from cloud.web.answers import page, see_other
from cloud.web.asking import ask_of, check_change, given
from cloud.web.customer_form import Sent
from cloud.web.door import person_of
from cloud.web.orders import checked_reason, make
from cloud.web.parts import parts_of
from sync.orders import CLASSES, MOST_DAYS, RETENTION
from sync.topics import HEAD_OFFICE

ALL = "*"  # every branch the person sees
HERE = Place(frozenset(), HEAD_OFFICE)


@dataclass(frozen=True, slots=True)
class Rows:
    """What the database gave."""

    rules: Mapping[str, int]
    preview: Preview | None
    boxes: Sequence[RowMapping]


def retention_page(request: Request) -> Response:
    """The rules of head office, and a form for others."""
    return _shown(request, {})


def give(request: Request, sent: Sent) -> Response:
    """Order these days for head office, one branch, or every branch; or just say what would go (`look`)."""
    form = {name: str(value) for name, value in sent.items()}
    try:
        days = read_days(form)
    except ValueError as error:
        raise HTTPException(422, BAD_DAYS) from error
    if "look" in form:
        return _shown(request, days)
    reason = checked_reason(form.get("reason", ""))
    targets = _targets(request, form.get("box", ""))
    make(request, *(Wanted(RETENTION, box_id, reason, days=days) for box_id in targets))
    return see_other("/orders?kind=retention")


def _shown(request: Request, days: Mapping[str, int]) -> Response:
    now = parts_of(request).clock.now()

    def fetch(db: Connection, verdict: Verdict) -> Found[Rows]:
        preview = kept_days.preview(db, days, now) if days and verdict.admits(HERE) else None
        return Found(Rows(kept_days.rules(db), preview, boxes.list_boxes(db)), [])

    def shaped(rows: Rows, verdict: Verdict) -> dict[str, Any]:
        names = shape.box_names(rows.boxes, verdict)
        here = verdict.admits(HERE)
        return {"rules": rows.rules, "preview": rows.preview, "boxes": names, "for_head_office": here}

    look = Look(query={"page": "retention"} | {name: str(count) for name, count in days.items()})
    found = given(request, ask_of(request, Verb.VIEW, "orders"), look, fetch, shaped)
    may_order = person_of(request).may(Right.ORDER)
    return page(request, "retention.html", typed=days or found["rules"], may_order=may_order, **found)


def read_days(typed: Mapping[str, str]) -> dict[str, int]:
    """Class of calls -> days, of the fields that hold anything; ValueError for what is no such number."""
    said = {name: typed[name].strip() for name in CLASSES if typed.get(name, "").strip()}
    if any(not (one.isascii() and one.isdigit() and int(one[:9]) <= MOST_DAYS) for one in said.values()):
        raise ValueError("wanted numbers of days")
    return {name: int(one) for name, one in said.items()}


def _targets(request: Request, box: str) -> list[str]:
    """Whom the order is for; NotGiven unless the person may order it there."""
    with read(parts_of(request).engine) as db:
        known = [row["id"] for row in boxes.list_boxes(db)]
    if box not in (ALL, HEAD_OFFICE, *known):
        raise HTTPException(422, BAD_DAYS)
    ask, look = ask_of(request, Verb.CHANGE, "orders"), Look(action=Action.CREATE, object_id=box)
    if box != ALL:
        check_change(request, ask, look, Place(frozenset(), box))
        return [box]
    mine = given(
        request,
        ask_of(request, Verb.VIEW, "orders"),
        Look(query={"page": "retention"}),
        lambda _db, verdict: Found([one for one in known if verdict.reaches(one)], []),
        lambda found, _verdict: found,
    )
    return list(mine)
