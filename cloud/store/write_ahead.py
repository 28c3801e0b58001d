"""Watches the log of head office's SQLite file: a reader that never ends is a trouble, said on a page.

PostgreSQL has its own ways with long readers, and its own tools to see them.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine

from cloud.store import troubles
from cloud.store.database import read, write
from sync.topics import HEAD_OFFICE
from sync.wal import complaint, look_at

KIND = "wal"


def watch(engine: Engine, now_utc: str) -> str:
    """Look, and note what there is to say when that has changed; returns it, "" while all is well."""
    if engine.dialect.name != "sqlite" or not engine.url.database:
        return ""
    with read(engine) as db:
        rows = troubles.open_troubles(db, HEAD_OFFICE)
    said = next((str(row["detail"]) for row in rows if row["kind"] == KIND), "")
    says = complaint(look_at(Path(engine.url.database)), said)
    if says != said:
        with write(engine) as db:
            if says:
                troubles.begin(db, HEAD_OFFICE, KIND, says, now_utc)
            else:
                troubles.end(db, HEAD_OFFICE, KIND, now_utc)
    return says
