"""A POST with an Idempotency-Key whose process dies: done once all the same, and by one process only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi import Depends
from sqlalchemy import func, select
from starlette.requests import Request
from starlette.testclient import TestClient

from cloud.access.log import Action
from cloud.access.roles import Right
from cloud.field_keys import FieldKey
from cloud.store import answered
from cloud.store import customers as store
from cloud.store.answered import LEASE, TakenOver, Turn
from cloud.store.customer_merges import merge
from cloud.store.customer_writes import Stamp, delete_customers, read_record
from cloud.store.database import read, write
from cloud.store.schema import access_log, api
from cloud.web.app import API, build_app
from cloud.web.door import guarded, note_deed
from cloud.web.once import OnceRoute
from cloud.web.parts import parts_of
from tests.cloud.api_bodies import BODIES, headers_for
from tests.cloud.house import NOON, House, open_house
from tests.cloud.planting import PARAMETERS, path_of
from tests.cloud.test_routes import own_application

WANTED = {"name": "billing", "rights": ["read_calls"], "days": 30}
LEASE_S = LEASE.total_seconds()


def post(house: House, client: TestClient, path: str = "/api/v1/tokens", body: object = WANTED) -> Any:
    headers = {"X-CSRF-Token": house.csrf_token(client), "Idempotency-Key": "k1"}
    return client.post(path, json=body, headers=headers)


def leave_at_work(house: House, client: TestClient, done_id: str | None = None) -> None:
    """What a process leaves that died on a request, before its deed or right after it was committed."""
    assert post(house, client).status_code == 201
    with write(house.parts.engine) as db:
        db.execute(api.tokens.delete().where(api.tokens.c.revoked_utc.is_(None)))
        db.execute(api.answered.update().values(status=0, headers="{}", body=b"", done_id=done_id))


def add_route(house: House, path: str, endpoint: Any) -> None:
    """A POST of the API besides those there are."""
    needs = [Depends(guarded(Right.MAKE_TOKENS))]
    more = {"methods": ["POST"], "dependencies": needs, "route_class_override": OnceRoute}
    house.app.router.add_api_route(path, endpoint, **more)


def count(house: House, table: Any) -> int:
    with read(house.parts.engine) as db:
        return int(db.execute(select(func.count()).select_from(table)).scalar_one())


def test_of_a_dead_process_it_is_done_again_once_its_lease_has_lapsed(house: House) -> None:
    client = house.visitor("manager")
    leave_at_work(house, client)
    waiting = post(house, client)
    assert (waiting.status_code, waiting.headers["retry-after"]) == (409, "60")
    house.clock.advance(LEASE_S - 1)
    assert post(house, client).status_code == 409 and count(house, api.tokens) == 0
    house.clock.advance(1)
    done, again = post(house, client), post(house, client)
    assert (done.status_code, again.status_code) == (201, 201) and done.json() == again.json()
    assert "idempotency-replayed" in again.headers and count(house, api.tokens) == 1


def test_other_content_is_refused_after_a_lapse_as_before(house: House) -> None:
    client = house.visitor("manager")
    leave_at_work(house, client)
    house.clock.advance(LEASE_S)
    assert post(house, client, body=WANTED | {"name": "another"}).status_code == 422
    assert count(house, api.tokens) == 0


def test_what_was_committed_is_not_done_again_and_says_to_what(house: House) -> None:
    client = house.visitor("manager")
    leave_at_work(house, client, done_id="the-token")
    assert "retry-after" in post(house, client).headers
    house.clock.advance(LEASE_S)
    lost = post(house, client)
    assert "retry-after" not in lost.headers
    assert lost.status_code == 409 and "the-token" in lost.json()["detail"]
    assert count(house, api.tokens) == 0


def test_an_answer_whose_key_is_gone_is_lost_and_not_done_again(house: House) -> None:
    client = house.visitor("manager")
    made = post(house, client).json()
    with write(house.parts.engine) as db:
        db.execute(api.answered.update().values(body=FieldKey.new("2026").seal("x", "y")))
    lost = post(house, client)
    assert lost.status_code == 409 and made["id"] in lost.json()["detail"] and count(house, api.tokens) == 1


def test_who_was_taken_for_dead_and_wakes_up_commits_nothing(house: House) -> None:
    """The first is so slow that its lease lapses; the second does it; the first finds that out in time."""
    house = replace(house, app=build_app(house.parts))  # its routes are nobody else's
    client, inner = house.visitor("manager"), []

    def slow(request: Request) -> dict[str, str]:
        if not inner:
            inner.append(None)
            house.clock.advance(LEASE_S)
            inner.append(post(house, client, "/api/v1/slow"))
        with write(parts_of(request).engine) as db:
            note_deed(request, db, Action.CREATE, "tokens", f"made by {len(inner)}")
        return {"made": "yes"}

    add_route(house, "/api/v1/slow", slow)
    outer = post(house, client, "/api/v1/slow")
    assert (outer.status_code, inner[1].status_code) == (409, 200)
    with read(house.parts.engine) as db:
        assert list(db.execute(select(access_log.c.object_id)).scalars()) == ["made by 1"]
    assert post(house, client, "/api/v1/slow").json() == {"made": "yes"}  # the answer of the second


def test_what_broke_after_its_deed_may_not_come_again(house: House) -> None:
    house = replace(house, app=build_app(house.parts))
    client, tries = house.visitor("manager"), []

    def breaks(request: Request) -> None:
        tries.append(1)
        with write(parts_of(request).engine) as db:
            note_deed(request, db, Action.CREATE, "tokens", "made")
        raise ZeroDivisionError

    add_route(house, "/api/v1/breaks", breaks)
    assert post(house, client, "/api/v1/breaks").status_code == 500
    house.clock.advance(LEASE_S)
    assert post(house, client, "/api/v1/breaks").status_code == 409 and tries == [1]


@pytest.mark.parametrize(("age_s", "taken"), [(LEASE_S - 1, False), (LEASE_S, True)])
def test_a_lease_is_taken_by_one_only(house: House, age_s: float, taken: bool) -> None:
    first, second, third = (Turn("wang", "k", worker) for worker in "abc")
    with write(house.parts.engine) as db:
        assert answered.begin(db, first, "asked", NOON) is None
    house.clock.advance(age_s)
    now = house.parts.clock.now()
    with write(house.parts.engine) as db:
        assert (answered.begin(db, second, "asked", now) is None) == taken
        before = answered.begin(db, third, "asked", now)
        assert before is not None and before.at_work
        loser, winner = (first, second) if taken else (second, first)
        answered.forget(db, loser)  # which is not its own
        with pytest.raises(TakenOver):
            answered.done(db, loser, "x")
        answered.done(db, winner, "y")
        answered.keep(db, winner, 201, {}, b"")
        after = answered.begin(db, third, "asked", now)
        assert after is not None and (after.status, after.done_id) == (201, "y")


POSTS = [address for address in API if address.startswith("POST")]
WITHOUT_ONE = {"POST /api/v1/webhook-deliveries/{delivery_id}/again"}  # takes a delivery that was given up


@pytest.mark.parametrize("address", sorted(set(POSTS) - WITHOUT_ONE))
def test_every_deed_of_the_api_says_in_its_transaction_that_it_is_done(tmp_path: Path, address: str) -> None:
    """Or it would be done again when the process dies before its answer is kept."""
    house = open_house(tmp_path)
    client = house.visitor("admin")
    own = {"request_id": lambda house: own_application(house, client), "act": lambda _: "withdraw"}
    own["customer_id"] = deleted_customer if "/restore" in address else PARAMETERS["customer_id"]
    own["merge_id"] = merged_customers
    path = path_of(house, address, own)
    headers = headers_for(house, client, address, path) | {"Idempotency-Key": "k1"}
    body = dict(BODIES.get(address) or {})
    if "purpose" in body:
        body["purpose"] = "administration"
    done = client.post(path, json=body, headers=headers)
    assert done.is_success, done.text
    with read(house.parts.engine) as db:
        (row,) = db.execute(select(api.answered)).mappings()
    assert row["done_id"] and row["status"] == done.status_code


def merged_customers(house: House) -> str:
    kept, other = house.add_customer("甲"), house.add_customer("乙")
    with write(house.parts.engine) as db:
        rows = [store.find_customer(db, one, None) for one in (kept, other)]
        assert rows[0] is not None and rows[1] is not None
        ring, stamp = house.parts.ring, Stamp("wang", house.parts.clock.now_utc())
        record = read_record(db, ring, rows[0])
        return merge(db, ring, rows[0], rows[1], rows[0]["version"], record, stamp)


def deleted_customer(house: House) -> str:
    customer_id = house.add_customer()
    with write(house.parts.engine) as db:
        stamp = Stamp("wang", house.parts.clock.now_utc())
        delete_customers(db, house.parts.ring, [customer_id], "", stamp, None)
    return customer_id
