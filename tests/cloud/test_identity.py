"""On the hotline and at the counter nothing is read before a document was looked at, and of nobody else."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs, unquote_plus, urlsplit

import pytest
from httpx import Response
from sqlalchemy import select
from starlette.testclient import TestClient

from cloud.access.identity import Outcome, compare, last_four
from cloud.store.database import read
from cloud.store.identity_tables import identity_checks
from cloud.store.schema import trail
from tests.cloud.house import House

NUMBER, OTHER, UNKNOWN = "13800138000", "13912345678", "13700001111"
IDENTITY = "53010219900307123X"


@dataclass
class Conversation:
    """An agent who serves nobody, and somebody on the line."""

    house: House
    client: TestClient
    calls: dict[str, str]

    def post(self, path: str, **form: str) -> Response:
        return self.client.post(path, data={"csrf_token": self.house.csrf_token(self.client)} | form)

    def choose(self, channel: str) -> None:
        assert self.post("/purpose", purpose="service", channel=channel, back="/calls").status_code == 303

    def check(self, about: str = NUMBER, last4: str = "123X", back: str = "/calls", **more: str) -> Response:
        form = {"about": about, "document": "identity_card", "last4": last4, "back": back}
        return self.post("/identity-check", **form | more)

    def rows(self) -> list[dict[str, str]]:
        with read(self.house.parts.engine) as db:
            return [dict(row) for row in db.execute(select(identity_checks)).mappings()]

    def shown(self) -> set[str]:
        """Whose calls the list shows."""
        page = self.client.get("/calls").text
        return {number for number, call_id in self.calls.items() if f"call-{call_id}" in page}


@pytest.fixture
def line(house: House) -> Conversation:
    for name, number, identity in (("王小明", NUMBER, IDENTITY), ("李丽", OTHER, "530102198803127716")):
        house.add_customer(name, number, identity)
    calls = {number: house.add_call(caller_number=number) for number in (NUMBER, OTHER, UNKNOWN)}
    return Conversation(house, house.visitor("agent"), calls)


@pytest.mark.parametrize("channel", ["hotline", "counter"])
def test_nothing_is_read_before_the_check_and_then_of_that_person_alone(
    line: Conversation, channel: str
) -> None:
    line.choose(channel)
    for path in ("/calls", f"/calls?party={NUMBER}", f"/calls/{line.calls[NUMBER]}", "/customers"):
        assert line.client.get(path).status_code == 403
    assert line.check(back="/calls?party=" + NUMBER).headers["location"] == f"/calls?party={NUMBER}"
    assert line.shown() == {NUMBER}
    assert line.client.get(f"/calls?party={NUMBER}").status_code == 200
    assert line.client.get(f"/calls/{line.calls[NUMBER]}").status_code == 200
    for path in (f"/calls?party={OTHER}", f"/calls/{line.calls[OTHER]}", f"/calls/{line.calls[UNKNOWN]}"):
        assert line.client.get(path).status_code == 403, path


def test_the_refusal_leads_to_the_form_filled_in_and_back(line: Conversation) -> None:
    line.choose("counter")
    page = line.client.get(f"/calls?party={NUMBER}").text
    link = next(one for one in page.split('"') if one.startswith("/identity-check?")).replace("&amp;", "&")
    asked = parse_qs(urlsplit(link).query)
    assert asked == {"about": [f"+86{NUMBER}"], "back": [f"/calls?party={NUMBER}"]}
    form = line.client.get(link).text
    assert f'value="+86{NUMBER}"' in form and f'value="/calls?party={NUMBER}"' in form
    assert "柜台" in form and "last4" in form


def test_by_a_masked_call_the_number_is_not_told(line: Conversation) -> None:
    line.choose("hotline")
    line.check()
    call_id = line.calls[OTHER]
    page = line.client.get(f"/calls/{call_id}").text
    assert f"about={call_id}" in page and OTHER not in unquote_plus(page)
    form = line.client.get(f"/identity-check?about={call_id}").text
    assert OTHER not in form and f'value="{call_id}"' in form
    assert line.check(call_id, last4="7716", back=f"/calls/{call_id}").status_code == 303
    assert line.client.get(f"/calls/{call_id}").status_code == 200
    assert line.shown() == {NUMBER, OTHER}


def test_a_check_lapses_with_the_conversation(line: Conversation) -> None:
    line.choose("hotline")
    line.check()
    line.house.clock.advance(29 * 60)
    assert line.shown() == {NUMBER}
    line.house.clock.advance(60)
    assert line.client.get("/calls").status_code == 403
    line.check()
    assert line.client.get("/calls").status_code == 200
    line.choose("counter")  # somebody else is at the desk
    assert line.client.get("/calls").status_code == 403
    line.choose("hotline")
    assert line.client.get("/calls").status_code == 403
    line.choose("web")
    assert line.shown() == set(line.calls)


def test_another_session_gains_nothing(line: Conversation) -> None:
    line.choose("hotline")
    line.check()
    other = Conversation(line.house, line.house.visitor("agent"), line.calls)
    other.choose("hotline")
    assert other.client.get("/calls").status_code == 403


def test_another_document_is_refused_noted_and_soon_stopped(line: Conversation) -> None:
    line.choose("counter")
    for _ in range(5):
        assert line.check(last4="1234").status_code == 403
    assert line.client.get("/calls").status_code == 403
    assert line.check(last4="123X").status_code == 429  # even the right one: four digits are soon tried out
    for _ in range(2):
        line.house.clock.advance(30 * 60)
        line.client.get("/")
    assert line.check(last4="123x").headers["location"] == "/calls"
    with read(line.house.parts.engine) as db:
        rows = db.execute(select(trail.log).where(trail.log.c.kind == "identity_checks")).mappings().all()
    assert sorted(row["reason"] or "" for row in rows) == ["", *["identity"] * 5, "too_often"]


def test_without_a_record_the_check_holds_but_opens_nobody_elses(line: Conversation) -> None:
    """CDR-01 stays: who is not on record proves nothing by a document."""
    line.choose("hotline")
    assert line.check(UNKNOWN, last4="0001").status_code == 303
    assert line.shown() == {UNKNOWN}
    refused = line.client.get(f"/calls?party={UNKNOWN}")
    assert refused.status_code == 403 and "/applications/new" in refused.text
    (row,) = line.rows()
    assert (row["outcome"], row["numbers"]) == (Outcome.NOT_ON_RECORD, f"+86{UNKNOWN}")


def test_the_check_stands_in_every_audit_row_and_the_number_of_the_document_nowhere(
    line: Conversation,
) -> None:
    line.choose("counter")
    line.check()
    line.client.get("/calls")
    line.client.get(f"/calls/{line.calls[NUMBER]}")
    (check,) = line.rows()
    assert check["last4"] == "123X" and check["user_name"].startswith("agent")
    with read(line.house.parts.engine) as db:
        rows = db.execute(select(trail.log).where(trail.log.c.kind == "calls")).mappings().all()
        everything = str(db.execute(select(trail.log)).mappings().all()) + str(line.rows())
    assert len(rows) == 2
    assert all(check["id"] in row["query"] and row["channel"] == "counter" for row in rows)
    assert IDENTITY not in everything


@pytest.mark.parametrize(
    "fields",
    [
        {"about": ""},
        {"about": "nobody"},
        {"document": "library card"},
        {"last4": "123"},
        {"last4": "12345"},
        {"last4": "ABCD"},
        {"last4": "１２３４"},
    ],
)
def test_what_is_no_check_is_said_and_not_kept(line: Conversation, fields: dict[str, str]) -> None:
    line.choose("counter")
    assert line.check(**fields).status_code == 422
    assert line.rows() == []


def test_on_the_pages_themselves_there_is_nobody_to_check(line: Conversation) -> None:
    assert line.check().status_code == 422
    assert line.client.get("/api/v1/calls").status_code == 200
    assert line.post("/purpose", purpose="service", channel="self_service").status_code == 422
    assert line.post("/purpose", purpose="service", channel="fax").status_code == 422


@pytest.mark.parametrize(
    ("last4", "on_record", "outcome"),
    [
        ("123X", [IDENTITY], Outcome.AGREES),
        ("123X", ["", "530102199003071234", IDENTITY.lower()], Outcome.AGREES),
        ("1234", [IDENTITY], Outcome.DIFFERS),
        ("1234", [], Outcome.NOT_ON_RECORD),
        ("1234", [""], Outcome.NOT_ON_RECORD),
    ],
)
def test_comparing(last4: str, on_record: list[str], outcome: Outcome) -> None:
    assert compare(last4, on_record) is outcome
    assert last_four(f" {last4.lower()} ") == last4
