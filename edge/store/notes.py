"""What people add to a call: notes (通话备注, REC-04), tags and a star, each a row with its writer.

Notes are only ever added or struck out: a struck note keeps its row, so that the operation log can be
checked against it. Every change is one transaction with its line in the operation log.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from edge.store.operations import Operation, add_operation
from sync.db import Migrations, run_script, write
from sync.ids import new_id
from sync.moment import to_text

LONGEST_NOTE = 2000
LONGEST_TAG = 32
MOST_TAGS = 12

migrations = Migrations("notes")


@migrations()
def m001_notes(db: sqlite3.Connection) -> None:
    """Notes, tags and stars of calls; how loud a recording is, for its picture."""
    run_script(
        db,
        """
        CREATE TABLE call_notes (
            id              TEXT PRIMARY KEY,
            call_id         TEXT NOT NULL REFERENCES calls (id),
            user_id         TEXT NOT NULL,
            user_name       TEXT NOT NULL,          -- as it was then
            at_utc          TEXT NOT NULL,
            text            TEXT NOT NULL,
            struck_utc      TEXT                    -- NULL while it stands
        );
        CREATE INDEX call_notes_by_call ON call_notes (call_id, at_utc);
        CREATE TABLE call_tags (
            tag             TEXT NOT NULL COLLATE NOCASE,
            call_id         TEXT NOT NULL REFERENCES calls (id),
            PRIMARY KEY (tag, call_id)
        ) WITHOUT ROWID;
        CREATE INDEX call_tags_by_call ON call_tags (call_id);
        CREATE TABLE call_stars (
            call_id         TEXT PRIMARY KEY REFERENCES calls (id)
        ) WITHOUT ROWID;
        CREATE TABLE peaks (                -- made once per file, so that long calls open fast
            recording_id    TEXT PRIMARY KEY REFERENCES recordings (id) ON DELETE CASCADE,
            sha256          TEXT NOT NULL,          -- of the file they were read from
            peaks           BLOB NOT NULL           -- one byte per bucket, 0..255 of full scale
        ) WITHOUT ROWID
        """,
    )


class NoteError(ValueError):
    """A note or tag that cannot be kept as given."""


@dataclass(frozen=True, slots=True)
class Note:
    """A note that stands."""

    id: str
    user_id: str
    user_name: str
    at_utc: str
    text: str


def notes_of(db: sqlite3.Connection, call_id: str) -> tuple[Note, ...]:
    """The notes that stand, oldest first."""
    rows = db.execute(
        """SELECT id, user_id, user_name, at_utc, text FROM call_notes
           WHERE call_id = ? AND struck_utc IS NULL ORDER BY at_utc, id""",
        (call_id,),
    )
    return tuple(Note(*row) for row in rows)


def newest_note(db: sqlite3.Connection, call_id: str) -> str:
    """The text of the last note that stands, or nothing."""
    row = db.execute(
        """SELECT text FROM call_notes WHERE call_id = ? AND struck_utc IS NULL
           ORDER BY at_utc DESC, id DESC LIMIT 1""",
        (call_id,),
    ).fetchone()
    return str(row["text"]) if row else ""


def tags_of(db: sqlite3.Connection, call_id: str) -> tuple[str, ...]:
    """The call's tags in order."""
    rows = db.execute("SELECT tag FROM call_tags WHERE call_id = ? ORDER BY tag", (call_id,))
    return tuple(row[0] for row in rows)


def all_tags(db: sqlite3.Connection, at_most: int = 200) -> tuple[str, ...]:
    """The tags in use, in order."""
    return tuple(
        row[0] for row in db.execute("SELECT DISTINCT tag FROM call_tags ORDER BY tag LIMIT ?", (at_most,))
    )


def is_starred(db: sqlite3.Connection, call_id: str) -> bool:
    """Whether somebody has starred the call."""
    return db.execute("SELECT 1 FROM call_stars WHERE call_id = ?", (call_id,)).fetchone() is not None


def add_note(
    db: sqlite3.Connection, call_id: str, user_id: str, text: str, by: Operation, now: datetime
) -> str:
    """Write a note; its id. NoteError when there is nothing in it, or too much."""
    text = text.strip()
    if not text or len(text) > LONGEST_NOTE:
        raise NoteError(f"a note needs 1 to {LONGEST_NOTE} characters, got {len(text)}")
    note_id, at_utc = new_id(), to_text(now)
    with write(db):
        db.execute(
            "INSERT INTO call_notes VALUES (?, ?, ?, ?, ?, ?, NULL)",
            (note_id, call_id, user_id, by.user_name, at_utc, text),
        )
        add_operation(db, by, at_utc)
    return note_id


def strike_note(db: sqlite3.Connection, note_id: str, by: Operation, now: datetime) -> None:
    """The note stands no longer."""
    with write(db):
        db.execute("UPDATE call_notes SET struck_utc = ? WHERE id = ?", (to_text(now), note_id))
        add_operation(db, by, to_text(now))


def set_tag(db: sqlite3.Connection, call_id: str, tag: str, on: bool, by: Operation, now: datetime) -> None:
    """Put a tag on a call, or take it off. NoteError for a tag nobody can see, too long, or one too many."""
    tag = tag.strip()
    if not tag or len(tag) > LONGEST_TAG or not tag.isprintable():
        raise NoteError(f"a tag needs 1 to {LONGEST_TAG} visible characters, got {tag!r}")
    with write(db):
        if not on:
            db.execute("DELETE FROM call_tags WHERE call_id = ? AND tag = ?", (call_id, tag))
        elif len(tags_of(db, call_id)) >= MOST_TAGS:
            raise NoteError(f"a call may have {MOST_TAGS} tags")
        else:
            db.execute("INSERT OR IGNORE INTO call_tags VALUES (?, ?)", (tag, call_id))
        add_operation(db, by, to_text(now))


def set_star(db: sqlite3.Connection, call_id: str, on: bool, by: Operation, now: datetime) -> None:
    """Star a call, or no longer."""
    statement = (
        "INSERT OR IGNORE INTO call_stars VALUES (?)" if on else "DELETE FROM call_stars WHERE call_id = ?"
    )
    with write(db):
        db.execute(statement, (call_id,))
        add_operation(db, by, to_text(now))
