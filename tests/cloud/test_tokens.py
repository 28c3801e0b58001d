"""API tokens: what they open, what they never open, and when they end; and requests that are sent twice."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from cloud.access.roles import Right
from cloud.access.tokens import NEVER
from cloud.store.database import read
from cloud.store.schema import access_log, api
from cloud.web.words import RIGHTS
from tests.cloud.house import SITE, House

WANTED: dict[str, Any] = {"name": "report", "rights": ["read_calls"], "days": 30}


def make(house: House, client: TestClient, **wanted: Any) -> Any:
    headers = {"X-CSRF-Token": house.csrf_token(client)}
    return client.post("/api/v1/tokens", json=WANTED | wanted, headers=headers)


def with_token(house: House, token: str) -> TestClient:
    return TestClient(
        house.app,
        SITE,
        raise_server_exceptions=False,
        follow_redirects=False,
        headers={"Authorization": f"Bearer {token}"},
    )


def token_of(house: House, role: str = "manager", **wanted: Any) -> TestClient:
    answer = make(house, house.visitor(role), **wanted)
    assert answer.status_code == 201, answer.text
    return with_token(house, answer.json()["token"])


def test_a_token_reads_as_its_owner_and_is_kept_as_a_hash(house: House) -> None:
    house.add_call(caller_number="13800138000")
    client = house.visitor("manager")
    made = make(house, client).json()
    (call,) = with_token(house, made["token"]).get("/api/v1/calls").json()["calls"]
    assert call["caller_number"] == "138****8000"
    with read(house.parts.engine) as db:
        row = dict(db.execute(select(api.tokens)).mappings().one())
        audit = db.execute(select(access_log).where(access_log.c.kind == "tokens")).mappings().one()
    assert made["token"].startswith("blt_") and made["token"] not in repr(row)
    assert row["last_used_utc"] == house.parts.clock.now_utc()
    assert (audit["action"], audit["object_id"]) == ("create", made["id"])
    (listed,) = client.get("/api/v1/tokens").json()
    assert listed["rights"] == ["read_calls"] and "token" not in listed


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/calls", 200),
        ("GET", "/api/v1/openapi.json", 403),  # ENTER is a right like any other
        ("GET", "/api/v1/tokens", 403),
        ("POST", "/api/v1/tokens", 403),
        ("GET", "/calls", 303),  # pages are for sessions
        ("GET", "/", 303),
    ],
)
def test_a_token_opens_what_it_was_given_and_no_page(
    house: House, method: str, path: str, status: int
) -> None:
    assert token_of(house).request(method, path).status_code == status


def test_a_token_counts_alone_whatever_the_cookie_says(house: House) -> None:
    client = house.visitor("admin")
    for value in ("Bearer none", "Bearer ", "Basic eDp5", "blt_x", "Bearer " + "x" * 5000):
        assert client.get("/api/v1/calls", headers={"Authorization": value}).status_code == 401
    assert client.get("/api/v1/calls").status_code == 200


def test_a_token_ends_with_its_day_its_revocation_and_its_owner(house: House) -> None:
    client = house.visitor("manager")
    first, second = (make(house, client).json() for _ in range(2))
    assert with_token(house, first["token"]).get("/api/v1/calls").status_code == 200
    headers = {"X-CSRF-Token": house.csrf_token(client)}
    path = f"/api/v1/tokens/{first['id']}"
    assert house.visitor("manager").delete(path, headers=headers).status_code == 403, "a forged request"
    stranger = house.visitor("manager")
    headers_of_another = {"X-CSRF-Token": house.csrf_token(stranger)}
    assert client.delete(path, headers=headers).status_code == 428
    stale = {"If-Match": first["etag"].replace(".1.", ".2.")}
    assert client.delete(path, headers=headers | stale).status_code == 412
    assert client.delete(path, headers=headers | {"If-Match": second["etag"]}).status_code == 412
    seen = {"If-Match": first["etag"]}
    assert stranger.delete(path, headers=headers_of_another | seen).status_code == 404
    assert client.delete(path, headers=headers | seen).status_code == 204
    assert client.delete(path, headers=headers | seen).status_code == 412
    assert with_token(house, first["token"]).get("/api/v1/calls").status_code == 401
    house.clock.advance(timedelta(days=30).total_seconds())
    assert with_token(house, second["token"]).get("/api/v1/calls").status_code == 401


def test_a_token_of_somebody_who_left_opens_nothing(house: House) -> None:
    client = token_of(house)
    with read(house.parts.engine) as db:
        audit = db.execute(select(access_log).where(access_log.c.kind == "tokens")).mappings().one()
    house.disable(audit["actor_name"])
    assert client.get("/api/v1/calls").status_code == 401


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({"rights": []}, "at least one"),
        ({"rights": ["read_calls", "settle_quarantine"]}, "only your own"),
        ({"rights": ["no_such_right"]}, "only your own"),
        *[({"rights": [right.value]}, "only your own") for right in sorted(NEVER)],
        ({"name": ""}, "1 to 64"),
        ({"name": "  "}, "1 to 64"),
        ({"name": "x" * 65}, "1 to 64"),
        ({"name": "a\nb"}, "1 to 64"),
        ({"days": 0}, "1 to 366"),
        ({"days": 367}, "1 to 366"),
        ({"purpose": "judicial"}, "pick one of your role"),
        ({"secret": "x"}, "secret"),
        ({"days": "many"}, "days"),
    ],
    ids=lambda value: str(sorted(value.items())) if isinstance(value, dict) else value,
)
def test_tokens_that_are_not_made(house: House, wanted: dict[str, Any], says: str) -> None:
    client = house.visitor("manager")
    client.cookies.set("language", "en")
    answer = make(house, client, **wanted)
    assert answer.status_code == 422 and says in answer.json()["detail"], answer.text
    assert client.get("/api/v1/tokens").json() == []


def test_no_right_of_a_token_outlives_the_role(house: House) -> None:
    assert Right.MAKE_TOKENS in NEVER
    client = token_of(house, "admin", rights=["read_calls", "report_calls"])
    assert client.get("/api/v1/webhooks").status_code == 403


# -- Idempotency-Key


def post_twice(client: TestClient, house: House, *bodies: dict[str, Any], key: str = "k1") -> list[Any]:
    headers = {"X-CSRF-Token": house.csrf_token(client), "Idempotency-Key": key}
    return [client.post("/api/v1/tokens", json=body, headers=headers) for body in bodies]


def test_the_same_request_again_gets_the_same_answer(house: House) -> None:
    client = house.visitor("manager")
    first, again = post_twice(client, house, WANTED, WANTED)
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert "idempotency-replayed" not in first.headers and again.headers["idempotency-replayed"] == "true"
    assert again.headers["content-type"] == "application/json"
    assert len(client.get("/api/v1/tokens").json()) == 1


def test_what_is_told_once_stands_nowhere_in_the_database(house: House) -> None:
    client = house.visitor("manager")
    first, _ = post_twice(client, house, WANTED, WANTED)
    with read(house.parts.engine) as db:
        rows = [
            dict(row) for table in (api.tokens, api.answered) for row in db.execute(select(table)).mappings()
        ]
    assert len(rows) == 2 and first.json()["token"] not in repr(rows)


def test_the_guard_stands_before_a_kept_answer(house: House) -> None:
    client = house.visitor("manager")
    (first,) = post_twice(client, house, WANTED, key="k1")
    narrow = with_token(house, first.json()["token"])  # of the same person, without that right
    again = narrow.post("/api/v1/tokens", json=WANTED, headers={"Idempotency-Key": "k1"})
    assert again.status_code == 403 and "blt_" not in again.text
    forged = client.post("/api/v1/tokens", json=WANTED, headers={"Idempotency-Key": "k1"})
    assert forged.status_code == 403 and "blt_" not in forged.text


def test_every_right_a_token_may_have_has_a_word() -> None:
    assert set(RIGHTS) == {right.value for right in Right} - {right.value for right in NEVER}


def test_a_key_stands_for_one_request_of_one_person(house: House) -> None:
    client = house.visitor("manager")
    first, other = post_twice(client, house, WANTED, WANTED | {"name": "another"})
    assert (first.status_code, other.status_code) == (201, 422)
    (elsewhere,) = post_twice(house.visitor("manager"), house, WANTED)
    assert elsewhere.status_code == 201 and elsewhere.json()["id"] != first.json()["id"]


def test_what_was_refused_may_be_mended_under_the_same_key(house: House) -> None:
    client = house.visitor("manager")
    refused, mended = post_twice(client, house, WANTED | {"days": 0}, WANTED)
    assert (refused.status_code, mended.status_code) == (422, 201)


@pytest.mark.parametrize("key", ["", "x" * 65, "a\tb"])
def test_keys_that_are_none(house: House, key: str) -> None:
    (answer,) = post_twice(house.visitor("manager"), house, WANTED, key=key)
    assert answer.status_code == 422
    assert json.loads(answer.text)["status"] == 422


def test_a_key_without_a_person_changes_nothing(house: House) -> None:
    answer = house.visitor().post("/api/v1/tokens", json=WANTED, headers={"Idempotency-Key": "k"})
    assert answer.status_code == 401
