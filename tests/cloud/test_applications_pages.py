"""Applying, deciding and reading with a grant, through the pages, as people do it."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from cloud.access.roles import ROLES
from cloud.store.access_tables import access_requests
from cloud.store.database import read
from cloud.store.schema import access_log
from cloud.web.applying import read_subjects
from sync.moment import to_text
from tests.cloud.house import NOON, House

NUMBER = "13800138000"
YEAR_AGO = to_text(NOON - timedelta(days=365))
FORM = {
    "kind": "calls",
    "purpose": "complaint",
    "reason": "客户投诉，核对去年的通话",
    "about": NUMBER,
    "from": "2025-03-02",
    "until": "2026-03-01",
    "actions": "view",
    "clarity": "clear",
    "rows": "20",
    "hours": "8",
}


def post(house: House, client: TestClient, path: str, **fields: object) -> str:
    """Send a form of ours; the answer's address, or the page it shows."""
    token = house.csrf_token(client)
    answer = client.post(path, data={"csrf_token": token, **fields})
    assert answer.status_code in (200, 303, 409, 422), answer.text
    return answer.headers.get("location") or html.unescape(answer.text)


def state_of(house: House, path: str) -> str:
    with read(house.parts.engine) as connection:
        states = select(access_requests.c.state).where(access_requests.c.id == path.rsplit("/", 1)[1])
        return str(connection.execute(states).scalar_one())


def test_from_a_refusal_to_the_clear_number_and_back(house: House) -> None:
    """Acceptance 6: refused, applied, approved by a second person, seen until the grant lapses."""
    call_id = house.add_call(started_utc=YEAR_AGO)
    agent, approver = house.visitor("agent"), house.visitor("approver_1")
    refused = agent.get(f"/calls/{call_id}")
    assert refused.status_code == 403
    link = html.unescape(re.findall(r'href="(/applications/new[^"]+)"', refused.text)[0])
    form = agent.get(link)
    assert form.status_code == 200 and call_id in form.text

    path = post(house, agent, "/applications", **FORM)
    assert state_of(house, path) == "submitted"
    assert agent.get(f"/calls/{call_id}").status_code == 403  # nothing is given yet
    waiting = approver.get("/applications/to-decide").text
    assert path in waiting and "核对去年的通话" in waiting
    seen = approver.get(path).text
    assert "138****8000" in seen and NUMBER not in seen
    assert post(house, approver, f"{path}/approve", remark="可以") == path
    assert state_of(house, path) == "approved"

    assert agent.get(f"/calls/{call_id}").status_code == 403  # not for this purpose
    post(house, agent, "/purpose", purpose="complaint", back="/calls")
    assert "138 0013 8000" in agent.get(f"/calls/{call_id}").text
    house.clock.advance(8 * 3600)
    again = house.visitor("agent")
    assert again.get(f"/calls/{call_id}").status_code == 403


def grant_for(house: House, client: TestClient, approver: TestClient | None = None, **fields: str) -> str:
    """A grant that needs one approval, given; the application's path."""
    path = post(house, client, "/applications", **FORM | fields)
    post(house, approver or house.visitor("approver_1"), f"{path}/approve")
    post(house, client, "/purpose", purpose=fields.get("purpose", "complaint"), back="/calls")
    return path


def test_a_lapsed_and_a_revoked_grant_answer_no_more(house: House) -> None:
    call_id = house.add_call(started_utc=YEAR_AGO)
    agent, approver = house.visitor("agent"), house.visitor("approver_1")
    path = grant_for(house, agent, approver, hours="2")
    assert agent.get(f"/calls/{call_id}").status_code == 200
    post(house, approver, f"{path}/revoke", remark="误批")
    assert agent.get(f"/calls/{call_id}").status_code == 403
    grant_for(house, agent, approver, hours="2")
    assert "138 0013 8000" in agent.get(f"/calls/{call_id}").text
    for _ in range(3):
        house.clock.advance(45 * 60)
        answer = agent.get(f"/calls/{call_id}")
    assert answer.status_code == 403


