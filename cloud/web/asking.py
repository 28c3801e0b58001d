"""Asks the one decision for a request: who wants what, with the grants and units as they are right now.

NotGiven (HTTPException)     403 with the application that would change it
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection
from starlette.exceptions import HTTPException
from starlette.requests import Request

from cloud.access.decision import Ask, Refusal, Verb, Verdict, judge
from cloud.access.grants import Place
from cloud.store.database import write
from cloud.store.grants import count_rows, live_grants
from cloud.store.units import read_units
from cloud.web.door import channel_of, person_of
from cloud.web.parts import parts_of


class NotGiven(HTTPException):
    """Refused by the decision; `refusal` says why and how to apply."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        super().__init__(403, refusal.sentence)


def ask_of(request: Request, verb: Verb, kind: str, **more: Any) -> Ask:
    """What the person of `request` wants; `more` are further fields of `Ask`."""
    plain = Ask(person_of(request), verb, kind, purpose="", channel=channel_of(request))
    return replace(plain, **more)


def judged(request: Request, connection: Connection, ask: Ask) -> Verdict:
    """The verdict on `ask`, or NotGiven."""
    now = parts_of(request).clock.now()
    grants = live_grants(connection, ask.person.user_id, now)
    verdict = judge(ask, grants, read_units(connection), now)
    if verdict.refusal is not None:
        raise NotGiven(verdict.refusal)
    return verdict


def counted(request: Request, verdict: Verdict, places: Iterable[Place]) -> Verdict:
    """`verdict` with the rows at `places` counted against the grants that show them, as far as those reach.

    Call it outside of any transaction, with what was read and before it is shown.
    """
    owed: dict[str, list[str]] = {}
    for place in places:
        grant = verdict.charged_to(place)
        if grant is not None and place.row_id:
            owed.setdefault(grant.id, []).append(place.row_id)
    if not owed:
        return verdict
    parts = parts_of(request)
    with write(parts.engine) as connection:
        shown = [
            count_rows(connection, grant_id, row_ids, parts.clock.now())
            for grant_id, row_ids in sorted(owed.items())
        ]
    return verdict.with_counted(frozenset().union(*shown))


def checked(verdict: Verdict, place: Place) -> None:
    """NotGiven unless a row at `place` may be shown."""
    refusal = verdict.refusal_of(place)
    if refusal is not None:
        raise NotGiven(refusal)
