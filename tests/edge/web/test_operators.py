"""Users, groups and lines as an administrator sets them; one-time passwords; the operation log's page."""

from __future__ import annotations

import re

import pytest

from edge.store.users import user_by_id
from tests.edge.web.conftest import PASSWORD, Branch, Browser


@pytest.fixture
def admin(branch: Branch) -> Browser:
    branch.user("root", "super")
    branch.line(1)
    branch.line(2)
    browser = branch.browser()
    assert browser.log_in("root").status == 303
    return browser


def post(browser: Browser, path: str, **fields: str) -> tuple[int, str]:
    answer = browser.post(path, {"form_token": browser.form_token(), **fields})
    return answer.status, answer.text if answer.body else ""


def user_id(branch: Branch, name: str) -> str:
    return str(branch.db.execute("SELECT id FROM users WHERE name = ?", (name,)).fetchone()[0])


def reasons(branch: Branch, operation: str) -> list[str]:
    rows = branch.db.execute("SELECT reason FROM operation_log WHERE operation = ?", (operation,))
    return [row[0] for row in rows]


def test_a_new_user_logs_in_once_and_chooses_a_password(branch: Branch, admin: Browser) -> None:
    fields = {"name": "wu", "level": "ordinary", "rights-list": "1", "lines-2": "1", "shares_customers": "1"}
    status, page = post(admin, "/users/new", **fields)
    one_time = re.search(r'class="secret">([^<]+)<', page)
    assert status == 200 and one_time
    user = user_by_id(branch.db, user_id(branch, "wu"))
    assert (user.lines, user.employee_number, user.shares_customers) == (frozenset({2}), "wu", True)
    browser = branch.browser()
    assert browser.log_in("wu", one_time[1]).status == 303
    assert browser.get("/calls").headers["Location"] == "/password"
    change = {"old": one_time[1], "new": "river-stone-42", "again": "river-stone-42"}
    token = browser.form_token("/password")
    old_session = browser.jar["session"]
    assert browser.post("/password", {"form_token": token, **change}).status == 303
    assert browser.get("/calls").status == 200 and browser.jar["session"] != old_session
    browser.jar["session"] = old_session
    assert browser.get("/calls").status == 303
    assert branch.browser().log_in("wu", one_time[1]).status == 403
    assert reasons(branch, "user_made") == [
        "name >wu, level >ordinary, lines +2, rights +list, shares_customers False>True"
    ]


BAD_CHANGES = [
    ({"old": "wrong-one-1", "new": "river-stone-42", "again": "river-stone-42"}, "now is not right"),
    ({"old": PASSWORD, "new": "river-stone-42", "again": "river-stone-43"}, "not the same"),
    ({"old": PASSWORD, "new": PASSWORD, "again": PASSWORD}, "another one"),
    ({"old": PASSWORD, "new": "short", "again": "short"}, "at least 8"),
    ({"old": PASSWORD, "new": "password1", "again": "password1"}, "first that are guessed"),
]


@pytest.mark.parametrize(("fields", "words"), BAD_CHANGES)
def test_a_password_that_cannot_be_changed_so(staff: Browser, fields: dict[str, str], words: str) -> None:
    status, page = post(staff, "/password", **fields)
    assert status == 400 and words in page and staff.get("/calls").status == 200


def test_a_change_is_told_in_the_operation_log(branch: Branch, admin: Browser) -> None:
    post(admin, "/groups", name="Sales")
    group = branch.db.execute("SELECT id FROM groups").fetchone()[0]
    fields = {
        "name": "lin",
        "level": "leader",
        "employee_number": "007",
        "group_id": group,
        "rights-list": "1",
    }
    answer = post(admin, f"/users/{user_id(branch, 'lin')}", **fields)
    assert answer[0] == 303
    (told,) = reasons(branch, "user_changed")
    assert "level ordinary>leader" in told and "employee_number lin>007" in told and "-play" in told
    assert "007" in admin.get("/users").text and "Sales" in admin.get("/users").text


BAD_USERS = [
    ({"name": "root", "level": "ordinary"}, "is taken"),
    ({"name": "", "level": "ordinary"}, "1 to 64"),
    ({"name": "a\u202eb", "level": "ordinary"}, "1 to 64"),
    ({"name": "wu", "level": "god"}, "no such choice"),
    ({"name": "wu", "level": "leader", "group_id": "nowhere"}, "no such group"),
    ({"name": "wu", "level": "leader", "rights-users": "1"}, "Only a super"),
    ({"name": "wu", "level": "ordinary", "employee_number": "LIN"}, "is taken"),
]


