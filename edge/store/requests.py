"""What people ask of the recorder, as rows: the page writes them, the recorder takes them when it looks.

The page never calls the recorder, so neither can keep the other waiting.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from sync.db import Migrations, run_script

migrations = Migrations("requests")


@migrations()
def m001_record_requests(db: sqlite3.Connection) -> None:
    """Presses of the record button."""
    run_script(
        db,
        """
        CREATE TABLE record_requests (
            id              INTEGER PRIMARY KEY AUTOINCREMENT,
            line            INTEGER NOT NULL,
            keep            INTEGER NOT NULL,       -- 1 = record from now on, 0 = no longer
            asked_utc       TEXT NOT NULL,
            asked_by        TEXT NOT NULL,          -- user name
            taken_utc       TEXT                    -- when the recorder saw it
        );
        CREATE INDEX record_requests_new ON record_requests (id) WHERE taken_utc IS NULL
        """,
    )


@migrations()
def m002_requests_by_line(db: sqlite3.Connection) -> None:
    """Lines that show whether somebody asked find the last press at once."""
    run_script(db, "CREATE INDEX record_requests_by_line ON record_requests (line, id)")


@dataclass(frozen=True, slots=True)
class RecordRequest:
    """One press of the button."""

    id: int
    line: int
    keep: bool


def ask_to_record(db: sqlite3.Connection, line: int, keep: bool, user: str, now_utc: str) -> None:
    """Ask that `line`'s call be recorded from now on, or no longer. Inside `sync.db.write`."""
    db.execute(
        "INSERT INTO record_requests (line, keep, asked_utc, asked_by) VALUES (?, ?, ?, ?)",
        (line, keep, now_utc, user),
    )


def is_by_hand(db: sqlite3.Connection, line: int, since_utc: str) -> bool:
    """Whether the last press on `line` since then asked for a recording: only that can be taken back."""
    row = db.execute(
        "SELECT keep FROM record_requests WHERE line = ? AND asked_utc >= ? ORDER BY id DESC LIMIT 1",
        (line, since_utc),
    ).fetchone()
    return row is not None and bool(row["keep"])


def new_requests(db: sqlite3.Connection) -> list[RecordRequest]:
    """Requests the recorder has not taken yet, in order."""
    rows = db.execute(
        "SELECT id, line, keep FROM record_requests WHERE taken_utc IS NULL ORDER BY id"
    ).fetchall()
    return [RecordRequest(row["id"], row["line"], bool(row["keep"])) for row in rows]


def take_requests(db: sqlite3.Connection, requests: list[RecordRequest], now_utc: str) -> None:
    """These have been seen; they stay as a record of who asked. Inside `sync.db.write`."""
    db.executemany(
        "UPDATE record_requests SET taken_utc = ? WHERE id = ?", [(now_utc, one.id) for one in requests]
    )
