"""The event feed: what has happened after a place that the reader names, as far as they may see it."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, Field
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request

from cloud.access import shape
from cloud.access.decision import Verb, Verdict
from cloud.access.roles import Right
from cloud.access.shape import Call
from cloud.access.shapes import customers as customer_shape
from cloud.access.subjects import call_place
from cloud.reading import Found, Look
from cloud.store import call_reports, calls, happenings
from cloud.store import customers as customer_store
from cloud.store.database import read
from cloud.store.happenings import At, Happening
from cloud.store.signing_keys import secret_of
from cloud.web.asking import ask_of, given
from cloud.web.call_query import CURSORS
from cloud.web.door import person_of
from cloud.web.parts import Parts, parts_of
from cloud.webhooks.kinds import CALL_ENDED, CUSTOMER_SAVED, RECORDING_STORED, REPORT_SETTLED
from sync.locale import marked

PAGE, LARGEST_PAGE = 50, 200
LONGEST_WAIT_S, LOOK_EVERY_S = 25, 1.0
OF_CALLS = (CALL_ENDED, RECORDING_STORED, REPORT_SETTLED)
_CURSOR = re.compile(r"(\d{1,18})\.(\d{1,18})\.(\d{1,6})\.([0-9a-f]{32})")


class EventShown(BaseModel):
    """Something that has happened."""

    kind: str = Field(description="call_ended, recording_stored, report_settled or customer_saved")
    at_utc: str
    object_id: str = Field(description="id of the call, recording, report or customer")
    href: str = Field(description="where the call or customer can be read")
    call: Call | None = Field(description="as it is now, as you may see it; null of a customer")


class EventsShown(BaseModel):
    """What has happened, in order. `next`: what to ask `after` the next time; never null."""

    events: list[EventShown]
    next: str
    more: bool = Field(description="there is more already")


async def list_events(
    request: Request,
    after: Annotated[str, Query(description="`next` of the answer before; empty: the last 30 days")] = "",
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = PAGE,
    wait_s: Annotated[
        int, Query(ge=0, le=LONGEST_WAIT_S, description="if there is nothing, wait for it")
    ] = 0,
) -> EventsShown:
    """What has happened since, as far as you may see it."""
    parts = parts_of(request)
    secret = await run_in_threadpool(secret_of, parts.engine, CURSORS)
    place = read_cursor(secret, after)
    kinds = _kinds(request)
    looks = int(wait_s / LOOK_EVERY_S)
    found = await run_in_threadpool(_after, parts, place, kinds, limit)
    while not found and looks > 0 and not await request.is_disconnected():
        await asyncio.sleep(LOOK_EVERY_S)
        found, looks = await run_in_threadpool(_after, parts, place, kinds, limit), looks - 1
    shown = await run_in_threadpool(_shown, request, found[:limit])
    last = found[:limit][-1].at if found else place
    return EventsShown(events=shown, next=make_cursor(secret, last), more=len(found) > limit)


def make_cursor(secret: bytes, at: At) -> str:
    """The text that stands for a place in the order."""
    place = f"{at.xact}.{at.no}.{at.index}"
    return f"{place}.{_signature(secret, place)}"


def read_cursor(secret: bytes, cursor: str) -> At:
    """The inverse of `make_cursor`; the beginning for ""; 422 for anything else."""
    if not cursor:
        return At()
    form = _CURSOR.fullmatch(cursor)
    if (
        form is None
        or not form[0].isascii()
        or not hmac.compare_digest(_signature(secret, f"{form[1]}.{form[2]}.{form[3]}"), form[4])
    ):
        raise HTTPException(422, marked("This place in the event feed is not known; begin without one."))
    return At(int(form[1]), int(form[2]), int(form[3]))


def _signature(secret: bytes, place: str) -> str:
    return hmac.new(secret, f"events {place}".encode(), hashlib.sha256).hexdigest()[:32]


def _kinds(request: Request) -> tuple[str, ...]:
    return (*OF_CALLS, CUSTOMER_SAVED) if person_of(request).may(Right.READ_CUSTOMERS) else OF_CALLS


def _after(parts: Parts, place: At, kinds: Sequence[str], limit: int) -> list[Happening]:
    with read(parts.engine) as db:
        return happenings.after(db, place, kinds, limit + 1)


def _shown(request: Request, found: Sequence[Happening]) -> list[EventShown]:
    of_calls = [one for one in found if one.kind in OF_CALLS]
    of_customers = [one for one in found if one.kind == CUSTOMER_SAVED]
    told = _of_calls(request, of_calls) | (_of_customers(request, of_customers) if of_customers else {})
    return [told[one.at] for one in found if one.at in told]


def _of_calls(request: Request, found: Sequence[Happening]) -> dict[At, EventShown]:
    """Events of calls by their place, judged as calls: one audit row of those that are shown."""

    def fetch(db: Connection, _verdict: Verdict) -> Found[Any]:
        call_of = {one.at: _call_id(db, one) for one in found}
        rows = {row["id"]: row for row in calls.calls_of(db, sorted(set(call_of.values())))}
        recordings = calls.recordings_of(db, list(rows))
        gaps = calls.gaps_of(db, [one["id"] for one in recordings])
        places = [(call_id, call_place(row)) for call_id, row in rows.items()]
        return Found((call_of, rows, recordings, gaps), places)

    def shaped(gathered: Any, verdict: Verdict) -> dict[At, EventShown]:
        call_of, rows, recordings, gaps = gathered
        seen = {call_id: shape.call(row, recordings, gaps, verdict) for call_id, row in rows.items()}
        return {
            one.at: _event(one, f"/api/v1/calls/{call_of[one.at]}", call)
            for one in found
            if (call := seen.get(call_of[one.at])) is not None
        }

    return given(request, ask_of(request, Verb.VIEW, "calls"), Look(query={"list": "events"}), fetch, shaped)


def _call_id(db: Connection, one: Happening) -> str:
    """The call that an event is about; "" when it is there no more."""
    if one.kind == CALL_ENDED:
        return one.object_id
    row = (
        calls.find_recording(db, one.object_id)
        if one.kind == RECORDING_STORED
        else call_reports.find(db, one.object_id)
    )
    return "" if row is None else str(row["call_id"])


def _of_customers(request: Request, found: Sequence[Happening]) -> dict[At, EventShown]:
    """Events of customers by their place, judged as customers; nothing of them but their ids."""

    def fetch(db: Connection, verdict: Verdict) -> Found[Any]:
        ids = sorted({one.object_id for one in found})
        rows = customer_store.customers_of(db, ids, verdict.box_ids)
        numbers = customer_store.parts_of(db, [row["id"] for row in rows])["customer_numbers"]
        places = [(row["id"], customer_shape.customer_place(row, numbers)) for row in rows]
        return Found(places, places)

    def shaped(places: Any, verdict: Verdict) -> dict[At, EventShown]:
        seen = {customer_id for customer_id, place in places if verdict.admits(place)}
        return {
            one.at: _event(one, f"/api/v1/customers/{one.object_id}", None)
            for one in found
            if one.object_id in seen
        }

    look = Look(query={"list": "events"})
    return given(request, ask_of(request, Verb.VIEW, "customers"), look, fetch, shaped)


def _event(one: Happening, href: str, call: Call | None) -> EventShown:
    return EventShown(kind=one.kind, at_utc=one.at_utc, object_id=one.object_id, href=href, call=call)
