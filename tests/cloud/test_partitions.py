"""Monthly parts on PostgreSQL: made ahead, filled from what waited, and one part per look-up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine, insert, inspect, select, text

from cloud.store.database import MIGRATIONS, open_engine, read, write
from cloud.store.partitions import PARTITIONED, first_id, keep_ahead, month_after
from cloud.store.schema import calls, metadata
from tests.cloud.house import call_row
from tests.databases import new_sqlite
from tests.postgres import PostgresServer

NOON = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
AHEAD = ["2026_10", "2026_11", "2026_12", "2027_01"]


@pytest.fixture
def engine(postgres: PostgresServer, emptied: Any) -> Iterator[Engine]:
    """A database of its own: parts that are made stay."""
    engine = open_engine(postgres.url(postgres.make_database()))
    yield engine
    engine.dispose()


def id_at(moment: datetime, number: int = 1) -> str:
    """A UUIDv7 of that moment."""
    return f"{first_id(moment)[:14]}7000-8000-{number:012x}"


def rows_of(engine: Engine, table: str) -> list[str]:
    with read(engine) as db:
        return list(db.execute(text(f"SELECT id FROM {table} ORDER BY id")).scalars())


def test_months_are_made_ahead_and_once(engine: Engine) -> None:
    made = keep_ahead(engine, NOON)
    assert made == [f"{table}_{month}" for table in PARTITIONED for month in AHEAD]
    assert keep_ahead(engine, NOON) == []
    assert keep_ahead(engine, month_after(NOON)) == [f"{table}_2027_02" for table in PARTITIONED]


@pytest.mark.parametrize(
    ("moment", "count", "wanted"),
    [
        (NOON, 0, (2026, 11)),
        (NOON, 1, (2026, 12)),
        (NOON, 2, (2027, 1)),
        (datetime(2027, 1, 31, tzinfo=UTC), -1, (2026, 12)),
        (datetime(2026, 12, 31, 23, 59, tzinfo=UTC), 2, (2027, 2)),
    ],
)
def test_months(moment: datetime, count: int, wanted: tuple[int, int]) -> None:
    assert month_after(moment, count) == datetime(*wanted, 1, tzinfo=UTC)


def test_rows_lie_in_the_month_their_id_begins_with(engine: Engine) -> None:
    keep_ahead(engine, NOON)
    last = datetime(2026, 11, 30, 23, 59, 59, 999_000, tzinfo=UTC)
    moments = [datetime(2026, 11, 1, tzinfo=UTC), last, datetime(2026, 12, 1, tzinfo=UTC)]
    ids = [id_at(moment) for moment in moments]
    with write(engine) as db:
        db.execute(insert(calls), [call_row(id=one) for one in ids])
    assert (rows_of(engine, "calls_2026_11"), rows_of(engine, "calls_2026_12")) == (ids[:2], ids[2:])
    assert rows_of(engine, "calls_rest") == []


def test_what_fits_no_month_waits_and_moves_when_its_month_is_made(engine: Engine) -> None:
    late, future = id_at(datetime(2026, 3, 5, tzinfo=UTC)), id_at(datetime(2099, 1, 1, tzinfo=UTC))
    strange = ["not a uuid", id_at(datetime(1970, 1, 2, tzinfo=UTC)), future]
    with write(engine) as db:
        db.execute(insert(calls), [call_row(id=one) for one in (late, *strange)])
    assert "calls_2026_03" in keep_ahead(engine, NOON)
    assert rows_of(engine, "calls_2026_03") == [late]
    assert rows_of(engine, "calls_rest") == sorted(strange)
    assert keep_ahead(engine, NOON) == []


def test_a_look_up_by_id_reads_one_part(engine: Engine) -> None:
    keep_ahead(engine, NOON)
    with read(engine) as db:
        plan = db.execute(text("EXPLAIN SELECT * FROM calls WHERE id = :id"), {"id": id_at(NOON)}).scalars()
        named = {word for line in plan for word in line.split() if word.startswith("calls_2")}
    assert named == {"calls_2026_11"} or named == {"calls_2026_11_pkey", "calls_2026_11"}


def test_a_busy_table_is_not_waited_for_long(engine: Engine) -> None:
    """A month can be made later; ingest goes on."""
    from sqlalchemy.exc import OperationalError

    with write(engine) as other:
        other.execute(text("LOCK TABLE calls IN ACCESS SHARE MODE"))
        other.execute(text("LOCK TABLE calls_rest IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(OperationalError, match="lock timeout"):
            keep_ahead(engine, NOON)
    assert keep_ahead(engine, NOON)


def test_sqlite_has_no_parts(tmp_path: Path) -> None:
    assert keep_ahead(open_engine(new_sqlite(tmp_path / "x.db")), NOON) == []


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
def test_rows_of_before_are_kept(backend: str, tmp_path: Path, postgres: PostgresServer) -> None:
    """A database of the version before, with rows in every table that is laid out anew."""
    url = f"sqlite:///{tmp_path / 'old.db'}"
    if backend == "postgresql":
        url = postgres.url(postgres.make_database())
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    before = create_engine(url)
    with before.begin() as db:
        config.attributes["connection"] = db
        command.upgrade(config, "0003")
        filled = {name: _fill(db, name) for name in ("calls", "recordings", "inbox", "transfers")}
    before.dispose()
    engine = open_engine(url)
    with read(engine) as db:
        for name, row in filled.items():
            table = metadata.tables[name]
            found = db.execute(select(table)).mappings().one()
            assert {column: found[column] for column in row} == row
            assert {index["name"] for index in inspect(db).get_indexes(name)} == {
                index.name
                for index in table.indexes
                if index._ddl_if is None or index._ddl_if.dialect == db.dialect.name
            }
    engine.dispose()


def _fill(db: Any, name: str) -> dict[str, Any]:
    """One row with something in every column there is by then."""
    kinds: dict[type, Any] = {str: "x", int: 7, bool: True, bytes: b"b"}
    table = metadata.tables[name]
    there = {column["name"] for column in inspect(db).get_columns(name)}
    row = {one.name: kinds[one.type.python_type] for one in table.columns if one.name in there}
    db.execute(table.insert().values(row))
    return {name: value for name, value in row.items() if name in there}
