"""Recordings packed smaller, as rows: begun -> done (or failed), with the hashes of both files.

The row is written before the file is made, and the original goes only after the row says done: a kill at any
point leaves a row that the next run finishes. Writes run inside `sync.db.write`; tables in `retention`.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from edge.finished import Encoded
from edge.store.recordings import gaps_of
from edge.store.retention import ask_removal, is_closed, is_held, is_stored
from edge.store.seals import seal_recording
from sync import outbox
from sync.events import GapFact, RecordingReady


@dataclass(frozen=True, slots=True)
class Conversion:
    """A recording that is being packed."""

    recording_id: str
    from_file: str
    from_sha256: str
    to_file: str
    samples: int


def begin_conversion(
    db: sqlite3.Connection, recording_id: str, to_codec: str, to_file: str, now_utc: str
) -> bool:
    """Name the file before it is made; False when the recording is no longer what it was."""
    done = db.execute(
        """INSERT INTO conversions (recording_id, state, from_file, from_codec, from_bytes, from_sha256,
                                    to_file, to_codec, begun_utc)
           SELECT r.id, 'begun', r.file, r.codec, r.size_bytes, r.sha256, ?, ?, ? FROM recordings r
           WHERE r.id = ? AND r.state = 'ready' AND r.codec = 'flac'
                 AND NOT EXISTS (SELECT 1 FROM removals WHERE file = ?)
           ON CONFLICT (recording_id) DO NOTHING""",
        (to_file, to_codec, now_utc, recording_id, to_file),
    )
    return done.rowcount == 1


def conversions_begun(db: sqlite3.Connection) -> list[Conversion]:
    """Packing that a kill may have interrupted, or that is going on."""
    rows = db.execute(
        """SELECT v.recording_id, v.from_file, v.from_sha256, v.to_file, r.samples
           FROM conversions v JOIN recordings r ON r.id = v.recording_id WHERE v.state = 'begun'"""
    ).fetchall()
    return [Conversion(*row) for row in rows]


def finish_conversion(
    db: sqlite3.Connection, one: Conversion, encoded: Encoded, alone: bool, now_utc: str
) -> bool:
    """The packed file is on disk: it takes the original's place, which is to be removed. False: not now.

    A hold or a deletion that came meanwhile wins, and so does an original that is nowhere else (`alone`: the
    box has no head office, so the packed file is also what a later one will be sent).
    """
    row = db.execute("SELECT * FROM recordings WHERE id = ?", (one.recording_id,)).fetchone()
    stored = is_stored(db, one.recording_id)
    closed = stored and is_closed(db, one.recording_id)
    if row["state"] != "ready" or is_held(db, one.recording_id) or not (closed or alone):
        db.execute("DELETE FROM conversions WHERE recording_id = ?", (one.recording_id,))
        ask_removal(db, one.to_file, now_utc)
        return False
    db.execute(
        "UPDATE recordings SET codec = 'opus', file = ?, size_bytes = ?, sha256 = ? WHERE id = ?",
        (encoded.file, encoded.size_bytes, encoded.sha256, one.recording_id),
    )
    db.execute(
        "UPDATE conversions SET state = 'done', to_bytes = ?, to_sha256 = ?, done_utc = ?"
        " WHERE recording_id = ?",
        (encoded.size_bytes, encoded.sha256, now_utc, one.recording_id),
    )
    if not stored:
        _announce_again(db, row, encoded, now_utc)
    seal_recording(db, one.recording_id, now_utc)
    ask_removal(db, one.from_file, now_utc)
    return True


def _announce_again(db: sqlite3.Connection, row: sqlite3.Row, encoded: Encoded, now_utc: str) -> None:
    """Head office, should there ever be one, is to get the file that there is."""
    db.execute(
        "UPDATE outbox_files SET file = ?, size_bytes = ?, sha256 = ? WHERE recording_id = ?",
        (encoded.file, encoded.size_bytes, encoded.sha256, row["id"]),
    )
    event = RecordingReady(
        recording_id=row["id"],
        call_id=row["call_id"],
        started_utc=row["started_utc"],
        rate_hz=row["rate_hz"],
        samples=row["samples"],
        codec="opus",
        size_bytes=encoded.size_bytes,
        sha256=encoded.sha256,
        gaps=tuple(GapFact(*gap) for gap in gaps_of(db, row["id"])),
    )
    outbox.put(db, event, now_utc)


def fail_conversion(db: sqlite3.Connection, one: Conversion, detail: str, now_utc: str) -> None:
    """The original stays; it is not tried again."""
    db.execute(
        "UPDATE conversions SET state = 'failed', done_utc = ?, detail = ? WHERE recording_id = ?",
        (now_utc, detail, one.recording_id),
    )
    ask_removal(db, one.to_file, now_utc)
