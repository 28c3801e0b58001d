"""The outbox: what a box still owes head office, as rows beside the facts they tell of.

`put` and `put_file` run inside the caller's `write`: a fact and its entry are saved together or not at all.
Sequence numbers come from a counter row changed in that same transaction, so they have no gap and no reuse.

    OutboxError
      NoTransaction   called outside `sync.db.write`
      BadFile         a file that cannot be uploaded as described
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath

import msgspec

from sync.db import Migrations, run_script
from sync.envelope import (
    ERASED,
    MAX_BATCH_BYTES,
    MAX_BATCH_ENTRIES,
    chain_of,
    chained,
    entry_bytes,
    genesis,
    is_hash,
    kind_of,
    opaque_bytes,
    renumbered,
)
from sync.events import EVENT_TYPES, STREAMS, SyncEvent
from sync.ids import new_id

migrations = Migrations("outbox")


class OutboxError(Exception):
    """Something that must not reach the outbox."""


class NoTransaction(OutboxError):
    """Called outside `sync.db.write`: the fact and its entry could be separated by a crash."""


class BadFile(OutboxError):
    """A file that cannot be uploaded as described."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What head office has not confirmed yet."""

    entries: int
    files: int
    bytes: int  # of the files
    oldest_utc: str | None  # of the entries


class EntryRow(msgspec.Struct, frozen=True, gc=False):
    """One unconfirmed entry as the syncer sends it; a struct, because a backlog has hundreds of thousands."""

    seq: int
    eid: str
    at_utc: str
    body: bytes
    prev: str
    h: str
    kind: str = ""

    @property
    def whole(self) -> bool:
        """Whether the row still hashes to what it did when it was written."""
        return is_hash(self.prev) and chained(self.prev, self.body) == self.h


def whole(run: Sequence[EntryRow]) -> bool:
    """Whether all of consecutive rows are; looked at together that takes a third of the time."""
    if not is_hash(run[0].prev):
        return False
    chain = chain_of(run[0].prev, [row.body for row in run])
    return [row.h for row in run] == chain and [row.prev for row in run[1:]] == chain[:-1]


@dataclass(frozen=True, slots=True)
class FileRow:
    """One finished recording that head office does not have yet."""

    recording_id: str
    file: str  # name below the recordings folder
    size_bytes: int
    sha256: str


@migrations()
def m001_outbox(db: sqlite3.Connection) -> None:
    """Streams with their counters, entries, files."""
    run_script(
        db,
        """
        CREATE TABLE outbox_streams (
            stream          TEXT PRIMARY KEY,
            epoch           TEXT NOT NULL,          -- random per database: a restored copy starts another
            last_seq        INTEGER NOT NULL,
            head            TEXT NOT NULL           -- chain value after last_seq
        );
        CREATE TABLE outbox (
            epoch           TEXT NOT NULL,
            stream          TEXT NOT NULL,
            seq             INTEGER NOT NULL,
            eid             TEXT NOT NULL UNIQUE,
            kind            TEXT NOT NULL,
            at_utc          TEXT NOT NULL,
            body            BLOB NOT NULL,          -- the entry, canonical JSON (sync.envelope)
            prev            TEXT NOT NULL,
            h               TEXT NOT NULL,
            state           TEXT NOT NULL DEFAULT 'new',    -- new | acked | quarantined (by head office)
            code            TEXT,                   -- why quarantined
            PRIMARY KEY (epoch, stream, seq)
        );
        CREATE INDEX outbox_waiting ON outbox (epoch, stream, seq, at_utc) WHERE state = 'new';
        CREATE TABLE outbox_files (
            recording_id    TEXT PRIMARY KEY,
            file            TEXT NOT NULL,          -- name below the recordings folder
            size_bytes      INTEGER NOT NULL,
            sha256          TEXT NOT NULL,
            state           TEXT NOT NULL DEFAULT 'new',    -- new | stored | refused | deleted (here)
            code            TEXT                    -- why refused
        );
        CREATE INDEX outbox_files_waiting ON outbox_files (recording_id, size_bytes) WHERE state = 'new'
        """,
    )
    epoch = secrets.token_hex(8)
    for stream in STREAMS:
        row = (stream, epoch, 0, genesis(epoch, stream))
        db.execute("INSERT INTO outbox_streams VALUES (?, ?, ?, ?)", row)


