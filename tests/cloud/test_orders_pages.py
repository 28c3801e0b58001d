"""Orders through the pages: who may give, approve and see what; head office and its own audio."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from cloud.access.log import Actor
from cloud.orders import keeping
from cloud.store import call_deletions, kept_days, orders
from cloud.store.database import read, write
from cloud.store.order_tables import audio_deletions
from cloud.store.order_tables import orders as orders_table
from cloud.store.orders import Wanted
from cloud.store.schema import calls, recordings
from cloud.web.orders import MOST
from sync.moment import to_text
from sync.orders import HOLD, RETENTION
from tests.cloud.house import NOON, House

AUDIO = b"fLaC" + b"x" * 500


def post(house: House, client: TestClient, path: str, **fields: str) -> tuple[int, str]:
    """Status, and where it leads or what it says."""
    answer = client.post(path, data={"csrf_token": house.csrf_token(client), **fields})
    return answer.status_code, answer.headers.get("location") or html.unescape(answer.text)


def states(house: House) -> list[tuple[str, str]]:
    with read(house.parts.engine) as db:
        query = select(orders_table.c.kind, orders_table.c.state).order_by(orders_table.c.id)
        return [(kind, state) for kind, state in db.execute(query)]


def newest(house: House) -> str:
    with read(house.parts.engine) as db:
        return str(db.execute(select(orders_table.c.id).order_by(orders_table.c.id.desc())).scalars().first())


@pytest.fixture
def call(house: House) -> str:
    house.add_box("box-01", "Dali")
    return house.add_call()


def test_a_hold_is_placed_and_shown_at_once_and_bars_deletion(house: House, call: str) -> None:
    manager = house.visitor("manager")
    assert "设置保全" in manager.get(f"/calls/{call}").text
    path = f"/calls/{call}/orders"
    assert post(house, manager, path, kind="hold", reason="case 7") == (303, f"/calls/{call}#orders")
    page = manager.get(f"/calls/{call}").text
    assert "case 7" in page and "保全中" in page and "下达删除指令" not in page
    status, says = post(house, manager, path, kind="delete_recording", reason="x", sure="yes")
    assert (status, "不得删除录音" in says) == (422, True)
    assert post(house, manager, path, kind="hold", reason="again")[0] == 422
    assert post(house, manager, path, kind="release_hold", reason="closed")[0] == 303
    assert states(house) == [("hold", "ordered"), ("release_hold", "ordered")]


def test_a_deletion_takes_a_second_person(house: House, call: str) -> None:
    manager = house.visitor("manager")
    path = f"/calls/{call}/orders"
    assert post(house, manager, path, kind="delete_recording", reason="law")[0] == 422  # not ticked
    assert post(house, manager, path, kind="delete_recording", reason="law", sure="yes")[0] == 303
    order_id = newest(house)
    status, says = post(house, manager, f"/orders/{order_id}", step="approve")
    assert (status, "不能审批自己" in says) == (422, True)
    assert states(house) == [("delete_recording", "waiting")]
    other = house.visitor("approver_1")
    assert order_id in other.get("/orders?state=waiting").text
    assert post(house, other, f"/orders/{order_id}", step="approve")[0] == 303
    assert states(house) == [("delete_recording", "ordered")]
    assert post(house, other, f"/orders/{order_id}", step="approve")[0] == 422  # it waits no more


@pytest.mark.parametrize(
    ("step", "role", "remark", "state"),
    [
        ("decline", "approver_1", "not the right call", "declined"),
        ("decline", "approver_1", "", "waiting"),
        ("approve", "admin", "", "waiting"),
        ("withdraw", "approver_1", "", "waiting"),
        ("nonsense", "manager", "", "waiting"),
    ],
)
def test_steps_of_others(house: House, call: str, step: str, role: str, remark: str, state: str) -> None:
    ordered = {"kind": "delete_recording", "reason": "law", "sure": "yes"}
    post(house, house.visitor("manager"), f"/calls/{call}/orders", **ordered)
    post(house, house.visitor(role), f"/orders/{newest(house)}", step=step, remark=remark)
    assert states(house) == [("delete_recording", state)]


def test_who_ordered_it_can_withdraw_it(house: House, call: str) -> None:
    manager = house.visitor("manager")
    post(house, manager, f"/calls/{call}/orders", kind="delete_recording", reason="law", sure="yes")
    assert post(house, manager, f"/orders/{newest(house)}", step="withdraw")[0] == 303
    assert states(house) == [("delete_recording", "withdrawn")]


def test_a_hold_that_comes_before_the_approval_wins(house: House, call: str) -> None:
    manager = house.visitor("manager")
    post(house, manager, f"/calls/{call}/orders", kind="delete_recording", reason="law", sure="yes")
    waiting = newest(house)
    post(house, manager, f"/calls/{call}/orders", kind="hold", reason="case 7")
    status, says = post(house, house.visitor("approver_2"), f"/orders/{waiting}", step="approve")
    assert (status, "不得删除录音" in says) == (422, True)


@pytest.mark.parametrize("role", ["agent", "maintainer", "partner", "judicial"])
def test_others_neither_see_nor_give_orders(house: House, call: str, role: str) -> None:
    client = house.visitor(role)
    assert client.get("/orders").status_code == client.get("/retention").status_code == 403
    assert post(house, client, f"/calls/{call}/orders", kind="hold", reason="x")[0] == 403
    assert states(house) == []


def test_what_is_not_answered_within_a_day_stands_out(house: House, call: str) -> None:
    manager = house.visitor("manager")
    post(house, manager, f"/calls/{call}/orders", kind="hold", reason="case 7")
    assert newest(house) not in manager.get("/orders?state=overdue").text
    house.clock.advance(25 * 3600)
    page = house.visitor("manager").get("/orders?state=overdue").text
    assert newest(house) in page and "逾期" in page


def old_audio(house: House, audio: bytes = AUDIO, days: int = 400, **fields: object) -> tuple[str, str]:
    """A call of so many days ago, and its recording."""
    started_utc = to_text(NOON - timedelta(days=days))
    call_id = house.add_call(started_utc=started_utc, **fields)
    return call_id, house.add_recording(call_id, audio, started_utc=started_utc)


def state_of(house: House, recording_id: str) -> str:
    with read(house.parts.engine) as db:
        query = select(recordings.c.state).where(recordings.c.id == recording_id)
        return str(db.execute(query).scalar_one())


def keep(house: House) -> int:
    """What the worker does by itself."""
    gone = keeping.let_go(house.parts.engine, house.parts.clock.now())
    keeping.remove_objects(house.parts.engine, house.parts.objects, house.parts.clock.now_utc())
    return gone


def test_head_offices_own_days_are_previewed_approved_and_obeyed(house: House, call: str) -> None:
    _, due = old_audio(house)
    _, missed = old_audio(house, outcome="missed")
    _, young = old_audio(house, days=300)
    held_call, held = old_audio(house)
    with write(house.parts.engine) as db:
        wanted = Wanted(HOLD, "box-01", "case 7", held_call)
        orders.make(db, wanted, Actor(user_id="x", name="X"), house.parts.clock.now_utc())
    manager, days = house.visitor("manager"), {"in": "365", "missed": "0"}
    status, says = post(house, manager, "/retention", look="1", **days)
    assert (status, "1 个通话的 1 条录音" in says) == (200, True)
    assert post(house, manager, "/retention", box="head-office", reason="policy", **days)[0] == 303
    assert (keep(house), states(house)[-1]) == (0, ("retention", "waiting"))
    approver = house.visitor("approver_1")
    assert "1 个通话的 1 条录音" in html.unescape(approver.get(f"/orders/{newest(house)}").text)
    post(house, approver, f"/orders/{newest(house)}", step="approve")
    assert (keep(house), states(house)[-1]) == (1, ("retention", "done"))
    found = [state_of(house, one) for one in (due, missed, young, held)]
    assert found == ["deleted", "stored", "stored", "stored"]


@pytest.mark.parametrize("typed", [{"in": "x"}, {"in": "-1"}, {"in": "99999999999"}, {}, {"in": "٣"}])
def test_days_that_are_none_are_refused(house: House, call: str, typed: dict[str, str]) -> None:
    status, _ = post(house, house.visitor("manager"), "/retention", box="box-01", reason="x", **typed)
    assert (status, states(house)) == (422, [])


def test_every_branch_gets_an_order_of_its_own(house: House, call: str) -> None:
    house.add_box("box-02", "Lijiang")
    assert post(house, house.visitor("manager"), "/retention", box="*", reason="x", out="90")[0] == 303
    assert states(house) == [("retention", "waiting")] * 2


def test_an_object_goes_with_its_last_recording(house: House, call: str) -> None:
    """Two recordings of the same sound are one object."""
    _, due = old_audio(house)
    _, young = old_audio(house, days=10)
    with write(house.parts.engine) as db:
        kept_days.set_rules(db, {"in": 365}, "x", house.parts.clock.now_utc())
        key = db.execute(select(recordings.c.object_key).where(recordings.c.id == young)).scalar_one()
    assert keep(house) == 1
    assert house.parts.objects.size(key) == len(AUDIO)
    house.clock.advance(400 * 24 * 3600)
    assert keep(house) == 1
    assert house.parts.objects.size(key) is None
    with read(house.parts.engine) as db:
        assert db.execute(select(audio_deletions.c.gone_utc)).scalars().all().count(None) == 0
    assert {state_of(house, one) for one in (due, young)} == {"deleted"}


def test_a_whole_call_is_deleted_once_the_branch_has_signed(house: House, call: str) -> None:
    manager, path = house.visitor("manager"), f"/calls/{call}/orders"
    ordered = {"kind": "delete_call", "reason": "law"}
    assert post(house, manager, path, **ordered)[0] == 422  # not ticked
    assert post(house, manager, path, **ordered, sure="yes")[0] == 303
    assert post(house, manager, path, **ordered, sure="yes")[0] == 422  # ordered already
    assert post(house, house.visitor("approver_1"), f"/orders/{newest(house)}", step="approve")[0] == 303
    before = manager.get(f"/calls/{call}").text
    with write(house.parts.engine) as db:
        assert call_deletions.bury_call(db, "box-01", call, newest(house), to_text(NOON))
        assert not call_deletions.bury_call(db, "box-01", call, newest(house), to_text(NOON))
    after = manager.get(f"/calls/{call}").text
    with read(house.parts.engine) as db:
        (number,) = db.execute(select(calls)).mappings().all()
    assert (number["caller_number"], number["last4"], number["outcome"]) == (None, None, "answered")
    assert "已按指令删除" in after and "已按指令删除" not in before
    assert "删除整条通话" in before and 'value="delete_call"' not in after
    assert post(house, manager, path, kind="delete_recording", reason="x", sure="yes")[0] == 422


def shown(page: str) -> list[str]:
    return re.findall(r'href="/orders/([0-9a-f-]{36})"', page)


def onward(page: str) -> str:
    found = re.search(r'class="onward" href="([^"]+)"', page)
    return html.unescape(found[1]) if found else ""


def test_older_orders_are_on_further_pages_each_once(house: House, call: str) -> None:
    wang = Actor(user_id="w", name="wang")
    with write(house.parts.engine) as db:
        made = [
            orders.make(db, Wanted(RETENTION, "box-01", "law", days={"in": 1}), wang, to_text(NOON))
            for _ in range(2 * MOST + 1)
        ]
    manager = house.visitor("manager")
    found, path, pages = list[str](), "/orders?kind=retention", 0
    while path:
        page = manager.get(path).text
        found, path, pages = found + shown(page), onward(page), pages + 1
    assert (found, pages) == (sorted(made, reverse=True), 3)
    assert onward(manager.get("/orders?kind=hold").text) == ""


def test_a_cursor_of_another_list_is_refused(house: House, call: str) -> None:
    wang = Actor(user_id="w", name="wang")
    with write(house.parts.engine) as db:
        for _ in range(MOST + 1):
            orders.make(db, Wanted(RETENTION, "box-01", "law", days={"in": 1}), wang, to_text(NOON))
    manager = house.visitor("manager")
    path = onward(manager.get("/orders?kind=retention").text)
    assert manager.get(path).status_code == 200
    for other in (path.replace("kind=retention", "kind="), path[:-1], "/orders?cursor=x", path + "x"):
        assert manager.get(other).status_code == 422, other


def test_the_reason_of_a_hold_tells_no_number(house: House) -> None:
    house.add_box("box-01", "Dali")
    call_id = house.add_call()
    with write(house.parts.engine) as db:
        wanted = Wanted(HOLD, "box-01", "asked by 13976412853", call_id)
        orders.make(db, wanted, Actor(user_id="u", name="X"), house.parts.clock.now_utc())
    text = house.visitor("manager").get(f"/calls/{call_id}").text
    assert "139****2853" in text and "13976412853" not in text
