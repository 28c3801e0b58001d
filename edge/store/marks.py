"""What happened in a call, as rows: keys, flashes, reversals, tones, who waited, a fax (`edge.call.MARKS`).

Written as they happen, in the recorder's transaction; sealed and sent with the call when it is over.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from sync.db import Migrations, run_script

migrations = Migrations("marks")


@migrations()
def m001_marks(db: sqlite3.Connection) -> None:
    """Marks, and what a call may now say besides."""
    run_script(
        db,
        """
        CREATE TABLE call_marks (
            call_id         TEXT NOT NULL REFERENCES calls (id),
            at_ms           INTEGER NOT NULL,       -- since the call began
            kind            TEXT NOT NULL,          -- edge.call.MARKS
            detail          TEXT NOT NULL
        );
        CREATE INDEX call_marks_by_call ON call_marks (call_id, at_ms);
        ALTER TABLE calls ADD COLUMN is_fax INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE calls ADD COLUMN second_number TEXT;        -- who waited, or was called after a flash
        ALTER TABLE calls ADD COLUMN second_name TEXT;
        ALTER TABLE calls ADD COLUMN second_presentation TEXT;  -- as caller_presentation; dialled
        """,
    )


@dataclass(frozen=True, slots=True)
class Mark:
    """One thing that happened in a call."""

    at_ms: int
    kind: str
    detail: str


def add_mark(db: sqlite3.Connection, call_id: str, mark: Mark) -> None:
    """Write a mark down. Inside `sync.db.write`."""
    db.execute("INSERT INTO call_marks VALUES (?, ?, ?, ?)", (call_id, mark.at_ms, mark.kind, mark.detail))


def marks_of(db: sqlite3.Connection, call_id: str) -> tuple[Mark, ...]:
    """Everything that happened in the call, in order."""
    rows = db.execute(
        "SELECT at_ms, kind, detail FROM call_marks WHERE call_id = ? ORDER BY at_ms, rowid", (call_id,)
    )
    return tuple(Mark(*row) for row in rows)
