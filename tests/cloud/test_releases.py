"""Review before release: which files wait, who lets them go, who may open them and until when."""

from __future__ import annotations

import html

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from starlette.testclient import TestClient

from cloud.access.decision import Clarity, Verb
from cloud.releases.files import path_of, remove_old
from cloud.releases.rules import (
    LIMITS,
    RELEASED,
    STATES,
    STEPS,
    WAITING,
    WITHHELD,
    ReviewRefused,
    after,
    may_open,
    why_review,
)
from cloud.store.access_tables import access_grants
from cloud.store.database import read, write
from cloud.store.release_tables import releases
from sync.sheets import CUSTOMERS, read_sheet
from tests.cloud.customers.conftest import Firm, firm  # noqa: F401  (a fixture)
from tests.cloud.customers.people import record
from tests.cloud.granting import grant_to
from tests.cloud.house import NOON, House, call_row
from tests.cloud.test_call_exports import export, last, may_take

MANY_CLEAR = LIMITS["csv"].clear_rows + 1


@pytest.mark.parametrize(
    ("form", "rows", "clear_grade", "why"),
    [
        ("csv", 1000, 0, ()),
        ("csv", 1001, 0, ("many",)),
        ("csv", 50, 3, ()),
        ("csv", 51, 3, ("clear",)),
        ("xlsx", 1001, 3, ("many", "clear")),
        ("csv", 1, 4, ("sensitive",)),
        ("csv", 0, 4, ()),
        ("zip", 50, 0, ()),
        ("zip", 51, 0, ("many",)),
        ("zip", 11, 3, ("clear",)),
        ("parquet", 1, 0, ("many",)),
    ],
)
def test_which_files_wait(form: str, rows: int, clear_grade: int, why: tuple[str, ...]) -> None:
    assert why_review(form, rows, clear_grade) == why


@given(st.lists(st.tuples(st.sampled_from([*STEPS, "x"]), st.booleans(), st.text(max_size=3)), max_size=6))
def test_only_another_person_lets_a_file_go(steps: list[tuple[str, bool, str]]) -> None:
    state, by_other = WAITING, False
    for step, is_own, remark in steps:
        try:
            state = after(step, state, is_own, remark)
            by_other = by_other or not is_own
        except ReviewRefused:
            continue
    assert state in STATES and (state == WAITING or by_other)
    assert not may_open(state, False, "2026-03-02T04:00:00.000Z", NOON)
    assert may_open(state, True, "2026-03-02T04:00:00.000Z", NOON) == (state == RELEASED)


def made(house: House, rows: int = MANY_CLEAR) -> tuple[TestClient, str]:
    """Somebody with a clear grant, and the page that their export of so many calls leads to."""
    house.add_box("box-01", "Dali")
    house.add_calls([CALL] * rows)
    client = may_take(house, clarity=Clarity.CLEAR)
    answer = export(house, client)
    assert answer.status_code == 303, answer.text
    return client, answer.headers["location"]


CALL = {"caller_number": call_row()["caller_number"]}


def decide(house: House, client: TestClient, path: str, **fields: str) -> int:
    return client.post(path, data={"csrf_token": house.csrf_token(client), **fields}).status_code


def test_a_large_clear_export_waits_for_another_person(house: House) -> None:
    client, path = made(house)
    assert "等待审核" in client.get(path).text
    assert client.get(f"{path}/file").status_code == 404
    assert last(house)["result"] == "refused"
    assert decide(house, client, path, step="release") == 422, "of one's own"
    reviewer = house.visitor("approver_1")
    assert path in reviewer.get("/releases?state=waiting").text
    page = html.unescape(reviewer.get(path).text)
    assert "138****8000" in page and "13800138000" not in page, "as the reviewer may see it"
    assert reviewer.get(f"{path}/file").status_code == 404
    assert decide(house, reviewer, path, step="release") == 303
    assert decide(house, reviewer, path, step="withhold", remark="no") == 422, "it waits no more"
    file = client.get(f"{path}/file")
    assert (file.status_code, file.text.count("13800138000")) == (200, MANY_CLEAR)
    assert (last(house)["action"], last(house)["kind"]) == ("download", "releases")
    assert reviewer.get(f"{path}/file").status_code == 404


