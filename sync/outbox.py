"""The outbox: what a box still owes head office, as rows beside the facts they tell of.

`put` and `put_file` run inside the caller's `write`, so a fact and its entry are saved together or not at all.
"""

from __future__ import annotations

import sqlite3

from sqlite_utils import Database, Migrations

from sync.db import run_script
from sync.events import SyncEvent

migrations = Migrations("outbox")


@migrations()
def m001_outbox(db: Database) -> None:
    """Entries, files and the counters of the streams."""
    run_script(db.conn, "CREATE TABLE outbox_placeholder (id INTEGER PRIMARY KEY);")


def put(db: sqlite3.Connection, event: SyncEvent, at_utc: str) -> None:
    """Append `event` to its stream. Only inside `sync.db.write`."""
    raise RuntimeError("being written")


def put_file(db: sqlite3.Connection, recording_id: str, file: str, size_bytes: int, sha256: str) -> None:
    """Queue a finished file for upload. Only inside `sync.db.write`."""
    raise RuntimeError("being written")
