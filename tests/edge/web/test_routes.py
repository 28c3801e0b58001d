"""The table of routes: each one with and without a log-in, and what every answer carries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge.store.users import all_users
from edge.web.app import ROUTES
from edge.web.door import HEADERS, Route, host_is_ours
from edge.web.rights import LEVEL_RIGHTS, LEVELS, RIGHTS, Right, allowed
from tests.edge.web.conftest import Branch, Browser

PUBLIC = {
    ("/log-in", "GET"), ("/log-in", "POST"), ("/language", "POST"), ("/static/<path:path>", "GET"),
    ("/api/log-in", "POST"), ("/api/language", "POST"), ("/trust", "GET"), ("/trust/ca.crt", "GET"),
}  # fmt: skip


def is_public(route: Route) -> bool:
    return (route.path, route.method) in PUBLIC


def concrete(route: Route) -> str:
    """A path that leads to `route`."""
    return (
        route.path.replace("<path:path>", "page.css")
        .replace("<call_id>", "call-1")
        .replace("<recording_id>", "rec-1")
    )


@pytest.fixture(scope="module")
def branch(memory: Path) -> Iterator[Branch]:
    """One branch for all routes, with one call; what a route refuses changes nothing."""
    made = Branch(memory)
    made.user("lin", "ordinary")
    made.recording("rec-1", made.call("call-1"))
    yield made
    made.stop.set()
    made.db.close()


def ask(browser: Browser, route: Route, accept: str = "text/html") -> int:
    """The status of `route`; a stream is closed after its first message."""
    fields = b"form_token=" + browser.form_token().encode() if browser.jar and route.method == "POST" else b""
    answer, chunks = browser.start(
        route.method, concrete(route), fields + b"&language=en&name=x&password=y", HTTP_ACCEPT=accept
    )
    next(iter(chunks), b"")
    chunks.close()
    assert_headers(answer.headers)
    return answer.status


def assert_headers(headers: dict[str, str]) -> None:
    assert {name: headers.get(name) for name in HEADERS} == HEADERS
    assert "Cache-Control" in headers


def test_exactly_these_routes_are_public() -> None:
    assert {(route.path, route.method) for route in ROUTES if route.right is Right.PUBLIC} == PUBLIC


def test_every_level_has_its_line_and_starts_with_what_can_be_given() -> None:
    assert set(LEVEL_RIGHTS) == set(LEVELS)
    assert all(rights <= set(RIGHTS) for rights in LEVEL_RIGHTS.values())


@pytest.mark.parametrize("right", Right)
def test_a_level_that_is_not_in_the_table_may_nothing(branch: Branch, right: Right) -> None:
    stranger = replace(all_users(branch.db)[0], level="guest", rights=frozenset(RIGHTS))
    assert allowed(stranger, right) is (right is Right.PUBLIC)
    assert allowed(None, right) is (right is Right.PUBLIC)


def expected(route: Route) -> set[int]:
    """What nobody in particular is answered."""
    if is_public(route):
        return {200, 303, 403, 404, 429}  # 403: a wrong password, 429: again, 404: no authority
    return {303} if route.method == "GET" and not route.path.startswith("/api/") else {401}


def test_without_a_log_in(branch: Branch) -> None:
    for route in ROUTES:
        assert ask(branch.browser(), route) in expected(route), route


def test_without_a_log_in_for_a_program(branch: Branch) -> None:
    for route in ROUTES:
        if not is_public(route):
            assert ask(branch.browser(), route, accept="*/*") == 401, route


def test_with_a_session_that_is_made_up(branch: Branch) -> None:
    for route in ROUTES:
        browser = branch.browser()
        browser.jar["session"] = "A" * 43
        answer = browser.ask(route.method, concrete(route), b"language=en")
        assert answer.status in expected(route), route


@pytest.mark.parametrize(
    "path", ["/nothing", "/calls/", "/calls/a/b", "/recordings/rec-1", "/static/", "/../etc"]
)
@pytest.mark.parametrize("logged_in", [False, True])
def test_what_is_not_in_the_table_is_not_there(branch: Branch, path: str, logged_in: bool) -> None:
    browser = branch.browser()
    if logged_in:
        browser.log_in()
    answer = browser.get(path)
    assert answer.status == 404
    assert_headers(answer.headers)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(branch: Branch, method: str) -> None:
    browser = branch.browser()
    for route in ROUTES:
        answer = browser.ask(method, concrete(route))
        assert answer.status == 405, route
        assert_headers(answer.headers)


def test_a_fault_of_ours_shows_an_id_and_no_insides(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    branch = Branch(tmp_path)
    branch.user("lin", "ordinary")
    staff = branch.browser()
    staff.log_in()
    branch.db.execute("DROP TABLE gaps")
    answer = staff.get("/calls")
    assert answer.status == 500
    assert_headers(answer.headers)
    assert "Error number" in answer.text
    assert "Traceback" not in answer.text and "gaps" not in answer.text


HOSTS = [
    ("127.0.0.1", True),
    ("127.0.0.1:8080", True),
    ("[::1]:8080", True),
    ("192.168.1.20", True),
    ("localhost:8080", True),
    ("box.local", True),
    ("BOX.local", True),
    ("evil.example", False),
    ("box.local.evil.example", False),
    ("127.0.0.1.evil.example", False),
    ("", False),
    ("[::1", False),
    ("user@evil.example", False),
]


@pytest.mark.parametrize(("host", "ours"), HOSTS)
def test_hosts(host: str, ours: bool) -> None:
    assert host_is_ours(host, ("localhost", "box.local")) is ours


def test_a_rebound_host_gets_nothing(branch: Branch) -> None:
    answer = branch.browser().get("/calls", HTTP_HOST="evil.example")
    assert answer.status == 421
    assert_headers(answer.headers)
