"""Calls another telephone system reports: each order of their steps, what is refused, what is written."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from cloud.calls.reported import CtiRefused, read_report
from cloud.store.call_tables import reported_calls
from cloud.store.database import read
from cloud.store.schema import calls
from sync.moment import to_text
from tests.cloud.house import NOON, House
from tests.cloud.test_tokens import token_of

IN = {"callId": "pbx-7", "direction": "in", "from": "13800138000", "to": "8001"}
OUT = IN | {"direction": "out", "from": "8001", "to": "087165123456"}


def report(house: House, client: Any, *steps: tuple[dict[str, str], str, int], as_json: bool = False) -> None:
    for fields, event, later_s in steps:
        house.clock.advance(later_s)
        sent = fields | {"event": event, "user[]": "Wang"}
        answer = client.post("/api/v1/cti", **({"json": sent} if as_json else {"data": sent}))
        assert answer.status_code == 204, answer.text


def row(house: House) -> dict[str, Any]:
    with read(house.parts.engine) as db:
        assert db.execute(select(reported_calls)).first() is None
        return dict(db.execute(select(calls)).mappings().one())


@pytest.mark.parametrize("as_json", [False, True], ids=["form", "json"])
def test_answered(house: House, as_json: bool) -> None:
    client = token_of(house, "admin", rights=["report_calls"])
    steps = ((IN, "newCall", 0), (IN, "answer", 5), (IN, "answer", 5), (IN, "hangup", 60))
    report(house, client, *steps, as_json=as_json)
    call = row(house)
    assert (call["direction"], call["outcome"], call["duration_ms"]) == ("in", "answered", 65_000)
    assert (call["caller_number"], call["caller_presentation"]) == ("13800138000", "available")
    assert call["last4"] == "8000" and call["box_id"].startswith("cti-")
    found = house.visitor("admin").get("/api/v1/calls").json()["calls"]
    assert [one["id"] for one in found] == [call["id"]]


@pytest.mark.parametrize(
    ("fields", "cause", "expected"),
    [
        (IN, "cancel", ("missed", "13800138000", "available", None)),
        (IN | {"from": "anonymous"}, "", ("missed", None, "withheld", None)),
        (OUT, "busy", ("busy", None, None, "087165123456")),
        (OUT, "noAnswer", ("no_answer", None, None, "087165123456")),
        (OUT, "normalClearing", ("unknown", None, None, "087165123456")),
    ],
)
def test_not_answered(
    house: House, fields: dict[str, str], cause: str, expected: tuple[str | None, ...]
) -> None:
    client = token_of(house, "admin", rights=["report_calls"])
    report(house, client, (fields, "newCall", 0), (fields | {"cause": cause}, "hangup", 20))
    call = row(house)
    names = ("outcome", "caller_number", "caller_presentation", "dialled")
    assert tuple(call[name] for name in names) == expected
    assert (call["duration_ms"], call["end_reason"]) == (0, "not_answered")


def test_a_hang_up_without_a_beginning_is_a_call_too(house: House) -> None:
    report(house, token_of(house, "admin", rights=["report_calls"]), (IN, "hangup", 0))
    assert row(house)["outcome"] == "missed"


def test_a_beginning_that_is_reported_twice_is_one_call(house: House) -> None:
    client = token_of(house, "admin", rights=["report_calls"])
    report(house, client, (IN, "newCall", 0), (IN, "newCall", 3), (IN, "hangup", 3))
    assert row(house)["started_utc"] == to_text(NOON)


def test_two_systems_may_use_the_same_number_for_a_call(house: House) -> None:
    first, second = (token_of(house, "admin", rights=["report_calls"]) for _ in range(2))
    report(house, first, (IN, "newCall", 0))
    report(house, second, (OUT, "newCall", 0), (OUT, "hangup", 1))
    report(house, first, (IN, "answer", 1), (IN, "hangup", 9))
    with read(house.parts.engine) as db:
        outcomes = db.execute(select(calls.c.direction, calls.c.outcome).order_by(calls.c.id)).all()
    assert [tuple(one) for one in outcomes] == [("out", "unknown"), ("in", "answered")]


def test_it_takes_the_right(house: House) -> None:
    for client in (token_of(house), token_of(house, "admin")):
        assert client.post("/api/v1/cti", data=IN | {"event": "newCall"}).status_code == 403


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "event"),
        (IN, "event"),
        (IN | {"event": "newcall"}, "event"),
        (IN | {"event": "newCall", "direction": "sideways"}, "direction"),
        (IN | {"event": "newCall", "callId": ""}, "callId"),
        (IN | {"event": "newCall", "callId": "x" * 65}, "callId"),
        (IN | {"event": "newCall", "callId": "a\nb"}, "callId"),
        (IN | {"event": "newCall", "callId": 7}, "callId"),
        (IN | {"event": "newCall", "from": ["1", "2"]}, "from"),
        (IN | {"event": "newCall", "to": "1" * 41}, "to"),
    ],
    ids=str,
)
def test_refused(fields: dict[str, object], says: str) -> None:
    with pytest.raises(CtiRefused, match=says):
        read_report(fields)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7", b"[" * 5000, b"\xff"])
def test_bodies_that_are_no_object(house: House, body: bytes) -> None:
    client = token_of(house, "admin", rights=["report_calls"])
    answer = client.post("/api/v1/cti", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422 and answer.json()["id"]
