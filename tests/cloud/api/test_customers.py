"""Customers over the API: the pages' functions with versions, conditions, and masks that cannot be undone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from starlette.testclient import TestClient

from cloud.access.shapes.customers import GRADES
from cloud.store.communications import communication_added
from cloud.store.customer_writes import read_record
from cloud.store.database import read, write
from cloud.store.schema import access_log
from cloud.web.customer_json import CustomerShown
from sync.arriving import Origin
from sync.events import CommunicationAdded
from sync.inbox import Told
from tests.cloud.api_bodies import CUSTOMER
from tests.cloud.customers.conftest import Firm, firm  # noqa: F401  (a fixture)
from tests.cloud.customers.people import ADDRESS, AT, BANK, IDENTITY, full_record, record

HERE = "/api/v1/customers"
FULL = full_record()


@dataclass
class Desk:
    """Somebody who uses the API by a session."""

    firm: Firm
    client: TestClient

    def get(self, path: str, **headers: str) -> Any:
        return self.client.get(f"{HERE}{path}", headers=headers)

    def send(self, method: str, path: str, body: object = None, if_match: str | None = None) -> Any:
        headers = {"X-CSRF-Token": self.firm.house.csrf_token(self.client)}
        headers |= {} if if_match is None else {"If-Match": if_match}
        return self.client.request(method, f"{HERE}{path}", json=body, headers=headers)


@pytest.fixture
def desk(firm: Firm) -> Desk:  # noqa: F811
    """A manager, who sees personal fields masked."""
    return Desk(firm, firm.house.visitor("manager"))


def kept(desk: Desk, customer_id: str) -> Any:
    """The record as it is in the database."""
    with read(desk.firm.house.parts.engine) as db:
        return read_record(db, desk.firm.house.parts.ring, desk.firm.row(customer_id))


def deeds(desk: Desk) -> list[tuple[str, str]]:
    """Action and result of every audit row of customers."""
    with read(desk.firm.house.parts.engine) as db:
        rows = db.execute(access_log.select().where(access_log.c.kind == "customers")).mappings()
        return [(row["action"], row["result"]) for row in rows]


def test_json_leaves_out_nothing_that_the_serialiser_shows() -> None:
    assert GRADES.keys() <= CustomerShown.model_fields.keys()


def test_added_read_and_found(desk: Desk) -> None:
    made = desk.send("POST", "", CUSTOMER)
    assert made.status_code == 201
    one = desk.get(f"/{made.json()['id']}")
    assert one.json()["name"] == "赵**" and one.json()["numbers"][0]["said"] == "139****2222"
    assert (one.json()["version"], one.json()["packages"][0]["service"]) == (1, "mobile")
    assert one.headers["etag"].startswith(f'"{made.json()["id"]}.1.')
    assert [each["id"] for each in desk.get("?q=13911112222").json()["customers"]] == [made.json()["id"]]
    assert deeds(desk) == [("create", "done"), ("view", "done"), ("search_number", "done")]


def test_pages_of_the_list_are_strung_together_by_cursors(desk: Desk) -> None:
    ids = {desk.firm.add(record(f"客户{n}", f"1380013800{n}")) for n in range(5)}
    path, found = "?limit=2", []
    while path:
        answer = desk.get(path).json()
        found += [one["id"] for one in answer["customers"]]
        path = f"?limit=2&cursor={answer['next']}" if answer["next"] else ""
    assert len(found) == 5 and set(found) == ids


@pytest.mark.parametrize("asked", ["limit=0", "kind=cat", "cursor=%21", "q=1380", "nothing=1", "q=138001"])
def test_questions_that_are_none(desk: Desk, asked: str) -> None:
    assert desk.get(f"?{asked}").status_code == (200 if asked == "q=1380" else 422)


def test_suggestions_are_few_and_masked(desk: Desk) -> None:
    for n in range(9):
        desk.firm.add(record(f"昆明商行{n}", f"1380013800{n}"))
    found = desk.get("/suggestions?q=昆明").json()
    assert len(found) == 8 and {one["number"][:7] for one in found} == {"138****"}


def test_what_the_reader_has_already_is_not_sent_again(desk: Desk) -> None:
    customer_id = desk.firm.add(FULL)
    etag = desk.get(f"/{customer_id}").headers["etag"]
    for names, status in ((etag, 304), (f'"x", W/{etag}', 304), ("*", 304), ('"x"', 200), ("", 200)):
        answer = desk.get(f"/{customer_id}", **{"If-None-Match": names})
        assert (answer.status_code, answer.headers["etag"]) == (status, etag), names
        assert bool(answer.content) == (status == 200)
    desk.firm.serve(customer_id, "manager")  # who serves a customer sees more of the same version
    assert desk.get(f"/{customer_id}", **{"If-None-Match": etag}).status_code == 200


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_change_names_the_version_it_is_made_to(desk: Desk, method: str) -> None:
    customer_id = desk.firm.add(FULL)
    other = desk.firm.add(record("李四", "13700137000"))
    etag = desk.get(f"/{customer_id}").headers["etag"]
    body = {"PUT": CUSTOMER, "PATCH": {"region": "大理"}}.get(method)
    assert desk.send(method, f"/{customer_id}", body).status_code == 428
    foreign = desk.get(f"/{other}").headers["etag"]
    for stale in (etag.replace(".1.", ".2."), f"W/{etag}", foreign, '"x"', "x", "*", ""):
        answer = desk.send(method, f"/{customer_id}", body, stale)
        assert answer.status_code == 412 and answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == "precondition_failed"
    assert kept(desk, customer_id) == FULL
    done = desk.send(method, f"/{customer_id}", body, f'"x", {etag}')
    assert done.status_code == (204 if method == "DELETE" else 200)
    assert desk.send(method, f"/{customer_id}", body, etag).status_code in (404, 412)  # it was used


def test_a_patch_changes_what_it_names_and_nothing_else(desk: Desk) -> None:
    customer_id = desk.firm.add(FULL)
    etag = desk.get(f"/{customer_id}").headers["etag"]
    patch = {"region": "大理", "tags": ["新"], "packages": []}
    changed = desk.send("PATCH", f"/{customer_id}", patch, etag)
    assert (changed.json()["region"], changed.json()["version"]) == ("大理", 2)
    assert changed.headers["etag"] != etag
    after = kept(desk, customer_id)
    assert (after.what.name, after.what.numbers, after.what.address) == (
        FULL.what.name, FULL.what.numbers, ADDRESS
    )  # fmt: skip
    assert (after.identity, after.bank, after.email) == (IDENTITY, BANK, FULL.email)
    assert (after.what.tags, after.packages, after.what.contacts) == (("新",), (), FULL.what.contacts)


def test_an_empty_patch_changes_nothing(desk: Desk) -> None:
    customer_id = desk.firm.add(FULL)
    etag = desk.get(f"/{customer_id}").headers["etag"]
    assert desk.send("PATCH", f"/{customer_id}", {}, etag).headers["etag"] == etag
    assert kept(desk, customer_id) == FULL


def test_what_is_masked_survives_a_whole_replacement(desk: Desk) -> None:
    customer_id = desk.firm.add(FULL)
    etag = desk.get(f"/{customer_id}").headers["etag"]
    body = {"name": "", "numbers": ["13700137000"], "packages": CUSTOMER["packages"], "kind": "enterprise"}
    assert desk.send("PUT", f"/{customer_id}", body, etag).status_code == 200
    after = kept(desk, customer_id)
    assert after.what.name == FULL.what.name and after.identity == IDENTITY
    assert after.what.numbers == (*FULL.what.numbers, "13700137000")  # of what is masked one can only add
    assert (after.region, after.what.tags) == ("", ())


@pytest.mark.parametrize(
    "sent_back",
    [
        {"name": "昆明东风******公司"},
        {"numbers": ["138****8000"]},
        {"contacts": [{"name": "张**"}]},
        {"email": "z****@example.cn"},
        {"bank": "****0123"},
        {"name": ""} | {"identity": "530****71"},
    ],
    ids=str,
)
def test_a_mask_is_never_saved_as_a_value(desk: Desk, sent_back: dict[str, Any]) -> None:
    customer_id = desk.firm.add(FULL)
    etag = desk.get(f"/{customer_id}").headers["etag"]
    assert desk.send("PATCH", f"/{customer_id}", sent_back, etag).status_code == 422
    assert kept(desk, customer_id) == FULL


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"name": ""}, 422),
        ({"numbers": [], "contacts": []}, 422),
        ({"packages": []}, 422),
        ({"numbers": ["not a number"]}, 422),
        ({"numbers": ["13800138000;13800138001"]}, 422),
        ({"tags": ["a\nb"]}, 422),
        ({"kind": "cat"}, 422),
        ({"joined_on": "tomorrow"}, 422),
        ({"class_id": "none"}, 422),
        ({"box_id": "none"}, 422),
        ({"served_by": "nobody"}, 422),
        ({"no": 7}, 422),
        ({"contacts": [{"name": "x", "level": 9}]}, 422),
        ({"remark": "x" * 5000}, 422),
        ({"name": "a\0b"}, 201),
    ],
    ids=str,
)
def test_records_that_cannot_be(desk: Desk, wrong: dict[str, Any], status: int) -> None:
    assert desk.send("POST", "", {**CUSTOMER, **wrong}).status_code == status
    assert len(desk.get("").json()["customers"]) == (status == 201)


def test_who_serves_whom_is_said_by_managers(desk: Desk) -> None:
    agent = Desk(desk.firm, desk.firm.house.visitor("agent"))
    server = desk.firm.house.add_user("serving", "account_manager")
    assert agent.send("POST", "", {**CUSTOMER, "served_by": server}).status_code == 403
    made = desk.send("POST", "", {**CUSTOMER, "served_by": server}).json()["id"]
    assert desk.get(f"/{made}").json()["served_by"] == server


def test_into_the_recycle_bin_and_out_of_it(desk: Desk) -> None:
    admin = Desk(desk.firm, desk.firm.house.visitor("admin"))
    customer_id = desk.firm.add(FULL)
    etag = desk.get(f"/{customer_id}").headers["etag"]
    assert desk.send("DELETE", f"/{customer_id}?why=twice", None, etag).status_code == 204
    assert desk.get(f"/{customer_id}").status_code == 404
    (gone,) = admin.get("/bin").json()
    assert (gone["id"], gone["deleted_why"]) == (customer_id, "twice")
    assert desk.send("POST", f"/{customer_id}/restore").status_code == 403
    assert admin.send("POST", f"/{customer_id}/restore").status_code == 204
    assert desk.get(f"/{customer_id}").status_code == 200
    assert admin.send("POST", f"/{customer_id}/restore").status_code == 404


def test_what_was_said_and_what_was_changed(desk: Desk) -> None:
    customer_id = desk.firm.add(record("王小明", "13800138000"), "box-01")
    said = CommunicationAdded("m1", "call", AT, "回电 13800138000", AT, number="13800138000")
    with write(desk.firm.house.parts.engine) as db:
        communication_added(db, [Told(Origin("box-01", AT), said)])
    (one,) = desk.get(f"/{customer_id}/communications").json()
    assert (one["id"], one["number"]) == ("m1", "138****8000") and "13800138000" not in one["content"]
    etag = desk.get(f"/{customer_id}").headers["etag"]
    desk.send("PATCH", f"/{customer_id}", {"email": "w@example.cn", "region": "大理"}, etag)
    newest, _ = desk.get(f"/{customer_id}/changes").json()
    assert newest["fields"]["region"] == ["", "大理"] and "w@example.cn" not in str(newest)


def pair(desk: Desk) -> tuple[str, str, str]:
    """Two customers, and the tags of both."""
    kept, other = desk.firm.add(FULL), desk.firm.add(record("李四", "13700137000"))
    return kept, other, ", ".join(desk.get(f"/{one}").headers["etag"] for one in (kept, other))


def test_two_records_become_one_and_two_again(desk: Desk) -> None:
    kept_id, other, etags = pair(desk)
    made = desk.send("POST", f"/{kept_id}/merge/{other}", {"take": ["name"]}, etags)
    assert (made.status_code, made.json()["customer_id"]) == (201, kept_id)
    assert kept(desk, kept_id).what.name == "李四"
    assert set(kept(desk, kept_id).what.numbers) > set(FULL.what.numbers)
    assert desk.get(f"/{other}").status_code == 404
    undo = f"/merges/{made.json()['id']}/undo"
    assert desk.send("POST", undo).status_code == 204
    assert kept(desk, kept_id) == FULL and desk.get(f"/{other}").status_code == 200
    assert desk.send("POST", undo).status_code == 404  # it was undone


def test_a_merge_names_the_versions_of_both(desk: Desk) -> None:
    kept_id, other, etags = pair(desk)
    path = f"/{kept_id}/merge/{other}"
    assert desk.send("POST", path, {}).status_code == 428
    one, two = etags.split(", ")
    for stale in (one, two, etags.replace(".1.", ".2."), f"{one}, W/{two}", "*"):
        assert desk.send("POST", path, {}, stale).status_code == 412, stale
    assert desk.send("POST", path, {"take": ["id"]}, etags).status_code == 422
    assert desk.send("POST", f"/{kept_id}/merge/{kept_id}", {}, etags).status_code == 404
    assert kept(desk, kept_id) == FULL


def test_a_merge_that_was_changed_on_stays(desk: Desk) -> None:
    kept_id, other, etags = pair(desk)
    made = desk.send("POST", f"/{kept_id}/merge/{other}", {}, etags).json()
    etag = desk.get(f"/{kept_id}").headers["etag"]
    assert desk.send("PATCH", f"/{kept_id}", {"region": "大理"}, etag).status_code == 200
    assert desk.send("POST", f"/merges/{made['id']}/undo").status_code == 409
