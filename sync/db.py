"""Opens SQLite the same way everywhere: WAL, full durability, one way to write, numbered migrations."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

BUSY_TIMEOUT_S = 10.0
WAL_BYTES = 16 << 20  # what a long reader has made it grow beyond is given back after him

Step = Callable[[sqlite3.Connection], None]

# Of these the driver asks each value how it wants to be stored, by way of an exception that nobody sees: half
# of what it costs to store a None. They are stored as they are.
sqlite3.register_adapter(type(None), lambda none: none)
sqlite3.register_adapter(bytes, bytes)
sqlite3.register_adapter(bool, int)


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
    db.execute("PRAGMA temp_store=MEMORY")
    db.execute(f"PRAGMA journal_size_limit={WAL_BYTES}")
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


@dataclass(slots=True)
class Migrations:
    """The steps by which one set of tables came to be as it is, in order; only ever appended to."""

    name: str
    steps: dict[str, Step] = field(default_factory=dict)

    def __call__(self) -> Callable[[Step], Step]:
        """Add the function below as the next step; its name is what databases remember."""
        return self._add

    def _add(self, step: Step) -> Step:
        if step.__name__ in self.steps:
            raise ValueError(f"the tables of {self.name} have a step {step.__name__} already")
        self.steps[step.__name__] = step
        return step


def migrate(db: sqlite3.Connection, *sets: Migrations) -> None:
    """Bring the database up to date, all of it or nothing; two processes may call it at once."""
    if not _pending(db, sets):
        return
    with write(db):
        run_script(db, _STEPS)
        for name, step_name, step in _pending(db, sets):
            step(db)
            row = (name, step_name, str(datetime.now(UTC)))
            db.execute(
                "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES (?, ?, ?)", row
            )


# As sqlite-utils makes it, so that boxes that began with that library go on where they are.
_STEPS = """
    CREATE TABLE IF NOT EXISTS _sqlite_migrations (
        id              INTEGER PRIMARY KEY,
        migration_set   TEXT,
        name            TEXT,
        applied_at      TEXT
    );
    CREATE UNIQUE INDEX IF NOT EXISTS idx__sqlite_migrations_migration_set_name
        ON _sqlite_migrations (migration_set, name)
"""


def _pending(db: sqlite3.Connection, sets: tuple[Migrations, ...]) -> list[tuple[str, str, Step]]:
    done: set[tuple[str, ...]] = set()
    if db.execute("SELECT 1 FROM sqlite_master WHERE name = '_sqlite_migrations'").fetchone():
        done = {
            (name, step) for name, step in db.execute("SELECT migration_set, name FROM _sqlite_migrations")
        }
    steps = [(one.name, step_name, step) for one in sets for step_name, step in one.steps.items()]
    return [step for step in steps if step[:2] not in done]


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
