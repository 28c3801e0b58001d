"""Exports that take long: watched, left and come back to, cancelled; nobody else's, and nothing half done."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi import Depends
from sqlalchemy import select
from starlette.requests import Request
from starlette.testclient import TestClient

from cloud.access.decision import Clarity
from cloud.access.roles import Right
from cloud.releases.files import FOLDER, remove_old
from cloud.releases.rules import BROKE_OFF, KEPT_FOR, LIMITS
from cloud.store import export_jobs
from cloud.store.access_tables import access_grants
from cloud.store.database import read, write
from cloud.store.release_tables import releases
from cloud.store.schema import users
from cloud.web.app import build_app
from cloud.web.door import guarded
from cloud.web.export_file import ExportFile
from cloud.web.long_exports import MOST_AT_ONCE, Cancelled, Job, _keep
from cloud.web.releases import Laid
from tests.cloud.house import SITE, House, open_house
from tests.cloud.test_call_exports import csv_rows, export, last, may_take
from tests.cloud.test_releases import CALL, MANY_CLEAR

LAID = Laid("calls", "csv", {}, "quality")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """One that waits for no export, with a branch and some calls."""
    house = open_house(tmp_path)
    house = replace(house, parts=replace(house.parts, patience_s=0.0))
    house.app.state.parts = house.parts
    house.add_box("box-01", "Dali")
    house.add_calls([CALL] * 3)
    yield house
    house.parts.engine.dispose()


def settled(client: TestClient, path: str) -> str:
    """The page of an export once it is made no more."""
    for thread in threading.enumerate():
        if thread.name == "export":
            thread.join(20.0)
    return str(client.get(path).text)


def user_of(house: House, client: TestClient) -> str:
    with read(house.parts.engine) as db:
        return str(db.execute(select(access_grants.c.user_id)).scalars().first())


def begun(house: House, client: TestClient) -> str:
    """An export that is being made, by nobody."""
    with write(house.parts.engine) as db:
        job = {"id": "job-1", "by_id": user_of(house, client), "kind": "calls", "form": "csv"}
        export_jobs.begin(db, job, house.parts.clock.now_utc())
        assert export_jobs.tell(db, "job-1", 500, 2000, house.parts.clock.now_utc())
    return "/exports/job-1"


def laid_aside(house: House) -> list[Path]:
    folder = house.parts.settings.data / FOLDER
    return list(folder.iterdir()) if folder.is_dir() else []


def cancel(house: House, client: TestClient, path: str) -> int:
    return client.post(f"{path}/cancel", data={"csrf_token": house.csrf_token(client)}).status_code


def test_it_is_made_beside_the_request_and_fetched_by_who_asked(house: House) -> None:
    client = may_take(house)
    answer = export(house, client)
    assert answer.status_code == 303 and answer.headers["location"].startswith("/exports/")
    page = settled(client, answer.headers["location"])
    assert "文件已生成" in page and "/progress" not in page
    path = page.split('role="button" href="')[1].split('"')[0]
    file = client.get(f"{path}/file")
    assert len(csv_rows(file)) == 5  # header, three calls, signature
    assert (last(house)["action"], last(house)["kind"]) == ("download", "releases")
    assert house.visitor("manager").get(f"{path}/file").status_code == 404
    for column in ("revoked_utc", "valid_until_utc"):
        with write(house.parts.engine) as db:
            before = db.execute(select(access_grants.c[column])).scalar()
            db.execute(access_grants.update().values({column: house.parts.clock.now_utc()}))
        assert client.get(f"{path}/file").status_code == 404, f"the grant has ended: {column}"
        with write(house.parts.engine) as db:
            db.execute(access_grants.update().values({column: before}))
    assert client.get(f"{path}/file").status_code == 200


def test_its_file_lapses_by_itself(house: House) -> None:
    client = may_take(house)
    settled(client, export(house, client).headers["location"])
    assert len(laid_aside(house)) == 1
    house.clock.advance((KEPT_FOR + timedelta(hours=1)).total_seconds())
    assert remove_old(house.parts.engine, house.parts.settings.data, house.parts.clock.now_utc()) == 1
    assert laid_aside(house) == []


def test_what_a_crash_left_without_a_row_goes(house: House) -> None:
    client = may_take(house)
    settled(client, export(house, client).headers["location"])
    (named,) = laid_aside(house)
    fresh, left = named.with_name("fresh"), named.with_name("left")
    now_s = house.parts.clock.now().timestamp()
    for path, age_s in ((named, 7200), (fresh, 60), (left, 7200)):
        path.touch()
        os.utime(path, (now_s - age_s, now_s - age_s))
    assert remove_old(house.parts.engine, house.parts.settings.data, house.parts.clock.now_utc()) == 0
    assert sorted(laid_aside(house)) == sorted([named, fresh])


def test_a_large_clear_one_waits_for_its_review(house: House) -> None:
    house.add_calls([CALL] * MANY_CLEAR)
    client = may_take(house, clarity=Clarity.CLEAR)
    settled(client, export(house, client).headers["location"])
    with read(house.parts.engine) as db:
        (row,) = db.execute(select(releases)).mappings()
    assert (row["state"], row["rows"] > LIMITS["csv"].clear_rows) == ("waiting", True)
    assert client.get(f"/releases/{row['id']}/file").status_code == 404


def test_what_is_refused_is_said_on_its_page_and_leaves_nothing(house: House) -> None:
    client = may_take(house, rows=2)
    page = settled(client, export(house, client).headers["location"])
    assert "不允许提供" in page and laid_aside(house) == []
    assert last(house)["result"] == "refused"


def test_how_far_it_is_can_be_seen_and_come_back_to(house: House) -> None:
    client = may_take(house)
    path = begun(house, client)
    page = client.get(path).text
    assert "500 / 2,000" in page and f'hx-get="{path}/progress"' in page
    assert "<html" not in client.get(f"{path}/progress").text
    assert path in client.get("/releases").text
    other = house.visitor("manager")
    assert other.get(path).status_code == other.get(f"{path}/progress").status_code == 404
    assert cancel(house, other, path) == 404
    assert path not in other.get("/releases").text


def test_a_cancelled_one_ends_at_its_next_step_and_leaves_nothing(house: House) -> None:
    client = may_take(house)
    path = begun(house, client)
    assert cancel(house, client, path) == 303
    assert "已取消" in client.get(path).text
    job = Job(house.parts, "job-1", watched=True)
    with pytest.raises(Cancelled):
        job.tell(1000, 2000)
    assert cancel(house, client, path) == 303  # once more: nothing to do


def test_one_cancelled_as_it_gets_ready_leaves_nothing(house: House) -> None:
    client = may_take(house)
    path = begun(house, client)
    cancel(house, client, path)
    kept: list[str] = []

    def keep(request: Request) -> None:
        file = (house.parts.settings.data / "made").open("w+b")
        made = ExportFile(file, "x.csv", "text/csv", 0, 1, "a")
        _keep(request, Job(house.parts, "job-1", watched=True, made=made), LAID)
        kept.append("tried")

    app = build_app(house.parts)
    app.add_api_route("/keep", keep, dependencies=[Depends(guarded(Right.EXPORT))])
    again = TestClient(app, SITE, cookies=dict(client.cookies))
    assert again.get("/keep").status_code == 200 and kept == ["tried"]
    assert laid_aside(house) == []
    with read(house.parts.engine) as db:
        assert db.execute(select(releases.c.id)).all() == []


def test_one_whose_maker_is_gone_has_failed(house: House) -> None:
    client = may_take(house)
    path = begun(house, client)
    for after, says in ((export_jobs.SILENT_FOR / 2, "500 / 2,000"), (export_jobs.SILENT_FOR, "导出中断")):
        house.clock.advance(after.total_seconds())
        with write(house.parts.engine) as db:
            export_jobs.forget_old(db, house.parts.clock.now(), BROKE_OFF)
        assert says in client.get(path).text
    house.clock.advance(export_jobs.KEPT_FOR.total_seconds())
    with write(house.parts.engine) as db:
        export_jobs.forget_old(db, house.parts.clock.now(), BROKE_OFF)
        assert export_jobs.of_person(db, user_of(house, client)) == []


def test_nobody_has_many_made_at_once(house: House) -> None:
    client = may_take(house)
    with write(house.parts.engine) as db:
        for at in range(MOST_AT_ONCE):
            job = {"id": f"job-{at}", "by_id": user_of(house, client), "kind": "calls", "form": "csv"}
            export_jobs.begin(db, job, house.parts.clock.now_utc())
    assert export(house, client).status_code == 422


def test_who_may_export_no_more_opens_nothing(house: House) -> None:
    client = may_take(house)
    page = settled(client, export(house, client).headers["location"])
    path = page.split('role="button" href="')[1].split('"')[0]
    assert client.get(f"{path}/file").status_code == 200
    with write(house.parts.engine) as db:
        db.execute(users.update().where(users.c.id == user_of(house, client)).values(role="approver_1"))
    assert client.get(f"{path}/file").status_code == 404
