"""What head office does by itself: each step at its pace, one that fails holds up no other."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from cloud.__main__ import main
from cloud.store import webhooks
from cloud.store.database import read, write
from cloud.store.schema import trail as tables
from cloud.store.webhooks import NewHook, secret_place
from cloud.trail_upkeep import MOST_LINES
from cloud.webhooks.kinds import CALL_ENDED
from cloud.worker import STEPS, Rounds, Step, Works
from sync.moment import to_text
from tests.cloud.house import NOON, House
from tests.cloud.test_trail import add, rows
from tests.cloud.test_trail_check import run
from tests.cloud.webhooks.receiver import receiving


@pytest.fixture
def works(house: House) -> Works:
    return Works(house.parts.settings, house.parts.engine)


def test_each_step_goes_at_its_own_pace(works: Works) -> None:
    done: list[tuple[str, datetime]] = []
    steps = {
        name: Step(every_s, lambda _works, now, name=name: done.append((name, now)))
        for name, every_s in (("often", 10), ("seldom", 25))
    }
    rounds, at_s = Rounds(works, steps), 100.0
    for _ in range(5):
        at_s += rounds.step(NOON + timedelta(seconds=at_s), at_s)
    assert [(name, (now - NOON).seconds) for name, now in done] == [
        ("often", 100), ("seldom", 100), ("often", 110), ("often", 120), ("seldom", 125), ("often", 130),
    ]  # fmt: skip


def test_a_step_that_fails_holds_up_no_other(works: Works, caplog: pytest.LogCaptureFixture) -> None:
    done: list[str] = []

    def fail(_works: Works, _now: datetime) -> None:
        raise RuntimeError("no space left")

    steps = {"broken": Step(10, fail), "sound": Step(10, lambda _works, _now: done.append("x"))}
    rounds = Rounds(works, steps)
    with caplog.at_level(logging.ERROR):
        rounds.step(NOON, 0.0)
        rounds.step(NOON, 10.0)
    assert done == ["x", "x"]
    assert "step broken failed" in caplog.text and "no space left" in caplog.text


def test_the_trail_is_anchored_and_shortened(works: Works) -> None:
    add(works.engine, 2, to_text(NOON - timedelta(days=2000)))
    Rounds(works).step(NOON, 0.0)
    with read(works.engine) as db:
        assert db.execute(select(func.count()).select_from(tables.anchors)).scalar() == 1
    assert [row["action"] for row in rows(works.engine)] == ["retention"]
    assert {"anchor_trail", "shorten_trail"} <= set(STEPS)


def admin(works: Works, tmp_path: Path, *words: str) -> int:
    settings, file = works.settings, tmp_path / "head-office.toml"
    broker = "".join(f'{name} = "{getattr(settings.broker, name)}"\n' for name in ("ca", "cert", "key"))
    head = f'data = "{settings.data}"\ndatabase_url = "{settings.database_url}"\n'
    file.write_text(f"{head}[broker]\n{broker}[web]\n", encoding="utf-8")
    return main(["--config", str(file), "admin", "audit-trail", *words])


def test_the_commands(works: Works, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add(works.engine, MOST_LINES // 100)
    assert admin(works, tmp_path, "verify") == 0
    assert "as it was written" in capsys.readouterr().out
    assert admin(works, tmp_path, "anchor") == 0
    assert "anchor 1 is in" in capsys.readouterr().out
    run(works.engine, "UPDATE access_log SET purpose = 'x' WHERE seq = 3")
    assert admin(works, tmp_path, "verify") == 2
    said = capsys.readouterr().err
    assert "changed: chain 1, number 3" in said and "1 findings" in said
    assert admin(works, tmp_path, "verify", "--key", "zz") == 2
    assert "64 hex digits" in capsys.readouterr().err


def test_webhooks_are_told_by_the_worker(house: House, works: Works) -> None:
    with receiving() as receiver:
        hook_id, now_utc = "hook", to_text(NOON)
        owner_id = house.add_user("somebody", "admin")
        sealed = house.parts.ring.active.seal("secret", secret_place(hook_id))
        with write(works.engine) as db:
            webhooks.add_hook(db, NewHook(hook_id, owner_id, receiver.url, (CALL_ENDED,), sealed), now_utc)
        call_id = house.add_call()
        with write(works.engine) as db:
            webhooks.note(db, CALL_ENDED, [call_id], now_utc)
        works = replace(works, settings=replace(works.settings, hook_networks="127.0.0.0/8"))
        Rounds(works, {"tell_webhooks": STEPS["tell_webhooks"]}).step(NOON, 0.0)
        assert [headers["Branchline-Event"] for headers, _ in receiver.came] == [CALL_ENDED]
