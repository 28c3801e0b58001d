"""An upgrade whose process is killed at any statement is as if it never began; newer databases are met.

The killed process is a real one: it ends itself by SIGKILL when the statement is about to run.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, event, inspect, text

from cloud.store.database import DatabaseUnusable, open_engine
from edge.store.schema import MIGRATIONS, open_store
from sync import outbox
from sync.db import connect, migrate, write
from tests.postgres import PostgresServer
from tests.sync.station import AT, call_ended

KILLS = 6  # spread over the statements of an upgrade from nothing
_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload([__name__])


def upgrade_office(url: str, last: int, counted: Any) -> None:
    """Bring head office's database up to date, or end before statement `last`."""
    from sqlalchemy.engine import Engine

    def statement(*_: Any) -> None:
        counted.value += 1
        if counted.value == last:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "before_cursor_execute", statement)
    open_engine(url)


def upgrade_box(path: str, last: int, counted: Any) -> None:
    """The same with a branch database."""
    db = connect(path)

    def statement(_: str) -> None:
        counted.value += 1
        if counted.value == last:
            os.kill(os.getpid(), signal.SIGKILL)

    db.set_trace_callback(statement)
    migrate(db, *MIGRATIONS)


def run(upgrade: Callable[[str, int, Any], None], where: str, last: int) -> int:
    """In a process of its own; how many statements it began."""
    counted = _forks.Value("i", 0)
    process = _forks.Process(target=upgrade, args=(where, last, counted))
    process.start()
    process.join()
    assert process.exitcode == (-signal.SIGKILL if last else 0)
    return int(counted.value)


def office_shape(url: str) -> dict[str, list[str]]:
    engine = create_engine(url)
    look = inspect(engine)
    shape = {
        name: sorted(str(column["name"]) for column in look.get_columns(name))
        for name in look.get_table_names()
    }
    engine.dispose()
    return shape


def box_shape(path: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as db:
        query = "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY name"
        return db.execute(query).fetchall()


def moments(count: int) -> list[int]:
    """Some of the statements, the first and the last among them."""
    return sorted({1, count, *(max(1, count * part // KILLS) for part in range(1, KILLS))})


@pytest.mark.faults
@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
def test_head_offices_upgrade_is_killed_at_any_statement(
    backend: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    def empty(name: str) -> str:
        if backend == "sqlite":
            return f"sqlite:///{tmp_path / name}.db"
        server: PostgresServer = request.getfixturevalue("postgres")
        return server.url(server.make_database())

    whole = empty("whole")
    count = run(upgrade_office, whole, 0)
    shape = office_shape(whole)
    url = empty("killed")
    for last in moments(count):
        run(upgrade_office, url, last)
        assert office_shape(url) in ({}, shape), f"half done at statement {last} of {count}"
    open_engine(url).dispose()
    assert office_shape(url) == shape


@pytest.mark.faults
def test_a_boxs_upgrade_is_killed_at_any_statement(tmp_path: Path) -> None:
    count = run(upgrade_box, str(tmp_path / "whole.db"), 0)
    shape = box_shape(tmp_path / "whole.db")
    path = tmp_path / "killed.db"
    for last in moments(count):
        run(upgrade_box, str(path), last)
        assert box_shape(path) in ([], shape), f"half done at statement {last} of {count}"
    open_store(path).close()
    assert box_shape(path) == shape


def test_a_box_goes_on_with_a_database_that_a_newer_version_left(tmp_path: Path) -> None:
    """An update was taken back: what it added stays, and the outbox is written and read as before."""
    with closing(open_store(tmp_path / "branch.db")) as db, write(db):
        outbox.put(db, call_ended(), AT)
        db.execute("ALTER TABLE outbox ADD COLUMN later TEXT NOT NULL DEFAULT 'x'")
        db.execute("CREATE TABLE later (id TEXT PRIMARY KEY)")
        row = ("outbox", "m999_later", AT)
        db.execute("INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES (?, ?, ?)", row)
    with closing(open_store(tmp_path / "branch.db")) as db:
        with write(db):
            outbox.put(db, call_ended(), AT)
        entries = outbox.next_run(db, outbox.epoch_of(db), "evt", 0)
        assert [entry.seq for entry in entries] == [1, 2] and all(entry.whole for entry in entries)


def test_head_office_says_that_a_newer_version_has_been_here(database_url: str) -> None:
    engine = open_engine(database_url)
    with engine.begin() as db:
        (before,) = db.execute(text("SELECT version_num FROM alembic_version")).one()
        db.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    try:
        with pytest.raises(DatabaseUnusable, match=r"newer version .*9999"):
            open_engine(database_url)
    finally:
        with engine.begin() as db:
            db.execute(text("UPDATE alembic_version SET version_num = :before"), {"before": before})
        engine.dispose()
