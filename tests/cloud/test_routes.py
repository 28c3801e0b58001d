"""Every route of the finished application x nobody and every role; the headers of every answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection
from sqlalchemy.event import listen
from sqlalchemy.exc import OperationalError
from starlette.routing import BaseRoute, Mount
from starlette.testclient import TestClient

from cloud.access.applications import Application, State
from cloud.access.guard import Open, Person
from cloud.access.roles import OWN_ONLY, ROLES, Right, rights_of, stands
from cloud.access.verbs import Verb
from cloud.store import applications, people
from cloud.store.database import write
from cloud.web.app import API, PAGES, ROUTES
from cloud.web.headers import SECURITY_HEADERS
from sync.ids import new_id
from tests.cloud.access.test_applications import wish_of
from tests.cloud.api_bodies import BODIES, headers_for
from tests.cloud.house import House, open_house
from tests.cloud.planting import path_of
from tests.databases import Emptied

NOBODY = None
DONE = (200, 201, 202, 204, 303, 409)
FORMS_LEFT_EMPTY = (
    "POST /applications",
    "POST /applications/break-glass",
    "POST /purpose",
    "POST /identity-check",
    "POST /calls/batch",
    "POST /calls/filters",
    "POST /rules",
    "POST /integrations/tokens",
    "POST /integrations/webhooks",
    "POST /api/v1/applications",
)
SAID_WHY = {address: (422,) for address in FORMS_LEFT_EMPTY} | {
    address: (404,)
    for address in ROUTES
    if any(
        name in address
        for name in ("token_id", "hook_id", "delivery_id", "release_id", "filter_id", "export_id")
    )
}  # there is none of theirs
SAID_WHY["POST /orders/{order_id}"] = (422,)  # who reads orders does not approve them
SAID_WHY["PUT /api/v1/calls/{call_id}/notes/{note_id}"] = (403,)  # a note that is masked is written by nobody
SAID = {  # part of an address -> what a form there needs to be understood
    "/dismiss": {"reason": "r"},
    "/releases": {"step": "release"},
    "/retention": {"in": "365", "box": "head-office", "reason": "r"},
    "/orders": {"kind": "hold", "reason": "r", "step": "approve"},
    "/findings/": {"remark": "r"},
    "/notes": {"text": "n"},
    "/report": {"text": "n", "step": "take"},
}
FORMS = {
    "/log-in": {"name": "x", "password": "y"},
    "/language": {"language": "en"},
    "/calls/export": {"form": "csv"},
    "/calls/batch": {"act": "star"},
}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """On SQLite: who may enter does not depend on the database."""
    house = open_house(tmp_path)
    yield house
    house.parts.engine.dispose()


def built_routes(house: House) -> Iterator[tuple[str, BaseRoute]]:
    """Method and path of everything the application answers, mounts apart."""
    for route in house.app.routes:
        if isinstance(route, Mount):
            assert route.path == "/static"
            continue
        for method in route.methods:  # type: ignore[attr-defined]
            yield f"{method} {route.path}", route  # type: ignore[attr-defined]


def call_path(house: House, client: TestClient, address: str) -> tuple[str, str]:
    own = {"request_id": lambda house: own_application(house, client)}
    return address.split(" ")[0], path_of(house, address, own)


def own_application(house: House, client: TestClient) -> str:
    """The id of an application of whoever uses `client`; of somebody else for those not logged in."""
    with write(house.parts.engine) as connection:
        session = people.find_session(connection, client.cookies.get("session", ""))
        role = session["role"] if session else "agent"
        who = Person(session["user_id"] if session else "x", "X", role, "national", "", "")
        draft = Application(new_id(), who.user_id, "X", role, "national", wish_of(role), State.DRAFT, 2)
        return applications.submit(connection, draft, who, house.parts.clock.now()).file.application.id


def test_the_application_answers_what_the_table_says_and_nothing_else(house: House) -> None:
    assert sorted(address for address, _ in built_routes(house)) == sorted(ROUTES)
    assert len(ROUTES) == len(PAGES) + len(API)


def test_only_the_log_in_and_the_language_are_open_to_anybody() -> None:
    is_open = {address for address, route in ROUTES.items() if route.needs is Open.TO_ANYBODY}
    assert is_open == {"GET /log-in", "POST /log-in", "POST /language"}


def test_calls_and_recordings_need_their_rights() -> None:
    for address, route in ROUTES.items():
        if "recording_id" in address:
            assert route.needs is Right.PLAY_RECORDINGS
        elif address == "POST /calls/export":
            assert route.needs is Right.EXPORT
        elif address.endswith("/orders"):
            assert route.needs in (Right.ORDER, Right.READ_ORDERS)
        elif "/calls/filters" in address:
            assert route.needs is Right.ENTER  # one's own
        elif "/calls" in address:
            assert route.needs is (Right.READ_CALLS if "GET" in address else Right.CHANGE_CALLS)


@pytest.mark.parametrize("role", [NOBODY, *ROLES])
def test_each_route_lets_in_those_whose_role_has_its_right(house: House, role: str | None) -> None:
    try_each_route(house, role)


@pytest.mark.parametrize("role", ["admin", "agent"])  # one of all branches, one of some
def test_each_route_answers_on_postgresql_too(tmp_path: Path, emptied: Emptied, role: str) -> None:
    house = open_house(tmp_path, emptied.url)
    try_each_route(house, role)
    house.parts.engine.dispose()
    emptied.empty()


def try_each_route(house: House, role: str | None) -> None:
    client = house.visitor(role)
    tried = 0
    for address, _ in built_routes(house):
        method, path = call_path(house, client, address)
        said = next((form for part, form in SAID.items() if part in path), {})
        form = FORMS.get(path, said)
        headers = {}
        if role and method != "GET":
            headers["X-CSRF-Token"] = house.csrf_token(client)
        if role and address in API:
            headers = headers_for(house, client, address, path)
            answer = client.request(method, path, json=BODIES.get(address), headers=headers)
        else:
            answer = client.request(method, path, data=form or None, headers=headers)
        check_answer(address, role, answer.status_code, answer.headers)
        check_headers(answer.headers)
        tried += 1
        if path == "/log-out" and role:  # the session is gone: another of the same role goes on
            client = house.visitor(role)
    assert tried == len(ROUTES)


def check_answer(address: str, role: str | None, status: int, headers: dict[str, str]) -> None:
    needs = ROUTES[address].needs
    to_log_in = headers.get("location", "").startswith("/log-in")
    if needs is Open.TO_ANYBODY:
        assert status not in (403, 404, 500), address
    elif role is None:
        expected = 401 if address in API or address == "GET /api/v1/openapi.json" else 303
        assert (status, to_log_in) == (expected, expected == 303), address
    elif needs not in rights_of(role):
        assert status == 403, address
    elif address in ("GET /customers/export", "POST /calls/export"):
        assert status == 403  # takes a grant of everybody
    elif needs in (Right.READ_CALLS, Right.PLAY_RECORDINGS, Right.READ_CUSTOMERS) and (
        not stands(role, Verb.VIEW) or role in OWN_ONLY
    ):
        assert status == 403, address  # through the door, and then the decision asks for a grant
    else:
        nothing = (404, 422) if "/customers" in address else ()  # nothing is there, nothing was typed
        assert status in (*DONE, *SAID_WHY.get(address, nothing)), (address, status)  # 409: still not usable
        assert not to_log_in or address == "POST /log-out"


def check_headers(headers: dict[str, str]) -> None:
    for name, value in SECURITY_HEADERS.items():
        assert headers[name] == value
    assert "no-store" in headers["cache-control"]
    assert "server" not in headers


def test_the_policy_allows_nothing_inline_and_nothing_from_elsewhere() -> None:
    policy = SECURITY_HEADERS["Content-Security-Policy"]
    assert "unsafe" not in policy and "http" not in policy and "*" not in policy
    for part in ("default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "form-action 'self'"):
        assert part in policy.split("; ")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/docs", 404),
        ("GET", "/redoc", 404),
        ("GET", "/calls/", 404),
        ("GET", "/static/../app.py", 404),
        ("GET", "/static/%2e%2e/app.py", 404),
        ("DELETE", "/calls", 405),
        ("GET", "/static/page.css", 200),
    ],
)
def test_answers_outside_the_table_carry_the_headers_too(
    house: House, method: str, path: str, status: int
) -> None:
    answer = house.visitor().request(method, path)
    assert answer.status_code == status
    for name, value in SECURITY_HEADERS.items():
        assert answer.headers[name] == value


def test_a_request_that_brings_too_much_is_refused_with_headers(house: House) -> None:
    answer = house.visitor().post("/log-in", content=b"x" * 100_000)
    assert answer.status_code == 413
    assert "content-security-policy" in answer.headers


def test_a_fault_of_ours_tells_an_id_and_nothing_of_the_inside(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    client = house.visitor("manager")

    def gone(_db: Connection, _cursor: object, statement: str, *_rest: object) -> None:
        raise OperationalError(statement, {}, Exception("no such table: calls"))

    listen(house.parts.engine, "before_cursor_execute", gone)
    answer = client.get("/api/v1/calls")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["id"] in caplog.text
    assert "no such table" not in answer.text and "select" not in answer.text.lower()
    assert "content-security-policy" in answer.headers


def test_a_part_of_a_page_sends_the_whole_page_to_the_log_in(house: House) -> None:
    answer = house.visitor().get("/calls/rows", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/log-in")


@pytest.mark.parametrize("role", ROLES)
def test_the_menu_shows_what_the_role_may_see(house: House, role: str) -> None:
    text = house.visitor(role).get("/api").text
    menu = set(re.findall(r'<a href="(/\w+)"', text.split("</nav>")[0]))
    rights = rights_of(role)
    assert ("/calls" in menu) == (Right.READ_CALLS in rights)
    assert ("/branches" in menu) == (Right.READ_BRANCHES in rights)


def test_the_description_lists_the_api_and_only_that(house: House) -> None:
    document = house.visitor("agent").get("/api/v1/openapi.json").json()
    described = {
        f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods
    }
    assert described == set(API)
    assert document["openapi"].startswith("3.1")
    page = house.visitor("agent").get("/api").text
    for path in document["paths"]:
        assert path in page
    assert "http://" not in page and "https://" not in page
