"""The event feed: everything once, in order, of what the reader may see, while transactions overlap."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select
from starlette.testclient import TestClient

from cloud.access.log import Actor
from cloud.access.units import Unit
from cloud.apply import audio_stored, call_ended
from cloud.store import call_reports, happenings
from cloud.store.customer_tables import customers
from cloud.store.database import read, write
from cloud.store.happenings import At
from cloud.store.schema import access_log
from cloud.store.units import add_unit, place_box
from cloud.webhooks.events import TOLD
from cloud.webhooks.kinds import CALL_ENDED, CUSTOMER_SAVED, RECORDING_STORED, REPORT_SETTLED
from sync.arriving import Origin
from sync.inbox import Told
from sync.moment import to_text
from tests.cloud.api_bodies import CUSTOMER
from tests.cloud.house import NOON, House
from tests.cloud.test_bench import put_in_unit
from tests.sync.station import call_ended as ended

NOW_UTC = to_text(NOON)
EVERY = (CALL_ENDED, RECORDING_STORED, REPORT_SETTLED, CUSTOMER_SAVED)


def happens(house: House, *object_ids: str, kind: str = CALL_ENDED) -> None:
    with write(house.parts.engine) as db:
        happenings.note(db, kind, object_ids, NOW_UTC)


def feed(client: TestClient, after: str = "", **asked: Any) -> Any:
    return client.get("/api/v1/events", params={"after": after, **asked}).json()


def ids(answer: Any) -> list[str]:
    return [one["object_id"] for one in answer["events"]]


def test_everything_comes_once_and_in_order(house: House) -> None:
    client = house.visitor("manager")
    made = [house.add_call() for _ in range(7)]
    happens(house, *made[:3])
    happens(house, made[3])
    happens(house, *made[4:])
    found, place, more = [], "", True
    while more:
        answer = feed(client, place, limit=2)
        found, place, more = found + ids(answer), answer["next"], answer["more"]
    assert found == made
    nothing = feed(client, place)
    assert (nothing["events"], nothing["next"], nothing["more"]) == ([], place, False)
    happens(house, made[0])
    assert ids(feed(client, place)) == [made[0]]


def test_each_kind_says_where_it_can_be_read(house: House) -> None:
    client = house.visitor("manager")
    call_id = house.add_call(caller_number="13800138000")
    recording_id = house.add_recording(call_id, sha256="ab" * 32)
    with write(house.parts.engine) as db:
        audio_stored(db, Origin("box-01", NOW_UTC), recording_id, "ab" * 32, "key")
    report_id = house.add_report(call_id)
    with write(house.parts.engine) as db:
        for step in ("take", "answer"):
            call_reports.take_step(db, report_id, step, "done", Actor(user_id="x", name="x"), NOW_UTC)
    headers = {"X-CSRF-Token": house.csrf_token(client)}
    customer_id = client.post("/api/v1/customers", json=CUSTOMER, headers=headers).json()["id"]
    events = feed(client)["events"]
    assert [(one["kind"], one["object_id"]) for one in events] == [
        (RECORDING_STORED, recording_id),
        (REPORT_SETTLED, report_id),
        (CUSTOMER_SAVED, customer_id),
    ]
    assert {one["href"] for one in events[:2]} == {f"/api/v1/calls/{call_id}"}
    assert events[0]["call"]["caller_number"] == "138****8000" and events[2]["call"] is None
    assert client.get(events[2]["href"]).status_code == 200


def test_a_call_from_a_box_is_in_the_feed_and_a_webhook_hears_the_same(house: House) -> None:
    house.add_box("box-01", "昆明")
    event = ended()
    with write(house.parts.engine) as db:
        call_ended(db, [Told(Origin("box-01", NOW_UTC), event, "0123456789abcdef", 1)])
    assert ids(feed(house.visitor("manager"))) == [event.call_id]
    assert set(TOLD) | {CUSTOMER_SAVED} == set(EVERY)


@pytest.mark.parametrize(
    ("role", "kinds"),
    [
        ("manager", {CALL_ENDED, CUSTOMER_SAVED}),
        ("partner", None),
        ("maintainer", None),
        ("subscriber", None),
    ],
)
def test_the_reader_sees_what_the_role_may(house: House, role: str, kinds: set[str] | None) -> None:
    happens(house, house.add_call(caller_number="13800138000"))
    happens(house, house.add_customer(), kind=CUSTOMER_SAVED)
    answer = house.visitor(role).get("/api/v1/events")
    assert "13800138000" not in answer.text and "王小明" not in answer.text
    assert (answer.status_code == 403) == (kinds is None)
    assert kinds is None or {one["kind"] for one in answer.json()["events"]} == kinds


def test_of_another_branch_nothing_is_told_not_even_that_it_happened(house: House) -> None:
    for box_id in ("box-01", "box-02"):
        house.add_box(box_id, box_id)
    client = house.visitor("manager")
    with write(house.parts.engine) as db:
        add_unit(db, Unit("dl", "大理州", "city", "national"))
        place_box(db, "box-01", "dl")
    put_in_unit(house, client, "dl")
    made = {}
    for box_id in ("box-01", "box-02"):
        call_id, customer_id = house.add_call(box_id=box_id), house.add_customer()
        with write(house.parts.engine) as db:
            db.execute(customers.update().where(customers.c.id == customer_id).values(box_id=box_id))
        happens(house, call_id)
        happens(house, customer_id, kind=CUSTOMER_SAVED)
        made[box_id] = [call_id, customer_id]
    assert ids(feed(client)) == made["box-01"]
    assert ids(feed(house.visitor("manager"))) == made["box-01"] + made["box-02"]


def test_what_is_passed_over_is_passed_over_for_good(house: House) -> None:
    client = house.visitor("manager")
    happens(house, "no such call", "nor this")
    answer = feed(client)
    assert answer["events"] == [] and feed(client, answer["next"])["next"] == answer["next"]


def test_each_look_is_one_audit_row_with_what_was_shown(house: House) -> None:
    call_id = house.add_call()
    happens(house, call_id)
    feed(house.visitor("manager"))
    with read(house.parts.engine) as db:
        (row,) = db.execute(select(access_log)).mappings()
    assert (row["kind"], row["row_count"], row["channel"]) == ("calls", 1, "api")


@pytest.mark.parametrize("place", ["x", "1.1.1", "1.1.1." + "0" * 32, "٣.1.1." + "0" * 32, "9" * 200])
def test_places_that_are_none(house: House, place: str) -> None:
    answer = house.visitor("manager").get("/api/v1/events", params={"after": place})
    assert answer.status_code == 422


def test_a_place_is_of_this_feed_alone(house: House) -> None:
    client = house.visitor("manager")
    happens(house, house.add_call(), house.add_call())
    signed = feed(client, limit=1)["next"]
    xact, no, index, signature = signed.split(".")
    moved = f"{xact}.{no}.{int(index) + 1}.{signature}"
    assert client.get("/api/v1/events", params={"after": moved}).status_code == 422


def test_a_reader_waits_for_what_has_not_happened_yet(house: House) -> None:
    client = house.visitor("manager")
    place = feed(client)["next"]
    happens(house, call_id := house.add_call())
    assert ids(feed(client, place, wait_s=25)) == [call_id]  # at once
    assert client.get("/api/v1/events", params={"wait_s": 26}).status_code == 422


def test_while_a_transaction_before_it_is_open_nothing_after_it_is_told(house: House) -> None:
    """Or a reader would go on from a place and never see what is committed later before that place."""
    engine = house.parts.engine
    if engine.dialect.name != "postgresql":
        return  # has one writer at a time
    with engine.connect() as slow:
        slow.begin()
        happenings.note(slow, CALL_ENDED, ["slow"], NOW_UTC)
        happens(house, "quick")
        with read(engine) as db:
            assert happenings.after(db, At(), EVERY, 9) == []
        slow.commit()
    with read(engine) as db:
        assert [one.object_id for one in happenings.after(db, At(), EVERY, 9)] == ["slow", "quick"]


def test_old_ones_go_and_their_numbers_do_not_come_back(house: House) -> None:
    highest = select(func.max(happenings.TABLE.c.no))
    happens(house, "old")
    with write(house.parts.engine) as db:
        before = db.execute(highest).scalar_one()
        assert happenings.forget_old(db, "2027") == 1
    happens(house, "new")
    with read(house.parts.engine) as db:
        assert db.execute(highest).scalar_one() == before + 1
