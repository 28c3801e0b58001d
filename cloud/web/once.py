"""The API's routes, where a POST with an Idempotency-Key is done once, however often it is sent.

    first                      done, and its answer kept for a day
    the same again             the kept answer, with `Idempotency-Replayed: true`
    while the first is at work 409, with `Retry-After`
    the first has died         done, once a minute has passed; nothing of it was committed
    ... after its deed         409 that says what was done: the answer itself is lost
    the key with other content 422: a key stands for one request

The draft standard is draft-ietf-httpapi-idempotency-key-header. The guard of the route stands before a kept
answer as before a new one. A request that was refused or broke may be sent again under its key. Answers may
tell a secret once, so they are kept sealed (`cloud.field_keys`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from cloud.field_keys import KeyFault
from cloud.store import answered
from cloud.store.answered import AT_WORK, LEASE, Kept, TakenOver, Turn
from cloud.store.database import write
from cloud.web.answers import translate
from cloud.web.door import person_of
from cloud.web.parts import Parts, parts_of
from sync.ids import new_id
from sync.locale import marked

HEADER, REPLAYED = "Idempotency-Key", "Idempotency-Replayed"
LONGEST_KEY = 64
KEPT_HEADERS = ("content-type", "location", "etag")
AT_WORK_STILL = marked("The first request with this Idempotency-Key is still at work.")
DONE_BEFORE = marked("This was done before, to %(object)s, but its answer was lost.")

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class OnceRoute(APIRoute):
    """A route of the API."""

    def get_route_handler(self) -> Handler:
        """See FastAPI; called once for each route."""
        plain = super().get_route_handler()
        guards = [one.dependency for one in self.dependencies if one.dependency is not None]
        if "POST" not in (self.methods or ()):
            return plain

        async def handle(request: Request) -> Response:
            key = request.headers.get(HEADER)
            if key is None:
                return await plain(request)
            for guard in guards:
                await guard(request)
            return await _once(plain, request, Turn(person_of(request).user_id, key, new_id()))

        return handle


async def _once(plain: Handler, request: Request, turn: Turn) -> Response:
    if not 0 < len(turn.key) <= LONGEST_KEY or not turn.key.isascii() or not turn.key.isprintable():
        raise HTTPException(422, marked("Idempotency-Key: 1 to 64 plain characters."))
    parts, asked = parts_of(request), await _asked(request)
    before = await run_in_threadpool(_begin, parts, turn, asked)
    if before is not None:
        return _again(request, before, asked, _place(turn))
    request.state.turn = turn  # `cloud.web.door` writes the deed down with it
    try:
        answer = await plain(request)
    except TakenOver as error:
        raise HTTPException(409, AT_WORK_STILL) from error
    except Exception:
        await run_in_threadpool(_forget, parts, turn)
        raise
    headers = {name: answer.headers[name] for name in KEPT_HEADERS if name in answer.headers}
    sealed = parts.ring.active.seal(bytes(answer.body).decode(), _place(turn))
    await run_in_threadpool(_keep, parts, turn, answer.status_code, headers, sealed)
    return answer


async def _asked(request: Request) -> str:
    what = f"{request.method} {request.url.path}?{request.url.query}\n".encode()
    return hashlib.sha256(what + await request.body()).hexdigest()


def _place(turn: Turn) -> str:
    return f"answered_requests/{turn.owner_id}/{turn.key}"


def _again(request: Request, before: Kept, asked: str, place: str) -> Response:
    if before.asked != asked:
        raise HTTPException(422, marked("This Idempotency-Key was used for another request."))
    lost = translate(request, DONE_BEFORE, object=before.done_id or "?")
    if before.status == AT_WORK:
        if not before.at_work:
            raise HTTPException(409, lost)
        pause = str(int(LEASE.total_seconds()))
        raise HTTPException(409, AT_WORK_STILL, {"Retry-After": pause})
    try:
        body = parts_of(request).ring.open(before.sealed, place)
    except KeyFault as error:  # the key was changed and taken away within the day
        raise HTTPException(409, lost) from error
    return Response(body, before.status, before.headers | {REPLAYED: "true"})


def _begin(parts: Parts, turn: Turn, asked: str) -> Kept | None:
    with write(parts.engine) as db:
        return answered.begin(db, turn, asked, parts.clock.now())


def _keep(parts: Parts, turn: Turn, status: int, headers: dict[str, str], sealed: bytes) -> None:
    with write(parts.engine) as db:
        answered.keep(db, turn, status, headers, sealed)


def _forget(parts: Parts, turn: Turn) -> None:
    with write(parts.engine) as db:
        answered.forget(db, turn)
