"""Asks the one decision for a request: who wants what, with the grants and units as they are right now.

NotGiven (HTTPException)     403 with the application that would change it
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection
from starlette.exceptions import HTTPException
from starlette.requests import Request

from cloud.access.decision import Ask, Refusal, Verb, Verdict, judge
from cloud.access.grants import Place
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
    units = read_units(connection)
    verdict = judge(ask, (), units, parts_of(request).clock.now())
    if verdict.refusal is not None:
        raise NotGiven(verdict.refusal)
    return verdict


def checked(verdict: Verdict, place: Place) -> None:
    """NotGiven unless a row at `place` may be shown."""
    refusal = verdict.refusal_of(place)
    if refusal is not None:
        raise NotGiven(refusal)
