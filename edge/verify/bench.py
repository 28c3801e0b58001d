"""What the checks of `edge verify` share: the snapshot they read, the faults they find, what they count."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from edge.store.seals import Head

Step = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is not as it was sealed."""

    part: str  # chain | call | recording | file | outbox | database | key
    says: str


@dataclass(slots=True)
class Tally:
    """What has been looked at so far."""

    links: int = 0
    calls: int = 0
    recordings: int = 0
    files: int = 0
    bytes: int = 0
    entries: int = 0
    head: str = ""  # of the chain, as NUMBER:SHA-256
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Bench:
    """What the checks work on."""

    db: sqlite3.Connection
    folder: Path  # of the recordings
    tally: Tally
    expected: Head | None  # a head that was kept elsewhere
    step: Step  # told what is being looked at
    settle_s: float  # how long to wait before looking again at a file that seems wrong
    damaged: set[str] = field(default_factory=set)  # ids whose links were named already
    to_read: list[str] = field(default_factory=list)  # recordings that were sealed, at the snapshot


def open_to_read(database: Path) -> sqlite3.Connection:
    """The branch database, without the right to change it; FileNotFoundError if there is none."""
    if not database.is_file():
        raise FileNotFoundError(f"there is no database at {database}")
    db = sqlite3.connect(f"file:{quote(str(database))}?mode=ro", uri=True, isolation_level=None, timeout=10)
    db.row_factory = sqlite3.Row
    db.text_factory = lambda raw: raw.decode("utf-8", "backslashreplace")
    return db


def row_in(sealed: dict[str, Any] | None) -> dict[str, Any] | None:
    """The row that was sealed, as far as it can be read."""
    row = (sealed or {}).get("row")
    return row if isinstance(row, dict) else None
