"""Webhooks: added, ended, and what they were told; as part of the page 接口 and as JSON."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import RowMapping
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from cloud.access.log import Action
from cloud.store import webhooks
from cloud.store.database import read, write
from cloud.store.webhooks import NewHook
from cloud.web.door import note_deed, person_of
from cloud.web.etags import IfMatch, Stale, etag_of, seen_version, version_in
from cloud.web.parts import parts_of
from cloud.webhooks.events import TOLD
from cloud.webhooks.sending import UrlRefused, check_url
from cloud.webhooks.signing import new_secret
from sync.ids import new_id
from sync.locale import marked

KIND = "webhooks"  # in the audit
NO_HOOK = marked("There is no such webhook of yours.")
NO_DELIVERY = marked("There is no delivery of yours that was given up.")
MOST_HOOKS = 20
SHOWN_DELIVERIES = 100


class HookWanted(BaseModel):
    """A webhook to be added."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(description="https address that gets a POST for each happening")
    kinds: list[str] = Field(description="call_ended, recording_stored, report_settled", max_length=16)


class HookShown(BaseModel):
    """A webhook as it is listed."""

    id: str
    url: str
    kinds: list[str]
    created_utc: str
    ended_utc: str | None
    ended_why: str
    etag: str = Field(description="what ending it has to name in `If-Match`")


class HookMade(HookShown):
    """A webhook that was just added. `secret` signs what it gets, and is told only now."""

    secret: str


class DeliveryShown(BaseModel):
    """One telling. State: waiting, done, dead (given up), gone (the receiver has left)."""

    id: str
    kind: str
    object_id: str
    at_utc: str
    state: str
    due_utc: str
    tries: int
    status: int
    fault: str


def list_hooks(request: Request) -> list[HookShown]:
    """Your webhooks, the newest first."""
    with read(parts_of(request).engine) as db:
        return [_shown(row) for row in webhooks.hooks_of(db, person_of(request).user_id)]


def add_hook(request: Request, wanted: HookWanted) -> HookMade:
    """Tell this address of what happens, as far as you may see it yourself."""
    person, parts = person_of(request), parts_of(request)
    try:
        check_url(wanted.url)
    except UrlRefused as refused:
        sentence = marked("Address: https://host/path, without a user name, at most 400 characters.")
        raise HTTPException(422, sentence) from refused
    kinds = tuple(kind for kind in TOLD if kind in wanted.kinds)
    if not kinds or set(wanted.kinds) - set(TOLD):
        raise HTTPException(422, marked("Kinds: at least one of those there are."))
    hook_id, secret, now_utc = new_id(), new_secret(), parts.clock.now_utc()
    sealed = parts.ring.active.seal(secret, webhooks.secret_place(hook_id))
    with write(parts.engine) as db:
        mine = webhooks.hooks_of(db, person.user_id)
        if sum(row["ended_utc"] is None for row in mine) >= MOST_HOOKS:
            raise HTTPException(422, marked("You have twenty webhooks already. End one first."))
        webhooks.add_hook(db, NewHook(hook_id, person.user_id, wanted.url, kinds, sealed), now_utc)
        changes = {"url": (None, wanted.url), "kinds": (None, " ".join(kinds))}
        note_deed(request, db, Action.CREATE, KIND, hook_id, changes=changes)
        row = next(row for row in webhooks.hooks_of(db, person.user_id) if row["id"] == hook_id)
    return HookMade(**_shown(row).model_dump(), secret=secret)


def end_hook(
    request: Request, hook_id: Annotated[str, Path(max_length=64)], if_match: IfMatch = None
) -> Response:
    """Tell it nothing more; what is waiting is not sent. Needs `If-Match`."""
    version = seen_version(if_match, hook_id)
    now = next((one for one in list_hooks(request) if one.id == hook_id), None)
    if now is not None and version_in(now.etag) != version:
        raise Stale
    return leave_alone(request, hook_id)


def leave_alone(request: Request, hook_id: str) -> Response:
    """One's own webhook is told nothing more; 404 when there is none that was."""
    person, parts = person_of(request), parts_of(request)
    with write(parts.engine) as db:
        if not webhooks.end_hook(db, hook_id, "ended by its owner", parts.clock.now_utc(), person.user_id):
            raise HTTPException(404, NO_HOOK)
        note_deed(request, db, Action.DELETE, KIND, hook_id)
    return Response(status_code=204)


def list_deliveries(request: Request, hook_id: Annotated[str, Path(max_length=64)]) -> list[DeliveryShown]:
    """The newest hundred tellings of one of your webhooks."""
    with read(parts_of(request).engine) as db:
        mine = {row["id"] for row in webhooks.hooks_of(db, person_of(request).user_id)}
        if hook_id not in mine:
            raise HTTPException(404, NO_HOOK)
        rows = webhooks.deliveries_of(db, hook_id, SHOWN_DELIVERIES)
    return [DeliveryShown(**{name: row[name] for name in DeliveryShown.model_fields}) for row in rows]


def send_again(request: Request, delivery_id: Annotated[str, Path(max_length=64)]) -> Response:
    """Try a telling that was given up once more."""
    parts = parts_of(request)
    with write(parts.engine) as db:
        person = person_of(request)
        if not webhooks.send_again(db, delivery_id, person.user_id, parts.clock.now_utc()):
            raise HTTPException(404, NO_DELIVERY)
        note_deed(request, db, Action.UPDATE, KIND, delivery_id)
    return Response(status_code=202)


def _shown(row: RowMapping) -> HookShown:
    said = dict(
        id=row["id"],
        url=row["url"],
        kinds=json.loads(row["kinds"]),
        created_utc=row["created_utc"],
        ended_utc=row["ended_utc"],
        ended_why=row["ended_why"],
    )
    etag = etag_of(row["id"], 1 if row["ended_utc"] is None else 2, json.dumps(said))
    return HookShown(**said, etag=etag)
