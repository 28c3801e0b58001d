"""Every finished recording with all that decides how long it is kept, in the order of time.

Read by the worker process, so that it imports nothing a small process need not have.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AudioRow:
    """A finished recording of a call that is over, with all that decides about it."""

    recording_id: str
    call_id: str
    line: int
    calls: str  # in | out | missed | voicemail | unknown
    started_utc: str
    size_bytes: int
    codec: str
    confirmed: int  # 1: head office has it, and the manifest of its hour is closed
    held: int
    about: str  # call | on_hook


def audio_by_age(db: sqlite3.Connection, newest_first: bool = False) -> Iterator[AudioRow]:
    """Every finished recording of the calls that are over, in the order of time."""
    order = "DESC" if newest_first else "ASC"
    rows = db.execute(
        f"""SELECT r.id AS recording_id, r.call_id, c.line,
                   CASE WHEN c.outcome IN ('missed', 'voicemail') THEN c.outcome ELSE c.direction END
                       AS calls,
                   r.started_utc, r.size_bytes, r.codec,
                   (r.about = 'on_hook' OR EXISTS (
                       SELECT 1 FROM outbox_files f
                       JOIN manifest_files g ON g.recording_id = f.recording_id
                       JOIN manifests m ON m.epoch = g.epoch AND m.n = g.n AND m.state = 'closed'
                       WHERE f.recording_id = r.id AND f.state = 'stored')) AS confirmed,
                   EXISTS (SELECT 1 FROM holds h WHERE h.call_id = r.call_id AND h.lifted_utc IS NULL)
                       AS held,
                   r.about
            FROM recordings r INDEXED BY recordings_by_age JOIN calls c ON c.id = r.call_id
            WHERE r.state = 'ready' AND c.state = 'ended' ORDER BY r.started_utc {order}, r.id {order}"""
    )
    return (AudioRow(**dict(row)) for row in rows)


def bytes_made_since(db: sqlite3.Connection, since_utc: str) -> int:
    """Size of the recordings begun since then, as they were when they were made."""
    (made,) = db.execute(
        """SELECT coalesce(sum(coalesce(v.from_bytes, r.size_bytes)), 0)
           FROM recordings r LEFT JOIN conversions v ON v.recording_id = r.id
           WHERE r.started_utc >= ? AND r.state IN ('ready', 'deleted')""",
        (since_utc,),
    ).fetchone()
    return int(made)
