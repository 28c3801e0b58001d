"""Events of the boards as they came, and how far each board's journal was kept.

A board forgets an event only after its row is committed here, so a restart on either side loses and doubles
nothing. The newest `KEPT` of each board are kept; lines are followed by the readings.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from edge.sources.hat_events import EventMark, HatEvent
from sync.db import Migrations, run_script

KEPT = 10_000

migrations = Migrations("hat_events")


@migrations()
def m001_hat_events(db: sqlite3.Connection) -> None:
    """Events of boards, and the mark of each board's journal."""
    run_script(
        db,
        """
        CREATE TABLE hat_events (
            hat             TEXT NOT NULL,          -- name of the board in the settings
            journal         INTEGER NOT NULL,
            number          INTEGER NOT NULL,       -- without a hole in each journal
            line            INTEGER NOT NULL,
            at_utc          TEXT,                   -- NULL: before a start of the board nobody saw
            kind            INTEGER NOT NULL,       -- as in hw/wire
            data            INTEGER NOT NULL,
            PRIMARY KEY (hat, journal, number)
        ) WITHOUT ROWID;
        CREATE TABLE hat_marks (
            hat             TEXT PRIMARY KEY,
            journal         INTEGER NOT NULL,
            number          INTEGER NOT NULL        -- everything up to here is in hat_events, or was
        ) WITHOUT ROWID
        """,
    )


def mark_of(db: sqlite3.Connection, hat: str) -> EventMark | None:
    """How far this board's journal was kept."""
    row = db.execute("SELECT journal, number FROM hat_marks WHERE hat = ?", (hat,)).fetchone()
    return EventMark(*row) if row else None


def keep_events(
    db: sqlite3.Connection, hat: str, events: Iterable[tuple[HatEvent, str | None]], mark: EventMark
) -> None:
    """Keep events, each with its time, and the mark after them. Inside `sync.db.write`."""
    db.executemany(
        "INSERT OR IGNORE INTO hat_events VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (hat, mark.journal, event.number, event.line, at_utc, event.kind, event.data)
            for event, at_utc in events
        ],
    )
    db.execute(
        "INSERT INTO hat_marks VALUES (?, ?, ?) ON CONFLICT (hat) DO UPDATE SET journal = excluded.journal,"
        " number = excluded.number",
        (hat, mark.journal, mark.number),
    )
    db.execute(
        "DELETE FROM hat_events WHERE hat = ? AND (journal <> ? OR number <= ?)",
        (hat, mark.journal, mark.number - KEPT),
    )
