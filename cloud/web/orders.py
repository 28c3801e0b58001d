"""Orders to branches: given on a call's page, approved by somebody else, followed to the signed receipt."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec
from fastapi import Form
from sqlalchemy import Connection, RowMapping
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from cloud.access import orders as order_shape
from cloud.access import shape
from cloud.access.decision import Verb, Verdict
from cloud.access.grants import Place
from cloud.access.log import Action
from cloud.access.roles import Right
from cloud.access.subjects import call_place
from cloud.orders.rules import (
    CODES,
    KIND_NAMES,
    LONGEST_REASON,
    NO_SUCH,
    OVERDUE_AFTER,
    STATES,
    TOO_LONG,
    WAITING,
    OrderRefused,
    is_overdue,
    steps_from,
)
from cloud.reading import Found, Look
from cloud.store import boxes, calls, kept_days, orders
from cloud.store.call_search import Position
from cloud.store.database import read, write
from cloud.store.kept_days import Preview
from cloud.store.orders import Wanted
from cloud.store.signing_keys import secret_of
from cloud.web.answers import page, see_other
from cloud.web.asking import ask_of, check_change, given
from cloud.web.call_query import CURSORS
from cloud.web.cursors import CursorForged, make_cursor, parse_cursor
from cloud.web.door import actor_of, note_deed, person_of
from cloud.web.parts import parts_of
from sync.events import OrderAnswered
from sync.locale import marked
from sync.moment import to_text
from sync.orders import DELETE, DELETE_CALL, HOLD, RELEASE
from sync.topics import HEAD_OFFICE

MOST = 100
ON_A_CALL = (HOLD, RELEASE, DELETE, DELETE_CALL)
NOT_SURE = marked("Tick that you mean it; what is deleted does not come back.")
OVERDUE = "overdue"
Text = Annotated[str, Form()]


@dataclass(frozen=True, slots=True)
class Rows:
    """What the database gave for the list."""

    orders: Sequence[RowMapping]
    counts: dict[str, int]
    boxes: Sequence[RowMapping]
    more: bool  # whether there is a page after this one


@dataclass(frozen=True, slots=True)
class Whole:
    """One order with what belongs to it."""

    order: RowMapping
    receipts: Sequence[RowMapping]
    preview: Preview | None  # of one that waits: what it would delete at head office


def give(request: Request, call_id: str, kind: Text = "", reason: Text = "", sure: Text = "") -> Response:
    """Order something about a call."""
    with read(parts_of(request).engine) as db:
        row = calls.find_call(db, call_id)
    if row is None:
        raise HTTPException(404, marked("There is no such call."))
    look = Look(action=Action.CREATE, object_id=call_id)
    check_change(request, ask_of(request, Verb.CHANGE, "calls"), look, call_place(row))
    if kind not in ON_A_CALL:
        raise HTTPException(422, marked("There is no such page."))
    if kind in orders.DELETIONS and not sure:
        raise HTTPException(422, NOT_SURE)
    make(request, Wanted(kind, row["box_id"], checked_reason(reason), call_id))
    return see_other(f"/calls/{call_id}#orders")


def checked_reason(reason: str) -> str:
    """A reason as it is kept; 422 when it is too long."""
    said = reason.strip().replace("\0", "")
    if len(said) > LONGEST_REASON:
        raise HTTPException(422, TOO_LONG)
    return said


def make(request: Request, *wanted: Wanted) -> None:
    """New orders, all or none, each with its audit row; 422 says why not."""
    parts = parts_of(request)
    with write(parts.engine) as db:
        try:
            made = [orders.make(db, one, actor_of(request), parts.clock.now_utc()) for one in wanted]
        except OrderRefused as refused:
            raise HTTPException(422, str(refused)) from refused
        for one, order_id in zip(wanted, made, strict=True):
            _audit(request, db, Action.CREATE, order_id, one.box_id, {"kind": one.kind})


def orders_page(request: Request) -> Response:
    """The orders, the newest first, by state, kind and branch; a page at a time."""
    typed = {name: request.query_params.get(name, "") for name in ("state", "kind", "branch")}
    if typed["state"] not in ("", OVERDUE, *STATES) or typed["kind"] not in ("", *KIND_NAMES):
        raise HTTPException(422, marked("There is no such page."))
    now = parts_of(request).clock.now()
    wanted = {"kind": typed["kind"], "box_id": typed["branch"], "before": _before(request, typed)}
    if typed["state"] == OVERDUE:
        wanted["since_utc"] = to_text(now - OVERDUE_AFTER)
    else:
        wanted["state"] = typed["state"]

    def fetch(db: Connection, verdict: Verdict) -> Found[Rows]:
        some = orders.newest(db, wanted, verdict.box_ids, MOST + 1)
        rows = some[:MOST]
        found = Rows(rows, orders.counts(db, verdict.box_ids), boxes.list_boxes(db), len(some) > MOST)
        return Found(found, [(row["call_id"] or row["id"], place_of(row)) for row in rows])

    def shaped(rows: Rows, verdict: Verdict) -> dict[str, Any]:
        mine = person_of(request).user_id
        items = [_item(row, verdict, mine, now) for row in rows.orders if verdict.admits(place_of(row))]
        onward = _onward(request, typed, rows.orders[-1]) if rows.more else None
        names = shape.box_names(rows.boxes, verdict)
        return {"items": items, "counts": rows.counts, "boxes": names, "next_page": onward}

    look = Look(query={"page": "orders"} | {name: value for name, value in typed.items() if value})
    found = given(request, ask_of(request, Verb.VIEW, "orders"), look, fetch, shaped)
    found |= {"later": bool(wanted["before"]), "may_approve": person_of(request).may(Right.APPROVE_ORDERS)}
    return page(request, "orders.html", typed=typed, **found)


def _before(request: Request, typed: dict[str, str]) -> str:
    """The order that the page before ended with; "" on the first page; 422 for a cursor of another list."""
    cursor = request.query_params.get("cursor", "")
    try:
        return parse_cursor(_secret(request), _same_list(typed), cursor).call_id if cursor else ""
    except CursorForged as error:
        raise HTTPException(422, marked("There is no such page.")) from error


def _onward(request: Request, typed: dict[str, str], last: RowMapping) -> str:
    place = Position(last["ordered_utc"], last["id"])
    cursor = make_cursor(_secret(request), _same_list(typed), place)
    return f"/orders?{urlencode({**typed, 'cursor': cursor})}"


def _secret(request: Request) -> bytes:
    return secret_of(parts_of(request).engine, CURSORS)


def _same_list(typed: dict[str, str]) -> str:
    return urlencode({"list": "orders", **typed})


def order_page(request: Request, order_id: str) -> Response:
    """One order, with what the branch answered."""

    now = parts_of(request).clock.now()

    def fetch(db: Connection, _verdict: Verdict) -> Found[Whole] | None:
        row = orders.find(db, order_id)
        if row is None:
            return None
        whole = Whole(row, orders.receipts_of(db, order_id), _preview(db, row, now))
        return Found(whole, [(row["call_id"] or row["id"], place_of(row))])

    def shaped(whole: Whole, verdict: Verdict) -> dict[str, Any]:
        item = _item(whole.order, verdict, person_of(request).user_id, now)
        place = place_of(whole.order)
        receipts = [_receipt(one, place, verdict) for one in whole.receipts]
        return {"item": item, "receipts": receipts, "preview": whole.preview}

    look = Look(object_id=order_id)
    found = given(request, ask_of(request, Verb.VIEW, "orders"), look, fetch, shaped, no_such=NO_SUCH)
    may_approve = person_of(request).may(Right.APPROVE_ORDERS)
    return page(request, "order.html", may_approve=may_approve, **found)


def take_step(request: Request, order_id: str, step: Text = "", remark: Text = "") -> Response:
    """Approve, decline or withdraw an order that waits."""
    parts = parts_of(request)
    with read(parts.engine) as db:
        row = orders.find(db, order_id)
    if row is None:
        raise HTTPException(404, NO_SUCH)
    look = Look(action=Action.UPDATE, object_id=order_id)
    check_change(request, ask_of(request, Verb.CHANGE, "orders"), look, place_of(row))
    needed = Right.ORDER if step == "withdraw" else Right.APPROVE_ORDERS
    if not person_of(request).may(needed):
        raise HTTPException(422, marked("Your role does not allow this. You can apply for it."))
    with write(parts.engine) as db:
        try:
            said = checked_reason(remark)
            orders.decide(db, row, step, said, actor_of(request), parts.clock.now_utc())
        except OrderRefused as refused:
            raise HTTPException(422, str(refused)) from refused
        _audit(request, db, Action.UPDATE, order_id, row["box_id"], {"step": step})
    return see_other(f"/orders/{order_id}")


def place_of(row: RowMapping) -> Place:
    """Where an order stands: where its call does, or its branch."""
    if row["call_id"] is None or row["started_utc"] is None:
        return Place(frozenset({row["call_id"] or row["id"]}), row["box_id"])
    return call_place({**row, "id": row["call_id"]})


def _preview(db: Connection, row: RowMapping, now: datetime) -> Preview | None:
    if row["box_id"] != HEAD_OFFICE or row["state"] != WAITING:
        return None
    return kept_days.preview(db, json.loads(row["days"]), now)


def _item(row: RowMapping, verdict: Verdict, mine: str, now: datetime) -> dict[str, Any]:
    state, is_own = row["state"], row["by_id"] == mine
    since_utc = row["decided_utc"] or row["ordered_utc"]
    return order_shape.order(row, place_of(row), verdict) | {
        "branch": row["branch"] or ("" if row["box_id"] == HEAD_OFFICE else row["box_id"]),
        "days": json.loads(row["days"]),
        "started_utc": row["started_utc"],
        "steps": steps_from(state, is_own),
        "is_own": is_own and state == WAITING,
        "is_overdue": is_overdue(state, since_utc, now),
        "says": CODES.get(row["code"], row["code"]),
    }


def _receipt(row: RowMapping, place: Place, verdict: Verdict) -> dict[str, Any]:
    said = msgspec.json.decode(bytes(row["body"]), type=OrderAnswered)
    return order_shape.receipt(row, place, verdict) | {"gone": said.gone, "key": said.key, "sig": said.sig}


def _audit(
    request: Request, db: Connection, action: Action, order_id: str, box_id: str, query: dict[str, str]
) -> None:
    reason = ask_of(request, Verb.CHANGE, "orders").reason
    note_deed(request, db, action, "orders", order_id, box_id=box_id, query=query, purpose=reason)
