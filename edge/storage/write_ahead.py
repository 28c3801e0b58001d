"""Watches the log of the branch database: a reader that never ends is a trouble, said on the page."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from edge.store.health import open_troubles, tell_trouble
from sync.db import write
from sync.wal import complaint, look_at

PART = "wal"  # of the box's health


@dataclass(slots=True)
class WriteAhead:
    """The log of one database; `said` is the trouble that is open, None: not looked yet."""

    db: sqlite3.Connection
    database: Path
    said: str | None = None

    def step(self, now_utc: str) -> None:
        """Look, and write a row when what there is to say has changed."""
        if self.said is None:
            self.said = open_troubles(self.db, (PART,)).get(PART, "")
        says = complaint(look_at(self.database), self.said)
        if says == self.said:
            return
        with write(self.db):
            tell_trouble(self.db, PART, says, now_utc)
        self.said = says
