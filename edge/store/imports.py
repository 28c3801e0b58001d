"""Sheets taken in: looked at first, then added whole or not at all, and undone if it was a mistake.

    checked --(no fault, confirmed)--> adding --> done --> undone
       |                                 | the box stopped meanwhile
       +-- faults: stays, with a reason  +-------------------------> undone

Rows go in by small batches, so that the recorder, who writes to the same database, never waits for an import;
what a stopped box left half added is taken out again when the page starts (`finish_undone`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice

from edge.store import communications, customers
from edge.store.operations import Operation, add_operation
from sync.db import Migrations, run_script, write
from sync.ids import new_id
from sync.moment import to_text

BATCH = 200
TABLES = ("customers", "communications")

migrations = Migrations("imports")


@migrations()
def m001_imports(db: sqlite3.Connection) -> None:
    """One row per sheet that was taken in; its file is kept until another is."""
    run_script(
        db,
        """
        CREATE TABLE imports (
            no              INTEGER PRIMARY KEY AUTOINCREMENT,
            id              TEXT NOT NULL UNIQUE,
            into_table      TEXT NOT NULL,          -- TABLES
            state           TEXT NOT NULL,          -- checked | adding | done | undone
            user_id         TEXT NOT NULL,
            file            BLOB,
            row_count       INTEGER NOT NULL,
            at_utc          TEXT NOT NULL
        );
        CREATE INDEX imports_by_user ON imports (into_table, user_id, no)
        """,
    )


@dataclass(frozen=True, slots=True)
class Import:
    """A sheet that was taken in."""

    no: int
    id: str
    into_table: str
    state: str
    user_id: str
    row_count: int
    at_utc: str


@dataclass(frozen=True, slots=True)
class Undone:
    """What an undo took out, and what it left because somebody has changed it since."""

    removed: int
    kept: int


_COLUMNS = "no, id, into_table, state, user_id, row_count, at_utc"


def keep_file(
    db: sqlite3.Connection, into_table: str, user_id: str, file: bytes, row_count: int, now: datetime
) -> Import:
    """Keep a sheet until it is confirmed; the user's earlier files are dropped."""
    if into_table not in TABLES:
        raise ValueError(f"a sheet goes into one of {', '.join(TABLES)}, not {into_table!r}")
    row = (new_id(), into_table, "checked", user_id, file, row_count, to_text(now))
    with write(db):
        db.execute("UPDATE imports SET file = NULL WHERE user_id = ?", (user_id,))
        db.execute(
            "INSERT INTO imports (id, into_table, state, user_id, file, row_count, at_utc)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            row,
        )
    found = the_import(db, into_table, user_id, row[0])
    assert found is not None
    return found


def the_import(db: sqlite3.Connection, into_table: str, user_id: str, import_id: str) -> Import | None:
    """A user's own import, or None."""
    row = db.execute(
        f"SELECT {_COLUMNS} FROM imports WHERE id = ? AND into_table = ? AND user_id = ?",
        (import_id, into_table, user_id),
    ).fetchone()
    return Import(*row) if row else None


def file_of(db: sqlite3.Connection, one: Import) -> bytes | None:
    """The sheet as it came, while it is kept."""
    row = db.execute("SELECT file FROM imports WHERE no = ?", (one.no,)).fetchone()
    return bytes(row[0]) if row and row[0] is not None else None


def last_done(db: sqlite3.Connection, into_table: str, user_id: str) -> Import | None:
    """The user's last import that is not undone."""
    row = db.execute(
        f"SELECT {_COLUMNS} FROM imports WHERE into_table = ? AND user_id = ? AND state = 'done'"
        " ORDER BY no DESC LIMIT 1",
        (into_table, user_id),
    ).fetchone()
    return Import(*row) if row else None


def add_all(
    db: sqlite3.Connection, one: Import, inserts: Sequence[Callable[[], object]], by: Operation, now: datetime
) -> bool:
    """Run `inserts`, a batch per transaction; False when this import has been confirmed already.

    If one fails, what came before it is taken out again and the error goes on to the caller.
    """
    with write(db):
        begun = db.execute(
            "UPDATE imports SET state = 'adding' WHERE no = ? AND state = 'checked'", (one.no,)
        )
    if begun.rowcount == 0:
        return False
    try:
        for batch in _batches(inserts):
            with write(db):
                for insert in batch:
                    insert()
    except BaseException:
        _take_out(db, one, to_text(now))
        raise
    with write(db):
        db.execute("UPDATE imports SET state = 'done', file = NULL WHERE no = ?", (one.no,))
        add_operation(db, replace(by, subject=one.id), to_text(now))
    return True


def undo(db: sqlite3.Connection, one: Import, by: Operation, now: datetime) -> Undone:
    """Take out what an import added, but for records that somebody has changed since."""
    undone = _take_out(db, one, to_text(now))
    with write(db):
        add_operation(db, replace(by, subject=one.id), to_text(now))
    return undone


def finish_undone(db: sqlite3.Connection, now: datetime) -> None:
    """Take out what an import had added when the box stopped in the middle of it."""
    rows = db.execute(f"SELECT {_COLUMNS} FROM imports WHERE state = 'adding'").fetchall()
    for row in rows:
        _take_out(db, Import(*row), to_text(now))


def _take_out(db: sqlite3.Connection, one: Import, at_utc: str) -> Undone:
    fresh = "revision = 1 AND deleted_utc IS NULL" if one.into_table == "customers" else "deleted_utc IS NULL"
    total = int(
        db.execute(f"SELECT count(*) FROM {one.into_table} WHERE import_id = ?", (one.id,)).fetchone()[0]
    )
    removed = 0
    while True:
        with write(db):
            if one.into_table == "customers":
                customers.tell_taken_out(db, one.id, BATCH, at_utc)
            gone = db.execute(
                f"""DELETE FROM {one.into_table} WHERE no IN (
                    SELECT no FROM {one.into_table} WHERE import_id = ? AND {fresh} ORDER BY no LIMIT ?)
                    RETURNING id""",
                (one.id, BATCH),
            ).fetchall()
            if one.into_table == "communications":
                communications.tell_taken_out(db, [row["id"] for row in gone], at_utc)
        removed += len(gone)
        if len(gone) < BATCH:
            break
    with write(db):
        db.execute("UPDATE imports SET state = 'undone', file = NULL WHERE no = ?", (one.no,))
    return Undone(removed, total - removed)


def _batches(inserts: Sequence[Callable[[], object]]) -> Iterator[list[Callable[[], object]]]:
    remaining = iter(inserts)
    while batch := list(islice(remaining, BATCH)):
        yield batch