def test_a_grant_shows_as_many_records_as_were_approved(house: House) -> None:
    for hour in range(5):
        house.add_call(started_utc=to_text(NOON - timedelta(hours=hour + 1)))
    agent = house.visitor("agent")
    grant_for(house, agent, rows="3", **{"from": "2026-01-01", "until": "2026-03-03"})
    for _ in range(2):  # the same three again
        assert agent.get("/calls").text.count("138 0013 8000") == 3
        assert agent.get("/calls").text.count("138****8000") == 2


def test_a_grant_is_for_one_number_and_one_person(house: House) -> None:
    house.add_call()
    house.add_call(caller_number="13912345678")
    agent, other = house.visitor("agent"), house.visitor("agent")
    grant_for(house, agent, **{"from": "2026-01-01", "until": "2026-03-03"})
    post(house, other, "/purpose", purpose="complaint", back="/calls")
    assert "138 0013 8000" in agent.get("/calls").text and "139****5678" in agent.get("/calls").text
    assert "138 0013 8000" not in other.get("/calls").text


def test_a_manager_needs_nobody_for_one_number(house: House) -> None:
    house.add_call()
    manager = house.visitor("manager")
    fields = {"purpose": "quality", "from": "2026-02-01", "until": "2026-03-03"}
    path = post(house, manager, "/applications", **FORM | fields)
    assert state_of(house, path) == "approved"
    assert "138 0013 8000" in manager.get("/calls").text


def test_the_pages_of_a_manager_are_masked_without(house: House) -> None:
    call_id = house.add_call(caller_name="王小明")
    manager = house.visitor("manager")
    page = manager.get(f"/calls/{call_id}").text
    assert "138****8000" in page and "王**" in page and "小明" not in page
    assert f"about={call_id}" in page  # the way to apply


def test_from_a_masked_call_to_its_number_in_one_form(house: House) -> None:
    call_id = house.add_call()
    other = house.add_call()
    manager = house.visitor("manager")
    link = re.findall(r'href="(/applications/new[^"]+)"', manager.get(f"/calls/{call_id}").text)[0]
    form = manager.get(html.unescape(link)).text
    fields = dict(re.findall(r'name="(from|until|rows)"[^>]*value="([^"]*)"', form))
    answers = {"kind": "calls", "purpose": "quality", "reason": "质检抽查", "hours": "2", "actions": "view"}
    path = post(house, manager, "/applications", **answers, **fields, about=call_id, clarity="clear")
    assert state_of(house, path) == "approved"
    assert "138 0013 8000" in manager.get(f"/calls/{call_id}").text
    assert "138 0013 8000" not in manager.get(f"/calls/{other}").text


def test_breaking_the_glass(house: House) -> None:
    house.add_call()
    manager, approver = house.visitor("manager"), house.visitor("approver_1")
    assert "138 0013 8000" not in manager.get("/calls").text
    path = post(house, manager, "/applications/break-glass", reason="有人被困，需要回拨", about=NUMBER)
    assert "138 0013 8000" in manager.get("/calls").text
    told = approver.get("/applications/to-decide").text
    assert path in told and '<b class="count">1</b>' in told
    assert post(house, manager, f"{path}/review").startswith("<!doctype")  # not one's own
    assert post(house, approver, f"{path}/review", remark="属实") == path
    assert path not in approver.get("/applications/to-decide").text
    with read(house.parts.engine) as connection:
        deeds = connection.execute(
            select(access_log.c.action).where(access_log.c.object_id == path.split("/")[2])
        )
        assert [row[0] for row in deeds] == ["break_glass", "update", "update"]  # one was refused


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"reason": ""}, "请说明原因"),
        ({"about": "hello"}, "不是号码或编号：hello"),
        ({"about": "<script>alert(1)</script>"}, "不是号码或编号"),
        ({"from": "yesterday"}, "日期格式"),
        ({"rows": "many"}, "至少为 1"),
        ({"rows": "9" * 40}, "至少为 1"),
        ({"hours": "-1"}, "至少为 1"),
        ({"actions": "destroy"}, "请选择要查看的内容"),
        ({"kind": "audit"}, "请选择要查看的内容"),
        ({"purpose": "judicial"}, "请选择您的角色可用的目的"),
        ({"sensitive": "yes"}, "申请脱敏查看"),
    ],
)
def test_what_cannot_be_handed_in_is_said_and_nothing_is_kept(
    house: House, fields: dict[str, str], sentence: str
) -> None:
    agent = house.visitor("agent")
    answer = agent.post("/applications", data={"csrf_token": house.csrf_token(agent)} | FORM | fields)
    assert answer.status_code == 422 and sentence in html.unescape(answer.text)
    assert "<script>alert" not in answer.text
    with read(house.parts.engine) as connection:
        assert connection.execute(select(access_requests)).first() is None


