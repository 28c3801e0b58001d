"""Lines as they are now: one row each, written by the recorder, read by the page."""

from __future__ import annotations

import sqlite3


def name_line(db: sqlite3.Connection, line: int, name: str, now_utc: str) -> None:
    """Make sure line `line` has a row, with its name; its state is unknown until something is seen."""
    db.execute(
        "INSERT INTO lines (line, name, state, since_utc) VALUES (?, ?, 'unknown', ?)"
        " ON CONFLICT (line) DO UPDATE SET name = excluded.name, state = 'unknown', call_id = NULL,"
        " since_utc = excluded.since_utc",
        (line, name, now_utc),
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
        "UPDATE lines SET state = ?, since_utc = ?, call_id = ? WHERE line = ?",
        (state, since_utc, call_id, line),
    )


def show_senses(db: sqlite3.Connection, line: int, hook_known: bool, audio_known: bool) -> None:
    """Whether the line's voltage and audio are coming in at all."""
    db.execute(
        "UPDATE lines SET hook_known = ?, audio_known = ? WHERE line = ?", (hook_known, audio_known, line)
    )
