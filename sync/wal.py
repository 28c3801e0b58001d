"""Says when a reader that never ends makes SQLite's log grow, by the same rule at both ends.

What is written goes to the log file beside the database first and is brought back from there, but for what
an old reader still has to see in its place. It holds up no writer: the log grows until it ends, or the disk
is full.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sync.db import WAL_BYTES, connect

HELD_BYTES = 4 * WAL_BYTES  # an import of 100,000 customers stays below
MB = 1 << 20


@dataclass(frozen=True, slots=True)
class Wal:
    """One look at the log of a database."""

    size_bytes: int
    held_pages: int  # that could not be brought back into the database, because somebody reads


def complaint(wal: Wal, said: str) -> str:
    """What to say of the log, "" while all is well; `said` is what was said last.

    It begins at HELD_BYTES, is said again each time the log has doubled, and ends when nobody holds it.
    """
    if not wal.held_pages or wal.size_bytes < (WAL_BYTES if said else HELD_BYTES):
        return ""
    mb = HELD_BYTES // MB
    while wal.size_bytes >= 2 * mb * MB:
        mb *= 2
    return (
        f"the log of the database has grown to over {mb} MB, because a program has been reading for long;"
        " it gets smaller once that program ends"
    )


def wal_of(database: Path) -> Path:
    """The log file beside a database."""
    return database.with_name(database.name + "-wal")


def size_of(database: Path) -> int:
    """Bytes of the log file; 0 when there is none."""
    try:
        return wal_of(database).stat().st_size
    except FileNotFoundError:
        return 0


def look_at(database: Path) -> Wal:
    """How large the log is and, if that is worth asking, how much of it is held.

    Asking brings back what nobody reads any more, which a commit would do as well; nobody waits for it.
    """
    size_bytes = size_of(database)
    if size_bytes <= WAL_BYTES:
        return Wal(size_bytes, 0)
    with closing(connect(database)) as db:
        return Wal(size_bytes, held_pages(db))


def held_pages(db: sqlite3.Connection) -> int:
    """Pages of the log that a reader keeps from being brought back, outside a transaction."""
    _, logged, brought_back = db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return int(logged) - int(brought_back)
