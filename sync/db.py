"""Opens SQLite the same way everywhere: WAL, full durability, one way to write, numbered migrations."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlite_utils import Database, Migrations

BUSY_TIMEOUT_S = 10.0


def connect(path: Path | str) -> sqlite3.Connection:
    """Open (or create) the database at `path`; rows are `sqlite3.Row`, transactions are ours alone.

    `synchronous=FULL` because a commit that a power cut may take back is not one; the driver's own
    implicit transactions are off (`isolation_level=None`) so that `write` is the only way to begin one.
    """
    db = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    db.row_factory = sqlite3.Row
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("PRAGMA foreign_keys=ON")
    return db


@contextmanager
def write(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """One transaction that may write: all of it is committed, or none.

    It begins with BEGIN IMMEDIATE: a deferred transaction that reads first and writes later cannot be
    promoted when another process wrote in between, whatever the busy timeout.
    """
    db.execute("BEGIN IMMEDIATE")
    try:
        yield db
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # a full disk ends it by itself
            db.execute("ROLLBACK")
        raise


def migrate(db: sqlite3.Connection, *sets: Migrations) -> None:
    """Bring the database up to date; two processes may call it at once."""
    wrapped = Database(db)
    if any(migrations.pending(wrapped) for migrations in sets):
        with write(db):
            for migrations in sets:
                migrations.apply(wrapped)


def run_script(db: sqlite3.Connection, script: str) -> None:
    """Run statements that end in `;` inside the open transaction (`executescript` would commit it first)."""
    statement = ""
    for line in f"{script.rstrip().rstrip(';')};".splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            db.execute(statement)
            statement = ""


def data_version(db: sqlite3.Connection) -> int:
    """A number that changes when another connection has committed; costs microseconds."""
    return int(db.execute("PRAGMA data_version").fetchone()[0])