def test_strangers_see_no_application(house: House) -> None:
    path = post(house, house.visitor("agent"), "/applications", **FORM)
    for role in ("agent", "manager", "maintainer", "partner", "judicial"):
        assert house.visitor(role).get(path).status_code == 404, role
        other = house.visitor(role)
        answer = other.post(f"{path}/approve", data={"csrf_token": house.csrf_token(other)})
        assert answer.status_code == 404
    assert house.visitor("approver_2").get(path).status_code == 200
    assert state_of(house, path) == "submitted"


@pytest.mark.parametrize("act", ["submit", "break_glass", "delete", "APPROVE"])
def test_there_are_no_other_acts(house: House, act: str) -> None:
    agent = house.visitor("agent")
    path = post(house, agent, "/applications", **FORM)
    answer = agent.post(f"{path}/{act}", data={"csrf_token": house.csrf_token(agent)})
    assert answer.status_code == 404


def test_a_decision_that_cannot_be_is_said_on_the_page(house: House) -> None:
    agent = house.visitor("agent")
    path = post(house, agent, "/applications", **FORM)
    assert "您不能审批" in post(house, agent, f"{path}/approve")
    assert "请填写原因" in post(house, house.visitor("approver_1"), f"{path}/reject", remark=" ")
    assert post(house, agent, f"{path}/withdraw") == path
    assert "该申请已处理" in post(house, house.visitor("approver_1"), f"{path}/approve")


def test_handed_on_and_added_by_the_page(house: House) -> None:
    first = house.visitor("approver_1")
    agent = house.visitor("agent")
    path = post(house, agent, "/applications", **FORM)
    second = house.visitor("approver_1")
    other = re.findall(r'<option value="([^"]+)">approver_1', first.get(path).text)
    assert post(house, first, f"{path}/add_sign", other=other[0]) == path
    post(house, first, f"{path}/approve")
    assert state_of(house, path) == "submitted"
    post(house, second, f"{path}/approve")
    assert state_of(house, path) == "approved"
    assert "加签" in agent.get(path).text


def test_without_an_approver_it_waits_and_says_so(house: House) -> None:
    agent = house.visitor("agent")
    path = post(house, agent, "/applications", **FORM)
    assert "没有审批人" in agent.get(path).text
    approver = house.visitor("approver_1")
    assert path in approver.get("/applications/to-decide").text  # asked as soon as there is one
    assert "没有审批人" not in agent.get(path).text


@pytest.mark.parametrize("role", [role for role in ROLES if role != "admin"])
@pytest.mark.parametrize("path", ["/calls", "/quarantine", "/branches", "/api/v1/calls"])
def test_every_refusal_of_a_page_leads_to_an_application(house: House, role: str, path: str) -> None:
    client = house.visitor(role)
    answer = client.get(path, params={"from": "2024-01-01"} if "calls" in path else {})
    if answer.status_code == 403:
        found = re.findall(r"/applications/new[^\"]*", html.unescape(answer.text))
        assert found and client.get(found[0]).status_code == 200
    else:
        assert answer.status_code == 200 and "calls" not in path


@pytest.mark.parametrize(
    ("text", "subjects", "strange"),
    [
        ("13800138000", {"+8613800138000"}, []),
        ("138 0013 8000", {"+8613800138000"}, []),
        ("13800138000 13912345678", {"+8613800138000", "+8613912345678"}, []),
        ("13800138000，0871-65123456\n95588", {"+8613800138000", "+8687165123456", "95588"}, []),
        ("019a0000-0000-7000-8000-000000000001", {"019a0000-0000-7000-8000-000000000001"}, []),
        ("local:65123456", {"local:65123456"}, []),
        ("", set(), []),
        ("hello 13800138000", {"+8613800138000"}, ["hello"]),
    ],
)
def test_what_an_application_is_about(text: str, subjects: set[str], strange: list[str]) -> None:
    assert read_subjects(text) == (subjects, strange)
