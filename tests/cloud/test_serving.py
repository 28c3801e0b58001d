"""Who serves whom, at every door: theirs is clear, the rest masked in lists and refused when asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

import pytest
from httpx import Response
from sqlalchemy import select
from sqlalchemy.event import listen, remove
from starlette.testclient import TestClient

from cloud.access.guard import Person
from cloud.store import people, serving
from cloud.store.customer_tables import customer_numbers, customers
from cloud.store.database import read, write
from cloud.store.schema import trail
from cloud.webhooks.events import tell_call
from tests.cloud.house import NOON, House

MINE, THEIRS, NOBODYS = "13800138000", "13912345678", "13700001111"


@dataclass
class Desk:
    """An agent, whom they and others serve, and a call of each."""

    house: House
    client: TestClient
    user_id: str
    customers: dict[str, str]
    calls: dict[str, str]

    def get(self, path: str) -> Response:
        return self.client.get(path)

    def post(self, client: TestClient, path: str, form: dict[str, Any]) -> Response:
        return client.post(path, data={"csrf_token": self.house.csrf_token(client)} | form)


def user_of(house: House, client: TestClient) -> str:
    with read(house.parts.engine) as db:
        row = people.find_session(db, client.cookies["session"])
    assert row is not None
    return str(row["user_id"])


@pytest.fixture
def desk(house: House) -> Desk:
    client = house.visitor("agent")
    me, other = user_of(house, client), house.add_user("other", "agent")
    known = {MINE: house.add_customer("王小明", MINE), THEIRS: house.add_customer("李丽", THEIRS)}
    with write(house.parts.engine) as db:
        serving.hand_over(db, [known[MINE]], me)
        serving.hand_over(db, [known[THEIRS]], other)
    calls = {number: house.add_call(caller_number=number) for number in (MINE, THEIRS, NOBODYS)}
    return Desk(house, client, me, known, calls)


def test_the_list_is_clear_where_one_serves_and_masked_elsewhere(desk: Desk) -> None:
    shown = {one["id"]: one["caller_number"] for one in desk.get("/api/v1/calls").json()["calls"]}
    assert shown == {
        desk.calls[MINE]: MINE,
        desk.calls[THEIRS]: "139****5678",
        desk.calls[NOBODYS]: "137****1111",
    }
    page = desk.get("/calls").text
    assert "138 0013 8000" in page and "139****5678" in page


@pytest.mark.parametrize(
    ("number", "status", "caller"),
    [(MINE, 200, MINE), (THEIRS, 403, None), (NOBODYS, 200, "137****1111")],
)
def test_one_call_and_its_audio(desk: Desk, number: str, status: int, caller: str | None) -> None:
    call_id = desk.calls[number]
    answer = desk.get(f"/api/v1/calls/{call_id}")
    assert (answer.status_code, answer.json().get("caller_number")) == (status, caller)
    recording = desk.house.add_recording(call_id, b"fLaC" + b"x" * 100)
    assert desk.get(f"/api/v1/recordings/{recording}/audio").status_code == status
    for path in (f"/calls/{call_id}", f"/calls/{call_id}/recordings"):
        assert desk.get(path).status_code == status
    note = desk.post(desk.client, f"/calls/{call_id}/notes", {"text": "call back"})
    assert note.status_code == (303 if status == 200 else 403)
    if status == 403:
        assert answer.json()["code"] == "served" and call_id in answer.json()["apply"]
        assert number not in unquote_plus(answer.text + desk.get(f"/calls/{call_id}").text)


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (f"party={MINE}", 200),
        (f"party=%2B86+{MINE}", 200),
        (f"party={THEIRS}", 403),
        (f"party={NOBODYS}", 403),
        ("party=5678", 200),  # a part of a number names nobody, and is answered masked
        ("party=139*5678", 200),
    ],
)
def test_a_search_for_a_number_is_for_those_one_serves(desk: Desk, asked: str, status: int) -> None:
    for path in ("/api/v1/calls", "/calls", "/calls/rows"):
        assert desk.get(f"{path}?{asked}").status_code == status, path
    if status == 403:
        refused = desk.get(f"/api/v1/calls?{asked}").json()
        assert refused["code"] == "served" and "about=%2B86" in refused["apply"]
        assert desk.house.visitor("manager").get(f"/api/v1/calls?{asked}").status_code == 200


def test_the_calls_of_a_customer_are_for_who_serves_them(desk: Desk) -> None:
    mine, theirs = desk.customers[MINE], desk.customers[THEIRS]
    (shown,) = desk.get(f"/api/v1/calls?customer={mine}").json()["calls"]
    assert shown["caller_number"] == MINE
    refused = desk.get(f"/api/v1/calls?customer={theirs}")
    assert refused.json()["code"] == "served"
    assert theirs in refused.json()["apply"] and THEIRS not in refused.text
    tab = desk.get(f"/customers/{theirs}?tab=calls").text
    assert f"about={theirs}" in tab and THEIRS not in tab
    assert 'class="time"' in desk.get(f"/customers/{mine}?tab=calls").text


def test_a_customer_is_ones_own_by_the_record_and_not_by_a_shared_number(desk: Desk) -> None:
    twin = desk.house.add_customer("孙大力", MINE)
    assert "王小明" in desk.get(f"/customers/{desk.customers[MINE]}").text
    assert "孙大力" not in desk.get(f"/customers/{twin}").text


def numbers(house: House, customer_id: str) -> dict[str, bool]:
    with read(house.parts.engine) as db:
        rows = db.execute(select(customer_numbers).where(customer_numbers.c.customer_id == customer_id))
        return {row["key"]: bool(row["vouched"]) for row in rows.mappings()}


def test_a_number_that_one_writes_oneself_makes_nothing_clear(desk: Desk) -> None:
    mine = desk.customers[MINE]
    form = {"version": "1", "kind": "individual", "state": "active", "name": "王小明"}
    form["numbers"] = f"{MINE}\n{THEIRS}"
    assert desk.post(desk.client, f"/customers/{mine}/edit", form).status_code == 303
    assert numbers(desk.house, mine) == {f"+86{MINE}": True, f"+86{THEIRS}": False}
    assert desk.get(f"/api/v1/calls/{desk.calls[THEIRS]}").json()["code"] == "served"
    tab = desk.get(f"/customers/{mine}?tab=calls").text
    assert tab.count('class="time"') == 1 and "1 个号码的通话未列出" in tab
    assert "未确认" in desk.get(f"/customers/{mine}").text
    manager = desk.house.visitor("manager")
    assert desk.post(manager, "/customers/batch", {"act": "vouch", "id": [mine]}).status_code == 303
    assert desk.get(f"/api/v1/calls/{desk.calls[THEIRS]}").json()["caller_number"] == THEIRS


def test_a_number_of_another_desk_counts_and_keeps_counting(desk: Desk) -> None:
    """Who manages may write numbers; saving the record anew changes nothing of those there were."""
    manager, mine = desk.house.visitor("manager"), desk.customers[MINE]
    plain = {"kind": "individual", "state": "active", "served_by": desk.user_id}
    assert desk.post(
        manager, f"/customers/{mine}/edit", plain | {"version": "1", "numbers": NOBODYS}
    ).is_redirect
    again = {"version": "2", "kind": "individual", "state": "active", "name": "王小明", "numbers": NOBODYS}
    assert desk.post(desk.client, f"/customers/{mine}/edit", again).is_redirect
    assert numbers(desk.house, mine) == {f"+86{NOBODYS}": True}
    assert desk.get(f"/api/v1/calls/{desk.calls[NOBODYS]}").json()["caller_number"] == NOBODYS


def test_handing_over_is_for_who_manages_and_stands_in_history_and_trail(desk: Desk) -> None:
    manager, both = desk.house.visitor("manager"), list(desk.customers.values())
    form = {"act": "serve", "server": desk.user_id, "id": both}
    assert desk.post(desk.client, "/customers/batch", form).status_code == 403
    assert desk.post(manager, "/customers/batch", form).status_code == 303
    assert desk.get(f"/api/v1/calls/{desk.calls[THEIRS]}").json()["caller_number"] == THEIRS
    assert "移交" in manager.get(f"/customers/{both[1]}?tab=history").text
    with read(desk.house.parts.engine) as db:
        last = db.execute(select(trail.log).order_by(trail.log.c.at_utc, trail.log.c.seq)).mappings().all()
        rows = [row for row in last if "served_by" in row["changes"]]
    assert [("other" in row["changes"], row["row_count"]) for row in rows] == [(True, 2)]
    nobody = {"act": "serve", "server": "nobody", "id": both}
    assert desk.post(manager, "/customers/batch", nobody).status_code == 303
    assert desk.get(f"/api/v1/calls?party={MINE}").status_code == 403


def test_only_those_who_serve_are_handed_customers(desk: Desk) -> None:
    manager = desk.house.visitor("manager")
    for server in (user_of(desk.house, manager), "nobody such", ""):
        form = {"act": "serve", "server": server, "id": [desk.customers[THEIRS]]}
        assert desk.post(manager, "/customers/batch", form).status_code == 422
    assert desk.get(f"/api/v1/calls/{desk.calls[THEIRS]}").status_code == 403


def test_a_deleted_customer_is_nobodys(desk: Desk) -> None:
    with write(desk.house.parts.engine) as db:
        gone = customers.update().where(customers.c.id == desk.customers[MINE])
        db.execute(gone.values(deleted_utc=desk.house.parts.clock.now_utc()))
    assert desk.get(f"/api/v1/calls?party={MINE}").status_code == 403
    assert desk.get(f"/api/v1/calls/{desk.calls[MINE]}").json()["caller_number"] == "138****8000"


def test_a_local_number_without_its_area_is_nobodys(house: House) -> None:
    client = house.visitor("agent")
    customer_id = house.add_customer("王小明", "68943127")
    call_id = house.add_call(caller_number="68943127")
    with write(house.parts.engine) as db:
        serving.hand_over(db, [customer_id], user_of(house, client))
    assert client.get(f"/api/v1/calls/{call_id}").json()["caller_number"] != "68943127"


def test_a_hook_tells_its_owner_nothing_of_others(desk: Desk) -> None:
    owner = Person(desk.user_id, "Wang", "agent", "national", "", "")
    engine = desk.house.parts.engine
    told = {number: tell_call(engine, owner, call_id, {}, NOON) for number, call_id in desk.calls.items()}
    assert told[THEIRS] is None
    assert told[MINE] is not None and told[MINE]["caller_number"] == MINE


@contextmanager
def statements(house: House) -> Iterator[list[str]]:
    said: list[str] = []

    def note(_db: object, _cursor: object, statement: str, *_rest: object) -> None:
        said.append(statement)

    listen(house.parts.engine, "before_cursor_execute", note)
    yield said
    remove(house.parts.engine, "before_cursor_execute", note)


def test_who_serves_is_asked_once_however_many_rows(desk: Desk) -> None:
    counts = []
    desk.get("/api/v1/calls")  # which makes the keys that cursors are signed with
    for _ in range(2):
        with statements(desk.house) as said:
            desk.get("/api/v1/calls?limit=100")
        counts.append((len(said), sum("served_by" in one for one in said)))
        desk.house.add_calls([{"caller_number": f"138{n:08}"} for n in range(60)])
    assert counts[0] == counts[1] and counts[0][1] == 1
    with statements(desk.house) as said:
        desk.house.visitor("manager").get("/api/v1/calls")
    assert not any("served_by" in one for one in said)
