"""How a database comes to have its tables: each step once, in order, all of them or none."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from sync.db import Migrations, connect, migrate, run_script, write

# What sqlite-utils 4.2.1 leaves behind, taken from a database that it made.
BY_SQLITE_UTILS = (
    'CREATE TABLE "_sqlite_migrations" (\n   "id" INTEGER PRIMARY KEY,\n   "migration_set" TEXT,\n'
    '   "name" TEXT,\n   "applied_at" TEXT\n)',
    'CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"\n'
    '    ON "_sqlite_migrations" ("migration_set", "name")',
    "INSERT INTO _sqlite_migrations VALUES (1, 'shop', 'm001_things', '2026-11-22 10:48:29.846010+00:00')",
)


def shop(*more: Callable[[sqlite3.Connection], None]) -> Migrations:
    """A set of tables with one step, and `more`."""
    migrations = Migrations("shop")

    @migrations()
    def m001_things(db: sqlite3.Connection) -> None:
        run_script(db, "CREATE TABLE things (name TEXT);\nINSERT INTO things VALUES ('first')")

    for step in more:
        migrations()(step)
    return migrations


def m002_colour(db: sqlite3.Connection) -> None:
    run_script(db, "ALTER TABLE things ADD COLUMN colour TEXT")


def m003_fails(db: sqlite3.Connection) -> None:
    run_script(db, "CREATE TABLE half (a);\nINSERT INTO nowhere VALUES (1)")


def names(db: sqlite3.Connection) -> list[tuple[str, ...]]:
    query = "SELECT migration_set, name FROM _sqlite_migrations ORDER BY id"
    return [tuple(row) for row in db.execute(query)]


def test_values_are_stored_as_they_are() -> None:
    values = (None, b"\0\xff", b"", True, False, 0, -1.5, "", "\u738b\0", bytearray(b"x"), memoryview(b"y"))
    kinds = ("null", "blob", "blob", *["integer"] * 3, "real", "text", "text", "blob", "blob")
    db = connect(":memory:")
    for value, kind in zip(values, kinds, strict=True):
        assert tuple(db.execute("SELECT ?1, typeof(?1)", (value,)).fetchone()) == (value, kind)


def test_each_step_is_done_once_and_in_order(tmp_path: Path) -> None:
    db = connect(tmp_path / "x.db")
    for migrations in (shop(), shop(), shop(m002_colour), shop(m002_colour)):
        migrate(db, migrations)
    assert names(db) == [("shop", "m001_things"), ("shop", "m002_colour")]
    assert [tuple(row) for row in db.execute("SELECT name, colour FROM things")] == [("first", None)]


def test_a_step_that_fails_takes_all_others_back(tmp_path: Path) -> None:
    db = connect(tmp_path / "x.db")
    with pytest.raises(sqlite3.OperationalError, match="nowhere"):
        migrate(db, shop(m002_colour, m003_fails))
    assert db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    migrate(db, shop(m002_colour))
    assert len(names(db)) == 2


def test_a_database_that_sqlite_utils_began_goes_on_where_it_is(tmp_path: Path) -> None:
    db = connect(tmp_path / "x.db")
    with write(db):
        for statement in (*BY_SQLITE_UTILS, "CREATE TABLE things (name TEXT)"):
            db.execute(statement)
    migrate(db, shop(m002_colour))
    assert names(db) == [("shop", "m001_things"), ("shop", "m002_colour")]
    assert db.execute("SELECT count(*) FROM things").fetchone()[0] == 0  # not made again


def test_who_was_overtaken_does_nothing_twice(tmp_path: Path) -> None:
    """Two services start at once: the one that had to wait looks again when it is its turn."""
    first, second = (connect(tmp_path / "x.db") for _ in range(2))

    def overtake(statement: str) -> None:
        if statement == "BEGIN IMMEDIATE":
            second.set_trace_callback(None)
            migrate(first, shop())

    second.set_trace_callback(overtake)
    migrate(second, shop(m002_colour))
    assert names(second) == [("shop", "m001_things"), ("shop", "m002_colour")]
    assert second.execute("SELECT count(*) FROM things").fetchone()[0] == 1


def test_what_is_up_to_date_is_not_written_to(tmp_path: Path) -> None:
    db, other = (connect(tmp_path / "x.db") for _ in range(2))
    migrate(db, shop())
    with write(other):
        migrate(db, shop())  # would wait for the other's transaction, and fail


def test_a_name_may_stand_for_one_step_only() -> None:
    migrations = shop(m002_colour)
    with pytest.raises(ValueError, match="m002_colour"):
        migrations()(m002_colour)
