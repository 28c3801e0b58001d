"""A program that reads head office's database and does not end is said on the page of completeness."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select

from cloud.store import people, troubles
from cloud.store.database import read, write
from cloud.store.schema import box_troubles, users
from cloud.store.write_ahead import KIND, watch
from cloud.worker import Rounds, Works
from sync.topics import HEAD_OFFICE
from tests.cloud.house import NOON, House, open_house
from tests.sync.test_wal import grow, reader_of

SAID = "读取数据库的时间过长"


def look(house: House) -> None:
    Rounds(Works(house.parts.settings, house.parts.engine)).step(NOON, 0.0)


def test_a_reader_that_never_ends_is_said_until_it_does(tmp_path: Path) -> None:
    house = open_house(tmp_path)
    house.add_box("box-01", "大理店")
    client = house.visitor("maintainer")
    look(house)
    assert SAID not in client.get("/completeness").text
    with reader_of(tmp_path / "data" / "head-office.db"):
        grow(tmp_path / "data" / "head-office.db", 66)
        look(house)
        page = client.get("/completeness").text
        assert SAID in page and "over 64 MB" in page
        assert SAID not in client.get("/completeness/box-01").text, "it is no trouble of a branch"
        look(house)
    look(house)
    assert SAID not in client.get("/completeness").text
    with read(house.parts.engine) as db:
        (row,) = db.execute(select(box_troubles)).mappings().all()
    assert (row["box_id"], row["kind"]) == (HEAD_OFFICE, KIND) and row["until_utc"]


def test_who_sees_some_branches_only_is_told_nothing_of_head_office(house: House) -> None:
    house.add_box("box-01", "大理店")
    with write(house.parts.engine) as db:
        troubles.begin(db, HEAD_OFFICE, KIND, "it has grown", "2026-03-02T04:00:00.000Z")
    everywhere, nowhere = house.visitor("maintainer"), house.visitor("maintainer")
    with write(house.parts.engine) as db:
        session = people.find_session(db, nowhere.cookies["session"])
        assert session is not None
        db.execute(users.update().where(users.c.id == session["user_id"]).values(unit_id="none such"))
    assert "it has grown" in everywhere.get("/completeness").text
    assert "it has grown" not in nowhere.get("/completeness").text


def test_postgresql_has_no_such_log(house: House) -> None:
    assert watch(house.parts.engine, "2026-03-02T04:00:00.000Z") == ""
