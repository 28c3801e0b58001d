"""Many rows at once: the same outcome on both databases, by statements and by COPY."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Column, Connection, Engine, Integer, LargeBinary, MetaData, Table, Text, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from cloud.store import schema
from cloud.store.database import open_engine, read, write
from sync import bulk
from tests.sync.station import AT

COLUMNS = ("id", "owner", "count", "body")
SIZES = (1, bulk.COPY_FROM - 1, bulk.COPY_FROM, 2 * bulk.AT_ONCE, 6 * bulk.AT_ONCE + 1)

things = Table(
    "things",
    MetaData(),
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("count", Integer),
    Column("body", LargeBinary),
)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = open_engine(database_url)
    things.metadata.create_all(engine)
    yield engine
    things.metadata.drop_all(engine)
    engine.dispose()


def rows(count: int, owner: str = "a", value: int | None = 1) -> list[tuple[object, ...]]:
    return [(f"id{number}", owner, value, b"\0\\\t\n\xff") for number in range(count)]


def stored(db: Connection) -> list[tuple[object, ...]]:
    return [tuple(row) for row in db.execute(select(things).order_by(things.c.id))]


@pytest.mark.parametrize("count", SIZES)
def test_rows_go_in_as_they_are(engine: Engine, count: int) -> None:
    with write(engine) as db:
        bulk.insert(db, things, COLUMNS, rows(count, owner="王\\N\t\n'\"", value=None))
    with read(engine) as db:
        assert stored(db) == sorted(rows(count, owner="王\\N\t\n'\"", value=None))


@pytest.mark.parametrize("count", SIZES)
def test_rows_that_should_be_new_and_are_not_are_written_over(engine: Engine, count: int) -> None:
    with write(engine) as db:
        assert bulk.upsert(db, things, COLUMNS, rows(count // 2), new=True) == count // 2
        assert bulk.upsert(db, things, COLUMNS, rows(count, value=2), "owner", new=True) == count
        assert stored(db) == sorted(rows(count, value=2))
        assert bulk.upsert(db, things, COLUMNS, rows(count, "b", 3), "owner", new=True) == 0
    with read(engine) as db:
        assert stored(db) == sorted(rows(count, value=2))


@pytest.mark.parametrize("count", SIZES)
def test_a_row_that_lacks_something_is_not_passed_over(engine: Engine, count: int) -> None:
    lacking = [*rows(count - 1), ("last", None, 1, b"")]
    with pytest.raises(IntegrityError), write(engine) as db:
        bulk.upsert(db, things, COLUMNS, lacking, "owner", new=True)


@pytest.mark.parametrize("count", SIZES)
def test_a_nul_in_a_new_row_is_shown_as_what_it_is(engine: Engine, count: int) -> None:
    with write(engine) as db:
        assert bulk.upsert(db, things, COLUMNS, rows(count, owner="a\0b"), new=True) == count
        wanted = "a\0b" if db.dialect.name == "sqlite" else "a\ufffdb"
        assert {owner for _, owner, _, _ in stored(db)} == {wanted}


@pytest.mark.parametrize("count", SIZES)
def test_a_row_that_is_there_is_kept_as_it_is(engine: Engine, count: int) -> None:
    with write(engine) as db:
        bulk.keep(db, things, COLUMNS, rows(count // 2))
        bulk.keep(db, things, COLUMNS, rows(count, value=2))
        bulk.keep(db, things, COLUMNS, [])
    with read(engine) as db:
        assert stored(db) == sorted([*rows(count // 2), *rows(count, value=2)[count // 2 :]])


@pytest.mark.parametrize("count", SIZES)
def test_a_key_that_is_there_is_written_over(engine: Engine, count: int) -> None:
    with write(engine) as db:
        assert bulk.upsert(db, things, COLUMNS, rows(count // 2)) == count // 2
        assert bulk.upsert(db, things, COLUMNS, rows(count, value=2)) == count
        assert bulk.upsert(db, things, ("id", "owner"), [row[:2] for row in rows(count, "b")]) == count
        assert {(owner, value) for _, owner, value, _ in stored(db)} == {("b", 2)}


@pytest.mark.parametrize("count", SIZES)
def test_what_is_anothers_is_passed_over_and_not_counted(engine: Engine, count: int) -> None:
    with write(engine) as db:
        bulk.insert(db, things, COLUMNS, rows(1, "other"))
        assert bulk.upsert(db, things, COLUMNS, rows(count, "a", 2), own="owner") == count - 1
        assert stored(db)[0][1:3] == ("other", 1)


@pytest.mark.parametrize("count", SIZES)
def test_nothing_stays_of_what_was_rolled_back(engine: Engine, count: int) -> None:
    with write(engine) as db:
        with pytest.raises(DBAPIError), db.begin_nested():
            bulk.upsert(db, things, COLUMNS, rows(count))
            bulk.insert(db, things, COLUMNS, rows(count))
        assert stored(db) == []
        assert bulk.upsert(db, things, COLUMNS, rows(count)) == count


@pytest.mark.parametrize("count", SIZES)
def test_a_key_twice_is_an_error_of_sqlalchemy(engine: Engine, count: int) -> None:
    with pytest.raises(IntegrityError), write(engine) as db:
        bulk.insert(db, things, COLUMNS, [*rows(count), *rows(1)])


def test_no_rows_are_no_statement(engine: Engine) -> None:
    with write(engine) as db:
        bulk.insert(db, things, COLUMNS, [])
        assert bulk.upsert(db, things, COLUMNS, []) == 0


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_as_many_as_are_asked_for_are_found(engine: Engine, count: int) -> None:
    with write(engine) as db:
        bulk.insert(db, things, COLUMNS, rows(5))
        found = bulk.select_in(
            db, things, ("owner", "id"), "id", ["nothing", "'", *(f"id{n}" for n in range(count))]
        )
    assert sorted(found) == [("a", f"id{number}") for number in range(min(count, 5))]


@pytest.mark.parametrize("count", [1, 2, 1000])
def test_rows_are_found_by_their_whole_keys(engine: Engine, count: int) -> None:
    table = schema.inbox_tables.streams
    kept = [("box-1", f"{number}", "evt", number, "h", "[]", None, None, AT) for number in range(count)]
    with write(engine) as db:
        bulk.insert(db, table, tuple(table.columns.keys()), kept)
        keys = [("box-1", "0", "meta"), ("box-2", "0", "evt"), *(row[:3] for row in reversed(kept))]
        found = bulk.select_keys(db, table, ("epoch", "upto"), keys)
    assert found == sorted((epoch, upto) for _, epoch, _, upto, *_ in kept)


def test_a_nul_from_a_telephone_line_stops_nothing(engine: Engine) -> None:
    for count in (1, bulk.COPY_FROM):
        with write(engine) as db:
            bulk.upsert(db, things, COLUMNS, rows(count, "a\0b"))
            assert {row[1] for row in stored(db)} <= {"a\0b", "a\ufffdb"}


class _Refused(Exception):
    def __init__(self, sqlstate: str | None) -> None:
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("error", "outage"),
    [
        (OperationalError("", {}, Exception("database is locked")), True),
        (OperationalError("", {}, _Refused("57P01")), True),  # the server is shutting down
        (OperationalError("", {}, _Refused(None)), True),  # the connection is gone
        (OperationalError("", {}, _Refused("54000")), False),  # too long for an index
        (IntegrityError("", {}, _Refused("23505")), False),
        (ValueError("x"), False),
    ],
)
def test_whose_fault_it_is(error: Exception, outage: bool) -> None:
    assert bulk.is_outage(error) is outage


def test_a_value_too_long_for_an_index_is_its_own_fault(engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        return  # takes any length
    long = "".join(chr(0x4E00 + number * 7919 % 20000) for number in range(9000))
    with write(engine) as db:
        db.execute(text("CREATE INDEX things_by_owner ON things (owner)"))
    with pytest.raises(DBAPIError) as refused, write(engine) as db:
        bulk.insert(db, things, COLUMNS, rows(1, long))
    assert not bulk.is_outage(refused.value)
