"""The decision: tables of what is admitted and refused, and why; every refusal says how to apply."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest

from cloud.access.decision import SENTENCES, Clarity, Verb, judge
from cloud.access.grades import CLEAR_GRADES, HIGHEST_BY_GRANT
from cloud.access.grants import Place
from cloud.access.identity import Checked
from cloud.access.kinds import KINDS
from cloud.access.purposes import PURPOSES, PURPOSES_OF
from cloud.access.roles import OWN_ONLY, ROLES, STANDING
from cloud.access.rules import Rules
from cloud.access.windows import CHANNELS, WINDOWS
from sync.moment import to_text
from tests.cloud.house import NOON
from tests.cloud.verdicts import YUNNAN, asking, make_grant, person, place_of, verdict_for

MINE, OTHER = "+8613800138000", "+8613912345678"
SEEN = Checked(("i1",), frozenset({MINE}))
AGREED = replace(SEEN, agreed=SEEN.numbers)
YEAR_AGO = to_text(NOON - timedelta(days=365))
DAY_AGO = to_text(NOON - timedelta(days=1))


def days_ago(days: int) -> str:
    return to_text(NOON - timedelta(days=days))


@pytest.mark.parametrize(
    ("role", "more", "code"),
    [
        ("agent", {}, ""),
        ("agent", {"verb": Verb.LISTEN, "kind": "recordings"}, ""),
        ("agent", {"verb": Verb.EXPORT}, "grant"),
        ("agent", {"verb": Verb.LISTEN}, "role"),  # one listens to recordings, not to call records
        ("agent", {"kind": "secrets"}, "kind"),
        ("agent", {"kind": "branches"}, "role"),
        ("agent", {"purpose": "judicial"}, "purpose"),
        ("agent", {"purpose": "no such purpose"}, "purpose"),
        ("agent", {"subjects": frozenset({MINE})}, "served"),
        ("agent", {"subjects": frozenset({MINE}), "served": frozenset({MINE})}, ""),
        ("agent", {"subjects": frozenset({MINE, OTHER}), "served": frozenset({MINE})}, "served"),
        ("agent", {"from_utc": days_ago(90)}, ""),
        ("agent", {"from_utc": days_ago(95)}, "window"),
        ("agent", {"from_utc": days_ago(95), "channel": "hotline", "checked": SEEN}, ""),
        ("agent", {"channel": "hotline"}, "identity"),
        ("agent", {"channel": "counter", "checked": SEEN, "subjects": frozenset({OTHER})}, "identity"),
        ("agent", {"channel": "counter", "checked": SEEN, "subjects": frozenset({MINE})}, "served"),
        ("agent", {"channel": "counter", "checked": AGREED, "subjects": frozenset({MINE})}, ""),
        ("manager", {"channel": "counter", "checked": SEEN, "subjects": frozenset({MINE})}, ""),
        ("agent", {"channel": "fax"}, "window"),
        ("senior_agent", {"from_utc": days_ago(180)}, ""),
        ("senior_agent", {"from_utc": days_ago(190)}, "window"),
        ("manager", {"from_utc": days_ago(180)}, ""),
        ("manager", {"from_utc": YEAR_AGO}, "window"),
        ("manager", {"subjects": frozenset({MINE})}, ""),
        ("manager", {"verb": Verb.EXPORT}, "grant"),
        ("manager", {"kind": "branches"}, ""),
        ("maintainer", {}, "grant"),
        ("maintainer", {"kind": "branches"}, ""),
        ("maintainer", {"verb": Verb.EXPORT}, "role"),
        ("maintainer", {"verb": Verb.LISTEN, "kind": "recordings"}, "role"),
        ("approver_1", {}, ""),
        ("approver_1", {"verb": Verb.LISTEN, "kind": "recordings"}, "role"),
        ("admin", {}, ""),
        ("partner", {}, "grant"),
        ("regulator", {}, "grant"),
        ("judicial", {}, "grant"),
        ("subscriber", {"channel": "self_service"}, "own"),  # no number of theirs is known
        ("authorised_person", {"channel": "self_service"}, "grant"),
        ("no such role", {}, "role"),
    ],
)
def test_what_each_role_may_do_by_itself(role: str, more: dict[str, Any], code: str) -> None:
    verdict = verdict_for(role, **more)
    assert (verdict.refusal.code if verdict.refusal else "") == code
    assert verdict.admitted is (code == "")


SUBSCRIBER = person("subscriber", numbers=frozenset({MINE}))


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({}, ""),
        ({"subjects": frozenset({MINE})}, ""),
        ({"subjects": frozenset({OTHER})}, "own"),
        ({"subjects": frozenset({MINE, OTHER})}, "own"),
        ({"from_utc": days_ago(180)}, ""),
        ({"from_utc": YEAR_AGO}, "window"),
        ({"channel": "web"}, "window"),
        ({"code_due": True}, "code"),
        ({"channel": "counter"}, "identity"),
        ({"channel": "counter", "checked": SEEN}, ""),
    ],
)
def test_subscribers_see_their_own_and_nothing_else(more: dict[str, Any], code: str) -> None:
    fields = {"channel": "self_service"} | more
    verdict = verdict_for("subscriber", person=SUBSCRIBER, **fields)
    assert (verdict.refusal.code if verdict.refusal else "") == code
    if verdict.admitted:
        assert verdict.subjects == {MINE}
        own, others = (
            place_of(MINE, "box-gz", DAY_AGO),
            place_of(OTHER, "box-gz", DAY_AGO),
        )
        assert verdict.reveals(3, own) and not verdict.reveals(4, own)
        assert not verdict.admits(others) and not verdict.reveals(1, others)


@pytest.mark.parametrize(
    ("unit", "box_ids", "code", "left"),
    [
        ("national", None, "", None),
        ("national", frozenset({"box-gz"}), "", {"box-gz"}),
        ("yn", None, "", {"box-km", "box-dl", "box-01"}),
        ("km", frozenset({"box-km"}), "", {"box-km"}),
        ("km", frozenset({"box-dl"}), "branch", set()),
        ("km", frozenset({"box-km", "box-dl"}), "branch", set()),
        ("gone", None, "", set()),
        ("gone", frozenset({"box-km"}), "branch", set()),
    ],
)
@pytest.mark.parametrize("kind", ["calls", "branches"])
def test_a_unit_bounds_the_branches(
    kind: str, unit: str, box_ids: frozenset[str] | None, code: str, left: set[str] | None
) -> None:
    verdict = verdict_for("manager", person=person("manager", unit_id=unit), kind=kind, box_ids=box_ids)
    assert (verdict.refusal.code if verdict.refusal else "") == code
    assert verdict.box_ids == left
    if left is not None and "box-gz" not in left:
        assert not verdict.admits(Place(frozenset(), "box-gz", DAY_AGO))


def test_without_a_span_the_reading_is_cut_to_the_window() -> None:
    verdict = verdict_for("agent")
    assert verdict.from_utc is not None and days_ago(95) < verdict.from_utc < days_ago(91)
    assert verdict.admits(Place(frozenset(), "box-01", DAY_AGO))
    assert not verdict.admits(Place(frozenset(), "box-01", YEAR_AGO))
    old = verdict.refusal_of(Place(frozenset({"c1"}), "box-01", YEAR_AGO))
    assert old is not None and old.code == "window"
    asked = parse_qs(old.apply)
    assert (asked["about"], asked["from"], asked["until"]) == (["c1"], [YEAR_AGO], [YEAR_AGO])


def test_a_served_customer_is_clear_and_the_others_are_masked() -> None:
    verdict = verdict_for("agent", served=frozenset({MINE}))
    assert verdict.reveals(3, place_of(MINE, "box-01", DAY_AGO))
    assert not verdict.reveals(3, place_of(OTHER, "box-01", DAY_AGO))
    assert not verdict.reveals(4, place_of(MINE, "box-01", DAY_AGO))
    assert not verdict_for("manager", served=frozenset({MINE})).reveals(3, place_of(MINE, "b", DAY_AGO))


@pytest.mark.parametrize(
    ("changes", "admitted"),
    [
        ({}, True),
        ({"user_id": "u2"}, False),
        ({"role": "manager"}, False),  # another post since: apply anew
        ({"purpose": "complaint"}, False),
        ({"kind": "customers"}, False),
        ({"verbs": frozenset({Verb.LISTEN})}, False),
        ({"subjects": frozenset({OTHER})}, False),
        ({"subjects": frozenset({MINE, OTHER})}, True),
        ({"box_ids": frozenset({"box-dl"})}, False),
        ({"box_ids": frozenset({"box-km"})}, True),
        ({"from_utc": days_ago(300)}, False),
        ({"from_utc": days_ago(400)}, True),
        ({"until_utc": days_ago(10)}, False),
        ({"valid_from_utc": to_text(NOON + timedelta(seconds=1))}, False),
        ({"valid_until_utc": to_text(NOON)}, False),
        ({"revoked_utc": to_text(NOON)}, False),
        ({"uses_used": 100}, False),
        ({"rows_used": 1000}, True),  # what was counted may be read again
        ({"uses_used": 100, "last_used_utc": to_text(NOON - timedelta(minutes=9))}, True),
        ({"uses_used": 100, "last_used_utc": to_text(NOON - timedelta(minutes=10))}, False),
        ({"rows_used": 999}, True),
    ],
)
def test_a_grant_answers_what_it_was_given_for_and_nothing_else(
    changes: dict[str, Any], admitted: bool
) -> None:
    question = {"from_utc": YEAR_AGO, "subjects": frozenset({MINE}), "box_ids": frozenset({"box-km"})}
    verdict = verdict_for("agent", [make_grant(**changes)], **question)
    assert verdict.admitted is admitted
    if admitted:
        assert verdict.row_budget == 1000 - changes.get("rows_used", 0)
        assert verdict.subjects == {MINE} and verdict.box_ids == {"box-km"}
        assert verdict.reveals(3, place_of(MINE, "box-km", YEAR_AGO))


def test_a_grant_for_a_number_leaves_every_other_masked() -> None:
    verdict = verdict_for("agent", [make_grant(subjects=frozenset({MINE}))])
    assert verdict.reveals(3, place_of(MINE, "box-dl", DAY_AGO))
    assert verdict.admits(place_of(MINE, "box-dl", YEAR_AGO))
    assert not verdict.reveals(3, place_of(OTHER, "box-dl", DAY_AGO))
    assert not verdict.admits(place_of(OTHER, "box-dl", YEAR_AGO))


@pytest.mark.parametrize(
    ("role", "recorded", "counts"),
    [
        ("authorised_person", {"identity_document", "authorisation"}, True),
        ("authorised_person", {"identity_document"}, False),
        ("authorised_person", {"authorisation"}, False),
        ("authorised_person", set(), False),
        ("partner", {"confidentiality", "data_use"}, True),
        ("partner", {"confidentiality"}, False),
        ("partner", {"data_use", "incident"}, False),
        ("maintainer", {"incident"}, True),
        ("maintainer", set(), False),
        ("judicial", {"procedure"}, True),
        ("judicial", set(), False),
    ],
)
def test_a_grant_counts_only_with_its_documents(role: str, recorded: set[str], counts: bool) -> None:
    grant = make_grant(role, documents=frozenset(recorded), subjects=frozenset({MINE}))
    verdict = verdict_for(role, [grant], person=person(role, numbers=frozenset({MINE})))
    place = place_of(MINE, "box-01", DAY_AGO)
    assert verdict.admits(place) is counts
    assert verdict.reveals(3, place) is (counts and role != "partner")  # CDR-05: masked only


def test_no_grant_shows_a_row_that_was_not_counted() -> None:
    verdict = verdict_for("agent", [make_grant()], from_utc=YEAR_AGO)
    counted, other = place_of(MINE, "box-dl", YEAR_AGO), place_of(MINE, "box-dl", YEAR_AGO, "c2")
    assert verdict.charged_to(other) == verdict.charged_to(counted) is not None
    assert verdict.reveals(3, counted) and not verdict.reveals(3, other) and not verdict.admits(other)
    spent = verdict.refusal_of(other)
    assert spent is not None and spent.code == "spent"
    assert not verdict.admits(place_of(MINE, "box-dl", YEAR_AGO, ""))


def test_what_the_role_shows_anyway_is_charged_to_no_grant() -> None:
    masked = make_grant(clarity=Clarity.MASKED)
    verdict = verdict_for("agent", [masked, make_grant(id="g2", subjects=frozenset({OTHER}))])
    assert verdict.charged_to(place_of(MINE, "box-01", DAY_AGO)) is None
    clear = verdict.charged_to(place_of(OTHER, "box-01", DAY_AGO))
    assert clear is not None and clear.id == "g2"
    served = verdict_for("agent", [make_grant()], served=frozenset({MINE}))
    assert served.charged_to(place_of(MINE, "box-01", DAY_AGO)) is None


def test_a_masked_grant_admits_and_unmasks_nothing() -> None:
    grant = make_grant("partner", clarity=Clarity.MASKED)
    verdict = verdict_for("partner", [grant])
    place = place_of(MINE, "box-01", YEAR_AGO)
    assert verdict.admitted and verdict.admits(place) and not verdict.reveals(3, place)
    assert not verdict.reveals(2, place)  # internal: not for people from outside


@pytest.mark.parametrize("role", ROLES)
def test_no_grant_clears_more_than_the_role_can_be_given(role: str) -> None:
    verdict = verdict_for(role, [make_grant(role, grade=5)])
    place = place_of(MINE, "box-01", DAY_AGO)
    for grade in range(1, 6):
        highest = max(HIGHEST_BY_GRANT[role], *CLEAR_GRADES[role])
        assert verdict.reveals(grade, place) is (grade <= highest and verdict.admitted and grade < 5)


def test_a_grant_reaches_beyond_the_unit_only_where_it_names_a_branch() -> None:
    far = asking("agent", person=person("agent", unit_id="km"), box_ids=frozenset({"box-gz"}))
    assert not judge(far, [make_grant()], YUNNAN, NOON).admitted
    assert judge(far, [make_grant(box_ids=frozenset({"box-gz"}))], YUNNAN, NOON).admitted


def test_windows_are_settings() -> None:
    ask = asking("agent", from_utc=YEAR_AGO)
    assert not judge(ask, (), YUNNAN, NOON).admitted
    assert judge(ask, (), YUNNAN, NOON, Rules(windows={("agent", "web"): 400})).admitted
    assert not judge(replace(ask, from_utc=None), (), YUNNAN, NOON, Rules(windows={})).admitted


@pytest.mark.parametrize("role", [*ROLES, "no such role"])
def test_every_refusal_says_how_to_apply(role: str) -> None:
    refused = 0
    for kind in (*KINDS, "nothing known"):
        for verb in Verb:
            for channel in CHANNELS:
                for purpose in ("", "judicial", "made up"):
                    more = {"kind": kind, "verb": verb, "channel": channel, "purpose": purpose}
                    for span in (None, YEAR_AGO):
                        verdict = verdict_for(role, **more, from_utc=span, subjects=frozenset({OTHER}))
                        if verdict.refusal is None:
                            continue
                        refused += 1
                        asked = parse_qs(verdict.refusal.apply)
                        assert verdict.refusal.sentence == SENTENCES[verdict.refusal.code]
                        assert "appl" in verdict.refusal.sentence.lower()
                        assert asked["actions"] == [verb] and asked["about"] == [OTHER] and asked["kind"]
                        assert ("from" in asked) is (span is not None)
    assert refused > 50


@pytest.mark.parametrize("channel", ["hotline", "counter"])
def test_at_a_hotline_no_grant_shows_anybody_but_who_was_checked(channel: str) -> None:
    """A row of somebody else is refused by itself, even one that was counted against a grant for all."""
    more = {"channel": channel, "checked": SEEN}
    verdict = verdict_for("agent", [make_grant("agent")], **more)
    theirs, of_another = (place_of(one, "box-01", days_ago(1)) for one in (MINE, OTHER))
    assert verdict.admits(theirs) and verdict.reveals(3, theirs)
    assert not verdict.admits(of_another) and not verdict.reveals(3, of_another)
    assert verdict.charged_to(of_another) is None
    refused = verdict.refusal_of(of_another)
    assert refused is not None and refused.code == "identity"
    assert verdict_for("agent", [make_grant("agent")]).admits(of_another), "on the pages the grant is enough"


@pytest.mark.parametrize("role", ["manager", "senior_agent", "regulator"])
def test_a_question_about_somebody_admits_no_row_about_another(role: str) -> None:
    verdict = verdict_for(role, subjects=frozenset({MINE}))
    places = [place_of(one, "box-01", days_ago(1)) for one in (MINE, OTHER)]
    assert [verdict.admits(place) for place in places] == [verdict.admitted, False]


def test_the_tables_name_each_other() -> None:
    assert set(CLEAR_GRADES) == set(HIGHEST_BY_GRANT) == set(PURPOSES_OF) == set(ROLES)
    assert {role for role, _ in WINDOWS} | set(STANDING) | OWN_ONLY <= set(ROLES)
    assert {channel for _, channel in WINDOWS} <= set(CHANNELS)
    assert all(purpose in PURPOSES for purposes in PURPOSES_OF.values() for purpose in purposes)
