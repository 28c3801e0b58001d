"""What becomes of audio after it is ready: legal holds, packing to Opus, deletion; each step is a row.

    recordings.state   ready -> deleted (the row stays; `deletions` says why)
    conversions        begun -> done: FLAC to Opus, the hashes of both
    removals           files no row wants any more: written in the transaction that decides, carried out after

A kill between any two steps leaves a row that the next run finishes. Writes run inside `sync.db.write`.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from edge.store.operations import Operation, add_operation
from edge.store.seals import bury_recording
from sync import outbox
from sync.db import Migrations, run_script
from sync.events import RecordingLost

THE_BOX = "box"  # who deletes by the rules

migrations = Migrations("retention")


@migrations()
def m001_retention(db: sqlite3.Connection) -> None:
    """Holds, conversions, deletions, removals, backups."""
    run_script(
        db,
        """
        CREATE TABLE holds (            -- legal hold on a call: its audio stays, unchanged
            id              INTEGER PRIMARY KEY,
            call_id         TEXT NOT NULL REFERENCES calls (id),
            reason          TEXT NOT NULL,
            placed_by       TEXT NOT NULL,
            placed_utc      TEXT NOT NULL,
            lifted_by       TEXT,
            lifted_utc      TEXT                    -- NULL while it holds
        );
        CREATE UNIQUE INDEX holds_now ON holds (call_id) WHERE lifted_utc IS NULL;
        CREATE TABLE conversions (      -- a recording packed smaller
            recording_id    TEXT PRIMARY KEY REFERENCES recordings (id),
            state           TEXT NOT NULL,          -- begun | done | failed
            from_file       TEXT NOT NULL,
            from_codec      TEXT NOT NULL,
            from_bytes      INTEGER NOT NULL,
            from_sha256     TEXT NOT NULL,
            to_file         TEXT NOT NULL,
            to_codec        TEXT NOT NULL,
            to_bytes        INTEGER,
            to_sha256       TEXT,
            begun_utc       TEXT NOT NULL,
            done_utc        TEXT,
            detail          TEXT NOT NULL DEFAULT ''
        );
        CREATE INDEX conversions_begun ON conversions (recording_id) WHERE state = 'begun';
        CREATE TABLE deletions (        -- audio that went; its recording keeps the row
            recording_id    TEXT PRIMARY KEY REFERENCES recordings (id),
            reason          TEXT NOT NULL,          -- age | size | count | space | unconfirmed | erased
            user_name       TEXT,                   -- NULL: the box itself
            at_utc          TEXT NOT NULL
        );
        CREATE TABLE removals (
            file            TEXT PRIMARY KEY,       -- name below the recordings folder
            asked_utc       TEXT NOT NULL
        );
        CREATE INDEX recordings_by_age ON recordings (started_utc, id) WHERE state = 'ready';
        CREATE TABLE backups (
            id              INTEGER PRIMARY KEY,
            at_utc          TEXT NOT NULL,
            folder          TEXT NOT NULL,
            result          TEXT NOT NULL,          -- done | failed
            calls           INTEGER NOT NULL,
            recordings      INTEGER NOT NULL,
            copied_bytes    INTEGER NOT NULL,
            detail          TEXT NOT NULL DEFAULT ''
        )
        """,
    )


@migrations()
def m002_ordered_holds(db: sqlite3.Connection) -> None:
    """Head office's hold on a call stands beside the branch's own; neither ends the other."""
    run_script(
        db,
        """
        ALTER TABLE holds ADD COLUMN ordered INTEGER NOT NULL DEFAULT 0;
        DROP INDEX holds_now;
        CREATE UNIQUE INDEX holds_now ON holds (call_id, ordered) WHERE lifted_utc IS NULL
        """,
    )


# -- legal hold


def place_hold(
    db: sqlite3.Connection, call_id: str, reason: str, user: str, now_utc: str, ordered: bool = False
) -> None:
    """From now on nothing may delete or change this call's audio; ValueError for no call or no reason.

    `ordered`: by head office; the branch cannot end it.
    """
    if not reason.strip():
        raise ValueError("a hold needs a reason")
    if db.execute("SELECT 1 FROM calls WHERE id = ?", (call_id,)).fetchone() is None:
        raise ValueError(f"there is no call {call_id!r}")
    db.execute(
        "INSERT INTO holds (call_id, reason, placed_by, placed_utc, ordered) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (call_id, ordered) WHERE lifted_utc IS NULL DO UPDATE SET reason = excluded.reason",
        (call_id, reason.strip(), user, now_utc, ordered),
    )
    add_operation(db, Operation("hold", "done", "", user, call_id, reason.strip()), now_utc)


def lift_hold(db: sqlite3.Connection, call_id: str, user: str, now_utc: str, ordered: bool = False) -> None:
    """The branch's hold ends, or head office's if it `ordered` that; ValueError when there is none."""
    changed = db.execute(
        "UPDATE holds SET lifted_by = ?, lifted_utc = ?"
        " WHERE call_id = ? AND ordered = ? AND lifted_utc IS NULL",
        (user, now_utc, call_id, ordered),
    )
    if changed.rowcount == 0:
        raise ValueError(f"call {call_id!r} is not on hold")
    add_operation(db, Operation("lift_hold", "done", "", user, call_id), now_utc)


@dataclass(frozen=True, slots=True)
class Hold:
    """A legal hold that stands."""

    reason: str
    placed_by: str
    placed_utc: str
    ordered: bool = False  # by head office, who alone ends it


def hold_on(db: sqlite3.Connection, call_id: str) -> Hold | None:
    """The hold on a call, the branch's own before head office's; None if nothing holds it."""
    row = db.execute(
        "SELECT reason, placed_by, placed_utc, ordered FROM holds"
        " WHERE call_id = ? AND lifted_utc IS NULL ORDER BY ordered LIMIT 1",
        (call_id,),
    ).fetchone()
    return Hold(row[0], row[1], row[2], bool(row[3])) if row else None


def is_held(db: sqlite3.Connection, recording_id: str) -> bool:
    """Whether the recording's call is on hold."""
    row = db.execute(
        "SELECT 1 FROM holds h JOIN recordings r ON r.call_id = h.call_id"
        " WHERE r.id = ? AND h.lifted_utc IS NULL",
        (recording_id,),
    ).fetchone()
    return row is not None


