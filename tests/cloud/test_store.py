"""The database: migrations agree with the tables, processes may start together, writes never deadlock."""

from __future__ import annotations

import multiprocessing
import re
import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect, select, text
from sqlalchemy.exc import IntegrityError

from cloud.access.log import Action, Actor, Deed
from cloud.store import boxes, people, trail
from cloud.store.database import DatabaseUnusable, open_engine, read, write
from cloud.store.schema import boxes as boxes_table
from cloud.store.schema import metadata
from sync.moment import to_text
from tests.cloud.house import NOON, House
from tests.databases import new_sqlite

NOON_UTC = to_text(NOON)


def test_the_migrations_make_the_tables_of_the_schema(engine: Engine) -> None:
    """The months of a big table apart, which `cloud.store.partitions` makes, and the search index."""
    with read(engine) as connection:
        found = inspect(connection)
        apart = r"_rest$|_\d{4}_\d\d$|_search(_\w+)?$"
        tables = {name for name in found.get_table_names() if not re.search(apart, name)}
        assert tables == {*metadata.tables, "alembic_version"}
        options = {
            "include_name": lambda name, kind, _: (
                name in tables if kind == "table" else name != "customers_by_terms"
            )
        }
        differences = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
        assert {(one[0], one[1].name) for one in differences} == {
            ("add_index", name) for name in indexes_of_others(connection.dialect.name)
        }
        for table in metadata.tables.values():  # in the same order: it decides what the index is good for
            assert (
                found.get_pk_constraint(table.name)["constrained_columns"] == table.primary_key.columns.keys()
            )


def indexes_of_others(dialect: str) -> set[str]:
    """What this kind of database lacks on purpose."""
    indexes = [one for table in metadata.tables.values() for one in table.indexes]
    return {str(one.name) for one in indexes if (only := one._ddl_if) and only.dialect != dialect}


def test_every_commit_is_durable_and_readers_do_not_wait(tmp_path: Path) -> None:
    with read(open_engine(new_sqlite(tmp_path / "ho.db"))) as connection:
        pragmas = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert pragmas == ["wal", 2, 1]


def _open(url: str) -> int:
    with read(open_engine(url)) as connection:
        return len(connection.execute(select(boxes_table)).all())


def test_processes_may_start_together(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ho.db'}"
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        assert pool.map(_open, [url] * 3) == [0, 0, 0]


def test_opening_again_changes_nothing(engine: Engine) -> None:
    with write(engine) as connection:
        boxes.register(connection, "box-01", "Dali")
    again = open_engine(str(engine.url))
    with read(again) as connection:
        assert [row["name"] for row in boxes.list_boxes(connection)] == ["Dali"]


def test_a_write_that_fails_leaves_nothing(engine: Engine) -> None:
    with pytest.raises(IntegrityError), write(engine) as connection:
        boxes.register(connection, "box-01", "Dali")
        connection.execute(boxes_table.insert().values(id="box-01", name="again"))
    with read(engine) as connection:
        assert boxes.list_boxes(connection) == []


def test_a_write_takes_the_lock_before_it_reads(tmp_path: Path) -> None:
    engine = open_engine(new_sqlite(tmp_path / "ho.db"))
    other = sqlite3.connect(tmp_path / "ho.db", timeout=0, isolation_level=None)
    with write(engine) as connection:
        connection.execute(select(boxes_table)).all()
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.execute("SELECT * FROM boxes").fetchall()  # reading goes on
    other.execute("BEGIN IMMEDIATE")
    with read(engine) as connection:  # and a reader does not wait for the writer
        connection.execute(select(boxes_table)).all()
    other.close()


def test_a_database_without_its_driver_is_a_sentence() -> None:
    with pytest.raises(DatabaseUnusable, match="driver for this database is not installed"):
        open_engine("postgresql+no_such_driver://u:secret@127.0.0.1/n")


def test_a_box_is_registered_once_and_may_be_renamed(engine: Engine) -> None:
    with write(engine) as connection:
        boxes.register(connection, "box-01", "Dali")
        connection.execute(boxes_table.update().values(last_seen_utc=NOON_UTC))
        boxes.register(connection, "box-01", "Dali old town")
        (row,) = boxes.list_branches(connection, NOON_UTC)
    assert (row["name"], row["last_seen_utc"]) == ("Dali old town", NOON_UTC)


def test_the_session_table_holds_no_token(house: House) -> None:
    user_id = house.add_user("wang")
    with write(house.parts.engine) as connection:
        token = people.open_session(connection, user_id, NOON_UTC)
        found = people.find_session(connection, token)
        assert found is not None and found["name"] == "wang"
        assert token not in found.values()
        assert people.find_session(connection, found["token_sha256"]) is None


def test_old_sessions_are_forgotten(house: House) -> None:
    user_id = house.add_user("wang")
    with write(house.parts.engine) as connection:
        old = people.open_session(connection, user_id, "2026-03-01T00:00:00.000Z")
        new = people.open_session(connection, user_id, NOON_UTC)
        people.forget_sessions(connection, created_before_utc=NOON_UTC)
        assert people.find_session(connection, old) is None
        assert people.find_session(connection, new) is not None


def test_an_address_is_known_to_its_own_user_only(house: House) -> None:
    with write(house.parts.engine) as connection:
        for name, action in (("wang", Action.LOG_IN), ("li", Action.LOG_IN_REFUSED)):
            deed = Deed(actor=Actor(name=name, address="10.0.0.1"), action=action)
            trail.append(connection, deed, NOON_UTC)
        known = [
            trail.address_known(connection, *pair)
            for pair in (("wang", "10.0.0.1"), ("wang", "10.0.0.2"), ("li", "10.0.0.1"))
        ]
    assert known == [True, False, False]


def test_an_upgrade_that_is_cut_off_leaves_the_version_before(database_url: str) -> None:
    """DDL is part of the transaction on both databases: a crash in the middle is as if it never began."""
    engine = open_engine(database_url)
    before = _shape(engine)
    with pytest.raises(RuntimeError, match="power"), write(engine) as connection:
        connection.execute(text("ALTER TABLE boxes ADD COLUMN half TEXT"))
        connection.execute(text("CREATE TABLE half (id TEXT)"))
        raise RuntimeError("the power goes")
    assert _shape(engine) == before
    engine.dispose()


def _shape(engine: Engine) -> dict[str, list[str]]:
    with read(engine) as connection:
        found = inspect(connection)
        return {
            name: [column["name"] for column in found.get_columns(name)] for name in found.get_table_names()
        }
