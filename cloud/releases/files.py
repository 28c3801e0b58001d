"""The files themselves: below `releases` in the data folder, readable by head office's own user only."""

from __future__ import annotations

import hashlib
import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO

from sqlalchemy import Engine

from cloud.store import releases
from cloud.store.database import read, write
from sync.moment import from_text

BLOCK = 1 << 20
UNNAMED_FOR = timedelta(hours=1)  # between a file and its row lies a moment, or a crash
FOLDER = "releases"


def path_of(data: Path, release_id: str) -> Path:
    """Where a file lies."""
    return data / FOLDER / release_id


def lay_aside(data: Path, release_id: str, file: IO[bytes]) -> tuple[int, str]:
    """Keep what is in `file`, durably; its size and SHA-256."""
    path = path_of(data, release_id)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as kept:
        while block := file.read(BLOCK):
            digest.update(block)
            size += kept.write(block)
        kept.flush()
        os.fsync(kept.fileno())
    return size, digest.hexdigest()


def remove_old(engine: Engine, data: Path, now_utc: str) -> int:
    """Remove the files that nobody may open any more, and those no row names; how many of the former."""
    with read(engine) as db:
        over = releases.to_remove(db, from_text(now_utc))
    _remove_nameless(engine, data, from_text(now_utc))
    for release_id in over:
        path_of(data, release_id).unlink(missing_ok=True)
        with write(engine) as db:
            releases.note_gone(db, release_id, now_utc)
    return len(over)


def _remove_nameless(engine: Engine, data: Path, now: datetime) -> None:
    """Remove what a crash left: the process died before the row of the file was written."""
    folder = data / FOLDER
    before_s = (now - UNNAMED_FOR).timestamp()
    old = [path for path in folder.glob("*") if path.stat().st_mtime < before_s]
    with read(engine) as db:
        nameless = [path for path in old if releases.find(db, path.name) is None]
    for path in nameless:
        path.unlink(missing_ok=True)