# -- deletion


def delete_audio(
    db: sqlite3.Connection, recording_id: str, reason: str, user: str | None, now_utc: str, forced: bool
) -> bool:
    """The row says deleted, a tombstone why, the file is to go; False when a protection came in between.

    Head office hears of audio it will now never get. `forced`: also what it has not confirmed.
    """
    row = db.execute(
        "SELECT call_id, about FROM recordings WHERE id = ? AND state = 'ready'", (recording_id,)
    ).fetchone()
    stored = is_stored(db, recording_id)
    confirmed = stored and is_closed(db, recording_id)
    if row is None or is_held(db, recording_id) or not (confirmed or forced):
        return False
    file = bury_recording(db, recording_id, reason, user or THE_BOX, now_utc)
    db.execute(
        "INSERT INTO deletions (recording_id, reason, user_name, at_utc) VALUES (?, ?, ?, ?)",
        (recording_id, reason, user, now_utc),
    )
    if not stored:
        outbox.put(db, RecordingLost(recording_id, row["call_id"], f"deleted: {reason}"), now_utc)
    ask_removal(db, file, now_utc)
    if reason == "erased" and row["about"] == "call":
        _erase_on_hook(db, row["call_id"], user, now_utc)
    return True


def _erase_on_hook(db: sqlite3.Connection, call_id: str, user: str | None, now_utc: str) -> None:
    """Who erases what was said in a call erases what announced it too."""
    query = "SELECT id FROM recordings WHERE call_id = ? AND about = 'on_hook'"
    for (recording_id,) in db.execute(query, (call_id,)).fetchall():
        delete_audio(db, recording_id, "erased", user, now_utc, forced=True)


def is_stored(db: sqlite3.Connection, recording_id: str) -> bool:
    """Whether head office has confirmed the file, or was never to have it."""
    row = db.execute(
        """SELECT r.about = 'on_hook' OR coalesce(f.state, '') = 'stored' FROM recordings r
           LEFT JOIN outbox_files f ON f.recording_id = r.id WHERE r.id = ?""",
        (recording_id,),
    ).fetchone()
    return row is not None and bool(row[0])


def is_closed(db: sqlite3.Connection, recording_id: str) -> bool:
    """Whether the manifest of the hour that announced it is closed: both sides agree that it is there."""
    row = db.execute(
        """SELECT r.about = 'on_hook' OR EXISTS (
               SELECT 1 FROM manifest_files f JOIN manifests m ON m.epoch = f.epoch AND m.n = f.n
               WHERE f.recording_id = r.id AND m.state = 'closed')
           FROM recordings r WHERE r.id = ?""",
        (recording_id,),
    ).fetchone()
    return row is not None and bool(row[0])


def ask_removal(db: sqlite3.Connection, file: str, now_utc: str) -> None:
    """The file is to go from the disk once this transaction is committed."""
    db.execute("INSERT INTO removals VALUES (?, ?) ON CONFLICT (file) DO NOTHING", (file, now_utc))


def removals(db: sqlite3.Connection, at_most: int) -> list[str]:
    """Files that are to go."""
    return [row[0] for row in db.execute("SELECT file FROM removals ORDER BY asked_utc LIMIT ?", (at_most,))]


def note_removed(db: sqlite3.Connection, files: list[str]) -> None:
    """These are gone from the disk, durably."""
    db.executemany("DELETE FROM removals WHERE file = ?", [(file,) for file in files])


def named_files(db: sqlite3.Connection) -> set[str]:
    """Files on the disk that no recording names, but which are ours to finish: not orphans."""
    rows = db.execute("SELECT file FROM removals UNION SELECT to_file FROM conversions WHERE state = 'begun'")
    return {row[0] for row in rows}


# -- backups


def note_backup(
    db: sqlite3.Connection, folder: str, result: str, counts: tuple[int, int, int], detail: str, now_utc: str
) -> None:
    """How a backup went. `counts`: calls, recordings, bytes copied."""
    db.execute(
        "INSERT INTO backups (at_utc, folder, result, calls, recordings, copied_bytes, detail)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (now_utc, folder, result, *counts, detail),
    )


@dataclass(frozen=True, slots=True)
class BackupRow:
    """One run."""

    at_utc: str
    folder: str
    result: str  # done | failed
    calls: int
    recordings: int
    copied_bytes: int
    detail: str


def last_backup(db: sqlite3.Connection, result: str = "done") -> BackupRow | None:
    """The newest run that ended so, for the page."""
    row = db.execute(
        "SELECT at_utc, folder, result, calls, recordings, copied_bytes, detail FROM backups"
        " WHERE result = ? ORDER BY id DESC LIMIT 1",
        (result,),
    ).fetchone()
    return BackupRow(*row) if row else None