def put(db: sqlite3.Connection, event: SyncEvent, at_utc: str) -> int:
    """Append `event` to its stream and return its sequence number. Only inside `sync.db.write`."""
    _need_transaction(db)
    kind, eid = kind_of(event), new_id()
    stream = EVENT_TYPES[kind][1]
    return _append(db, stream, eid, kind, at_utc, partial(entry_bytes, event, eid, at_utc))


def _append(
    db: sqlite3.Connection, stream: str, eid: str, kind: str, at_utc: str, body_of: Callable[[int], bytes]
) -> int:
    epoch, last_seq, prev = db.execute(
        "SELECT epoch, last_seq, head FROM outbox_streams WHERE stream = ?", (stream,)
    ).fetchone()
    seq = last_seq + 1
    body = body_of(seq)
    h = chained(prev, body)
    db.execute(
        "INSERT INTO outbox (epoch, stream, seq, eid, kind, at_utc, body, prev, h)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (epoch, stream, seq, eid, kind, at_utc, body, prev, h),
    )
    db.execute("UPDATE outbox_streams SET last_seq = ?, head = ? WHERE stream = ?", (seq, h, stream))
    return int(seq)


def put_file(db: sqlite3.Connection, recording_id: str, file: str, size_bytes: int, sha256: str) -> None:
    """Queue a finished file, named below the recordings folder, for upload. Only inside `sync.db.write`."""
    _need_transaction(db)
    path = PurePosixPath(file)
    if not file or path.is_absolute() or ".." in path.parts:
        raise BadFile(f"wanted a name below the recordings folder, got {file!r}")
    if size_bytes < 0 or not is_hash(sha256):
        raise BadFile(
            f"{file}: wanted a size and a SHA-256 in lower-case hex, got {size_bytes} and {sha256!r}"
        )
    db.execute(
        "INSERT INTO outbox_files (recording_id, file, size_bytes, sha256) VALUES (?, ?, ?, ?)",
        (recording_id, file, size_bytes, sha256),
    )


def waiting(db: sqlite3.Connection) -> Waiting:
    """How much head office has not confirmed, for the page."""
    entries, oldest_utc = db.execute(
        "SELECT count(*), min(at_utc) FROM outbox WHERE state = 'new'"
    ).fetchone()
    files, size = db.execute(
        "SELECT count(*), coalesce(sum(size_bytes), 0) FROM outbox_files WHERE state = 'new'"
    ).fetchone()
    return Waiting(entries, files, size, oldest_utc)


def epoch_of(db: sqlite3.Connection) -> str:
    """The epoch this database writes under."""
    return str(db.execute("SELECT epoch FROM outbox_streams LIMIT 1").fetchone()[0])


def heads(db: sqlite3.Connection) -> dict[str, int]:
    """The last sequence number of every stream."""
    return dict(db.execute("SELECT stream, last_seq FROM outbox_streams").fetchall())


def next_run(
    db: sqlite3.Connection, epoch: str, stream: str, after_seq: int, limit: int = MAX_BATCH_ENTRIES
) -> list[EntryRow]:
    """The next unconfirmed entries after `after_seq`: consecutive, at most one batch, [] if none."""
    rows = db.execute(
        "SELECT seq, eid, at_utc, body, prev, h, kind FROM outbox"
        " WHERE epoch = ? AND stream = ? AND seq > ? AND state = 'new' ORDER BY seq LIMIT ?",
        (epoch, stream, after_seq, limit),
    )
    run: list[EntryRow] = []
    size = 0
    for seq, eid, at_utc, body, prev, h, kind in rows:
        # A damaged row may even have changed its type; it is sent wrapped, so it has to be readable here.
        body = body if isinstance(body, bytes) else str(body).encode()
        size += len(body)
        if run and (seq != run[-1].seq + 1 or size > MAX_BATCH_BYTES):
            break
        run.append(EntryRow(seq, eid, at_utc, body, prev, h, str(kind)))
    return run


