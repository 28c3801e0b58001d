"""Requests with an API token: `Authorization: Bearer blt_...` (RFC 6750, 2.1), on the API's addresses only.

A token that is unknown, revoked, out of date, or whose owner may no longer log in is nobody's. A request that
shows one is judged by it alone, whatever cookie it brings.
"""

from __future__ import annotations

import json
from datetime import timedelta

from starlette.requests import Request

from cloud.access.guard import Person
from cloud.access.roles import Right
from cloud.store import tokens
from cloud.store.database import read, write
from cloud.web.parts import Parts, parts_of
from sync.moment import from_text, to_text

SCHEME = "bearer"
API = "/api/v1/"
TOUCH_EVERY = timedelta(minutes=1)
LONGEST_TOKEN = 100


def bearer_of(request: Request) -> Person | None:
    """The owner of the token that the request shows, with the token's rights; None: nobody's."""
    scheme, _, token = request.headers["authorization"].partition(" ")
    if scheme.casefold() != SCHEME or len(token) > LONGEST_TOKEN or not request.url.path.startswith(API):
        return None
    parts = parts_of(request)
    with read(parts.engine) as db:
        row = tokens.find_token(db, token, parts.clock.now_utc())
    if row is None:
        return None
    _touch(parts, row["id"], row["last_used_utc"])
    return Person(
        user_id=row["owner_id"],
        name=row["user_name"],
        role=row["role"],
        unit_id=row["unit_id"],
        session=row["id"][:16],
        csrf_token="",
        purpose=row["purpose"],
        numbers=frozenset(row["numbers"].split()),
        scope=frozenset(Right(name) for name in json.loads(row["rights"]) if name in set(Right)),
        token_id=row["id"],
    )


def _touch(parts: Parts, token_id: str, last_used_utc: str | None) -> None:
    now = parts.clock.now()
    if last_used_utc is None or now - from_text(last_used_utc) >= TOUCH_EVERY:
        with write(parts.engine) as db:
            tokens.touch_token(db, token_id, to_text(now))
