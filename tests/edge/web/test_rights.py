"""Who may do what: every route x level x right, and calls of lines in and out of scope."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path

import pytest

from edge.store.rights import LEVELS, RIGHTS, Right
from edge.store.sessions import start_session
from edge.store.users import User, lines_in_scope, user_by_id
from edge.web.app import ROUTES
from edge.web.door import Route
from edge.web.rights import allowed, rights_of
from edge.web.sessions import form_token, new_token, token_hash
from sync.db import write
from tests.edge.web.conftest import Answer, Branch, Browser

GUARDED = [route for route in ROUTES if route.right is not Right.PUBLIC]
SECRET = "01055501234"  # rang on line 7
PARTS = {"call_id": "call-1", "recording_id": "rec-1", "group_id": "g1"}


@pytest.fixture(scope="module")
def branch(memory: Path) -> Iterator[Branch]:
    made = Branch(memory)
    made.line(1)
    made.line(7)
    made.insert("groups", id="g1", name="Sales")
    made.insert("line_groups", line=1, group_id="g1", pops_up=1)
    made.recording("rec-1", made.call("call-1", 60))
    made.recording("rec-7", made.call("call-7", 50, line=7, line_name="Back", caller_number=SECRET))
    made.user("somebody", "super")  # so that the one under test is never the last
    made.user("victim", "ordinary")
    made.user("subject", "ordinary")
    yield made
    made.stop.set()
    made.db.close()


def become(
    branch: Branch, level: str, rights: frozenset[Right], lines: frozenset[int] = frozenset({1})
) -> User:
    """The user under test, with these rights and no others."""
    user_id = branch.db.execute("SELECT id FROM users WHERE name = 'subject'").fetchone()[0]
    with write(branch.db):
        branch.db.execute("UPDATE users SET level = ?, group_id = 'g1' WHERE id = ?", (level, user_id))
        branch.db.execute("DELETE FROM user_rights WHERE user_id = ?", (user_id,))
        branch.db.execute("DELETE FROM user_lines WHERE user_id = ?", (user_id,))
        for right in rights:
            branch.db.execute("INSERT INTO user_rights VALUES (?, ?)", (user_id, right.value))
        for line in lines:
            branch.db.execute("INSERT INTO user_lines VALUES (?, ?)", (user_id, line))
    return user_by_id(branch.db, user_id)


def ask(branch: Branch, user: User, route: Route, **parts: str) -> Answer:
    """What this user is answered, with a session of their own and as much of it as a moment brings."""
    browser, token = branch.browser(), new_token()
    now: datetime = branch.clock.utc()
    start_session(branch.db, user, token_hash(token), browser.address, now, user.password_hash)
    browser.jar["session"] = token
    victim = branch.db.execute("SELECT id FROM users WHERE name = 'victim'").fetchone()[0]
    known = PARTS | {"user_id": victim} | parts
    path = re.sub(r"<(\w+)(?::\w+)?>", lambda part: known.get(part[1], "nothing"), route.path)
    body = f"form_token={form_token(token)}&language=en".encode() if route.method == "POST" else b""
    return first_of(browser, route, path, body)


def first_of(browser: Browser, route: Route, path: str, body: bytes) -> Answer:
    """The answer; a stream is closed after its first message, that of the lines after its second."""
    answer, chunks = browser.start(route.method, path, body)
    most = (2 if "/lines/stream" in route.path else 1) if "stream" in route.path else None
    for chunk in islice(chunks, most):
        answer.body += chunk
    chunks.close()
    return answer


def refusals(branch: Branch) -> int:
    return int(branch.db.execute("SELECT count(*) FROM operation_log WHERE result = 'refused'").fetchone()[0])


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("right", RIGHTS, ids=lambda right: right.value)
def test_every_route_for_every_level_with_one_right(branch: Branch, level: str, right: Right) -> None:
    wrong = []
    user = become(branch, level, frozenset({right}))
    for route in GUARDED:
        before, answer = refusals(branch), ask(branch, user, route)
        may = route.right is Right.OWN or (
            route.right is right and (right is not Right.USERS or level == "super")
        )
        logged = refusals(branch) - before
        if (answer.status == 403) is may or (not may and logged != 1):
            wrong.append(f"{route.method} {route.path}: {answer.status}, {logged} in the log")
    assert wrong == []


@pytest.mark.parametrize("level", LEVELS)
def test_without_any_right_there_is_only_ones_own(branch: Branch, level: str) -> None:
    user = become(branch, level, frozenset())
    assert rights_of(user) == frozenset()
    for route in GUARDED:
        if route.right is not Right.OWN:
            assert ask(branch, user, route).status == 403, route


def test_every_right_stands_before_some_route_or_some_part(branch: Branch) -> None:
    """A right that is asked for nowhere would be a promise; those that others ask for are named here."""
    asked = {route.right for route in ROUTES}
    assert set(RIGHTS) - asked == {Right.RECORDINGS}  # asked beside COM-05's other condition


# level, group's lines, linked lines -> lines in scope
SCOPES = [
    ("super", {1}, set(), None),
    ("leader", {1}, {7}, {1}),
    ("leader", {1, 7}, set(), {1, 7}),
    ("leader", set(), {1, 7}, set()),
    ("ordinary", {1, 7}, {1}, {1}),
    ("ordinary", {1, 7}, {1, 7}, {1, 7}),
    ("ordinary", {1, 7}, set(), set()),
]


@pytest.fixture(params=SCOPES, ids=str)
def scoped(branch: Branch, request: pytest.FixtureRequest) -> tuple[User, set[int]]:
    """A user with every right of a level, and the lines they see."""
    level, grouped, linked, seen = request.param
    with write(branch.db):
        branch.db.execute("DELETE FROM line_groups")
        for line in grouped:
            branch.db.execute("INSERT INTO line_groups VALUES (?, 'g1', 1)", (line,))
    rights = frozenset(RIGHTS) if level == "super" else frozenset(RIGHTS) - {Right.USERS}
    user = become(branch, level, rights, frozenset(linked))
    assert lines_in_scope(branch.db, user) == (None if seen is None else frozenset(seen))
    return user, {1, 7} if seen is None else seen


NAMED = [route for route in ROUTES if "<call_id>" in route.path or "<recording_id>" in route.path]


@pytest.mark.parametrize("line", [1, 7])
def test_a_call_or_recording_named_by_id_is_there_only_in_scope(
    branch: Branch, scoped: tuple[User, set[int]], line: int
) -> None:
    user, seen = scoped
    assert len(NAMED) >= 2
    for route in NAMED:
        before = refusals(branch)
        note = (f"note-{line}", f"call-{line}", user.id, user.name, "2026-11-22T04:00:00.000Z", "x")
        branch.db.execute("INSERT OR REPLACE INTO call_notes VALUES (?, ?, ?, ?, ?, ?, NULL)", note)
        answer = ask(
            branch, user, route, call_id=f"call-{line}", recording_id=f"rec-{line}", note_id=f"note-{line}"
        )
        assert (answer.status != 404) is (line in seen), route
        assert refusals(branch) - before == (line not in seen), route


OF_A_LINE = [route for route in ROUTES if re.search("/lines/<line>/(record|listen)", route.path)]


@pytest.mark.parametrize("line", [1, 7])
def test_a_line_is_recorded_and_heard_only_in_scope(
    branch: Branch, scoped: tuple[User, set[int]], line: int
) -> None:
    user, seen = scoped
    assert {(route.method, route.right) for route in OF_A_LINE} == {
        ("POST", Right.LIST),
        ("GET", Right.LISTEN),
    }
    assert len(OF_A_LINE) == 4  # the pages and their twins
    for route in OF_A_LINE:
        before = refusals(branch)
        answer = ask(branch, user, route, line=str(line))
        assert answer.status == (409 if line in seen else 404), route  # nobody is in a call
        assert refusals(branch) - before == (line not in seen), route


def test_lists_exports_and_the_stream_show_only_what_is_in_scope(
    branch: Branch, scoped: tuple[User, set[int]]
) -> None:
    user, seen = scoped
    lists = [route for route in ROUTES if route.method == "GET" and "<" not in route.path]
    for route in lists:
        answer = ask(branch, user, route)
        if route.right in {Right.LIST, Right.PLAY, Right.EXPORT, Right.DOWNLOAD}:
            assert (7 in seen) or SECRET.encode() not in answer.body, route
    shown = [
        ask(branch, user, route).body
        for route in lists
        if route.path in {"/lines", "/lines/stream", "/calls"}
    ]
    assert [SECRET.encode() in body for body in shown] == [7 in seen] * 3


def test_a_stream_ends_when_the_scope_or_the_rights_change(branch: Branch) -> None:
    with write(branch.db):
        branch.db.execute("DELETE FROM line_groups")
    for change in (
        "DELETE FROM user_lines WHERE user_id = ?",
        "DELETE FROM user_rights WHERE user_id = ?",
        "UPDATE users SET disabled = 1 WHERE id = ?",
    ):
        user = become(branch, "ordinary", frozenset({Right.LIST}))
        browser, token = branch.browser(), new_token()
        start_session(branch.db, user, token_hash(token), browser.address, branch.clock.utc(), "x")
        browser.jar["session"] = token
        answer, chunks = browser.start("GET", "/lines/stream")
        assert answer.status == 200 or next(chunks)
        next(chunks), next(chunks)
        with write(branch.db):
            branch.db.execute(change, (user.id,))
        branch.clock.advance(11)
        assert list(chunks) == [], change
        chunks.close()
        branch.db.execute("UPDATE users SET disabled = 0")


@pytest.mark.parametrize("right", RIGHTS, ids=lambda right: right.value)
def test_a_password_somebody_else_knows_opens_nothing_but_its_change(branch: Branch, right: Right) -> None:
    user = branch.db.execute("SELECT id FROM users WHERE name = 'somebody'").fetchone()[0]
    branch.db.execute("UPDATE users SET must_change_password = 1 WHERE id = ?", (user,))
    somebody = user_by_id(branch.db, user)
    assert not allowed(somebody, right) and allowed(somebody, Right.OWN)
    branch.db.execute("UPDATE users SET must_change_password = 0 WHERE id = ?", (user,))
    assert allowed(user_by_id(branch.db, user), right)
