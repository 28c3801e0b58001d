"""No second door: every route of the finished application x every role, searched for what was planted.

The routes are read off the application itself. One whose path has a parameter that PARAMETERS does not know,
or that gives out rows without exactly one audit row, fails here until somebody says what it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from httpx import Response as Answer
from sqlalchemy import select
from starlette.testclient import TestClient

from cloud.access import grades, shape
from cloud.access.decision import Verb
from cloud.access.grades import CLEAR_GRADES, Graded
from cloud.access.guard import Decision, Open, decide
from cloud.access.roles import ROLES, rights_of
from cloud.access.shape import seen
from cloud.store import people, trail
from cloud.store.database import read, write
from cloud.store.schema import trail as tables
from cloud.web.app import API, ROUTES
from cloud.web.routes import Route
from sync.moment import to_text
from tests.cloud.api_bodies import BODIES, headers_for
from tests.cloud.belongings import OfOthers, binned, happened, of_others, untouched
from tests.cloud.granting import grant_to
from tests.cloud.house import NOON, House, open_house
from tests.cloud.planting import PARAMETERS, path_of
from tests.cloud.test_routes import built_routes
from tests.cloud.verdicts import make_grant, person, place_of, verdict_for

SECRETS: dict[str, int] = {  # what is planted -> the grade of the field it stands in
    "13976412853": 3,
    "087168943127": 3,
    "祝雪莲": 3,
    "7351928460": 4,  # keys somebody pressed
    "530102198803127716": 4,  # an identity number in a text
}
FORMS: Mapping[str, Mapping[str, str]] = {  # what a form needs to be understood
    "POST /log-in": {"name": "x", "password": "y"},
    "POST /language": {"language": "en"},
    "POST /quarantine/{item_id}/dismiss": {"reason": "a test"},
    "POST /audit/findings/{finding_id}": {"remark": "a test"},
    "POST /calls/export": {"form": "csv"},
    "POST /calls/batch": {"act": "star"},
    "POST /calls/{call_id}/notes": {"text": "call back"},
    "POST /calls/{call_id}/report": {"text": "too short"},
    "POST /reports/{report_id}": {"step": "take"},
    "POST /calls/{call_id}/orders": {"kind": "hold", "reason": "case 7"},
    "POST /orders/{order_id}": {"step": "approve"},
    "POST /releases/{release_id}": {"step": "release"},
    "POST /retention": {"in": "365", "box": "head-office", "reason": "case 7"},
}
NO_READS = {  # routes that give out nothing anybody keeps; all others are one audit row each
    "GET /quick", "GET /identity-check", "GET /rules", "GET /applications/new",
    "GET /applications/break-glass",
    "GET /log-in", "POST /language", "GET /api", "GET /api/v1/openapi.json",
}  # fmt: skip
OWN_THINGS = {  # each shows or ends only what the same person made: tokens and webhooks, no records
    "GET /integrations", "POST /integrations/tokens", "POST /integrations/tokens/{token_id}/revoke",
    "POST /integrations/webhooks", "GET /integrations/webhooks/{hook_id}",
    "POST /integrations/webhooks/{hook_id}/end", "POST /integrations/deliveries/{delivery_id}/again",
    "GET /api/v1/tokens", "POST /api/v1/tokens", "DELETE /api/v1/tokens/{token_id}",
    "GET /api/v1/webhooks", "POST /api/v1/webhooks", "DELETE /api/v1/webhooks/{hook_id}",
    "GET /exports/{export_id}", "GET /exports/{export_id}/progress", "POST /exports/{export_id}/cancel",
    "POST /calls/filters", "POST /calls/filters/{filter_id}/delete",
    "GET /api/v1/webhooks/{hook_id}/deliveries", "POST /api/v1/webhook-deliveries/{delivery_id}/again",
}  # fmt: skip
NO_READS |= {  # forms and lists of no person
    "GET /customers/new", "GET /customers/template", "GET /customers/import", "GET /customers/tags",
    "GET /customers/import/{import_id}/errors", "POST /customers/import",
}  # fmt: skip
BY_THE_DEED = {  # a row when something was done; with nothing to do it to there is none
    address for address in ROUTES if address.startswith("POST /customers/")
} - NO_READS | {
    address for address in API if "/customers" in address and not address.startswith("GET")
}  # fmt: skip
TWO_LOOKS = {"GET /customers/{customer_id}/merge/{other_id}"}
ONE_OR_TWO_LOOKS = {"GET /api/v1/events"}  # customers are looked at when there are events of some
READ_AND_DEED = {"PUT /api/v1/calls/{call_id}/notes/{note_id}"}  # what is written anew is read before
TWO_ROWS = {"POST /quarantine/{item_id}/retry"}  # what was done, and the list that is shown again


@dataclass(frozen=True)
class Planted:
    """A head office with secrets in every place that holds private values."""

    house: House
    theirs: OfOthers  # what somebody else made for themselves


def plant(folder: Path, database_url: str = "") -> Planted:
    house = open_house(folder, database_url)
    house.add_box("box-01", "Dali")
    made = {name: make(house) for name, make in PARAMETERS.items()}
    happened(house, *(made[name] for name in ("call_id", "recording_id", "report_id", "customer_id")))
    binned(house)
    return Planted(house, of_others(house))


def ask(planted: Planted, client: TestClient, address: str, role: str | None, path: str = "") -> Answer:
    method, _ = address.split(" ")
    path = path or path_of(planted.house, address)
    if role and address in API and method != "GET":
        headers = headers_for(planted.house, client, address, path)
        return client.request(method, path, json=BODIES.get(address), headers=headers)
    form = dict(FORMS.get(address, {}))
    if role and method != "GET":
        form["csrf_token"] = planted.house.csrf_token(client)
    return client.request(method, path, data=form or None)


def leaks(answer: Answer, role: str | None) -> set[str]:
    """What the answer tells that `role` may not know, however it is written."""
    said = [*(f"{name}: {value}" for name, value in answer.headers.items()), answer.text]
    if answer.content.startswith(b"PK"):  # a sheet, or an archive
        with ZipFile(BytesIO(answer.content)) as packed:
            said += [packed.read(name).decode(errors="replace") for name in packed.namelist()]
    text = "\n".join(said)
    digits = re.sub(r"[\s\-()+]|<[^>]*>|&[#\w]+;", "", text)
    hidden = {one for one, grade in SECRETS.items() if grade not in CLEAR_GRADES.get(role or "", ())}
    return {one for one in hidden if one in text or one in digits}


def trail_rows(house: House) -> list[dict[str, Any]]:
    with read(house.parts.engine) as db:
        query = select(tables.log).order_by(tables.log.c.chain, tables.log.c.seq)
        return [dict(row) for row in db.execute(query).mappings()]


@pytest.mark.parametrize("role", [None])
def test_no_route_tells_a_stranger_anything(tmp_path: Path, role: None) -> None:
    planted = plant(tmp_path)
    client = planted.house.visitor(role)
    tried = 0
    for address, _ in built_routes(planted.house):
        if address == "POST /log-out":
            continue
        answer = ask(planted, client, address, role)
        assert leaks(answer, role) == set(), (role, address)
        tried += 1
    assert tried == len(ROUTES) - 1


@pytest.mark.parametrize("role", [*ROLES, "somebody"])
def test_no_secret_leaves_and_every_read_is_one_audit_row(tmp_path: Path, role: str) -> None:
    try_each_door(plant(tmp_path), role)


def try_each_door(planted: Planted, role: str) -> None:
    house, client = planted.house, planted.house.visitor(role)
    for address, _ in built_routes(house):
        if address == "POST /log-out":
            continue
        path = path_of(house, address)
        before = len(trail_rows(house))
        answer = ask(planted, client, address, role, path)
        fresh = trail_rows(house)[before:]
        assert leaks(answer, role) == set(), (role, address)
        check_rows(address, role, answer, fresh)
        check_ids(house, answer, fresh, address)
        if address in OWN_THINGS and "{" in address:
            assert answer.status_code in (403, 404), (role, address)
    assert untouched(house, planted.theirs), role


def check_rows(address: str, role: str, answer: Answer, fresh: list[dict[str, Any]]) -> None:
    needs = ROUTES[address].needs
    turned_away = needs is not Open.TO_ANYBODY and needs not in rights_of(role)
    assert answer.status_code != 500, (address, role)
    if not turned_away and (address in NO_READS or answer.status_code == 422):  # 422: a form with faults
        assert fresh == [], (address, role)
        return
    if address == "GET /" and not turned_away:  # a row for each kind of record that a tile tells of
        said = [(row["kind"], row["result"]) for row in fresh]
        assert said and {result for _, result in said} == {"done"}, (role, said)
        return
    if address in OWN_THINGS and not turned_away:
        return
    if address in BY_THE_DEED and not turned_away:
        # With nothing chosen, both records are shown again; a change over the API shows what came of it.
        looks = 2 if "/merge/" in address or address.startswith(("PUT", "PATCH")) else 1
        assert len(fresh) <= looks, (address, role)
        return
    twice = (address in TWO_ROWS and answer.status_code == 409) or (
        address in TWO_LOOKS and answer.is_success
    )
    twice = twice or address in READ_AND_DEED
    rows = 2 if twice and not turned_away else 1
    if address in ONE_OR_TWO_LOOKS:
        rows = max(1, min(len(fresh), 2))
    assert len(fresh) == rows, (address, role, answer)
    row = fresh[-1]
    if address != "POST /log-in":
        assert row["role"] == role and row["actor_name"].startswith(role)
    refused = answer.status_code in (401, 403, 404, 429) or (answer.status_code == 409 and len(fresh) == 1)
    assert (row["result"] == "refused") == refused, (address, role, answer.status_code)
    assert not refused or (row["row_count"], row["ids"], bool(row["reason"])) == (0, b"", True)
    assert row["row_count"] == len(trail.ids_in(row["ids"])) or method_of(address) != "GET"
    private = row["kind"] in ("calls", "recordings", "customers") and row["result"] == "done"
    assert not private or row["purpose"], (address, role)


def method_of(address: str) -> str:
    return address.split(" ")[0]


def check_ids(house: House, answer: Answer, fresh: list[dict[str, Any]], address: str) -> None:
    """The calls and set-aside items that stand in the answer are those the audit says were returned."""
    if answer.headers.get("content-type", "").startswith("audio") or "/audit" in address:
        return  # the trail itself tells of all of them
    said = {one for row in fresh for one in trail.ids_in(row["ids"])}
    with read(house.parts.engine) as db:
        calls = db.exec_driver_sql("SELECT id FROM calls").scalars().all()
        items = db.exec_driver_sql("SELECT id FROM quarantine").scalars().all()
    ours = {*calls, *items}
    shown = {one for one in ours if one in answer.text}
    if answer.is_success or said & ours:
        asked_for = {one for one in shown if one in str(answer.request.url)}
        assert shown - asked_for <= said, address
        in_url = {
            one for one in calls if one in str(answer.request.url)
        }  # what is of a call does not name it
        assert said & set(calls) <= shown | in_url or address.endswith("/recordings"), address


def granted(planted: Planted, role: str, **fields: Any) -> TestClient:
    """Somebody with a live grant for everything about the calls, clear."""
    client = planted.house.visitor(role)
    grant_to(planted.house, client, role, **fields)
    return client


def test_a_grant_makes_clear_what_it_names_until_it_lapses(tmp_path: Path) -> None:
    """That the search above can find something, and when."""
    planted = plant(tmp_path)
    client = granted(planted, "agent")
    for address in ("GET /calls", "GET /calls/{call_id}", "GET /api/v1/calls", "GET /api/v1/calls/{call_id}"):
        assert {"13976412853", "祝雪莲"} <= leaks(ask(planted, client, address, "agent"), "agent"), address
        assert "7351928460" not in ask(planted, client, address, "agent").text  # grade 4 was not asked for
    (row, *_) = [row for row in trail_rows(planted.house) if row["actor_name"].startswith("agent ")]
    assert row["grants"] != "[]"
    planted.house.clock.advance(8 * 3600)
    client = replaced(planted.house, client)
    for address in ("GET /calls", "GET /calls/{call_id}", "GET /api/v1/calls"):
        assert leaks(ask(planted, client, address, "agent"), "agent") == set()


def replaced(house: House, client: TestClient) -> TestClient:
    """The same person, logged in again."""
    with write(house.parts.engine) as db:
        row = people.find_session(db, client.cookies["session"])
        assert row is not None
        token = people.open_session(db, row["user_id"], to_text(house.parts.clock.now()))
    client.cookies.set("session", token)
    return client


def test_the_rows_that_a_grant_shows_run_out(tmp_path: Path) -> None:
    planted = plant(tmp_path)
    client = granted(planted, "agent", rows=1)
    found = [leaks(ask(planted, client, "GET /api/v1/calls", "agent"), "agent") for _ in range(2)]
    assert found[0] == found[1]  # one row, however often it is looked at
    assert len(found[0] & {"13976412853", "087168943127"}) == 1


def test_another_person_sees_nothing_of_a_grant(tmp_path: Path) -> None:
    planted = plant(tmp_path)
    granted(planted, "agent")
    assert leaks(ask(planted, planted.house.visitor("agent"), "GET /calls", "agent"), "agent") == set()


def test_a_route_without_a_need_cannot_be_built() -> None:
    with pytest.raises(TypeError):
        Route(lambda: None)  # type: ignore[call-arg]


@pytest.mark.parametrize("needs", [None, "", "read_calls_of_all", object()])
def test_a_need_nobody_knows_is_met_by_nobody(needs: Any) -> None:
    for role in (*ROLES, "somebody"):
        assert decide(person(role), needs) is Decision.REFUSE
    assert decide(None, needs) is Decision.LOG_IN_FIRST


def test_a_role_nobody_knows_may_nothing(tmp_path: Path) -> None:
    planted = plant(tmp_path)
    client = planted.house.visitor("somebody")
    for address, route in ROUTES.items():
        if route.needs is not Open.TO_ANYBODY:
            assert ask(planted, client, address, "somebody").status_code == 403, address


@pytest.mark.parametrize("role", ROLES)
def test_a_field_without_a_grade_is_never_shown(role: str) -> None:
    row = {"id": "c1", "planted": "13976412853"}
    place = place_of("+8613800138000", "box-01", to_text(NOON))
    verdict = verdict_for(role, [make_grant(role, grade=5)], kind="calls", verb=Verb.VIEW)
    assert seen(row, {"id": Graded(grades.PUBLIC)}, place, verdict).keys() == {"id"}
    secret = {"planted": Graded(grades.SECRET, "number")}
    assert seen(row, secret, place, verdict)["planted"] != "13976412853"


def test_every_table_of_grades_covers_its_shape() -> None:
    tables_of_grades = {name for name in vars(shape) if name.endswith("_GRADES")}
    assert tables_of_grades >= {"CALL_GRADES", "RECORDING_GRADES", "BRANCH_GRADES", "SET_ASIDE_GRADES"}
    for name in tables_of_grades:
        assert all(isinstance(one, Graded) for one in vars(shape)[name].values()), name
