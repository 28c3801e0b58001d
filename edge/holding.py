"""One recorder for one database, one ring, one card: whoever comes second is told who was first.

A lock is a file whose first line says who holds it; it lives and dies with the process, even by a kill.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable
from pathlib import Path
from typing import IO


class HeldElsewhere(RuntimeError):
    """Something a recorder needs for itself alone is in use by another one."""


def hold(path: Path, what: str, since_utc: str) -> IO[str]:
    """Take the lock at `path`, held as long as the file is open; HeldElsewhere names who has it."""
    file = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        who = file.readline().strip() or "another recorder"
        file.close()
        raise HeldElsewhere(f"{what} is in use by {who}; nothing was changed") from None
    file.truncate(0)
    file.write(f"the recorder with process number {os.getpid()}, since {since_utc}\n")
    file.flush()
    return file


def hold_all(wanted: Iterable[tuple[Path, str]], since_utc: str) -> list[IO[str]]:
    """Take every lock, or none and HeldElsewhere."""
    held: list[IO[str]] = []
    try:
        for path, what in wanted:
            held.append(hold(path, what, since_utc))
    except BaseException:
        release(held)
        raise
    return held


def release(held: Iterable[IO[str]]) -> None:
    """Give them up; the files stay, for removing one would let two recorders hold locks of one name."""
    for file in held:
        file.close()
