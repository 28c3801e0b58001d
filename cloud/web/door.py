"""The door of the page: who is asking, may they, and did the request come from our own pages?

`guarded` is put in front of every route by `cloud.web.app`; a route without it cannot be built.

    NotAdmitted (HTTPException)     401 log in first, 403 refused or forged
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request

from cloud.access.decision import SENTENCES
from cloud.access.guard import Decision, Open, Person, decide
from cloud.access.log import Action, Actor, Deed
from cloud.access.roles import Right
from cloud.store import people, trail
from cloud.store.answered import Turn, done
from cloud.store.database import read, write
from cloud.web.bearer import bearer_of
from cloud.web.parts import Parts, parts_of
from sync.ids import new_id
from sync.locale import marked
from sync.moment import from_text, to_text

LONGEST_SESSION = timedelta(hours=12)
LONGEST_PAUSE = timedelta(hours=1)
TOUCH_EVERY = timedelta(minutes=1)
SAFE_METHODS = ("GET", "HEAD")


class NotAdmitted(HTTPException):
    """The request may not go on: log in first (401), or refused (403)."""


def guarded(needs: Right | Open) -> Callable[[Request], Awaitable[None]]:
    """The dependency that lets a request reach its route, or raises NotAdmitted."""

    async def admit(request: Request) -> None:
        person = await run_in_threadpool(find_person, request)
        request.state.person = person
        decision = decide(person, needs)
        if decision is Decision.LOG_IN_FIRST:
            raise NotAdmitted(401, marked("Log in first."))
        if decision is Decision.REFUSE:
            await run_in_threadpool(_note_refused, request, "role")
            raise NotAdmitted(403, SENTENCES["role"])
        if request.method not in SAFE_METHODS and not (person and person.token_id):
            # A route for anybody acts for no session, so there is none whose token could be asked for. What
            # an API token asks no browser sent by itself.
            fault = await _forged(request, None if isinstance(needs, Open) else person)
            if fault:
                await run_in_threadpool(_note_refused, request, "forged")
                raise NotAdmitted(403, fault)

    return admit


def person_of(request: Request) -> Person:
    """Who is asking, on a route that needs a right."""
    person: Person | None = request.state.person
    if person is None:
        raise NotAdmitted(401, marked("Log in first."))
    return person


def stranger_of(request: Request) -> Actor:
    """Whoever asks, as far as the request itself tells."""
    return Actor(
        address=request.client.host if request.client else "",
        user_agent=request.headers.get("user-agent", ""),
        channel=channel_of(request),
        trace_id=trace_id(request),
    )


def actor_of(request: Request) -> Actor:
    """Who is asking and from where, as the audit trail keeps it."""
    person: Person | None = request.state.person
    stranger = stranger_of(request)
    if person is None:
        return stranger
    return replace(
        stranger,
        user_id=person.user_id,
        name=person.name,
        role=person.role,
        unit_id=person.unit_id,
        session=person.session,
    )


def note_deed(
    request: Request, db: Connection, action: Action, kind: str, object_id: str = "", **more: Any
) -> None:
    """Add the audit row of a deed of whoever asks, in the deed's own transaction and last of all.

    `more` are further fields of `Deed`.
    """
    append_deed(
        request,
        db,
        Deed(actor=actor_of(request), action=action, kind=kind, object_id=object_id, **more),
    )


def append_deed(request: Request, db: Connection, deed: Deed) -> None:
    """`note_deed` of a deed that is made already; of a request that may come twice it is done from now on."""
    turn: Turn | None = getattr(request.state, "turn", None)
    if turn is not None:
        done(db, turn, deed.object_id)
    trail.append(db, deed, parts_of(request).clock.now_utc())


def channel_of(request: Request) -> str:
    """By which way the request came: the API, or the pages; there for whom, as the session's person chose."""
    if request.url.path.startswith("/api/"):
        return "api"
    person: Person | None = getattr(request.state, "person", None)
    return (person.channel if person else "") or "web"


def trace_id(request: Request) -> str:
    """The id of this request: it stands on its error page and in its audit rows."""
    if not hasattr(request.state, "trace_id"):
        request.state.trace_id = new_id()
    return str(request.state.trace_id)


def session_cookie(parts: Parts) -> str:
    """The cookie's name; over TLS the browser itself ties it to this host."""
    return "__Host-session" if parts.settings.web.https else "session"


def session_token(request: Request) -> str | None:
    """The token the browser sent."""
    return request.cookies.get(session_cookie(parts_of(request)))


def is_from_elsewhere(headers: Mapping[str, str]) -> bool:
    """Whether a request that changes something did not come from a page of this host.

    Browsers say so in Sec-Fetch-Site or at least in Origin; a request with neither is not from our pages.
    """
    site = headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return True
    origin = headers.get("origin")
    if origin is None:
        return site is None
    return urlsplit(origin).netloc.casefold() != headers.get("host", "").casefold()


def _note_refused(request: Request, why: str) -> None:
    """The audit row of somebody who was turned away at the door; a stranger's would tell nothing."""
    if request.state.person is None:
        return
    parts = parts_of(request)
    action = Action.VIEW if request.method in SAFE_METHODS else Action.UPDATE
    address = f"{request.method} {request.scope['route'].path}"
    deed = Deed(actor=actor_of(request), action=action, kind="routes", object_id=address, refusal=why)
    with write(parts.engine) as connection:
        trail.append(connection, deed, parts.clock.now_utc())


async def _forged(request: Request, person: Person | None) -> str | None:
    if is_from_elsewhere(request.headers):
        return marked("The request did not come from this site.")
    if person is None:
        return None
    token = request.headers.get("x-csrf-token")
    if token is None:
        token = str((await request.form()).get("csrf_token", ""))
    if not hmac.compare_digest(token.encode(), person.csrf_token.encode()):
        return marked("This form is out of date. Load the page again.")
    return None


def find_person(request: Request) -> Person | None:
    """Who is asking: the owner of the API token, else of the session whose token the browser sent."""
    if "authorization" in request.headers:
        return bearer_of(request)
    token = session_token(request)
    if not token:
        return None
    parts = parts_of(request)
    now = parts.clock.now()
    with read(parts.engine) as connection:
        row = people.find_session(connection, token)
    if row is None or now - from_text(row["created_utc"]) >= LONGEST_SESSION:
        return None
    pause = now - from_text(row["last_used_utc"])
    if pause >= LONGEST_PAUSE:
        return None
    # A page that refreshes itself is not a person using it.
    if pause >= TOUCH_EVERY and "hx-request" not in request.headers:
        with write(parts.engine) as connection:
            people.touch_session(connection, token, to_text(now))
    return Person(
        user_id=row["user_id"],
        name=row["name"],
        role=row["role"],
        unit_id=row["unit_id"],
        session=row["token_sha256"][:16],
        csrf_token=row["csrf_token"],
        purpose=row["purpose"],
        channel=row["channel"],
        numbers=frozenset(row["numbers"].split()),
    )
