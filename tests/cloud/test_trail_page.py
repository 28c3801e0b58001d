"""The audit page: filters, pages that follow each other, particulars masked, export, findings to review."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from cloud import reading
from cloud.access import trail_shape
from cloud.access.decision import SENTENCES
from cloud.access.kinds import KINDS
from cloud.access.log import Action, Actor
from cloud.access.patterns import Suspicion
from cloud.access.units import Unit
from cloud.store import findings, people, trail, units
from cloud.store.database import read, write
from cloud.store.schema import trail as tables
from cloud.web import trail as trail_page
from cloud.web import words
from cloud.worker import Works, look_for_patterns
from sync.ids import id_at
from sync.moment import to_text
from tests.cloud.house import NOON, House, open_house
from tests.cloud.test_trail import add, rows

LI = Actor("u2", "li", "agent", "national", "s2", "10.0.0.7", "Chrome", "api", "t2")


@pytest.fixture
def filled(house: House) -> House:
    """Six rows of two people on two days."""
    house.add_box("box-01", "Dali")
    engine = house.parts.engine
    day_before = to_text(NOON - timedelta(days=1))
    add(engine, 1, day_before, object_id="old")
    add(engine, 1, action=Action.PLAY, kind="recordings", object_id="r1", box_id="box-01")
    add(engine, 1, actor=LI, action=Action.EXPORT, purpose="complaint", row_count=0)
    add(engine, 1, actor=LI, action=Action.SEARCH_NUMBER, query={"party": "13976412853"})
    add(engine, 1, actor=LI, action=Action.VIEW, refusal="window", object_id="late")
    changes = {
        "caller_number": ("13976412853", "087168943127"),
        "secret": ("a", "b"),
        "outcome": (None, "busy"),
    }
    add(engine, 1, action=Action.UPDATE, object_id="changed", changes=changes, fields=("outcome",))
    return house


def objects(text: str) -> list[str]:
    """The links to rows, as they stand on the page."""
    return re.findall(r'href="/audit/([0-9a-f-]{36})"', text)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 6),
        ("person=li", 3),
        ("person=L", 0),
        ("action=play", 1),
        ("kind=recordings", 1),
        ("object=late", 1),
        ("result=refused", 1),
        ("result=done&person=li", 2),
        ("branch=box-01", 1),
        ("purpose=complaint", 1),
        ("from=2026-03-02", 5),
        ("to=2026-03-01", 1),
        ("from=2026-03-03", 0),
        ("person=' OR 1=1 --", 0),
        ("person=%3Cscript%3Ealert(1)%3C/script%3E", 0),
        ("unknown=x", 6),
    ],
)
def test_rows_are_filtered(filled: House, query: str, count: int) -> None:
    answer = filled.visitor("admin").get(f"/audit?{query}")
    assert answer.status_code == 200
    assert len(objects(answer.text)) == count * 1
    assert "<script>alert" not in answer.text


@pytest.mark.parametrize(
    "query", ["action=x", "result=maybe", "from=today", "to=2026-13-01", "after=x", "after=' --"]
)
def test_a_filter_that_means_nothing_is_refused(filled: House, query: str) -> None:
    answer = filled.visitor("admin").get(f"/audit?{query}")
    assert answer.status_code == 422 and 'role="alert"' in answer.text
    assert objects(answer.text) == []
    assert filled.visitor("admin").get(f"/audit/export?{query}").status_code in (422, 200)


def test_pages_follow_each_other_without_a_gap(house: House) -> None:
    add(house.parts.engine, 120)
    client, path, seen = house.visitor("admin"), "/audit?person=wang", []
    while path:
        text = client.get(path).text
        seen += objects(text)
        onward = re.search(r'class="onward" href="([^"]+)"', text)
        path = onward[1].replace("&amp;", "&") if onward else ""
    assert len(seen) == len(set(seen)) == 120
    assert seen == sorted(seen, reverse=True)


def test_what_was_searched_and_changed_is_masked(filled: House) -> None:
    client = filled.visitor("admin")
    text = client.get("/audit").text
    assert "139****2853" in text and "13976412853" not in text
    row = next(row for row in rows(filled.parts.engine) if row["object_id"] == "changed")
    for headers in ({}, {"HX-Request": "true"}):
        detail = client.get(f"/audit/{row['id']}", headers=headers).text
        assert "139****2853" in detail and "0871-******27" in detail and "busy" in detail
        assert "13976412853" not in detail and ">a<" not in detail  # what nobody graded is hidden
        assert ("<html" in detail) == (not headers)


@pytest.mark.parametrize("role", ["agent", "manager", "maintainer", "partner", "subscriber"])
def test_the_audit_is_guarded(filled: House, role: str) -> None:
    client = filled.visitor(role)
    for path in ("/audit", "/audit/export", f"/audit/{rows(filled.parts.engine)[0]['id']}"):
        assert client.get(path).status_code == 403
    assert 'href="/audit"' not in client.get("/api").text


def test_the_audit_is_seen_whole_or_not_at_all(filled: House) -> None:
    """Somebody of one province would learn from the rows left out what goes on in another."""
    client = filled.visitor("admin")
    with write(filled.parts.engine) as db:
        units.add_unit(db, Unit("yn", "云南省", "province", "national"))
        row = people.find_session(db, client.cookies["session"])
        assert row is not None
        units.place_user(db, row["user_id"], "yn")
        units.place_box(db, "box-01", "yn")
    for path in ("/audit", "/audit/export", "/audit?branch=box-01"):
        assert client.get(path).status_code == 403
    assert rows(filled.parts.engine)[-1]["reason"] == "branch"


def test_an_export_is_complete_and_itself_a_row(filled: House) -> None:
    answer = filled.visitor("admin").get("/audit/export?person=li")
    assert answer.headers["content-disposition"].startswith('attachment; filename="audit-2026')
    lines = answer.text.removeprefix("\ufeff").splitlines()
    assert len(lines) == 1 + 3 + 1
    assert "13976412853" not in answer.text and "139****2853" in answer.text
    assert "admin" in lines[-1] and "3" in lines[-1]  # who took it out
    row = rows(filled.parts.engine)[-1]
    assert (row["action"], row["kind"], row["row_count"]) == ("export", "audit", 3)
    assert len(trail.ids_in(row["ids"])) == 3


def test_an_export_that_is_too_long_is_refused_not_cut(tmp_path: Path) -> None:
    house = open_house(tmp_path)
    add(house.parts.engine)
    (row,) = rows(house.parts.engine)
    many = [
        row | {"id": id_at(NOON, seq), "seq": seq, "chain": 2}
        for seq in range(2, trail_page.MOST_EXPORTED + 1)
    ]
    with write(house.parts.engine) as db:
        db.execute(tables.log.insert(), many)
    client = house.visitor("admin")
    assert len(client.get("/audit/export?person=wang").text.splitlines()) == trail_page.MOST_EXPORTED + 2
    with write(house.parts.engine) as db:
        db.execute(tables.log.insert(), row | {"id": id_at(NOON, 0), "seq": 0, "chain": 2})
    answer = client.get("/audit/export?person=wang")
    assert answer.status_code == 422 and "20,000" in answer.text


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"])
def test_no_cell_of_an_export_is_a_formula(house: House, text: str) -> None:
    add(house.parts.engine, 1, object_id=text)
    lines = house.visitor("admin").get("/audit/export").text.splitlines()
    assert f"'{text}".strip() in lines[1] or f"'{text}" in lines[1]


def test_every_action_and_reason_has_a_word() -> None:
    assert {action.value for action in Action} == set(words.ACTIONS)
    assert set(SENTENCES) | {reading.NOT_THERE, reading.TOO_OFTEN, "forged"} <= set(words.REASONS)
    assert set(trail_shape.GRADES_OF) <= set(KINDS) | set(words.OBJECTS)


def test_what_was_changed_of_a_customer_is_masked_too(house: House) -> None:
    changes = {"identity": ("530102198803127716", None), "name": ("祝雪莲", "祝雪梅"), "made_up": ("a", "b")}
    (row_id,) = add(house.parts.engine, 1, action=Action.UPDATE, kind="customers", changes=changes)
    text = house.visitor("admin").get(f"/audit/{row_id}").text
    assert "祝**" in text and "祝雪" not in text and "198803" not in text
    assert "****" in text


def found(house: House, actor: str = "wang") -> str:
    now = house.parts.clock.now()
    with write(house.parts.engine) as db:
        findings.keep(db, [Suspicion("rate", actor, 230, ("r1",), now, now)], house.parts.settings.zone, now)
        return str(findings.open_findings(db)[0]["id"])


def review(house: House, client: TestClient, finding: str, remark: str) -> int:
    form = {"csrf_token": house.csrf_token(client), "remark": remark}
    return client.post(f"/audit/findings/{finding}", data=form).status_code


def test_a_finding_waits_until_somebody_has_looked(house: House) -> None:
    finding, client = found(house), house.visitor("approver_1")
    assert "短时间大量查询" in client.get("/audit").text
    assert review(house, client, finding, " ") == 422
    assert review(house, client, finding, "month-end check, agreed") == 303
    assert review(house, client, finding, "again") == 404
    assert "短时间大量查询" not in client.get("/audit").text
    row = next(row for row in rows(house.parts.engine) if row["kind"] == "findings")
    assert (row["object_id"], row["actor_name"].split()[0]) == (finding, "approver_1")


def test_nobody_reviews_themselves(house: House) -> None:
    client = house.visitor("admin")
    with read(house.parts.engine) as db:
        row = people.find_session(db, client.cookies["session"])
    assert row is not None
    finding = found(house, row["name"])
    assert review(house, client, finding, "it was fine") == 403
    assert 'name="remark"' in client.get("/audit").text


def test_the_worker_looks_for_patterns_and_finds_each_once(house: House) -> None:
    works = Works(house.parts.settings, house.parts.engine)
    for number in range(6):
        at_utc = to_text(NOON - timedelta(minutes=10 - number))
        asked = {"party": str(13800138000 + number)}
        add(house.parts.engine, 1, at_utc, action=Action.SEARCH_NUMBER, query=asked)
    for _ in range(2):
        look_for_patterns(works, NOON)
    with read(house.parts.engine) as db:
        (one,) = findings.open_findings(db)
    assert (one["pattern"], one["actor_name"], one["count"]) == ("sequential", "wang", 6)
    add(house.parts.engine, 1, action=Action.SEARCH_NUMBER, query={"party": "13800138006"})
    look_for_patterns(works, NOON)
    with read(house.parts.engine) as db:
        (one,) = findings.open_findings(db)
    assert one["count"] == 7  # while nobody has looked, it grows