@pytest.mark.parametrize(("fields", "words"), BAD_USERS)
def test_users_that_cannot_be_made(
    branch: Branch, admin: Browser, fields: dict[str, str], words: str
) -> None:
    status, page = post(admin, "/users/new", **fields)
    assert status == 400 and words in page
    assert branch.db.execute("SELECT count(*) FROM users").fetchone()[0] == 2


LAST = [
    ("", {"name": "root", "level": "leader", "rights-list": "1"}),
    ("", {"name": "root", "level": "super", "rights-list": "1"}),
    ("/enabled", {"enabled": ""}),
]


@pytest.mark.parametrize(("path", "fields"), LAST)
def test_somebody_who_can_administer_stays(
    branch: Branch, admin: Browser, path: str, fields: dict[str, str]
) -> None:
    status, page = post(admin, f"/users/{user_id(branch, 'root')}{path}", **fields)
    assert status == 400 and "Somebody has to stay" in page
    assert admin.get("/users").status == 200


def test_disabling_ends_the_sessions_and_enabling_lets_in(
    branch: Branch, admin: Browser, staff: Browser
) -> None:
    path = f"/users/{user_id(branch, 'lin')}/enabled"
    assert post(admin, path, enabled="")[0] == 303
    assert staff.get("/calls").status == 303 and branch.browser().log_in().status == 403
    assert post(admin, path, enabled="1")[0] == 303
    assert branch.browser().log_in().status == 303


def test_a_reset_ends_the_sessions(branch: Branch, admin: Browser, staff: Browser) -> None:
    status, page = post(admin, f"/users/{user_id(branch, 'lin')}/password")
    assert status == 200 and 'class="secret"' in page
    assert staff.get("/calls").status == 303 and branch.browser().log_in().status == 403


def test_nobody_by_that_id(admin: Browser) -> None:
    assert admin.get("/users/nobody").status == 404
    assert post(admin, "/users/nobody", name="x", level="super")[0] == 404


def test_groups_and_lines(branch: Branch, admin: Browser) -> None:
    assert post(admin, "/groups", name="Sales")[0] == 303
    assert post(admin, "/groups", name="sales")[0] == post(admin, "/groups", name=" ")[0] == 400
    group = branch.db.execute("SELECT id FROM groups").fetchone()[0]
    assert post(admin, "/groups/lines", **{"group-1": group, "pops_up-2": "1"})[0] == 303
    rules = [tuple(row) for row in branch.db.execute("SELECT * FROM line_groups ORDER BY line")]
    assert rules == [(1, group, 0), (2, None, 1)]
    assert post(admin, "/groups/lines", **{"group-1": "nowhere"})[0] == 400
    assert post(admin, f"/groups/{group}", name="Shop")[0] == 303 and "Shop" in admin.get("/groups").text
    branch.db.execute("UPDATE users SET group_id = ? WHERE name = 'lin'", (group,))
    assert post(admin, f"/groups/{group}", name="Shop", remove="1")[0] == 400
    branch.db.execute("UPDATE users SET group_id = NULL")
    assert post(admin, f"/groups/{group}", name="Shop", remove="1")[0] == 303
    assert post(admin, f"/groups/{group}", name="Shop")[0] == 404


# --- the operation log ----------------------------------------------------------------------------


def test_the_log_is_found_by_user_kind_result_and_day(branch: Branch, admin: Browser, staff: Browser) -> None:
    branch.call("a")
    staff.get("/calls/a")
    staff.get("/users")
    for query, wanted in (
        ("user=LIN&operation=view", ["View of a call"]),
        ("result=refused", ["Page or request"]),
        ("subject=a", ["View of a call"]),
        ("from=2026-11-23", []),
        ("to=2026-11-21", []),
    ):
        page = admin.get(f"/log?{query}").text
        assert re.findall(r'data-label="Operation">([^<]+)<', page) == wanted, query


@pytest.mark.parametrize("query", ["result=x", "older=x", "newer=-1", "from=1", "older=" + "9" * 20])
def test_what_is_asked_badly_of_the_log_is_said(admin: Browser, query: str) -> None:
    assert admin.get(f"/log?{query}").status == 400


def test_paging_through_the_log_meets_each_line_once(branch: Branch, admin: Browser) -> None:
    for at in range(250):
        branch.insert(
            "operation_log", at_utc="2026-01-01T00:00:00.000Z", address="-", operation="x", result="done",
            subject=f"s{at}",
        )  # fmt: skip
    path, seen = "/log?operation=x", list[str]()
    while path:
        page = admin.get(path).text
        seen += re.findall(r"<bdi>(s\d+)</bdi>", page)
        found = re.search(r'href="([^"]+)" rel="next"', page)
        path = found[1].replace("&amp;", "&") if found else ""
    assert seen == [f"s{at}" for at in reversed(range(250))]
