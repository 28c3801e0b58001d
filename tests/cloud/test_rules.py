"""The rules of reading: what an administrator sets holds at once, is audited, and lifts no floor."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from httpx import Response
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from starlette.testclient import TestClient

from cloud.access.applications import LADDER, NO_END, levels_for
from cloud.access.purposes import PURPOSES_OF
from cloud.access.rules import DEFAULTS, SETTINGS, Rules, faults_of_values, rules_of
from cloud.access.verbs import Verb
from cloud.access.windows import WINDOWS
from cloud.store.database import read
from cloud.store.schema import trail
from sync.moment import to_text
from tests.cloud.access.test_applications import wish_of
from tests.cloud.house import NOON, House

OLD = f"{NOON - timedelta(days=100):%Y-%m-%d}"


def form_of(client: TestClient, **changes: Any) -> dict[str, Any]:
    """The form as the page has it, with some fields changed (slashes written as __)."""
    page = client.get("/rules").text
    seen = re.search(r'name="seen" value="(\w+)"', page)
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert seen and token
    form: dict[str, Any] = {"seen": seen[1], "csrf_token": token[1]}
    form |= dict(re.findall(r'<input name="([^"]+/[^"]+)" value="(\d*)"', page))
    for role, key in re.findall(r'name="purposes/(\w+)" value="(\w+)" checked', page):
        form.setdefault(f"purposes/{role}", []).append(key)
    return form | {name.replace("__", "/"): value for name, value in changes.items()}


def save(client: TestClient, **changes: Any) -> Response:
    answer: Response = client.post("/rules", data=form_of(client, **changes))
    return answer


def rows(house: House) -> list[dict[str, Any]]:
    with read(house.parts.engine) as db:
        query = select(trail.log).where(trail.log.c.kind == "reading_rules")
        return [dict(row) for row in db.execute(query).mappings()]


def test_a_window_holds_at_once_and_both_values_are_audited(house: House) -> None:
    admin, agent = house.visitor("admin"), house.visitor("agent")
    house.add_call(started_utc=to_text(NOON - timedelta(days=40)))
    assert agent.get(f"/calls?from={OLD}").status_code == 403
    assert save(admin, window__agent__web="120").status_code == 303
    assert agent.get(f"/calls?from={OLD}").status_code == 200
    assert save(admin, window__agent__web="30").status_code == 303
    assert agent.get("/api/v1/calls").json()["calls"] != []  # the API is a channel of its own
    assert 'id="call-' not in agent.get("/calls").text
    assert save(admin, window__agent__web="92").status_code == 303  # the default again
    assert [row["changes"] for row in rows(house)] == [
        '{"window/agent/web":["92","120"]}',
        '{"window/agent/web":["120","30"]}',
        '{"window/agent/web":["30","92"]}',
    ]


def test_a_purpose_that_was_taken_away_is_refused(house: House) -> None:
    admin, agent = house.visitor("admin"), house.visitor("agent")

    def choose(purpose: str) -> Response:
        answer: Response = agent.post(
            "/purpose", data={"csrf_token": house.csrf_token(agent), "purpose": purpose}
        )
        return answer

    assert choose("charges").status_code == 303
    assert save(admin, purposes__agent=["complaint"]).status_code == 303
    assert agent.get("/calls").status_code == 403  # of the session's purpose
    assert choose("charges").status_code == 422
    assert choose("service").status_code == 303  # daily work cannot be taken away
    assert agent.get("/calls").status_code == 200
    assert 'value="charges"' not in agent.get("/calls").text


def test_what_is_beyond_its_bounds_changes_nothing(house: House) -> None:
    admin = house.visitor("admin")
    for changes in (
        {"window__agent__web": "1101"},
        {"window__agent__web": "-1"},
        {"window__agent__web": ""},
        {"window__agent__web": "1e3"},
        {"window__admin__web": "185"},  # nobody widens their own
        {"ladder__0__rows": "101"},
        {"ladder__1__rows": ""},
        {"ladder__0__days": "366", "ladder__1__days": "365"},  # less with more signatures
    ):
        answer = save(admin, **changes, window__manager__web="10")
        assert answer.status_code == 422 and "aria-invalid" in answer.text, changes
    assert rows(house) == []
    with read(house.parts.engine) as db:
        assert db.exec_driver_sql("SELECT count(*) FROM reading_rules").scalar_one() == 0


def test_a_purpose_of_another_role_cannot_be_slipped_in(house: House) -> None:
    admin = house.visitor("admin")
    save(admin, purposes__agent=["judicial", "emergency", "quality"])
    with read(house.parts.engine) as db:
        (value,) = db.exec_driver_sql("SELECT value FROM reading_rules").scalars()
    assert value == "service quality"


def test_of_two_who_save_at_once_the_second_is_told(house: House) -> None:
    first, second = house.visitor("admin"), house.visitor("admin")
    late = form_of(second, window__agent__web="1")
    assert save(first, window__agent__web="20").status_code == 303
    assert second.post("/rules", data=late).status_code == 409
    assert len(rows(house)) == 1


@pytest.mark.parametrize("role", ["manager", "agent", "approver_2"])
def test_the_rules_are_the_administrators(house: House, role: str) -> None:
    client = house.visitor(role)
    form = {"csrf_token": house.csrf_token(client)} | {key: one.default for key, one in SETTINGS.items()}
    assert client.get("/rules").status_code == 403
    assert client.post("/rules", data=form).status_code == 403


def test_the_defaults_are_what_code_says() -> None:
    assert rules_of({}) == DEFAULTS == rules_of({key: one.default for key, one in SETTINGS.items()})
    assert faults_of_values({}) == []
    assert all(one.admits(one.default) for one in SETTINGS.values())
    assert not any(key.startswith("window/judicial") for key in SETTINGS)


def test_a_moved_rung_moves_an_application() -> None:
    rules = rules_of({"ladder/0/rows": "10"})
    wish = wish_of("manager", rows=20, hours=8, verbs=frozenset({Verb.VIEW}))
    levels = levels_for("manager", wish, LADDER)
    assert levels == 0
    assert levels_for("manager", wish, rules.ladder) == 1


VALUES = st.one_of(st.integers(-5, 2 * NO_END).map(str), st.sampled_from(["", "x", "service", "judicial"]))


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from([*SETTINGS, "ladder/9/rows", "window/partner/web"]), VALUES))
def test_no_rows_in_the_table_lift_a_floor(found: dict[str, str]) -> None:
    rules: Rules = rules_of(found)
    assert set(rules.windows) == set(WINDOWS)
    assert all(
        days is None or days <= (WINDOWS[pair] or 0) or pair[0] != "admin"
        for pair, days in rules.windows.items()
    )
    for rung, before in zip(rules.ladder, LADDER, strict=True):
        kept = ("levels", "roles", "verbs", "grade")
        assert all(getattr(rung, name) == getattr(before, name) for name in kept)
    for role, purposes in rules.purposes.items():
        assert purposes[:1] == PURPOSES_OF[role][:1]
        assert ("emergency" in purposes) <= ("emergency" in PURPOSES_OF[role])
    exported = wish_of("partner", verbs=frozenset({Verb.EXPORT}))
    assert levels_for("partner", exported, rules.ladder) in (2, None)
