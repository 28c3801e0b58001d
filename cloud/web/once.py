"""The API's routes, where a POST with an Idempotency-Key is done once, however often it is sent.

    first                      done, and its answer kept for a day
    the same again             the kept answer, with `Idempotency-Replayed: true`
    while the first is at work 409
    the key with other content 422: a key stands for one request

The draft standard is draft-ietf-httpapi-idempotency-key-header. The guard of the route stands before a kept
answer as before a new one. A request that was refused or broke may be sent again under its key; one whose
process died in the middle is answered 409 until the day is over, for nobody can say whether it was done.
Answers may tell a secret once, so they are kept sealed (`cloud.field_keys`).
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

from cloud.store import answered
from cloud.store.answered import AT_WORK, Kept
from cloud.store.database import write
from cloud.web.door import person_of
from cloud.web.parts import Parts, parts_of
from sync.locale import marked

HEADER, REPLAYED = "Idempotency-Key", "Idempotency-Replayed"
LONGEST_KEY = 64
KEPT_HEADERS = ("content-type", "location", "etag")

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
            return await _once(plain, request, person_of(request).user_id, key)

        return handle


async def _once(plain: Handler, request: Request, owner_id: str, key: str) -> Response:
    if not 0 < len(key) <= LONGEST_KEY or not key.isascii() or not key.isprintable():
        raise HTTPException(422, marked("Idempotency-Key: 1 to 64 plain characters."))
    parts, asked = parts_of(request), await _asked(request)
    before = await run_in_threadpool(_begin, parts, owner_id, key, asked)
    if before is not None:
        return _again(parts, before, asked, _place(owner_id, key))
    try:
        answer = await plain(request)
    except Exception:
        await run_in_threadpool(_forget, parts, owner_id, key)
        raise
    headers = {name: answer.headers[name] for name in KEPT_HEADERS if name in answer.headers}
    sealed = parts.ring.active.seal(bytes(answer.body).decode(), _place(owner_id, key))
    await run_in_threadpool(_keep, parts, owner_id, key, answer.status_code, headers, sealed)
    return answer


async def _asked(request: Request) -> str:
    what = f"{request.method} {request.url.path}?{request.url.query}\n".encode()
    return hashlib.sha256(what + await request.body()).hexdigest()


def _place(owner_id: str, key: str) -> str:
    return f"answered_requests/{owner_id}/{key}"


def _again(parts: Parts, before: Kept, asked: str, place: str) -> Response:
    if before.asked != asked:
        raise HTTPException(422, marked("This Idempotency-Key was used for another request."))
    if before.status == AT_WORK:
        raise HTTPException(409, marked("The first request with this Idempotency-Key is still at work."))
    body = parts.ring.open(before.sealed, place)
    return Response(body, before.status, before.headers | {REPLAYED: "true"})


def _begin(parts: Parts, owner_id: str, key: str, asked: str) -> Kept | None:
    now = parts.clock.now_utc()
    with write(parts.engine) as db:
        return answered.begin(db, owner_id, key, asked, now)


def _keep(parts: Parts, owner_id: str, key: str, status: int, headers: dict[str, str], sealed: bytes) -> None:
    with write(parts.engine) as db:
        answered.keep(db, owner_id, key, status, headers, sealed)


def _forget(parts: Parts, owner_id: str, key: str) -> None:
    with write(parts.engine) as db:
        answered.forget(db, owner_id, key)
