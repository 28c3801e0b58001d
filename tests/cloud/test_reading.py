"""The one way to rows: each read is one audit row, whatever comes of it, and none is shown without."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from cloud import reading
from cloud.access.decision import Ask, Verb, Verdict
from cloud.access.grants import Place
from cloud.access.guard import Person
from cloud.access.limits import LIMITS, Before, Limit, pause_s
from cloud.access.log import Action, Actor
from cloud.reading import Desk, Found, Look, NotGiven, NothingThere, TooOften
from cloud.store import trail
from cloud.store.database import write
from tests.cloud.house import NOON, House
from tests.cloud.test_trail import rows

HERE, ELSEWHERE = Place(frozenset({"c1"}), "box-01"), Place(frozenset({"c2"}), "box-02")


def person(role: str, unit_id: str = "national") -> Person:
    return Person("u1", "wang", role, unit_id, "s1", "csrf")


def desk(house: House) -> Desk:
    return Desk(house.parts.engine, Actor("u1", "wang", "manager", trace_id="t1"), house.parts.clock.now())


def ask(role: str = "manager", kind: str = "branches", **more: Any) -> Ask:
    asking = person(role, more.pop("unit_id", "national"))
    return Ask(asking, Verb.VIEW, kind, purpose="", channel="web", **more)


def fetch(*places: tuple[str, Place]) -> Any:
    return lambda _db, _verdict: Found([row_id for row_id, _ in places], list(places))


def shape(ids: list[str], verdict: Verdict) -> list[str]:
    return ids


def said(house: House) -> list[tuple[str, str, int, tuple[str, ...]]]:
    return [
        (row["result"], row["reason"], row["row_count"], trail.ids_in(row["ids"]))
        for row in rows(house.parts.engine)
    ]


def test_a_read_is_one_row_with_what_was_returned(house: House) -> None:
    look = Look(query={"direction": "in"})
    places = (("c1", HERE), ("c2", ELSEWHERE))
    assert reading.give(desk(house), ask(), look, fetch(*places), shape) == ["c1", "c2"]
    (row,) = rows(house.parts.engine)
    assert (row["kind"], row["query"], row["row_count"]) == ("branches", '{"direction":"in"}', 2)
    assert (row["actor_name"], row["trace_id"], row["box_id"]) == ("wang", "t1", "")
    assert trail.ids_in(row["ids"]) == ("c1", "c2")


def test_rows_that_are_left_out_are_not_said_to_be_returned(house: House) -> None:
    nobody = ask(unit_id="no such unit")  # of the organisation, so no branch is theirs
    reading.give(desk(house), nobody, Look(), fetch(("c1", HERE)), shape)
    assert said(house) == [("done", "", 0, ())]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (ask("agent"), "role"),
        (ask("manager", "no such kind"), "kind"),
        (ask("maintainer", "calls"), "grant"),
        (ask("agent", "calls", from_utc="2020-01-01T00:00:00.000Z"), "window"),
    ],
)
def test_a_refusal_is_a_row_and_nothing_is_fetched(house: House, asked: Ask, code: str) -> None:
    def never(_db: object, _verdict: Verdict) -> Any:
        raise AssertionError("fetched all the same")

    with pytest.raises(NotGiven) as refused:
        reading.give(desk(house), asked, Look(), never, shape)
    assert refused.value.refusal.code == code
    assert said(house) == [("refused", code, 0, ())]


def test_a_row_wanted_by_its_id_is_refused_by_itself(house: House) -> None:
    nobody = ask(unit_id="no such unit")
    with pytest.raises(NotGiven):
        reading.give(desk(house), nobody, Look(object_id="c1"), fetch(("c1", HERE)), shape)
    assert said(house) == [("refused", "branch", 0, ())]


def test_looking_for_what_is_not_there_is_a_row(house: House) -> None:
    with pytest.raises(NothingThere):
        reading.give(desk(house), ask(), Look(object_id="x"), lambda _db, _verdict: None, shape)
    assert said(house) == [("refused", "not_there", 0, ())]


def test_what_the_reader_has_already_is_no_row(house: House) -> None:
    reading.give(desk(house), ask(), Look(), fetch(("c1", HERE)), shape, is_news=lambda ids: ids != ["c1"])
    assert said(house) == []


def test_what_cannot_be_noted_is_not_shown(house: House) -> None:
    with write(house.parts.engine) as db:
        db.execute(text("ALTER TABLE trail_heads RENAME TO gone"))
    try:
        with pytest.raises(DBAPIError):
            reading.give(desk(house), ask(), Look(), fetch(("c1", HERE)), shape)
    finally:
        with write(house.parts.engine) as db:
            db.execute(text("ALTER TABLE gone RENAME TO trail_heads"))


def test_numbers_cannot_be_tried_out(house: House) -> None:
    most = LIMITS[Action.SEARCH_NUMBER].most
    for number in range(most):
        look = Look(action=Action.SEARCH_NUMBER, query={"party": f"1380013{number:04}"})
        reading.give(desk(house), ask(), look, fetch(), shape)
        reading.give(desk(house), ask(), look, fetch(), shape)  # the page refreshes itself
    with pytest.raises(TooOften) as often:
        more = Look(action=Action.SEARCH_NUMBER, query={"party": "13900139000"})
        reading.give(desk(house), ask(), more, fetch(), shape)
    assert often.value.pause_s == 60
    assert said(house)[-1][:2] == ("refused", "too_often")
    reading.give(desk(house), ask(), Look(action=Action.SEARCH_NUMBER, query=look.query), fetch(), shape)
    house.clock.advance(61)
    reading.give(desk(house), ask(), more, fetch(), shape)


def test_a_search_too_many_is_answered_with_the_seconds_to_wait(house: House) -> None:
    client = house.visitor("manager")
    for number in range(LIMITS[Action.SEARCH_NUMBER].most):
        assert client.get("/api/v1/calls", params={"party": f"1380013{number:04}"}).status_code == 200
    answer = client.get("/api/v1/calls", params={"party": "13900139000"})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "60")
    assert client.get("/calls", params={"party": "13900139000"}).status_code == 429
    assert client.get("/calls", params={"party": "王"}).status_code == 200  # no number
    assert house.visitor("manager").get("/calls", params={"party": "13900139000"}).status_code == 200


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("before", "question", "pause"),
    [
        ([], "x", 0),
        ([(0, "a")], "x", 0),
        ([(0, "a"), (1, "b")], "x", 50),
        ([(0, "a"), (1, "b")], "a", 0),
        ([(0, "a"), (1, "a"), (2, "a")], "x", 0),
        ([(-50, "a"), (1, "b")], "x", 0),
        ([(-49, "a"), (1, "b")], "x", 1),
        ([(0, "a"), (1, "b"), (2, "c")], "x", 51),
        ([(20, "a"), (30, "b")], "x", 0),  # a clock that was set back
    ],
)
def test_how_long_to_wait(before: list[tuple[float, str]], question: str, pause: int) -> None:
    limit = Limit(2, timedelta(seconds=60))
    done = [Before(at(seconds), asked) for seconds, asked in before]
    assert pause_s(limit, done, question, at(10)) == pause


@pytest.mark.parametrize("role", ["maintainer", "partner"])
def test_who_is_turned_away_at_the_door_is_a_row(house: House, role: str) -> None:
    client = house.visitor(role)
    assert client.get("/quarantine" if role == "partner" else "/calls?party=1").status_code == 403
    (row,) = rows(house.parts.engine)
    assert (row["result"], row["role"]) == ("refused", role)
    assert row["actor_name"].startswith(role)


def test_a_forged_request_is_a_row(house: House) -> None:
    client = house.visitor("admin")
    item = house.set_aside()
    assert client.post(f"/quarantine/{item}/retry", data={"csrf_token": "x"}).status_code == 403
    (row,) = rows(house.parts.engine)
    assert (row["reason"], row["object_id"]) == ("forged", "POST /quarantine/{item_id}/retry")
