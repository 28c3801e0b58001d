"""Quick commands: what they find, masked and bounded as the lists, with an audit row for each look."""

from __future__ import annotations

import pytest

from cloud.access.limits import LIMITS
from cloud.access.log import Action
from tests.cloud.house import House
from tests.cloud.test_trail import rows as trail_rows


@pytest.mark.parametrize(
    ("typed", "path"), [("通话", "/calls"), ("calls", "/calls"), ("COMPLETE", "/completeness")]
)
def test_pages_by_either_name(house: House, typed: str, path: str) -> None:
    text = house.visitor("manager").get("/quick", params={"q": typed}).text
    assert f'<a href="{path}">' in text


def test_with_nothing_typed_the_pages_of_the_role_and_no_look(house: House) -> None:
    text = house.visitor("agent").get("/quick").text
    assert 'href="/customers"' in text and 'href="/branches"' not in text
    assert trail_rows(house.parts.engine) == []


def test_customers_and_calls_masked_and_noted(house: House) -> None:
    house.add_box("box-01", "Dali")
    customer, call = house.add_customer("王小明", "13800138000"), house.add_call(caller_name="王小明")
    client = house.visitor("manager")
    text = client.get("/quick", params={"q": "小明"}).text
    assert f"/customers/{customer}" in text and "王小明" not in text and f"/calls/{call}" not in text
    text = client.get("/quick", params={"q": "138 0013 8000"}).text
    assert f"/customers/{customer}" in text and f"/calls/{call}" in text and "138****8000" in text
    assert "13800138000" not in text.replace(" ", "")
    said = [(row["kind"], row["action"], row["row_count"]) for row in trail_rows(house.parts.engine)]
    assert said == [
        ("customers", "search", 1),
        ("customers", "search_number", 1),
        ("calls", "search_number", 1),
    ]
    assert all(row["purpose"] == "quality" for row in trail_rows(house.parts.engine))


def test_who_is_not_served_is_not_found(house: House) -> None:
    call = house.add_call()
    text = house.visitor("agent").get("/quick", params={"q": "13800138000"}).text
    assert f"/calls/{call}" not in text and "该客户不由您服务" in text
    assert trail_rows(house.parts.engine)[-1]["reason"] == "served"


def test_there_are_few_and_a_way_to_all(house: House) -> None:
    for _ in range(7):
        house.add_call()
    text = house.visitor("manager").get("/quick", params={"q": "8000"}).text
    assert text.count('href="/calls/') == 5 and 'href="/calls?party=8000"' in text


def test_hidden_digits_are_not_tried_out_and_not_too_often(house: House) -> None:
    house.add_call()
    client = house.visitor("agent")
    text = client.get("/quick", params={"q": "00138000"}).text
    assert "/calls/" not in text and "号码对您已脱敏" in text
    for number in range(LIMITS[Action.SEARCH_NUMBER].most + 1):
        answer = client.get("/quick", params={"q": f"1380013{number:04}"})
    assert answer.status_code == 200 and "稍" in answer.text


@pytest.mark.parametrize("role", ["maintainer", "partner", "subscriber"])
def test_who_reads_nothing_without_a_grant_is_told_pages_only(house: House, role: str) -> None:
    house.add_customer("王小明", "13800138000")
    house.add_call()
    text = house.visitor(role).get("/quick", params={"q": "13800138000"}).text
    assert "/calls/" not in text and "/customers/" not in text and trail_rows(house.parts.engine) == []
