"""How loud a recording is along its length, read from the file once and kept in the database.

An hour is 29 million samples: the browser would have to fetch and decode them all before it could draw.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import soundfile

from edge.store.listing import RecordingRow
from sync.db import write

BUCKETS = 1200  # a picture has about as many points


def peaks_of(db: sqlite3.Connection, row: RecordingRow, file: Path) -> bytes:
    """One byte per bucket, 0..255 of full scale; empty when the file cannot be read as audio."""
    kept = db.execute(
        "SELECT peaks FROM peaks WHERE recording_id = ? AND sha256 = ?", (row.id, row.sha256 or "")
    ).fetchone()
    if kept:
        return bytes(kept[0])
    try:
        found = read_peaks(file)
    except soundfile.SoundFileError:
        return b""
    with write(db):
        db.execute("INSERT OR REPLACE INTO peaks VALUES (?, ?, ?)", (row.id, row.sha256 or "", found))
    return found


def read_peaks(file: Path, buckets: int = BUCKETS) -> bytes:
    """The greatest sample of each of at most `buckets` equal stretches, one block in memory at a time."""
    with soundfile.SoundFile(file) as audio:
        length = max(1, -(-audio.frames // buckets))
        blocks = audio.blocks(blocksize=length, dtype="float32", always_2d=True)
        loudest = [float(np.max(np.abs(block))) for block in blocks if len(block)]
    return bytes(min(255, round(255 * one)) for one in loudest)
