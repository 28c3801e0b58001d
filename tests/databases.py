"""Empty head-office databases for tests, on SQLite and on PostgreSQL, without migrating one for each test."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from sqlalchemy import Engine, text

from cloud.store.database import open_engine, write
from cloud.store.schema import metadata

SQLITE, POSTGRESQL = "sqlite", "postgresql"


class Emptied:
    """A database on a server, migrated once; `empty` deletes all rows, which is quicker than a new one."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine: Engine = open_engine(url)
        deletes = [f"DELETE FROM {table.name};" for table in reversed(metadata.sorted_tables)]
        # What only ever grows is emptied all the same: its triggers sleep for this one transaction.
        quietly = "PERFORM set_config('session_replication_role', 'replica', true);"
        self._script = text(f"DO $$ BEGIN {quietly} {' '.join(deletes)} END $$")

    def empty(self) -> None:
        """All rows of all tables go."""
        with write(self._engine) as connection:
            connection.execute(self._script)


@functools.cache
def empty_sqlite() -> bytes:
    """A database brought up to date: making one takes longer than most tests."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "empty.db"
        open_engine(f"sqlite:///{file}").dispose()
        return file.read_bytes()


def new_sqlite(file: Path) -> str:
    """The address of an empty database in `file`."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(empty_sqlite())
    return f"sqlite:///{file}"
