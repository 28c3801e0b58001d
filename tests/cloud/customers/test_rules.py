"""The pure rules of customers: what may be written, the picture, tag rules, merging, a sheet's rows."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.customers import merging, record
from cloud.customers.profile import OnNetwork, expiry, next_expiry, on_network
from cloud.customers.record import Package, changes, check, flat, from_flat
from cloud.customers.tag_rules import (
    FIELDS,
    NUMBERS,
    RuleRefused,
    facts_of,
    from_text,
    holds,
    make_rule,
    to_text,
)
from cloud.customers.taking_in import cells_of, judge
from sync.cells import Source
from sync.particulars import Contact, Particulars, Unfit
from tests.cloud.customers.people import full_record
from tests.cloud.customers.people import record as made

TODAY = date(2026, 3, 2)


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"state": "gone"}, "no_such_state"),
        ({"consumption": "lots"}, "no_such_consumption"),
        ({"joined_on": "2026-02-30"}, "no_day"),
        ({"joined_on": "20260203"}, "no_day"),
        ({"email": "zhang"}, "no_email"),
        ({"identity": "53 01-02"}, "no_identity"),
        ({"bank": "1234"}, "no_bank"),
        ({"region": "云" * 61}, "too_long"),
        ({"packages": (Package("pigeon"),)}, "no_such_service"),
        ({"packages": (Package("tv", expires_on="soon"),)}, "no_day"),
        ({"packages": (Package("tv", "", "2026-02-03", "2026-02-02"),)}, "ends_before"),
        ({"packages": (Package("tv"),) * 21}, "too_many_packages"),
        ({"what": Particulars("  ")}, "no_name"),
        ({"what": Particulars("王", numbers=("abc",))}, "not_a_number"),
    ],
)
def test_what_cannot_be_is_refused(fields: dict[str, object], fault: str) -> None:
    assert fault in record.FAULTS or "what" in fields
    with pytest.raises(Unfit, match=fault):
        check(replace(full_record(), **fields))  # type: ignore[arg-type]


def test_a_record_is_trimmed() -> None:
    assert check(
        made("王", identity=" 53010219900307123x ", bank="6222 0212 3456 7890", region=" 云南 ")
    ) == made("王", identity="53010219900307123X", bank="6222021234567890", region="云南")


def test_a_record_survives_json() -> None:
    assert from_flat(json.loads(json.dumps(flat(full_record())))) == full_record()


def test_a_change_names_what_differs_and_nothing_else() -> None:
    assert changes(full_record(), full_record()) == {}
    assert changes(made("王"), made("李", region="云南")) == {"name": ["王", "李"], "region": ["", "云南"]}


@pytest.mark.parametrize(
    ("joined", "since"),
    [
        ("", None),
        ("2026-03-03", None),
        ("2026-03-02", OnNetwork(0, 0)),
        ("2026-02-02", OnNetwork(0, 1)),
        ("2026-02-03", OnNetwork(0, 0)),
        ("2020-03-02", OnNetwork(6, 0)),
        ("2020-02-29", OnNetwork(6, 0)),
        ("2019-12-31", OnNetwork(6, 2)),
    ],
)
def test_time_on_the_network(joined: str, since: OnNetwork | None) -> None:
    assert on_network(joined, TODAY) == since


@pytest.mark.parametrize(
    ("ends", "state"),
    [
        ("", "open"),
        ("2026-03-01", "over"),
        ("2026-03-02", "soon"),
        ("2026-04-01", "soon"),
        ("2026-04-02", "running"),
    ],
)
def test_when_a_package_runs_out(ends: str, state: str) -> None:
    assert expiry(ends, TODAY) == state


def test_the_next_expiry_is_the_first_that_is_not_over() -> None:
    assert next_expiry(["2026-03-01", "2027-01-01", "2026-05-01", ""], TODAY) == "2026-05-01"
    assert next_expiry(["2026-03-01"], TODAY) == ""


ROW = {
    "kind": "enterprise",
    "state": "active",
    "consumption": "high",
    "region": "云南昆明",
    "industry": "批发",
    "remark": "可能转网",
    "joined_on": "2024-03-02",
}
PACKAGES = [{"service": "broadband", "name": "500M", "expires_on": "2026-03-22"}]
FACTS = facts_of(ROW, "重点", PACKAGES, 2, TODAY)


@pytest.mark.parametrize(
    ("rows", "held"),
    [
        ([("consumption", "is", "high")], True),
        ([("consumption", "is_not", "high")], False),
        ([("consumption", "is", "high"), ("kind", "is", "individual")], False),
        ([("consumption", "is", "high"), ("kind", "is", "enterprise")], True),
        ([("region", "contains", "昆明")], True),
        ([("region", "is", "昆明")], False),
        ([("remark", "contains", "转网")], True),
        ([("class", "is", "重点")], True),
        ([("service", "is", "broadband")], True),
        ([("service", "is_not", "tv")], True),
        ([("package", "contains", "500")], True),
        ([("months_on_network", "at_least", "24")], True),
        ([("months_on_network", "at_least", "25")], False),
        ([("expires_in_days", "at_most", "20")], True),
        ([("expires_in_days", "at_most", "19")], False),
        ([("numbers", "at_least", "2")], True),
        ([("packages", "at_least", "2")], False),
    ],
)
def test_a_rule_holds_or_does_not(rows: list[tuple[str, str, str]], held: bool) -> None:
    rule = make_rule(rows)
    assert holds(rule, FACTS) is held
    assert from_text(to_text(rule)) == rule


def test_what_is_not_known_makes_no_rule_hold() -> None:
    facts = facts_of(ROW | {"joined_on": ""}, "", [], 0, TODAY)
    assert not holds(make_rule([("months_on_network", "at_most", "5")]), facts)
    assert not holds(make_rule([("expires_in_days", "at_most", "5")]), facts)
    assert not holds((), facts)


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ([], "no_condition"),
        ([("", "is", "x")], "no_condition"),
        ([("identity", "is", "5")], "no_such_field"),
        ([("__class__", "is", "5")], "no_such_field"),
        ([("kind", "contains", "x")], "no_such_comparison"),
        ([("numbers", "is", "2")], "no_such_comparison"),
        ([("region", "is", " ")], "no_value"),
        ([("region", "is", "云" * 61)], "no_value"),
        ([("numbers", "at_least", "two")], "no_number"),
        ([("numbers", "at_least", "-1")], "no_number"),
        ([("numbers", "at_least", "９")], "no_number"),
        ([("region", "is", "x")] * 6, "too_many_conditions"),
    ],
)
def test_a_rule_that_means_nothing_is_refused(rows: list[tuple[str, str, str]], fault: str) -> None:
    with pytest.raises(RuleRefused, match=fault):
        make_rule(rows)


@given(
    st.text() | st.sampled_from(["[]", "{}", '{"all": 1}', '{"all": [1]}', '{"all": [{"field": "kind"}]}'])
)
def test_a_text_that_is_no_rule_is_refused_or_none(text: str) -> None:
    try:
        assert from_text(text) == () or text
    except RuleRefused as refused:
        assert str(refused)


def test_rules_look_at_nothing_sensitive() -> None:
    assert set(FIELDS).isdisjoint(record.SENSITIVE)
    facts = set(FACTS.words) | set(FACTS.numbers)
    assert facts == set(FIELDS)
    assert {name for name, ways in FIELDS.items() if ways == NUMBERS} == set(FACTS.numbers)


def test_two_records_become_one() -> None:
    kept = made("王小明", "13800138000", region="云南", tags=("甲",), contacts=(Contact("李", "财务"),))
    other = made(
        "王晓明",
        "13800138000",
        "0871-65123456",
        region="昆明",
        email="w@example.cn",
        tags=("乙", "甲"),
        contacts=(Contact("李", "财务", ("95588",), 2), Contact("张")),
    )
    assert {one.field for one in merging.differences(kept, other)} == {"name", "region"}
    one = merging.merged(kept, other, {"region": "other", "name": "neither"})
    assert one == made(
        "王小明",
        "13800138000",
        "0871-65123456",
        region="昆明",
        email="w@example.cn",
        tags=("甲", "乙"),
        contacts=(Contact("李", "财务", ("95588",), 2), Contact("张")),
    )


def test_nothing_of_either_is_lost_in_a_merge() -> None:
    one, two = full_record(), made("李四", "13911112222", remark="另一个")
    for choices in ({}, dict.fromkeys(merging.CHOSEN, "other")):
        whole = merging.merged(one, two, choices)
        for number in (*one.what.all_numbers, *two.what.all_numbers):
            assert number in whole.what.all_numbers
        assert whole.packages == one.packages
        assert (whole.identity, whole.what.address) == (one.identity, one.what.address)


def cells(**given: str) -> list[str]:
    base = {"id": "", "kind": "", "name": "王", "numbers": "13800138000"}
    row = base | dict.fromkeys(
        ("contacts", "address", "industry", "tags", "remark", "employee", "group", "created"), ""
    )
    return list((row | given).values())


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (cells(), ""),
        (cells(id="abc-1", created="2026-03-02T04:00:00.000Z"), ""),
        (cells(name=" "), "no_name"),
        (cells(kind="飞船"), "no_such_kind"),
        (cells(numbers="x"), "not_a_number"),
        (cells(id="../etc"), "bad_id"),
        (cells(id="known"), "known_id"),
        (cells(created="yesterday"), "no_time"),
        (cells(contacts="|采购|13800138000"), "contact_without_name"),
    ],
)
def test_a_row_of_a_sheet_is_judged(row: list[str], fault: str) -> None:
    (one,) = judge([row], {"known"})
    assert one.fault == fault
    assert (one.record is None) == bool(fault)


def test_an_id_comes_once() -> None:
    assert [one.fault for one in judge([cells(id="a"), cells(id="a"), cells()], set())] == [
        "",
        "id_twice",
        "",
    ]


def test_what_a_sheet_says_comes_back_from_its_cells() -> None:
    source = Source("abc", "8001", "一组", "2026-03-02T04:00:00.000Z")
    (one,) = judge([cells_of(full_record(), source)], set())
    assert one.source == source
    assert one.record is not None
    assert one.record.what == full_record().what
