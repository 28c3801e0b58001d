"""The alarm about a log that grows because somebody reads: when it begins, is said again, and ends."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from sync.db import WAL_BYTES, connect, write
from sync.wal import HELD_BYTES, MB, Wal, complaint, look_at


def said_at(mb: int) -> str:
    return complaint(Wal(mb * MB, 1), "")


@pytest.mark.parametrize(
    ("size_bytes", "held", "said", "says"),
    [
        (HELD_BYTES - 1, 10, "", ""),
        (HELD_BYTES, 10, "", "over 64 MB"),
        (HELD_BYTES, 0, "", ""),  # large, but nobody holds it: the next commit makes it small
        (HELD_BYTES, 0, "before", ""),
        (2 * HELD_BYTES - 1, 10, "before", "over 64 MB"),
        (2 * HELD_BYTES, 10, "before", "over 128 MB"),
        (50 * HELD_BYTES, 10, "", "over 2048 MB"),
        (HELD_BYTES - 1, 10, "before", "over 64 MB"),  # no coming and going at the edge
        (WAL_BYTES - 1, 10, "before", ""),
        (0, 0, "", ""),
    ],
)
def test_what_is_said(size_bytes: int, held: int, said: str, says: str) -> None:
    found = complaint(Wal(size_bytes, held), said)
    assert (says in found) if says else (found == "")


def test_it_is_said_again_only_when_it_has_doubled() -> None:
    assert len({said_at(mb) for mb in range(64, 1024, 16)}) == 4


@contextmanager
def reader_of(database: Path) -> Iterator[sqlite3.Connection]:
    """Somebody who began to read and does not end."""
    with closing(sqlite3.connect(database)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM sqlite_master").fetchone()
        yield reader


def grow(database: Path, mb: int) -> None:
    """Write so much, with no care for the power: these tests cut none."""
    with closing(connect(database)) as db:
        db.execute("PRAGMA synchronous=OFF")
        db.execute("CREATE TABLE IF NOT EXISTS filling (bytes BLOB)")
        with write(db):
            db.execute("INSERT INTO filling VALUES (zeroblob(?))", (mb * MB,))


def test_a_reader_is_seen_and_so_is_his_end(tmp_path: Path) -> None:
    database = tmp_path / "a.db"
    assert look_at(database) == Wal(0, 0)
    with closing(connect(database)):  # whoever closes last takes the log away
        grow(database, 1)
        assert look_at(database).held_pages == 0
        with reader_of(database):
            grow(database, 20)
            found = look_at(database)
            assert found.size_bytes > 20 * MB and found.held_pages > 1000
        assert look_at(database).held_pages == 0
        grow(database, 1)
        assert look_at(database).size_bytes <= WAL_BYTES
