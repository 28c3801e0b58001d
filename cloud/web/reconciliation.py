"""What was set aside, with the two things to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Form
from sqlalchemy import Connection, RowMapping
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from cloud import quarantine
from cloud.access.decision import Verb, Verdict
from cloud.access.grants import Place
from cloud.access.log import Action
from cloud.access.roles import Right
from cloud.access.shape import set_aside
from cloud.apply import APPLY
from cloud.quarantine import QuarantineError, Who
from cloud.reading import Found, Look
from cloud.store.database import read, write
from cloud.store.schema import inbox_tables
from cloud.web.answers import page, see_other
from cloud.web.asking import ask_of, check_change, given
from cloud.web.door import actor_of, person_of
from cloud.web.parts import parts_of
from sync.inbox import Inbox
from sync.locale import marked


def quarantine_page(request: Request) -> Response:
    """What waits to be settled."""
    return _listing(request, 200, "")


def retry(request: Request, item_id: str) -> Response:
    """Apply one entry after all."""
    _check_place(request, item_id, Action.QUARANTINE_RETRY)
    with write(parts_of(request).engine) as connection:
        try:
            fault = quarantine.retry(connection, Inbox(inbox_tables, APPLY), item_id, _who(request))
        except QuarantineError as error:
            raise HTTPException(404, marked("Nothing waits here any more.")) from error
    return _listing(request, 409, fault) if fault else see_other("/quarantine")


def dismiss(request: Request, item_id: str, reason: Annotated[str, Form()] = "") -> Response:
    """Dismiss one item, with the reason."""
    _check_place(request, item_id, Action.QUARANTINE_DISMISS)
    try:
        with write(parts_of(request).engine) as connection:
            quarantine.dismiss(connection, item_id, reason, _who(request))
    except QuarantineError as error:
        if not reason.strip():
            return _listing(request, 422, "", item_id)
        raise HTTPException(404, marked("Nothing waits here any more.")) from error
    return see_other("/quarantine")


def _listing(request: Request, status: int, fault: str, reason_for: str = "") -> Response:
    person = person_of(request)

    def fetch(connection: Connection, _verdict: Verdict) -> Found[Sequence[RowMapping]]:
        rows = quarantine.items(connection, at_most=200)
        return Found(rows, [(row["id"], Place(frozenset(), row["box_id"])) for row in rows])

    def shaped(rows: Sequence[RowMapping], verdict: Verdict) -> list[dict[str, Any]]:
        return [one for row in rows if (one := set_aside(row, verdict)) is not None]

    look = Look(query={"page": "quarantine"})
    items = given(request, ask_of(request, Verb.VIEW, "branches"), look, fetch, shaped)
    may_settle = person.may(Right.SETTLE_QUARANTINE)
    return page(
        request,
        "quarantine.html",
        status,
        items=items,
        may_settle=may_settle,
        fault=fault,
        reason_for=reason_for,
    )


def _check_place(request: Request, item_id: str, action: Action) -> None:
    """NotGiven when the item came from a branch that is none of theirs; one that is unknown is said later."""
    with read(parts_of(request).engine) as connection:
        box_id = quarantine.box_of(connection, item_id)
    if box_id is not None:
        look = Look(action=action, object_id=item_id)
        check_change(request, ask_of(request, Verb.CHANGE, "branches"), look, Place(frozenset(), box_id))


def _who(request: Request) -> Who:
    return Who(actor_of(request), parts_of(request).clock.now_utc())