def mark_acked(
    db: sqlite3.Connection,
    epoch: str,
    stream: str,
    upto: int,
    ranges: Iterable[Sequence[int]] = (),
    nacks: Iterable[tuple[int, str]] = (),
) -> None:
    """Note what head office has: all up to `upto`, `ranges` (first, last) beyond, `nacks` it set aside."""
    _need_transaction(db)
    for seq, code in nacks:
        db.execute(
            "UPDATE outbox SET state = 'quarantined', code = ?"
            " WHERE epoch = ? AND stream = ? AND seq = ? AND state = 'new'",
            (code, epoch, stream, seq),
        )
    for first, last in [(1, upto), *ranges]:
        db.execute(
            "UPDATE outbox SET state = 'acked'"
            " WHERE epoch = ? AND stream = ? AND seq BETWEEN ? AND ? AND state = 'new'",
            (epoch, stream, first, last),
        )


def rewind(
    db: sqlite3.Connection, epoch: str, stream: str, upto: int, ranges: Iterable[Sequence[int]]
) -> int:
    """Owe again what head office no longer has (it went back to a backup); returns the number of entries."""
    _need_transaction(db)
    count = 0
    start = upto + 1
    for first, last in [*sorted(map(tuple, ranges)), (2**62, 2**62)]:
        count += db.execute(
            "UPDATE outbox SET state = 'new', code = NULL"
            " WHERE epoch = ? AND stream = ? AND seq BETWEEN ? AND ? AND state != 'new'",
            (epoch, stream, start, first - 1),
        ).rowcount
        start = last + 1
    return count


def agrees(db: sqlite3.Connection, epoch: str, stream: str, upto: int, head: str) -> bool:
    """Whether our entry `upto` is the one head office has; if not, this database was restored from a copy."""
    if upto == 0 or upto < _first_kept(db, epoch, stream):
        return True  # what head office ends with was purged here: it went back further than we can compare
    row = db.execute(
        "SELECT h FROM outbox WHERE epoch = ? AND stream = ? AND seq = ?", (epoch, stream, upto)
    ).fetchone()
    return row is not None and row[0] == head


def _first_kept(db: sqlite3.Connection, epoch: str, stream: str) -> int:
    query = "SELECT coalesce(min(seq), 1) FROM outbox WHERE epoch = ? AND stream = ?"
    return int(db.execute(query, (epoch, stream)).fetchone()[0])


def start_epoch(db: sqlite3.Connection) -> str:
    """Begin to number anew under a fresh epoch, which is returned; what is still owed moves into it."""
    _need_transaction(db)
    owed = db.execute(
        "SELECT stream, eid, kind, at_utc, CAST(body AS BLOB), prev, h FROM outbox WHERE state = 'new'"
        " ORDER BY stream, epoch, seq"
    ).fetchall()
    db.execute("DELETE FROM outbox WHERE state = 'new'")
    epoch = secrets.token_hex(8)
    for stream in STREAMS:
        db.execute(
            "UPDATE outbox_streams SET epoch = ?, last_seq = 0, head = ? WHERE stream = ?",
            (epoch, genesis(epoch, stream), stream),
        )
    for stream, eid, kind, at_utc, body, prev, h in owed:
        sound = kind == ERASED or (is_hash(prev) and chained(prev, body) == h)  # or a new chain would hide it
        again = renumbered if sound else opaque_bytes
        _append(db, stream, eid, kind, at_utc, partial(again, eid, at_utc, body))
    return epoch


def next_file(db: sqlite3.Connection, skip: Iterable[str] = (), *, newest: bool = False) -> FileRow | None:
    """The oldest (or newest) file head office does not have, leaving out the recordings in `skip`."""
    held = tuple(skip)
    row = db.execute(
        "SELECT recording_id, file, size_bytes, sha256 FROM outbox_files WHERE state = 'new'"
        f" AND recording_id NOT IN ({','.join('?' * len(held))})"
        f" ORDER BY recording_id {'DESC' if newest else 'ASC'} LIMIT 1",
        held,
    ).fetchone()
    return FileRow(*row) if row else None


def mark_file(db: sqlite3.Connection, recording_id: str, state: str, code: str | None = None) -> None:
    """Note that head office stored the file, or refused it for the reason in `code`."""
    _need_transaction(db)
    db.execute(
        "UPDATE outbox_files SET state = ?, code = ? WHERE recording_id = ?", (state, code, recording_id)
    )


def _need_transaction(db: sqlite3.Connection) -> None:
    if not db.in_transaction:
        raise NoTransaction("the outbox is only written inside sync.db.write, beside the fact it tells of")