def test_a_file_is_withheld_with_a_reason_and_goes(house: House) -> None:
    client, path = made(house)
    reviewer, release_id = house.visitor("manager"), path.rsplit("/", 1)[1]
    assert decide(house, reviewer, path, step="withhold") == 422
    assert decide(house, reviewer, path, step="withhold", remark="too much for this purpose") == 303
    assert "too much for this purpose" in client.get(path).text
    assert client.get(f"{path}/file").status_code == 404
    file = path_of(house.parts.settings.data, release_id)
    assert file.stat().st_mode & 0o077 == 0
    assert remove_old(house.parts.engine, house.parts.settings.data, house.parts.clock.now_utc()) == 1
    assert not file.exists()


def test_released_is_not_for_ever(house: House) -> None:
    client, path = made(house)
    decide(house, house.visitor("approver_2"), path, step="release")
    assert client.get(f"{path}/file").status_code == 200
    with write(house.parts.engine) as db:
        db.execute(access_grants.update().values(revoked_utc=house.parts.clock.now_utc()))
    assert client.get(f"{path}/file").status_code == 404, "the grant was taken back"
    with write(house.parts.engine) as db:
        lapsed = house.parts.clock.now_utc()
        db.execute(access_grants.update().values(revoked_utc=None, valid_until_utc=lapsed))
    assert client.get(f"{path}/file").status_code == 200, "a review may take longer than a grant lives"
    with write(house.parts.engine) as db:
        db.execute(releases.update().values(decided_utc="2026-02-23T03:59:00.000Z"))
    assert client.get(f"{path}/file").status_code == 404, "7 days are over"
    assert remove_old(house.parts.engine, house.parts.settings.data, house.parts.clock.now_utc()) == 1


def test_others_learn_nothing_of_it(house: House) -> None:
    _, path = made(house)
    other = house.visitor("agent")
    assert path not in other.get("/releases").text
    assert other.get(path).status_code == other.get(f"{path}/file").status_code == 404
    assert decide(house, other, path, step="release") == 403


def test_a_small_export_is_handed_over_at_once(house: House) -> None:
    house.add_box("box-01", "Dali")
    house.add_call()
    assert export(house, may_take(house, clarity=Clarity.CLEAR)).status_code == 200
    with read(house.parts.engine) as db:
        assert db.execute(select(releases.c.id)).first() is None


def test_states_are_complete() -> None:
    assert {step.after for step in STEPS.values()} | {WAITING} == set(STATES) == {WAITING, RELEASED, WITHHELD}


def test_customers_wait_by_the_same_rules(firm: Firm) -> None:  # noqa: F811
    house = firm.house
    for at in range(LIMITS["xlsx"].clear_rows + 1):
        firm.add(record(f"昆明商行{at}", f"1380013{at:04}"))
    client = house.visitor("manager")
    assert client.get("/customers/export").status_code == 403
    granted = {"verbs": frozenset({Verb.EXPORT}), "kind": "customers", "clarity": Clarity.CLEAR}
    grant_to(house, client, "manager", **granted)
    waits = client.get("/customers/export")
    assert waits.status_code == 303, waits.text
    path = waits.headers["location"]
    reviewer = house.visitor("approver_1")
    page = html.unescape(reviewer.get(path).text)
    assert "138****00" in page and "13800130050" not in page, "as the reviewer may see it"
    assert client.get(f"{path}/file").status_code == 404
    assert decide(house, reviewer, path, step="release") == 303
    cells = read_sheet(CUSTOMERS, client.get(f"{path}/file").content)
    assert len(cells) == LIMITS["xlsx"].clear_rows + 1
    assert {row[3] for row in cells} >= {"13800130000", "13800130050"}


def test_few_customers_are_handed_over_at_once(firm: Firm) -> None:  # noqa: F811
    firm.add(record("昆明商行", "13800138000"))
    client = firm.house.visitor("manager")
    masked = {"verbs": frozenset({Verb.EXPORT}), "kind": "customers", "clarity": Clarity.MASKED}
    grant_to(firm.house, client, "manager", **masked)
    answer = client.get("/customers/export")
    (row,) = read_sheet(CUSTOMERS, answer.content)
    assert row[3] == "138****8000"
    assert "-1-rows.xlsx" in answer.headers["content-disposition"]
    said = last(firm.house)
    assert (said["action"], said["kind"], said["row_count"]) == ("export", "customers", 1)
