"""Webhooks over the API and on the page: each person's own, a secret told once, tellings sent again."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from cloud.store import webhooks
from cloud.store.database import read, write
from cloud.store.schema import access_log
from cloud.web.hooks import MOST_HOOKS
from cloud.webhooks.attempts import Answer, Outcome, State
from cloud.webhooks.kinds import CALL_ENDED
from tests.cloud.house import House

WANTED: dict[str, Any] = {"url": "https://crm.example.cn/hook", "kinds": [CALL_ENDED]}


def ask(house: House, client: TestClient, method: str, path: str, **more: Any) -> Any:
    headers = {"X-CSRF-Token": house.csrf_token(client)} | more.pop("headers", {})
    return client.request(method, f"/api/v1/{path}", headers=headers, **more)


def given_up(house: House, hook_id: str) -> str:
    """The id of a delivery that was given up."""
    now_utc = house.parts.clock.now_utc()
    with write(house.parts.engine) as db:
        webhooks.note(db, CALL_ENDED, ["a call"], now_utc)
        (one,) = [row for row in webhooks.claim(db, now_utc, now_utc, 9) if row["hook_id"] == hook_id]
        webhooks.settle(db, one, Answer(500), Outcome(State.DEAD), now_utc)
    return str(one["id"])


def test_added_listed_and_ended(house: House) -> None:
    client = house.visitor("admin")
    made = ask(house, client, "POST", "webhooks", json=WANTED)
    assert made.status_code == 201 and len(made.json()["secret"]) > 40
    hook_id = made.json()["id"]
    (listed,) = client.get("/api/v1/webhooks").json()
    assert (listed["url"], listed["kinds"]) == (WANTED["url"], [CALL_ENDED]) and "secret" not in listed
    seen, path = {"If-Match": listed["etag"]}, f"webhooks/{hook_id}"
    assert made.json()["etag"] == listed["etag"]
    assert ask(house, house.visitor("admin"), "DELETE", path, headers=seen).status_code == 404
    assert ask(house, client, "DELETE", path).status_code == 428
    stale = {"If-Match": listed["etag"].replace(".1.", ".2.")}
    assert ask(house, client, "DELETE", path, headers=stale).status_code == 412
    assert ask(house, client, "DELETE", path, headers=seen).status_code == 204
    assert ask(house, client, "DELETE", path, headers=seen).status_code == 412
    assert client.get("/api/v1/webhooks").json()[0]["ended_why"] == "ended by its owner"
    with read(house.parts.engine) as db:
        rows = db.execute(select(access_log.c.action).where(access_log.c.kind == "webhooks")).scalars()
        assert list(rows) == ["create", "delete"]


@pytest.mark.parametrize(
    "wanted",
    [
        {"url": "http://crm.example.cn/hook"},
        {"url": ""},
        {"url": "https://user:x@host/"},
        {"kinds": []},
        {"kinds": ["no_such_kind"]},
        {"kinds": [CALL_ENDED, "no_such_kind"]},
        {"kinds": [CALL_ENDED] * 17},
        {"more": 1},
    ],
    ids=str,
)
def test_refused(house: House, wanted: dict[str, Any]) -> None:
    client = house.visitor("admin")
    assert ask(house, client, "POST", "webhooks", json=WANTED | wanted).status_code == 422
    assert client.get("/api/v1/webhooks").json() == []


def test_there_is_an_end_to_them(house: House) -> None:
    client = house.visitor("admin")
    statuses = [
        ask(house, client, "POST", "webhooks", json=WANTED).status_code for _ in range(MOST_HOOKS + 1)
    ]
    assert statuses == [201] * MOST_HOOKS + [422]


def test_what_was_given_up_is_sent_again(house: House) -> None:
    client = house.visitor("admin")
    hook_id = ask(house, client, "POST", "webhooks", json=WANTED).json()["id"]
    delivery_id = given_up(house, hook_id)
    (told,) = client.get(f"/api/v1/webhooks/{hook_id}/deliveries").json()
    assert (told["id"], told["state"], told["status"]) == (delivery_id, "dead", 500)
    path = f"webhook-deliveries/{delivery_id}/again"
    other = house.visitor("admin")
    assert other.get(f"/api/v1/webhooks/{hook_id}/deliveries").status_code == 404
    assert ask(house, other, "POST", path).status_code == 404
    assert ask(house, client, "POST", path).status_code == 202
    assert client.get(f"/api/v1/webhooks/{hook_id}/deliveries").json()[0]["state"] == "waiting"


def test_the_page_does_the_same(house: House) -> None:
    client = house.visitor("admin")
    client.cookies.set("language", "en")
    form = {"csrf_token": house.csrf_token(client)}
    made = client.post("/integrations/webhooks", data=form | {"url": WANTED["url"], "kind": [CALL_ENDED]})
    assert made.status_code == 201 and "shown only now" in made.text
    (hook,) = client.get("/api/v1/webhooks").json()
    delivery_id = given_up(house, hook["id"])
    assert "Given up" in client.get(f"/integrations/webhooks/{hook['id']}").text
    again = client.post(f"/integrations/deliveries/{delivery_id}/again", data=form | {"hook_id": hook["id"]})
    assert again.headers["location"] == f"/integrations/webhooks/{hook['id']}"
    refused = client.post("/integrations/webhooks", data=form | {"url": "http://x.cn/", "kind": [CALL_ENDED]})
    assert refused.status_code == 422 and "https://host/path" in refused.text
    assert client.post(f"/integrations/webhooks/{hook['id']}/end", data=form).status_code == 303
    token = client.post(
        "/integrations/tokens",
        data=form | {"name": "月报", "right": ["read_calls"]},
    )
    assert token.status_code == 201 and "blt_" in token.text
    (listed,) = client.get("/api/v1/tokens").json()
    assert "blt_" not in client.get("/integrations").text and "月报" in client.get("/integrations").text
    assert client.post(f"/integrations/tokens/{listed['id']}/revoke", data=form).status_code == 303
    assert client.get("/api/v1/tokens").json()[0]["revoked_utc"] is not None


def test_somebody_without_webhooks_sees_only_tokens(house: House) -> None:
    text = house.visitor("manager").get("/integrations").text
    assert "/integrations/tokens" in text and "/integrations/webhooks" not in text
