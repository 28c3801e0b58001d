"""Verdicts for tests: people of any role, and what the decision says to them at noon."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from cloud.access.applications import REFERENCES_OF
from cloud.access.decision import Ask, Clarity, Verb, Verdict, judge
from cloud.access.grants import Grant, Place
from cloud.access.guard import Person
from cloud.access.purposes import default_purpose
from cloud.access.units import Unit, Units
from sync.moment import to_text
from tests.cloud.house import NOON

YUNNAN = Units.of(
    [
        Unit("yn", "云南省", "province", "national"),
        Unit("km", "昆明市", "city", "yn"),
        Unit("dl", "大理州", "city", "yn"),
        Unit("gd", "广东省", "province", "national"),
    ],
    {"box-km": "km", "box-dl": "dl", "box-gz": "gd", "box-01": "yn"},
)


def person(role: str, **fields: Any) -> Person:
    """Somebody of `role`, of the whole country unless `fields` say otherwise."""
    return replace(Person("u1", "Wang", role, "national", "s", "t"), **fields)


def asking(role: str, verb: Verb = Verb.VIEW, kind: str = "calls", **fields: Any) -> Ask:
    """A question of somebody of `role`, on the page."""
    who = fields.pop("person", None) or person(role)
    return replace(Ask(who, verb, kind, "", "web"), **fields)


def verdict_for(role: str, grants: Sequence[Grant] = (), **fields: Any) -> Verdict:
    """What somebody of `role` is told at noon, the row "c1" counted against their grants."""
    return judge(asking(role, **fields), grants, YUNNAN, NOON).with_counted({"c1"})


def place_of(subject: str, box_id: str, at_utc: str, row_id: str = "c1") -> Place:
    """Where a row about one number stands."""
    return Place(frozenset({subject}), box_id, at_utc, row_id)


def make_grant(role: str = "agent", **fields: Any) -> Grant:
    """A grant of that person: calls of any number and branch, clear, for the whole day."""
    grant = Grant(
        id="g1",
        request_id="a1",
        user_id="u1",
        role=role,
        purpose=default_purpose(role),
        kind="calls",
        subjects=frozenset(),
        box_ids=None,
        from_utc=None,
        until_utc=None,
        verbs=frozenset({Verb.VIEW}),
        clarity=Clarity.CLEAR,
        grade=3,
        valid_from_utc=to_text(NOON - timedelta(hours=4)),
        valid_until_utc=to_text(NOON + timedelta(hours=8)),
        rows=1000,
        uses=100,
        documents=frozenset(REFERENCES_OF.get(role, ())),
    )
    return replace(grant, **fields)
