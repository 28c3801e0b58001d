"""Sessions end when they should; nothing is changed by a request that did not come from our own pages."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from cloud.store.database import read
from cloud.store.schema import sessions
from cloud.web.door import LONGEST_PAUSE, LONGEST_SESSION, is_from_elsewhere
from tests.cloud.house import SITE, House


def sessions_left(house: House) -> int:
    with read(house.parts.engine) as connection:
        return connection.execute(select(func.count()).select_from(sessions)).scalar_one()


@pytest.mark.parametrize(
    ("headers", "elsewhere"),
    [
        ({"host": "a", "origin": "http://a", "sec-fetch-site": "same-origin"}, False),
        ({"host": "a:8090", "origin": "http://a:8090"}, False),
        ({"host": "A", "origin": "https://a"}, False),  # a proxy may speak TLS in front
        ({"host": "a", "sec-fetch-site": "same-origin"}, False),
        ({"host": "a", "origin": "http://b"}, True),
        ({"host": "a", "origin": "http://a:81"}, True),
        ({"host": "a", "origin": "null"}, True),
        ({"host": "a", "origin": "http://a.b"}, True),
        ({"host": "a", "origin": "http://a", "sec-fetch-site": "cross-site"}, True),
        ({"host": "a", "origin": "http://a", "sec-fetch-site": "same-site"}, True),
        ({"host": "a", "sec-fetch-site": "none"}, True),
        ({"host": "a", "origin": "http://b", "sec-fetch-site": "same-origin"}, True),
        ({"host": "a"}, True),
        ({"origin": "http://a"}, True),
    ],
)
def test_is_from_elsewhere(headers: dict[str, str], elsewhere: bool) -> None:
    assert is_from_elsewhere(headers) is elsewhere


@pytest.mark.parametrize(
    ("token", "origin", "status"),
    [
        ("right", SITE, 303),
        ("wrong", SITE, 403),
        ("", SITE, 403),
        (None, SITE, 403),
        ("right", "http://elsewhere", 403),
        ("right", "", 403),
        ("错", SITE, 403),
    ],
)
def test_log_out_needs_the_token_of_the_form_and_our_own_page(
    house: House, token: str | None, origin: str, status: int
) -> None:
    client = house.visitor("agent")
    given = house.csrf_token(client) if token == "right" else token
    form = {} if given is None else {"csrf_token": given}
    client.headers["Origin"] = origin
    assert client.post("/log-out", data=form).status_code == status
    assert sessions_left(house) == (0 if status == 303 else 1)


def test_another_sessions_token_is_no_good(house: House) -> None:
    mine, other = house.visitor("agent"), house.visitor("agent")
    assert mine.post("/log-out", data={"csrf_token": house.csrf_token(other)}).status_code == 403


def test_the_token_may_come_in_a_header(house: House) -> None:
    client = house.visitor("agent")
    assert client.post("/log-out", headers={"X-CSRF-Token": house.csrf_token(client)}).status_code == 303


def test_a_token_that_was_logged_out_is_worth_nothing(house: House) -> None:
    client = house.visitor("agent")
    stolen = client.cookies["session"]
    client.post("/log-out", data={"csrf_token": house.csrf_token(client)})
    client.cookies.set("session", stolen)
    assert client.get("/api/v1/calls").status_code == 401


def test_a_session_ends_when_it_is_not_used(house: House) -> None:
    client = house.visitor("agent")
    house.clock.advance(LONGEST_PAUSE.total_seconds() - 1)
    assert client.get("/api/v1/calls").status_code == 200
    house.clock.advance(LONGEST_PAUSE.total_seconds() - 1)
    assert client.get("/api/v1/calls").status_code == 200
    house.clock.advance(LONGEST_PAUSE.total_seconds())
    assert client.get("/api/v1/calls").status_code == 401


def test_a_page_that_refreshes_itself_is_not_use(house: House) -> None:
    client = house.visitor("agent")
    for _ in range(6):
        house.clock.advance(LONGEST_PAUSE.total_seconds() / 6)
        last = client.get("/calls/rows", headers={"HX-Request": "true"})
    assert last.status_code == 401


def test_a_session_ends_however_much_it_is_used(house: House) -> None:
    client = house.visitor("agent")
    step_s = LONGEST_PAUSE.total_seconds() / 2
    statuses = []
    for _ in range(int(LONGEST_SESSION.total_seconds() / step_s)):
        house.clock.advance(step_s)
        statuses.append(client.get("/api/v1/calls").status_code)
    assert statuses == [200] * (len(statuses) - 1) + [401]


def test_a_disabled_user_is_out_at_once(house: House) -> None:
    client = house.visitor("agent")
    house.disable(client.get("/api").text.split('class="who">')[1].split("<")[0])
    assert client.get("/api/v1/calls").status_code == 401


@pytest.mark.parametrize("token", ["", "x", "'; DROP TABLE sessions; --", "a" * 4000])
def test_a_made_up_token_is_nobody(house: House, token: str) -> None:
    house.visitor("agent")
    assert house.visitor().get("/api/v1/calls", headers={"Cookie": f"session={token}"}).status_code == 401
    assert sessions_left(house) == 1
