"""What the recorder writes down, in order; a disk that takes nothing for a while is a state, not an end.

What cannot be written waits: each piece is one transaction, done whole or not at all, so it may be tried
again. The calls go on meanwhile, and their audio waits in the ring.
"""

from __future__ import annotations

import sqlite3
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from edge.storage.ballast import is_full

Work = Callable[[], None]
OF_THE_DISK = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN,
               sqlite3.SQLITE_BUSY)  # fmt: skip


def is_disk_trouble(error: Exception) -> bool:
    """Whether another attempt may succeed: the disk, or who holds the database, is to blame, not the work."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", 0) & 0xFF in OF_THE_DISK
    return isinstance(error, OSError)


@dataclass(slots=True)
class Writes:
    """The queue. `make_room` is asked for when the disk is full to its last block."""

    make_room: Work
    trouble: str | None = None  # why nothing can be written
    since_utc: str = ""  # that began
    _waiting: deque[Work] = field(default_factory=deque)

    def do(self, work: Work, now_utc: str) -> None:
        """Do `work` after all that waits; if the disk does not take it, it waits too."""
        self._waiting.append(work)
        self.catch_up(now_utc)

    def catch_up(self, now_utc: str) -> bool:
        """Do what waits, oldest first; whether nothing waits any more."""
        while self._waiting:
            if not self.attempt(self._waiting[0], now_utc):
                return False
            self._waiting.popleft()
        return True

    def attempt(self, work: Work, now_utc: str) -> bool:
        """Do `work` now; False when the disk did not take it. What is no fault of the disk is raised."""
        try:
            self._with_room(work)
        except (sqlite3.Error, OSError) as error:
            if not is_disk_trouble(error):
                raise
            if self.trouble is None:
                self.since_utc = now_utc
                sys.stderr.write(f"recorder: nothing can be written down, it waits: {error}\n")
                sys.stderr.flush()
            self.trouble = str(error)
            return False
        return True

    def _with_room(self, work: Work) -> None:
        try:
            work()
        except sqlite3.Error as error:
            if not is_full(error):
                raise
            self.make_room()
            work()
