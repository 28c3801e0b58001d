"""Handing customers over: who serves them from now on, in their history and in the audit trail.

Whoever manages customers says so, and never for themselves, since it makes personal fields clear.

    NobodyServes (ValueError)
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping
from starlette.requests import Request

from cloud.access.roles import SERVES
from cloud.store import customers as store
from cloud.store import serving
from cloud.store.customer_writes import note
from cloud.web.customer_reading import stamp_of
from cloud.web.door import person_of
from cloud.web.parts import parts_of

Changes = dict[str, tuple[str | None, str | None]]


class NobodyServes(ValueError):
    """It is nobody who could serve customers, or whoever asks."""


def servers(db: Connection) -> Sequence[RowMapping]:
    """Id and name of everybody who can serve customers."""
    return store.users_of(db, SERVES)


def hand_over(request: Request, db: Connection, ids: Sequence[str], user_id: str) -> Changes:
    """Let `user_id` ("": nobody) serve these customers: what the audit has to say of it; NobodyServes."""
    names = {row["id"]: row["name"] for row in servers(db)} | {"": ""}
    if user_id not in names or user_id == person_of(request).user_id:
        raise NobodyServes(user_id)
    ring, stamp, new = parts_of(request).ring, stamp_of(request), names[user_id]
    before = {
        customer_id: store.name_of_user(db, served_by)
        for customer_id, served_by in serving.hand_over(db, ids, user_id or None).items()
    }
    for customer_id, old in before.items():
        note(db, ring, [customer_id], stamp, "serve", {"served_by": [old, new]})
    return {"served_by": ("；".join(sorted(set(before.values()))), new)} if before else {}


def vouch(request: Request, db: Connection, ids: Sequence[str]) -> list[str]:
    """Vouch for the numbers of these customers; those of whom some were not vouched for."""
    done = serving.vouch(db, ids)
    note(db, parts_of(request).ring, done, stamp_of(request), "vouch", {})
    return done
