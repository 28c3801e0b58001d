"""The work bench: which tiles a role has; its figures are bounded as the pages behind them, and noted."""

from __future__ import annotations

import re
from datetime import timedelta

from starlette.testclient import TestClient

from cloud.access.decision import Verb
from cloud.access.roles import ROLES
from cloud.access.units import Unit
from cloud.store import call_counts, people
from cloud.store.database import read, write
from cloud.store.schema import presence, users
from cloud.store.units import add_unit, place_box
from sync.moment import to_text
from tests.cloud.granting import grant_to
from tests.cloud.house import NOON, House
from tests.cloud.planting import add_application, finding_id
from tests.cloud.test_trail import rows as trail_rows
from tests.cloud.verdicts import verdict_for

TITLES = {
    "今日通话": {"agent", "senior_agent", "manager", "account_manager", "admin", "approver_1", "approver_2"},
    "待我审批": {"approver_1", "approver_2"},
    "待处理的错误报告": {"manager", "admin"},
    "未连接的网点": {"manager", "admin", "maintainer"},
    "审计发现": {"admin", "approver_1", "approver_2"},
    "我的授权": set(ROLES),
}


def figure(text: str, title: str) -> str:
    """What stands in the head of a tile."""
    found = re.search(rf"{title}</a></h2><strong[^>]*>([^<]*)<", text)
    assert found, (title, text)
    return found[1]


def put_in_unit(house: House, client: TestClient, unit_id: str) -> None:
    with write(house.parts.engine) as db:
        row = people.find_session(db, client.cookies["session"])
        assert row is not None
        db.execute(users.update().where(users.c.id == row["user_id"]).values(unit_id=unit_id))


def test_each_role_has_its_tiles_and_nothing_is_refused(house: House) -> None:
    house.add_box("box-01", "Dali")
    for role in ROLES:
        before = len(trail_rows(house.parts.engine))
        text = house.visitor(role).get("/").text
        for title, roles in TITLES.items():
            assert (f"{title}</a></h2>" in text) == (role in roles), (role, title)
        rows = trail_rows(house.parts.engine)[before:]
        assert {row["result"] for row in rows} == {"done"}
        private = [bool(row["purpose"]) for row in rows if row["kind"] == "calls"]
        assert private == [True for title in ("今日通话", "待处理的错误报告") if role in TITLES[title]]


def test_todays_calls_of_ones_own_branches(house: House) -> None:
    for box_id, name in (("box-01", "Dali"), ("box-02", "昆明")):
        house.add_box(box_id, name)
    client = house.visitor("agent")
    for fields in (
        {},
        {"outcome": "missed", "started_utc": "2026-03-01T16:00:00.000Z"},  # midnight in Shanghai
        {"started_utc": "2026-03-01T15:59:59.999Z"},
        {"started_utc": "2026-03-02T16:00:00.000Z"},
        {"box_id": "box-02"},
    ):
        house.add_call(**fields)
    text = client.get("/").text
    assert figure(text, "今日通话") == "3" and "未接 <b>1</b>" in text and "12:00 · 2 条通话" in text
    with write(house.parts.engine) as db:
        add_unit(db, Unit("dl", "大理州", "city", "national"))
        place_box(db, "box-01", "dl")
    put_in_unit(house, client, "dl")
    assert figure(client.get("/").text, "今日通话") == "2"


def test_hours_are_counted_right_half_an_hour_off(house: House) -> None:
    """In India a day begins at 18:30 UTC."""
    first = NOON.replace(hour=18, minute=30)
    for minutes in (-1, 0, 29, 59, 60, 24 * 60):
        house.add_call(started_utc=to_text(first + timedelta(minutes=minutes)))
    with read(house.parts.engine) as db:
        hours = call_counts.by_hour(db, verdict_for("admin"), first, 24)
        bounded = call_counts.by_hour(db, verdict_for("manager", box_ids=frozenset({"box-km"})), first, 24)
    assert [one.total() for one in hours] == [3, 1, *[0] * 22]
    assert [one.total() for one in bounded] == [0] * 24


def test_what_waits_is_counted_and_leads_on(house: House) -> None:
    house.add_report(house.add_call())
    finding_id(house)
    manager, approver = house.visitor("manager"), house.visitor("approver_1")
    request_id = add_application(house)
    grant_to(house, manager, "manager", verbs=frozenset({Verb.EXPORT}), rows=20, rows_used=3)
    text = manager.get("/").text
    assert figure(text, "待处理的错误报告") == "1" and 'href="/reports?state=open"' in text
    asked = approver.get("/").text
    assert figure(asked, "待我审批") == "1" and f"/applications/{request_id}" in asked
    assert figure(asked, "审计发现") == "1" and "13976412853" not in asked
    ids = {row["kind"]: row["row_count"] for row in trail_rows(house.parts.engine)[-3:]}
    assert ids["applications"] == 1


def test_branches_that_are_silent_or_not_complete(house: House) -> None:
    for box_id in ("box-01", "box-02", "box-03"):
        house.add_box(box_id, f"<{box_id}>")
    row = {"since_utc": to_text(NOON), "nonce": "n", "boot": "b", "boots_before": "[]", "born": "{}"}
    with write(house.parts.engine) as db:
        db.execute(presence.insert(), [{"box_id": "box-01", "online": True, **row},
                                       {"box_id": "box-02", "online": False, **row}])  # fmt: skip
    house.add_recording(house.add_call())  # announced: not all is here
    client = house.visitor("maintainer")
    text = client.get("/").text
    assert figure(text, "未连接的网点") == "2 / 3" and figure(text, "数据不完整的网点") == "1"
    assert "&lt;box-02&gt;" in text and "/completeness/box-01" in text
    put_in_unit(house, client, "nowhere")
    assert figure(client.get("/").text, "未连接的网点") == "0 / 0"


def test_a_province_sees_no_findings_of_all(house: House) -> None:
    client = house.visitor("approver_1")
    with write(house.parts.engine) as db:
        add_unit(db, Unit("yn", "云南省", "province", "national"))
    put_in_unit(house, client, "yn")
    assert "审计发现" not in client.get("/").text
    assert {row["result"] for row in trail_rows(house.parts.engine)} == {"done"}
