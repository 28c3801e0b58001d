"""A file that only takes up room: on a disk full to the last block SQLite cannot even delete a row.

Giving the file up lets the database write again at once; it is made anew when there is room.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

from edge.finished import sync_folder

NAME = "ballast"


def is_full(error: BaseException) -> bool:
    """Whether this error says that the disk (or the quota) is full."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def lay(folder: Path, size_bytes: int) -> bool:
    """Make the ballast, its blocks really taken; False when there is no room for it (then there is none)."""
    path = folder / NAME
    if path.exists() and path.stat().st_size == size_bytes:
        return True
    try:
        with path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, size_bytes)
            os.fsync(file.fileno())
    except OSError as error:
        path.unlink(missing_ok=True)
        if is_full(error):
            return False
        raise
    sync_folder(folder)
    return True


def drop(folder: Path) -> bool:
    """Give the ballast up; False when it was gone already."""
    path = folder / NAME
    if not path.exists():
        return False
    path.unlink()
    sync_folder(folder)
    return True
