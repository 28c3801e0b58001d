"""Recordings as rows: recording -> part (closed, not yet encoded) -> ready, or lost.

The row exists before its file does, and the file is on the disk before its row says ready: what a power cut
leaves is named by a row, or is an orphan that start-up puts aside. Writes run inside `sync.db.write`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from edge.finished import Encoded
from edge.gaps import Gap
from edge.store.seals import seal_recording
from sync import outbox
from sync.events import GapFact, RecordingLost, RecordingReady

CALL, ON_HOOK = "call", "on_hook"  # what a recording is about; on-hook audio never leaves the box


@dataclass(frozen=True, slots=True)
class RecordingRow:
    """A row of `recordings`."""

    id: str
    call_id: str
    state: str
    file: str
    started_utc: str
    rate_hz: int
    samples: int = 0
    about: str = CALL


def begin_recording(db: sqlite3.Connection, row: RecordingRow) -> None:
    """Name the file before it is made."""
    db.execute(
        "INSERT INTO recordings (id, call_id, state, file, started_utc, rate_hz, about)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (row.id, row.call_id, row.state, row.file, row.started_utc, row.rate_hz, row.about),
    )


def close_recording(db: sqlite3.Connection, recording_id: str, samples: int, gaps: Sequence[Gap]) -> None:
    """The part is complete on disk; its gaps are known."""
    db.execute("UPDATE recordings SET state = 'part', samples = ? WHERE id = ?", (samples, recording_id))
    db.executemany(
        "INSERT OR REPLACE INTO gaps (recording_id, start_sample, length_samples, reason)"
        " VALUES (?, ?, ?, ?)",
        [(recording_id, gap.position, gap.length, gap.reason) for gap in gaps],
    )


def finish_recording(db: sqlite3.Connection, recording_id: str, encoded: Encoded, now_utc: str) -> None:
    """The finished file is on disk: the row, the news and the upload are one transaction.

    Of on-hook audio there is no news: head office has no use for it.
    """
    db.execute(
        "UPDATE recordings SET state = 'ready', codec = 'flac', file = ?, samples = ?, size_bytes = ?,"
        " sha256 = ? WHERE id = ?",
        (encoded.file, encoded.samples, encoded.size_bytes, encoded.sha256, recording_id),
    )
    seal_recording(db, recording_id, now_utc)
    row = db.execute("SELECT * FROM recordings WHERE id = ?", (recording_id,)).fetchone()
    if row["about"] == ON_HOOK:
        return
    event = RecordingReady(
        recording_id=recording_id,
        call_id=row["call_id"],
        started_utc=row["started_utc"],
        rate_hz=row["rate_hz"],
        samples=encoded.samples,
        codec="flac",
        size_bytes=encoded.size_bytes,
        sha256=encoded.sha256,
        gaps=tuple(GapFact(*gap) for gap in gaps_of(db, recording_id)),
    )
    outbox.put(db, event, now_utc)
    outbox.put_file(db, recording_id, encoded.file, encoded.size_bytes, encoded.sha256)


def lose_recording(db: sqlite3.Connection, recording_id: str, reason: str, now_utc: str) -> None:
    """Not one sample could be kept: say so, here and at head office."""
    db.execute("UPDATE recordings SET state = 'lost' WHERE id = ?", (recording_id,))
    row = db.execute("SELECT call_id, about FROM recordings WHERE id = ?", (recording_id,)).fetchone()
    if row["about"] != ON_HOOK:
        outbox.put(db, RecordingLost(recording_id, row["call_id"], reason), now_utc)
    seal_recording(db, recording_id, now_utc)


_COLUMNS = "id, call_id, state, file, started_utc, rate_hz, samples, about"


def unfinished_recordings(db: sqlite3.Connection) -> list[RecordingRow]:
    """Recordings whose audio is still a part: to be encoded, or adopted after a crash."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM recordings WHERE state IN ('recording', 'part') ORDER BY id"
    ).fetchall()
    return [RecordingRow(*row) for row in rows]


def running_recordings(db: sqlite3.Connection) -> list[RecordingRow]:
    """Recordings of calls that go on: a row says so only once it is certain that the call may be kept."""
    rows = db.execute(f"SELECT {_COLUMNS} FROM recordings WHERE state = 'recording' ORDER BY id").fetchall()
    return [RecordingRow(*row) for row in rows]


def recordings_of(db: sqlite3.Connection, call_id: str) -> list[RecordingRow]:
    """The recordings of one call, in order."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM recordings WHERE call_id = ? ORDER BY id", (call_id,)
    ).fetchall()
    return [RecordingRow(*row) for row in rows]


def state_of(db: sqlite3.Connection, recording_id: str) -> str | None:
    """What its row says it is; None when there is no such recording."""
    row = db.execute("SELECT state FROM recordings WHERE id = ?", (recording_id,)).fetchone()
    return None if row is None else str(row[0])


def gaps_of(db: sqlite3.Connection, recording_id: str) -> list[tuple[int, int, str]]:
    """(start_sample, length_samples, reason) in order."""
    rows = db.execute(
        "SELECT start_sample, length_samples, reason FROM gaps WHERE recording_id = ? ORDER BY start_sample",
        (recording_id,),
    ).fetchall()
    return [(row[0], row[1], row[2]) for row in rows]
