"""Applications: what can be handed in by whom, and how many levels of approval it takes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cloud.access.applications import (
    LADDER,
    NO_END,
    REFERENCES,
    REFERENCES_OF,
    Wish,
    faults_of,
    levels_for,
)
from cloud.access.purposes import default_purpose
from cloud.access.roles import ROLES
from cloud.access.verbs import Clarity, Verb
from sync.moment import to_text
from tests.cloud.house import NOON
from tests.cloud.verdicts import person

NUMBER = "+8613800138000"
EXPORT, LISTEN, VIEW = frozenset({Verb.EXPORT}), frozenset({Verb.LISTEN}), frozenset({Verb.VIEW})
MANY = frozenset(f"+86138001380{n:02}" for n in range(21))


def wish_of(role: str = "agent", **fields: Any) -> Wish:
    """Clear calls of one number over thirty days, for a day, with every document the role needs."""
    wish = Wish(
        kind="calls",
        purpose=default_purpose(role),
        reason="客户投诉，需要核对通话",
        verbs=VIEW,
        clarity=Clarity.CLEAR,
        grade=3,
        rows=20,
        hours=8,
        subjects=frozenset({NUMBER}),
        from_utc=to_text(NOON - timedelta(days=400)),
        until_utc=to_text(NOON - timedelta(days=370)),
        references=dict.fromkeys(REFERENCES_OF.get(role, ()), "2026-001"),
    )
    return replace(wish, **fields)


@pytest.mark.parametrize(
    ("role", "fields", "levels"),
    [
        ("manager", {}, 0),
        ("senior_agent", {}, 0),
        ("account_manager", {}, 0),
        ("agent", {}, 1),
        ("manager", {"rows": 21}, 1),
        ("manager", {"hours": 9}, 1),
        ("manager", {"verbs": LISTEN}, 1),
        ("manager", {"subjects": frozenset({NUMBER, "+8613912345678"})}, 1),
        ("manager", {"from_utc": to_text(NOON - timedelta(days=600))}, 1),
        ("manager", {"until_utc": None}, 2),
        ("manager", {"rows": 1001}, 2),
        ("manager", {"grade": 4}, 2),
        ("manager", {"verbs": EXPORT}, 2),
        ("manager", {"hours": 31 * 24}, 2),
        ("manager", {"subjects": MANY}, 2),
        ("manager", {"subjects": frozenset(), "box_ids": frozenset({"b"})}, 2),  # clear, of everybody there
        ("manager", {"subjects": frozenset(), "box_ids": frozenset({"b"}), "clarity": Clarity.MASKED}, 0),
        ("maintainer", {}, 1),
        ("maintainer", {"verbs": EXPORT}, 2),
        ("partner", {}, 2),
        ("judicial", {}, 2),
        ("regulator", {"rows": 1}, 2),
        ("subscriber", {}, 2),
        ("authorised_person", {}, 2),
        ("manager", {"rows": 100_001}, None),
        ("judicial", {"hours": 91 * 24}, None),
        ("judicial", {"grade": 5}, None),
        ("nobody", {}, None),
    ],
)
def test_how_many_levels_it_takes(role: str, fields: dict[str, Any], levels: int | None) -> None:
    assert levels_for(role, wish_of(role, **fields)) == levels


@pytest.mark.parametrize("role", [role for role in ROLES if role not in ("partner",)])
def test_everybody_can_apply(role: str) -> None:
    applicant = person(role, numbers=frozenset({NUMBER}))
    assert faults_of(applicant, wish_of(role)) == []


def test_a_partner_can_apply_for_masked_records() -> None:
    assert faults_of(person("partner"), wish_of("partner", clarity=Clarity.MASKED)) == []


@pytest.mark.parametrize(
    ("role", "fields", "words"),
    [
        ("agent", {"purpose": "judicial"}, "purpose"),
        ("agent", {"purpose": ""}, "purpose"),
        ("agent", {"reason": " x "}, "why"),
        ("agent", {"reason": "x" * 501}, "why"),
        ("agent", {"kind": "secrets"}, "Choose what"),
        ("agent", {"kind": "branches"}, "Choose what"),
        ("agent", {"kind": "recordings"}, "Choose what"),  # applied for as calls
        ("agent", {"verbs": frozenset()}, "Choose what"),
        ("agent", {"grade": 4}, "masked"),
        ("agent", {"grade": 2}, "masked"),
        ("agent", {"rows": 0}, "at least 1"),
        ("agent", {"hours": 0}, "at least 1"),
        ("agent", {"subjects": frozenset(), "from_utc": None, "until_utc": None}, "Name numbers"),
        ("agent", {"until_utc": to_text(NOON - timedelta(days=401))}, "ends before"),
        ("agent", {"rows": 10**6}, "more than can be"),
        ("maintainer", {"verbs": EXPORT}, "never"),
        ("maintainer", {"verbs": LISTEN}, "never"),
        ("maintainer", {"kind": "customers"}, "never"),
        ("maintainer", {"references": {}}, "documents"),
        ("maintainer", {"references": {"incident": "  "}}, "documents"),
        ("partner", {}, "masked"),
        ("partner", {"clarity": Clarity.MASKED, "references": {"confidentiality": "1"}}, "documents"),
        ("partner", {"clarity": Clarity.MASKED, "references": {"data_use": "1"}}, "documents"),
        ("partner", {"clarity": Clarity.MASKED, "verbs": LISTEN}, "never"),
        ("regulator", {"references": {}}, "documents"),
        ("judicial", {"references": {}}, "documents"),
        ("judicial", {"references": {"procedure": "9" * 501}}, "too long"),
        ("authorised_person", {"references": {"identity_document": "ID"}}, "documents"),
        ("authorised_person", {"references": {"authorisation": "A"}}, "documents"),
        ("authorised_person", {"subjects": frozenset()}, "your own"),
        ("subscriber", {"subjects": frozenset({"+8613912345678"})}, "your own"),
        ("subscriber", {"verbs": EXPORT}, "never"),
    ],
)
def test_what_cannot_be_handed_in_says_why(role: str, fields: dict[str, Any], words: str) -> None:
    faults = faults_of(person(role, numbers=frozenset({NUMBER})), wish_of(role, **fields))
    assert len(faults) == 1 and words in faults[0]


def test_the_ladder_climbs_and_its_top_is_for_everybody() -> None:
    assert [rung.levels for rung in LADDER] == [0, 1, 2]
    assert LADDER[-1].roles == set(ROLES) and LADDER[-1].days == NO_END
    assert {key for keys in REFERENCES_OF.values() for key in keys} == set(REFERENCES)
