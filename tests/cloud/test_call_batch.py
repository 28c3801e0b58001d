"""What is done with ticked calls, filters kept under a name, and the call beside the list."""

from __future__ import annotations

import json
from typing import Any

import pytest
from httpx import Response
from starlette.testclient import TestClient

from cloud.access.units import Unit
from cloud.store import call_notes, call_reports, people, trail
from cloud.store.database import read, write
from cloud.store.saved_filters import MOST_FILTERS
from cloud.store.schema import users
from cloud.store.units import add_unit, place_box
from tests.cloud.house import House
from tests.cloud.test_trail import rows as trail_rows


def do(house: House, client: TestClient, path: str, **fields: Any) -> Response:
    return client.post(path, data={"csrf_token": house.csrf_token(client)} | fields)


def flags(house: House, call_id: str) -> frozenset[str]:
    with read(house.parts.engine) as db:
        return call_notes.flags_of(db, call_id)


@pytest.fixture
def two(house: House) -> list[str]:
    """Two calls of box-01."""
    house.add_box("box-01", "Dali")
    return [house.add_call(), house.add_call()]


def test_each_act_is_done_with_all_and_is_one_audit_row(house: House, two: list[str]) -> None:
    client = house.visitor("agent")
    for act, text, there in (
        ("tag", "VIP，回访", {"tag:VIP", "tag:回访"}),
        ("untag", "VIP", {"tag:回访"}),
        ("star", "", {"tag:回访", "star"}),
        ("report", "not a missed call", {"tag:回访", "star", "report"}),
    ):
        answer = do(house, client, "/calls/batch", act=act, text=text, id=two, back="/calls?direction=in")
        assert (answer.status_code, answer.headers["location"]) == (303, "/calls?direction=in&done=2")
        assert [flags(house, one) for one in two] == [there, there]
        row = trail_rows(house.parts.engine)[-1]
        assert (row["action"], row["row_count"], row["purpose"]) == ("update", 2, "service")
        assert set(trail.ids_in(row["ids"])) == set(two) and json.loads(row["query"]) == {"batch": act}
    with read(house.parts.engine) as db:
        assert [row["text"] for row in call_reports.of_call(db, two[0])] == ["not a missed call"]
    assert "已处理 2 条通话" in client.get("/calls?done=2").text


def test_nothing_is_half_done(house: House, two: list[str]) -> None:
    client = house.visitor("agent")
    for number in range(5):
        text = ",".join(f"t{number}{one}" for one in "ab")
        assert do(house, client, "/calls/batch", act="tag", text=text, id=two[:1]).status_code == 303
    refused = [
        ({"act": "tag", "text": "one too many", "id": [two[1], two[0]]}, 409),
        ({"act": "tag", "text": "", "id": two}, 422),
        ({"act": "tag", "text": "x" * 25, "id": two}, 422),
        ({"act": "report", "text": "x" * 1001, "id": two}, 422),
        ({"act": "star"}, 422),
        ({"act": "burn", "id": two}, 422),
        ({"act": "star", "id": ["no such call", *two]}, 404),
        ({"act": "star", "id": [f"c{number}" for number in range(201)]}, 422),
    ]
    for fields, status in refused:
        assert do(house, client, "/calls/batch", **fields).status_code == status, fields
    assert flags(house, two[1]) == frozenset()
    assert do(house, house.visitor("approver_1"), "/calls/batch", act="star", id=two).status_code == 403


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example", "/\\evil"])
def test_it_leads_back_to_this_site_only(house: House, two: list[str], back: str) -> None:
    answer = do(house, house.visitor("agent"), "/calls/batch", act="star", id=two, back=back)
    assert answer.headers["location"] == "/?done=2"


def test_a_call_of_another_part_of_the_organisation_stops_all(house: House, two: list[str]) -> None:
    client = house.visitor("agent")
    with write(house.parts.engine) as db:
        add_unit(db, Unit("dl", "大理州", "city", "national"))
        place_box(db, "box-01", "dl")
        row = people.find_session(db, client.cookies["session"])
        assert row is not None
        db.execute(users.update().where(users.c.id == row["user_id"]).values(unit_id="dl"))
    elsewhere = house.add_call(box_id="box-02")
    assert do(house, client, "/calls/batch", act="star", id=[*two, elsewhere]).status_code == 403
    assert flags(house, two[0]) == frozenset()
    assert do(house, client, "/calls/batch", act="star", id=two).status_code == 303


def test_the_drawer_is_masked_and_noted(house: House, two: list[str]) -> None:
    house.add_recording(two[0], b"fLaC")
    text = house.visitor("agent").get(f"/calls/{two[0]}/drawer").text
    assert "138****8000" in text and "13800138000" not in text and "<audio" in text and "<html" not in text
    row = trail_rows(house.parts.engine)[-1]
    assert (row["action"], row["object_id"], row["row_count"]) == ("view", two[0], 1)
    assert house.visitor("agent").get("/calls/none/drawer").status_code == 404


def test_a_filter_is_kept_renewed_shown_to_its_owner_and_deleted(house: House, two: list[str]) -> None:
    client, other = house.visitor("agent"), house.visitor("agent")
    fields = {"direction": "in", "party": "5678", "sort": "", "cursor": "x"}
    for days in ("today", "yesterday"):  # the second under the same name takes its place
        answer = do(house, client, "/calls/filters", name="<未接>", days=days, **fields)
        assert answer.headers["location"] == f"/calls?party=5678&direction=in&days={days}"
    text = client.get("/calls").text
    assert "/calls?party=5678&amp;direction=in&amp;days=yesterday" in text and "&lt;未接&gt;" in text
    assert "days=today" not in text and "days=yesterday" not in other.get("/calls").text
    filter_id = text.split("/calls/filters/")[1].split("/")[0]
    assert do(house, other, f"/calls/filters/{filter_id}/delete").status_code == 404
    assert do(house, client, f"/calls/filters/{filter_id}/delete").status_code == 303
    assert "days=yesterday" not in client.get("/calls").text


def test_a_filter_takes_a_name_and_a_question_and_there_are_not_many(house: House) -> None:
    client = house.visitor("agent")
    for fields in ({"name": " ", "days": "today"}, {"name": "all"}, {"name": "x" * 25, "days": "today"}):
        assert do(house, client, "/calls/filters", **fields).status_code == 422
    kept = [do(house, client, "/calls/filters", name=f"{n}", days="today") for n in range(MOST_FILTERS + 1)]
    assert [answer.status_code for answer in kept] == [303] * MOST_FILTERS + [409]
