"""Lines as they are now: one row each, written by the recorder, read by the page."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from sync.db import Migrations, run_script

migrations = Migrations("lines")
IN_USE = "('talking', 'dialling', 'calling', 'held', 'left_off', 'released')"


@migrations()
def m001_memory(db: sqlite3.Connection) -> None:
    """What an alarm is counted from, so that a restart does not begin it anew."""
    run_script(
        db,
        """
        -- rang_utc: last, or since when the line is known; in_use_utc: off hook since, NULL at rest
        ALTER TABLE lines ADD COLUMN rang_utc TEXT;
        ALTER TABLE lines ADD COLUMN in_use_utc TEXT
        """,
    )


@migrations()
def m002_messages(db: sqlite3.Connection) -> None:
    """Whether the exchange keeps messages for the line."""
    run_script(
        db,
        """
        -- message_count: NULL where the exchange does not say how many
        ALTER TABLE lines ADD COLUMN messages_waiting INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE lines ADD COLUMN message_count INTEGER
        """,
    )


@dataclass(frozen=True, slots=True)
class LineBefore:
    """What was known of a line when the recorder stopped."""

    rang_utc: str | None
    in_use_utc: str | None
    alarms: frozenset[str]  # parts of health that were lost, such as silent:3


def line_before(db: sqlite3.Connection, line: int) -> LineBefore | None:
    """The line's memory; None for a line that is new."""
    row = db.execute("SELECT rang_utc, in_use_utc FROM lines WHERE line = ?", (line,)).fetchone()
    if row is None:
        return None
    lost = db.execute("SELECT part FROM health WHERE until_utc IS NULL AND part LIKE ?", (f"%:{line}",))
    return LineBefore(row["rang_utc"], row["in_use_utc"], frozenset(part["part"] for part in lost))


def name_line(db: sqlite3.Connection, line: int, name: str, now_utc: str) -> None:
    """Make sure line `line` has a row, with its name; its state is unknown until something is seen."""
    db.execute(
        "INSERT INTO lines (line, name, state, since_utc, rang_utc) VALUES (?, ?, 'unknown', ?, ?)"
        " ON CONFLICT (line) DO UPDATE SET name = excluded.name, state = 'unknown', call_id = NULL,"
        " since_utc = excluded.since_utc, rang_utc = coalesce(rang_utc, excluded.rang_utc)",
        (line, name, now_utc, now_utc),
    )


def rename_line(db: sqlite3.Connection, line: int, name: str) -> None:
    """People call the line something else now."""
    db.execute("UPDATE lines SET name = ? WHERE line = ?", (name, line))


def drop_lines_after(db: sqlite3.Connection, last_line: int) -> None:
    """Forget lines that no board has any more; their calls stay."""
    db.execute("DELETE FROM lines WHERE line > ?", (last_line,))


def show_line(db: sqlite3.Connection, line: int, state: str, since_utc: str, call_id: str | None) -> None:
    """The line entered `state`."""
    db.execute(
        f"""UPDATE lines SET state = :state, since_utc = :since, call_id = :call,
                rang_utc = iif(:state = 'ringing', :since, rang_utc),
                in_use_utc = iif(:state IN {IN_USE}, coalesce(in_use_utc, :since), NULL)
            WHERE line = :line""",
        {"state": state, "since": since_utc, "call": call_id, "line": line},
    )


def show_messages(db: sqlite3.Connection, line: int, waiting: bool, count: int | None) -> None:
    """The exchange keeps messages for the line, or none any more; it says so again after each change."""
    known = count if waiting else None
    db.execute(
        "UPDATE lines SET messages_waiting = ?, message_count = ? WHERE line = ?", (waiting, known, line)
    )


def show_senses(db: sqlite3.Connection, line: int, hook_known: bool, audio_known: bool) -> None:
    """Whether the line's voltage and audio are coming in at all."""
    db.execute(
        "UPDATE lines SET hook_known = ?, audio_known = ? WHERE line = ?", (hook_known, audio_known, line)
    )
