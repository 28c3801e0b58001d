"""The JSON API: a twin for every page that can do something, the same guard, answers and refusals in JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from edge.store.line_settings import LineSettings, note_file, settings_of
from edge.store.rights import LEVEL_RIGHTS, Right
from edge.web import communications as communication_pages
from edge.web import customers, exports, files, lines, log_in, operators, record_sheets, trust
from edge.web.app import API, PAGES
from edge.web.plain import fields_of, plain
from edge.web.stream import message
from sync.db import write
from tests.edge.web.conftest import PASSWORD, Answer, Branch, Browser

# Pages that can do nothing: forms to fill in, what only a browser wants, and the list once more for paper.
NO_POWER = {
    lines.home, log_in.form, files.static, operators.blank, customers.blank, communication_pages.blank,
    record_sheets.form, exports.printed, trust.show, trust.certificate,
}  # fmt: skip


class Program:
    """Speaks JSON, with a token of its own and no cookie."""

    def __init__(self, branch: Branch, name: str = "lin") -> None:
        self.browser, self.token = branch.browser(), ""
        answer = self.post("/log-in", name=name, password=PASSWORD)
        assert answer.status == 200
        self.token = json.loads(answer.text)["token"]

    def headers(self) -> dict[str, str]:
        bearer = f"Bearer {self.token}" if self.token else ""
        return {"HTTP_ACCEPT": "*/*", "HTTP_AUTHORIZATION": bearer, "HTTP_ORIGIN": "http://127.0.0.1"}

    def get(self, path: str) -> Any:
        answer = self.browser.get(f"/api{path}", **self.headers())
        assert answer.headers["Content-Type"].startswith("application/json"), answer.text
        return json.loads(answer.text) | ({} if answer.status == 200 else {"status": answer.status})

    def post(self, path: str, **fields: Any) -> Answer:
        headers = self.headers() | {"CONTENT_TYPE": "application/json"}
        if self.token:
            headers["HTTP_ORIGIN"] = ""  # a program has none
        return self.browser.ask("POST", f"/api{path}", json.dumps(fields).encode(), **headers)

    def done(self, path: str, **fields: Any) -> Any:
        answer = self.post(path, **fields)
        assert answer.status == 200, answer.text
        return json.loads(answer.text)


@pytest.fixture
def chief(branch: Branch) -> Program:
    branch.user("chief", "super")
    return Program(branch, "chief")


def test_no_page_has_a_power_that_the_api_lacks() -> None:
    assert {page.page for page in PAGES if page.api is None} == NO_POWER
    twins = {(one.path, one.method): one.right for one in API}
    for page in PAGES:
        if page.page not in NO_POWER:
            assert twins.pop((f"/api{page.path}", page.method)) is page.right
    assert twins == {}


def test_a_program_sees_lines_and_calls(branch: Branch, chief: Program) -> None:
    branch.line(1)
    branch.recording("rec-1", branch.call("call-1", caller_name="王小明"))
    assert chief.get("/lines")["lines"][0]["last_call"]["id"] == "call-1"
    found = chief.get("/calls?text=王小")
    assert [one["id"] for one in found["calls"]] == ["call-1"] and found["older"] is None
    one = chief.get("/calls/call-1")
    assert one["call"]["row"]["caller_name"] == "王小明" and one["call"]["recordings"][0]["id"] == "rec-1"
    assert chief.get("/calls/nothing")["status"] == 404
    assert chief.get("/calls?line=x") == {"error": 400, "fault": "There is no such line.", "status": 400}


def test_a_page_of_calls_leads_to_the_next(branch: Branch, chief: Program) -> None:
    for at in range(60):
        branch.call(f"call-{at:02}", at)
    first = chief.get("/calls")
    second = chief.get(f"/calls?older={first['older']}")
    assert len(first["calls"]) == 50 and len(second["calls"]) == 10 and second["older"] is None


def test_what_is_added_to_a_call(branch: Branch, chief: Program) -> None:
    branch.call("call-1")
    note = chief.done("/calls/call-1/notes", text="call back")["id"]
    assert chief.done("/calls/call-1/tags", tag="vip") == {"tags": ["vip"]}
    chief.done("/calls/call-1/star", starred=True)
    chief.done("/calls/call-1/hold", reason="complaint")
    one = chief.get("/calls/call-1")
    assert (one["notes"][0]["text"], one["tags"], one["hold"]["reason"]) == (
        "call back",
        ["vip"],
        "complaint",
    )
    chief.done(f"/calls/call-1/notes/{note}/strike")
    assert chief.get("/calls/call-1")["notes"] == []
    assert chief.post("/calls/call-1/hold", reason="").status == 409


def test_a_customer_from_nothing_to_nothing(branch: Branch, chief: Program) -> None:
    made = chief.done("/customers/new", name="王小明", numbers=["13800138000", "0871-65123456"])["customer"]
    assert chief.get("/customers?text=小明")["customers"][0]["id"] == made["id"]
    changed = {"name": "王大明", "numbers": ["13800138000"], "revision": 1}
    assert chief.done(f"/customers/{made['id']}", **changed)["customer"]["revision"] == 2
    refused = chief.post(f"/customers/{made['id']}", **changed)
    assert refused.status == 400 and "Somebody else has changed" in refused.text
    assert chief.get(f"/customers/{made['id']}")["changes"][0]["fields"]["name"] == ["王小明", "王大明"]
    chief.done(f"/customers/{made['id']}/delete")
    assert chief.get("/customers")["customers"] == []
    assert json.loads(chief.post("/customers/new", name="").text)["fault"] == "A customer needs a name."


def test_a_communication(branch: Branch, chief: Program) -> None:
    chief.done("/communications/new", kind="visit", content="tea", at="2026-11-22T09:00")
    (one,) = chief.get("/communications")["communications"]
    assert one["communication"]["told"]["content"] == "tea" and one["recording_id"] is None
    assert one["why_not"] == "Only records made in a pop-up lead to a recording."
    assert chief.done("/communications/clear", sure="yes") == {"cleared": 1}


def test_users_and_groups(branch: Branch, chief: Program) -> None:
    group = chief.done("/groups", name="Sales")["id"]
    made = chief.done("/users/new", name="zhao", level="leader", group_id=group, **{"rights-list": True})
    once, user = made["password"], made["user"]
    assert "password_hash" not in user and user["rights"] == ["list"] and user["must_change_password"]
    other = branch.browser()
    assert other.log_in("zhao", once).status == 303
    assert chief.post("/users/new", name="zhao", level="leader").status == 400
    chief.done(f"/users/{user['id']}/enabled", enabled=False)
    assert next(one for one in chief.get("/users")["users"] if one["name"] == "zhao")["disabled"]
    assert chief.get("/groups")["groups"][0]["name"] == "Sales"


def test_settings_by_their_name_alone(branch: Branch, chief: Program) -> None:
    with write(branch.db):
        note_file(branch.db, [LineSettings(line=line) for line in (1, 2)], 40.0)
    branch.line(1)
    assert chief.done("/settings/lines/1", hold_s=7, record=False, version=0)["version"] == 1
    assert settings_of(branch.db, 1).settings.trigger == "voltage"  # what is not named stays
    refused = json.loads(chief.post("/settings/lines/1", hold_s=0.1, version=1).text)
    assert refused["faults"] == {"hold_s": "must be at least 0.5, got “0.1”"} or "0.5" in refused["fault"]
    assert chief.done("/settings/lines/1", reset=["hold_s"])["settings"]["hold_s"] == 5.0
    assert chief.done("/settings/lines/1/copy", **{"to-2": True}) == {"lines": [2]}
    assert [one["settings"]["record"] for one in chief.get("/settings")["lines"]] == [False, False]
    assert chief.done("/settings/numbers", area_code="0871")["rules"]["area_code"] == "0871"
    assert "area_code >0871" in chief.get("/log?operation=number_settings")["lines"][0]["reason"]


def test_a_password_is_changed_and_the_old_token_ends(branch: Branch, chief: Program) -> None:
    new = "tangerine-canal-4"
    token = chief.done("/password", old=PASSWORD, new=new, again=new)["token"]
    assert chief.get("/password")["status"] == 401
    chief.token = token
    assert chief.get("/password")["user"]["name"] == "chief"
    chief.done("/log-out")
    assert chief.get("/password")["status"] == 401


def test_a_wrong_password_is_told_and_then_waits(branch: Branch) -> None:
    program = Program(branch)
    statuses = [program.post("/log-in", name="lin", password="x").status for _ in range(12)]
    assert statuses[0] == 403 and statuses[-1] == 429


def test_the_stream_is_json(branch: Branch, chief: Program) -> None:
    branch.line(1)
    _, chunks = chief.browser.start("GET", "/api/lines/stream", **chief.headers())
    first = [next(chunks), next(chunks)][1].decode()
    parts = json.loads(first.split("data: ")[1])
    assert json.loads(parts["line-1"])["state"] == "idle" and "strip" in parts
    chunks.close()
    assert message("beat", "x").startswith("event: beat")


def test_a_program_without_the_right_is_told_so_in_json_and_in_the_log(branch: Branch) -> None:
    branch.user("weak", "ordinary", rights=LEVEL_RIGHTS["ordinary"] - {Right.LIST})
    weak = Program(branch, "weak")
    assert weak.get("/calls") == {"error": 403, "fault": "", "status": 403}
    assert ("request", "refused", "weak", "/api/calls") in branch.operations()


def test_a_cookie_alone_is_not_enough_to_change_anything(branch: Branch, staff: Browser) -> None:
    branch.call("call-1")
    body = json.dumps({"text": "from elsewhere"}).encode()
    kinds = {"CONTENT_TYPE": "application/json", "HTTP_ORIGIN": "https://evil.example"}
    assert staff.ask("POST", "/api/calls/call-1/notes", body, **kinds).status == 403
    assert (
        staff.ask(
            "POST", "/api/calls/call-1/notes", body, **(kinds | {"HTTP_ORIGIN": "http://127.0.0.1"})
        ).status
        == 403
    )
    token = json.loads(staff.get("/api/password").text)["form_token"]
    with_token = json.dumps({"text": "ours", "form_token": token}).encode()
    headers = kinds | {"HTTP_ORIGIN": "http://127.0.0.1"}
    assert staff.ask("POST", "/api/calls/call-1/notes", with_token, **headers).status == 200


BODIES = [
    (b'{"a": "x", "b": true, "c": false, "d": null, "e": 3, "f": ["1", "2"]}',
     {"a": "x", "b": "1", "c": "", "d": "", "e": "3", "f": "1;2"}),
    (b"", {}),
    (b"[]", None),
    (b"{", None),
    (b'"x"', None),
    (b'{"a": {"b": 1}}', None),
    (b"[" * 100_000, None),
    (b"\xff\xfe", None),
]  # fmt: skip


@pytest.mark.parametrize(("body", "fields"), BODIES)
def test_bodies(body: bytes, fields: dict[str, str] | None) -> None:
    if fields is None:
        with pytest.raises(ValueError):
            fields_of(body)
    else:
        assert fields_of(body) == fields


def test_rows_become_plain_values() -> None:
    assert plain({1: frozenset({2, 1}), "x": (Right.PLAY, None)}) == {"1": [1, 2], "x": ["play", None]}
