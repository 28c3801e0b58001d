"""Many rows into one of head office's tables at once: statements of 50 on SQLite, COPY on PostgreSQL.

A statement per row is what a busy ingest spends its time on. PostgreSQL takes rows that may be there already
by COPY into a temporary table and one INSERT ... SELECT ... ON CONFLICT from there; those that hardly ever
are by COPY alone, which is half the work, and the other way when that fails. So it is on SQLite, which makes
a savepoint of its own for each row that may write over one with a trigger on changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import chain
from typing import Any

import msgspec
from sqlalchemy import Connection, Table
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, OperationalError

COPY_FROM = 16  # rows; fewer are quicker as statements
AT_ONCE = 50  # rows to a statement of SQLite, which opens the table and all its indexes anew for each

Rows = Sequence[tuple[Any, ...]]
Columns = tuple[str, ...]


def insert(db: Connection, table: Table, columns: Columns, rows: Rows) -> None:
    """Insert rows whose keys are new; no text has a NUL."""
    if db.dialect.name == "postgresql" and len(rows) >= COPY_FROM:
        _copy(db, table.name, columns, rows, plain=True)
    else:
        _execute(db, "INSERT", table.name, columns, rows)


def upsert(
    db: Connection, table: Table, columns: Columns, rows: Rows, own: str = "", *, new: bool = False
) -> int:
    """Insert rows, or write them over those with their keys; each key at most once. Returns how many it took.

    `own` names a column that must not change: a row that would change it is passed over and not counted.
    `new` says that the keys are hardly ever there already.
    """
    if not rows:
        return 0
    keys = tuple(column.name for column in table.primary_key)
    merge = _on_conflict(table.name, keys, columns, own)
    if db.dialect.name == "postgresql" and len(rows) >= COPY_FROM:
        if new and _all_new(db, table.name, columns, rows):
            return len(rows)
        return _merge(db, table.name, columns, rows, merge)
    if new and db.dialect.name == "sqlite":
        taken = _execute(db, "INSERT OR IGNORE", table.name, columns, rows)
        if taken == len(rows):
            return taken
    return _execute(db, "INSERT", table.name, columns, rows, merge)


def keep(db: Connection, table: Table, columns: Columns, rows: Rows) -> None:
    """Insert rows unless their keys are there already; meant for few rows on PostgreSQL."""
    verb, end = (
        ("INSERT OR IGNORE", "") if db.dialect.name == "sqlite" else ("INSERT", " ON CONFLICT DO NOTHING")
    )
    _execute(db, verb, table.name, columns, rows, end)


def select_in(
    db: Connection, table: Table, columns: Columns, column: str, values: Sequence[str]
) -> list[tuple[Any, ...]]:
    """`columns` of the rows whose `column` is one of `values`, however many those are."""
    names = ", ".join(f"found.{name}" for name in columns)
    if db.dialect.name == "postgresql":
        rows = db.exec_driver_sql(
            f"SELECT {names} FROM {table.name} found WHERE {column} = ANY(%s)", (list(values),)
        )
    else:  # CROSS: each value is looked up by the index
        rows = db.exec_driver_sql(
            f"SELECT {names} FROM json_each(?) wanted CROSS JOIN {table.name} found"
            f" ON found.{column} = wanted.value",
            (msgspec.json.encode(values).decode(),),
        )
    return [tuple(row) for row in rows]


def select_keys(
    db: Connection, table: Table, columns: Columns, keys: Sequence[tuple[str, ...]]
) -> list[tuple[Any, ...]]:
    """`columns` of the rows with these primary keys, in their order and held until the transaction ends."""
    named = ", ".join(column.name for column in table.primary_key)
    sqlite = db.dialect.name == "sqlite"  # whose transactions hold everything
    one = f"({', '.join(['?' if sqlite else '%s'] * len(table.primary_key))})"
    rows = db.exec_driver_sql(
        f"SELECT {', '.join(columns)} FROM {table.name} WHERE ({named})"
        f" IN (VALUES {', '.join([one] * len(keys))}) ORDER BY {named}{'' if sqlite else ' FOR UPDATE'}",
        tuple(chain.from_iterable(keys)),
    )
    return [tuple(row) for row in rows]


def is_outage(error: Exception) -> bool:
    """Whether the database is locked, full or gone, which is no fault of what was being written.

    PostgreSQL files what exceeds a limit of its own (SQLSTATE class 54, e.g. a key too long for its index)
    under the same class of errors; that one does not pass by waiting.
    """
    if not isinstance(error, (OperationalError, InterfaceError)):
        return False
    state = getattr(error.orig, "sqlstate", None) or ""
    return not state.startswith("54")


def _execute(db: Connection, verb: str, table: str, columns: Columns, rows: Rows, merge: str = "") -> int:
    """Insert rows by statements, AT_ONCE by each as far as they go; how many it took."""
    dialect = db.dialect.name
    at_once = AT_ONCE if dialect == "sqlite" else 1
    whole = len(rows) - len(rows) % at_once
    runs = [tuple(chain.from_iterable(rows[at : at + at_once])) for at in range(0, whole, at_once)]
    taken = 0
    for count, given in ((at_once, runs), (1, list(rows[whole:]))):
        if given:
            statement = _insert(verb, table, columns, dialect, count) + merge
            taken += db.exec_driver_sql(statement, given).rowcount
    return taken


@lru_cache
def _insert(verb: str, table: str, columns: Columns, dialect: str, count: int = 1) -> str:
    mark = "%s" if dialect == "postgresql" else "?"
    row = f"({', '.join([mark] * len(columns))})"
    return f"{verb} INTO {table} ({', '.join(columns)}) VALUES {', '.join([row] * count)}"


@lru_cache
def _on_conflict(table: str, keys: Columns, columns: Columns, own: str) -> str:
    sets = ", ".join(f"{column} = excluded.{column}" for column in columns if column not in keys)
    own = f" WHERE {table}.{own} = excluded.{own}" if own else ""
    return f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {sets}{own}"


def _all_new(db: Connection, table: str, columns: Columns, rows: Rows) -> bool:
    """Copy rows in; False, and nothing done, if a key is there already or a text has a NUL."""
    try:
        with db.begin_nested():
            _copy(db, table, columns, rows, plain=True)
    except (IntegrityError, DataError):
        return False
    return True


def _merge(db: Connection, table: str, columns: Columns, rows: Rows, merge: str) -> int:
    names = ", ".join(columns)
    # Made anew each time it is missing: a rollback takes it along.
    db.exec_driver_sql(
        f"CREATE TEMPORARY TABLE IF NOT EXISTS staged_{table} (LIKE {table}) ON COMMIT DELETE ROWS"
    )
    db.exec_driver_sql(f"DELETE FROM staged_{table}")
    _copy(db, f"staged_{table}", columns, rows)
    taken = db.exec_driver_sql(f"INSERT INTO {table} ({names}) SELECT {names} FROM staged_{table}{merge}")
    return taken.rowcount


def _copy(db: Connection, table: str, columns: Columns, rows: Rows, *, plain: bool = False) -> None:
    """COPY rows; `plain` texts are not looked through for NUL, which DataError then tells of."""
    statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
    with _as_sqlalchemy(statement):
        cursor: Any = db.connection.cursor()  # of the driver: SQLAlchemy has no COPY
        if plain:
            _without_looking(cursor)
        with cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)


def _without_looking(cursor: Any) -> None:
    from psycopg.types.string import StrDumper  # only where there is a PostgreSQL to talk to

    cursor.adapters.register_dumper(str, StrDumper)  # the driver's own, in C; the connection's is ours


@contextmanager
def _as_sqlalchemy(statement: str) -> Iterator[None]:
    """The driver's errors as SQLAlchemy would raise them."""
    import psycopg  # only where there is a PostgreSQL to talk to

    try:
        yield
    except psycopg.Error as error:
        raise DBAPIError.instance(statement, None, error, psycopg.Error) from error
