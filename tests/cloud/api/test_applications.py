"""Applications and the audit trail over the API: the pages' functions, and their masks."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.cloud.api_bodies import APPLICATION
from tests.cloud.house import House
from tests.cloud.planting import add_application

HERE = "/api/v1/applications"


def send(house: House, client: TestClient, path: str, body: object) -> Any:
    return client.post(f"{HERE}{path}", json=body, headers={"X-CSRF-Token": house.csrf_token(client)})


@pytest.fixture
def agent(house: House) -> TestClient:
    return house.visitor("agent")


def test_handed_in_and_withdrawn(house: House, agent: TestClient) -> None:
    made = send(house, agent, "", APPLICATION)
    assert made.status_code == 201
    one = agent.get(f"{HERE}/{made.json()['id']}").json()
    assert (one["state"], one["about"], one["level"]) == ("submitted", ["138 0013 8000"], 1)
    assert [each["id"] for each in agent.get(HERE).json()] == [made.json()["id"]]
    assert send(house, agent, f"/{one['id']}/withdraw", {}).status_code == 204
    assert agent.get(f"{HERE}/{one['id']}").json()["state"] == "withdrawn"
    again = send(house, agent, f"/{one['id']}/withdraw", {})
    assert again.status_code == 409 and again.json()["detail"]


def test_decided_by_somebody_else_who_sees_the_words_masked(house: House, agent: TestClient) -> None:
    boss = house.visitor("approver_1")
    made = send(house, agent, "", {**APPLICATION, "reason": "the complaint of 13800138000"}).json()["id"]
    (waiting,) = boss.get(f"{HERE}/to-decide").json()["waiting"]
    assert waiting["id"] == made and "13800138000" not in str(waiting)
    assert send(house, agent, f"/{made}/approve", {}).status_code == 409  # nobody decides their own
    assert send(house, boss, f"/{made}/reject", {}).status_code == 409  # without a reason
    assert send(house, boss, f"/{made}/approve", {"remark": "fine"}).status_code == 204
    one = agent.get(f"{HERE}/{made}").json()
    assert one["state"] == "approved" and one["grant"]["rows"] == 20
    assert [step["act"] for step in one["steps"]] == ["submit", "approve"]
    assert house.visitor("agent").get(f"{HERE}/{made}").status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"purpose": "curiosity"},
        {"reason": "x"},
        {"about": ["not a number"]},
        {"about": ["100 %"]},
        {"from": "yesterday"},
        {"actions": []},
        {"hours": 0},
        {"until": "2026-02-01"},
        {"more": 1},
    ],
    ids=str,
)
def test_refused(house: House, agent: TestClient, wrong: dict[str, Any]) -> None:
    assert send(house, agent, "", {**APPLICATION, **wrong}).status_code == 422
    assert agent.get(HERE).json() == []


def test_acts_that_are_none(house: House, agent: TestClient) -> None:
    made = send(house, agent, "", APPLICATION).json()["id"]
    for act in ("submit", "break_glass", "fly"):
        assert send(house, agent, f"/{made}/{act}", {}).status_code == 404
    assert send(house, agent, f"/{add_application(house)}/withdraw", {}).status_code == 404


def test_the_trail_in_pages_and_row_by_row(house: House) -> None:
    reader, admin = house.visitor("agent"), house.visitor("admin")
    for _ in range(5):
        reader.get("/api/v1/calls")
    assert reader.get("/api/v1/audit").status_code == 403
    first = admin.get("/api/v1/audit?kind=calls&limit=2").json()
    second = admin.get(f"/api/v1/audit?kind=calls&limit=2&cursor={first['next']}").json()
    rows = first["rows"] + second["rows"]
    assert len({row["id"] for row in rows}) == 4 and {row["role"] for row in rows} == {"agent"}
    one = admin.get(f"/api/v1/audit/{rows[0]['id']}").json()
    assert one == rows[0] and one["channel"] == "api"
    looked = admin.get("/api/v1/audit?kind=audit").json()["rows"]
    assert len(looked) == 3  # to look at the trail stands in it
    for asked in ("kind=cats", "from=soon", "cursor=x", "limit=0", "limit=201", "x=1"):
        assert admin.get(f"/api/v1/audit?{asked}").status_code == 422, asked
