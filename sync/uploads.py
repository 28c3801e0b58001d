"""What decides about uploads and outlives a restart: the pause that a page or a command sets, bytes a month.

Writes run inside `sync.db.write`.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from sync.db import Migrations, run_script

migrations = Migrations("uploads")


@migrations()
def m001_uploads(db: sqlite3.Connection) -> None:
    """The pause, the months."""
    run_script(
        db,
        """
        CREATE TABLE upload_pause (     -- at most one row: there is one while audio is to wait
            id              INTEGER PRIMARY KEY CHECK (id = 1),
            since_utc       TEXT NOT NULL,
            by              TEXT NOT NULL           -- who asked for it
        );
        CREATE TABLE upload_months (
            month           TEXT PRIMARY KEY,       -- yyyy-mm, local
            bytes           INTEGER NOT NULL        -- sent, or about to be
        )
        """,
    )


@dataclass(frozen=True, slots=True)
class Pause:
    """Audio waits since then, because somebody said so."""

    since_utc: str
    by: str


def pause_of(db: sqlite3.Connection) -> Pause | None:
    """The pause that is in force."""
    row = db.execute("SELECT since_utc, by FROM upload_pause").fetchone()
    return Pause(*row) if row else None


def pause(db: sqlite3.Connection, by: str, now_utc: str) -> None:
    """Audio is to wait; call records go on."""
    db.execute("INSERT OR IGNORE INTO upload_pause VALUES (1, ?, ?)", (now_utc, by))


def resume(db: sqlite3.Connection) -> None:
    """Audio goes on."""
    db.execute("DELETE FROM upload_pause")


def month_bytes(db: sqlite3.Connection, month: str) -> int:
    """What of the month's budget is used."""
    row = db.execute("SELECT bytes FROM upload_months WHERE month = ?", (month,)).fetchone()
    return int(row[0]) if row else 0


def note_month(db: sqlite3.Connection, month: str, bytes_: int) -> None:
    """So much of the month's budget is used."""
    db.execute(
        "INSERT INTO upload_months VALUES (?, ?) ON CONFLICT (month) DO UPDATE SET bytes = excluded.bytes",
        (month, bytes_),
    )
