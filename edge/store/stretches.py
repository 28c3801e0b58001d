"""Stretches of the box's clock as rows: written only when the clock was set or the box has started."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime

from sync import outbox
from sync.db import Migrations, run_script
from sync.events import ClockMeasured
from sync.moment import to_text
from sync.skew import Offset, Stretch, Told, carried_back, jumped

STREAM = "evt"
MOST_BEFORE_US = 1000  # entries the recorder may have written before the syncer first looked

migrations = Migrations("stretches")


@migrations()
def m001_stretches(db: sqlite3.Connection) -> None:
    """The stretches of the clock."""
    run_script(
        db,
        """
        CREATE TABLE clock_stretches (
            id              INTEGER PRIMARY KEY,
            epoch           TEXT NOT NULL,
            boot            TEXT NOT NULL,
            after_seq       INTEGER NOT NULL,       -- the last entry of `evt` before it
            base_ms         INTEGER NOT NULL,       -- wall clock minus monotonic clock
            offset_ms       INTEGER                 -- as head office was told; NULL: not, or not off
        )
        """,
    )


def begins(db: sqlite3.Connection, boot: str, base_ms: int) -> bool:
    """Whether a new stretch begins: the box started, or its clock was set."""
    row = db.execute("SELECT epoch, boot, base_ms FROM clock_stretches ORDER BY id DESC LIMIT 1").fetchone()
    return row is None or row["boot"] != boot or jumped(row["base_ms"], base_ms)


def begin(db: sqlite3.Connection, boot: str, base_ms: int) -> None:
    """A stretch begins here. Inside `write`."""
    is_first = db.execute("SELECT 1 FROM clock_stretches WHERE boot = ?", (boot,)).fetchone() is None
    head = outbox.heads(db)[STREAM]
    after_seq = _before_boot(db, head, base_ms) if is_first else head
    db.execute(
        "INSERT INTO clock_stretches (epoch, boot, after_seq, base_ms) VALUES (?, ?, ?, ?)",
        (outbox.epoch_of(db), boot, after_seq, base_ms),
    )


def _before_boot(db: sqlite3.Connection, head: int, base_ms: int) -> int:
    """The last entry that was not written since this machine was switched on, going by the clock as it is."""
    booted_utc = to_text(datetime.fromtimestamp(base_ms / 1000, UTC))
    rows = db.execute(
        "SELECT seq, at_utc FROM outbox WHERE epoch = ? AND stream = ? ORDER BY seq DESC LIMIT ?",
        (outbox.epoch_of(db), STREAM, MOST_BEFORE_US),
    )
    for seq, at_utc in rows:
        if at_utc < booted_utc:
            return int(seq)
        head = seq - 1
    return head


def to_tell(db: sqlite3.Connection, now: Offset) -> list[tuple[int, Told]]:
    """(row, what head office is to be told) now that the present stretch was measured."""
    rows = db.execute(
        "SELECT id, after_seq, base_ms, offset_ms FROM clock_stretches WHERE (boot, epoch) ="
        " (SELECT boot, epoch FROM clock_stretches ORDER BY id DESC LIMIT 1) AND epoch = ? ORDER BY id",
        (outbox.epoch_of(db),),
    ).fetchall()
    by_seq = {told.after_seq: told for told in carried_back(_stretches(rows), now)}
    found = []
    for row in rows:
        told = by_seq.get(row["after_seq"])
        if told is not None and _is_news(row["offset_ms"], told.offset.ms):
            found.append((row["id"], told))
    return found


def tell(db: sqlite3.Connection, found: Sequence[tuple[int, Told]], now_utc: str) -> None:
    """Tell head office, as entries like any other. Inside `write`."""
    epoch = outbox.epoch_of(db)
    for row_id, told in found:
        db.execute("UPDATE clock_stretches SET offset_ms = ? WHERE id = ?", (told.offset.ms, row_id))
        event = ClockMeasured(
            epoch=epoch,
            after_seq=told.after_seq,
            upto_seq=told.upto_seq,
            offset_ms=told.offset.ms,
            error_ms=told.offset.error_ms,
            quality=told.quality,
        )
        outbox.put(db, event, now_utc)


def _is_news(before_ms: int | None, now_ms: int) -> bool:
    return before_ms is None or jumped(before_ms, now_ms)


def _stretches(rows: Sequence[sqlite3.Row]) -> list[Stretch]:
    return [Stretch(row["after_seq"], row["base_ms"]) for row in rows]
