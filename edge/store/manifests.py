"""Manifests as rows: what was written in each hour, made once the hour is over, closed by head office.

They are made by `edge.store.manifest_making`. What is in a closed one has been compared entry by entry and
recording by recording: only that may be purged or deleted.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from sync import outbox
from sync.db import Migrations, run_script
from sync.envelope import ERASED, EnvelopeError, chained, facts, genesis, is_hash, unpack_entry
from sync.events import STREAMS
from sync.manifest import (
    GENESIS,
    MOST_LEAVES,
    Manifest,
    Stretch,
    digest,
    entry_leaf,
)

DAY_STREAM = "day"  # the stream a day's part names: the manifests themselves

migrations = Migrations("manifests")


@migrations()
def m001_manifests(db: sqlite3.Connection) -> None:
    """Manifests, the runs they cover, the recordings announced in them, what was purged."""
    run_script(
        db,
        """
        CREATE TABLE manifests (
            epoch           TEXT NOT NULL,
            n               INTEGER NOT NULL,
            span            TEXT NOT NULL,          -- 2026-11-22T04: an hour; 2026-11-22: a day
            body            BLOB NOT NULL,          -- canonical JSON (sync.manifest); empty: not ours
            h               TEXT NOT NULL,
            sig             TEXT NOT NULL,
            state           TEXT NOT NULL,          -- open | waiting (for audio) | refused | closed
            code            TEXT NOT NULL DEFAULT '',       -- why refused
            made_utc        TEXT NOT NULL,
            closed_utc      TEXT,
            witness_key     TEXT NOT NULL DEFAULT '',       -- head office's, and its countersignature
            witness_sig     TEXT NOT NULL DEFAULT '',
            PRIMARY KEY (epoch, n)
        );
        CREATE INDEX manifests_open ON manifests (epoch, n) WHERE state != 'closed';
        CREATE TABLE manifest_parts (
            epoch           TEXT NOT NULL,
            stream          TEXT NOT NULL,
            first           INTEGER NOT NULL,
            last            INTEGER NOT NULL,
            n               INTEGER NOT NULL,
            PRIMARY KEY (epoch, stream, first)
        );
        CREATE INDEX manifest_parts_by_n ON manifest_parts (epoch, n);
        CREATE TABLE manifest_files (
            recording_id    TEXT PRIMARY KEY,
            epoch           TEXT NOT NULL,
            n               INTEGER NOT NULL
        );
        CREATE INDEX manifest_files_by_n ON manifest_files (epoch, n);
        CREATE TABLE outbox_purged (    -- entries up to here are no longer kept
            epoch           TEXT NOT NULL,
            stream          TEXT NOT NULL,
            upto            INTEGER NOT NULL,
            h               TEXT NOT NULL,          -- chain value after upto
            PRIMARY KEY (epoch, stream)
        )
        """,
    )


@migrations()
def m002_set_aside(db: sqlite3.Connection) -> None:
    """What head office could not use is counted on every page."""
    run_script(
        db,
        """
        CREATE INDEX outbox_set_aside ON outbox (at_utc) WHERE state = 'quarantined';
        CREATE INDEX outbox_files_set_aside ON outbox_files (recording_id) WHERE state = 'refused'
        """,
    )


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """One manifest as it is kept."""

    epoch: str
    n: int
    span: str
    state: str
    body: bytes
    h: str
    sig: str

    @property
    def message(self) -> Manifest:
        """As it travels."""
        return Manifest(body=msgspec.Raw(self.body), sig=self.sig)


_COLUMNS = "epoch, n, span, state, body, h, sig"


# -- what stands where


def top(db: sqlite3.Connection, epoch: str) -> tuple[int, str]:
    """Number and hash of the newest manifest of an epoch; (0, GENESIS) before the first."""
    row = db.execute(
        "SELECT n, h FROM manifests WHERE epoch = ? ORDER BY n DESC LIMIT 1", (epoch,)
    ).fetchone()
    return (row["n"], row["h"]) if row else (0, GENESIS)


def epochs(db: sqlite3.Connection) -> list[str]:
    """The epochs in which something may still have to be made or closed, the present one last."""
    now = outbox.epoch_of(db)
    found, epoch = [], ""
    while row := db.execute("SELECT min(epoch) FROM outbox WHERE epoch > ?", (epoch,)).fetchone():
        if row[0] is None:
            break
        epoch = row[0]
        found.append(epoch)
    earlier = [epoch for epoch in found if epoch != now and _unfinished(db, epoch)]
    return [*earlier, now]


def _unfinished(db: sqlite3.Connection, epoch: str) -> bool:
    (unclosed,) = db.execute(
        "SELECT count(*) FROM manifests WHERE epoch = ? AND state != 'closed'", (epoch,)
    ).fetchone()
    return unclosed > 0 or any(newest(db, epoch, stream) > covered(db, epoch, stream) for stream in STREAMS)


def newest(db: sqlite3.Connection, epoch: str, stream: str) -> int:
    """The highest number of a stream that is kept."""
    query = "SELECT coalesce(max(seq), 0) FROM outbox WHERE epoch = ? AND stream = ?"
    return int(db.execute(query, (epoch, stream)).fetchone()[0])


def covered(db: sqlite3.Connection, epoch: str, stream: str) -> int:
    """The highest number of a stream that is in a manifest."""
    (last,) = db.execute(
        "SELECT coalesce(max(last), 0) FROM manifest_parts WHERE epoch = ? AND stream = ?", (epoch, stream)
    ).fetchone()
    return max(int(last), purged(db, epoch, stream))


def purged(db: sqlite3.Connection, epoch: str, stream: str) -> int:
    """The number up to which entries are no longer kept."""
    row = db.execute(
        "SELECT upto FROM outbox_purged WHERE epoch = ? AND stream = ?", (epoch, stream)
    ).fetchone()
    return int(row["upto"]) if row else 0


def find(db: sqlite3.Connection, epoch: str, n: int) -> ManifestRow | None:
    """One manifest."""
    row = db.execute(f"SELECT {_COLUMNS} FROM manifests WHERE epoch = ? AND n = ?", (epoch, n)).fetchone()
    return ManifestRow(*row) if row else None


def to_send(
    db: sqlite3.Connection, epoch: str, ask_waiting: bool, made_before_utc: str
) -> ManifestRow | None:
    """The oldest manifest whose entries head office has all confirmed and that it has not closed.

    One made since `made_before_utc` is not sent while its audio is on the way: once is enough. None is
    sent before those that it follows.

    One that waits for audio is sent again once that was sent, and then only if `ask_waiting`.
    """
    rows = db.execute(
        f"""SELECT {_COLUMNS} FROM manifests m WHERE epoch = ?
              AND (state = 'open' AND made_utc < ? OR state = 'waiting' AND ?
                  OR (state = 'open' OR state = 'waiting' AND code = '') AND NOT EXISTS (
                      SELECT 1 FROM manifest_files f JOIN outbox_files o ON o.recording_id = f.recording_id
                      WHERE f.epoch = m.epoch AND f.n = m.n AND o.state = 'new'))
              AND NOT EXISTS (SELECT 1 FROM manifest_parts p JOIN outbox o
                  ON o.epoch = p.epoch AND o.stream = p.stream AND o.seq BETWEEN p.first AND p.last
                  WHERE p.epoch = m.epoch AND p.n = m.n AND o.state = 'new')
              AND NOT EXISTS (SELECT 1 FROM manifests e WHERE e.epoch = m.epoch AND e.n < m.n
                  AND e.state IN ('open', 'refused'))
            ORDER BY n LIMIT 1""",
        (epoch, made_before_utc, ask_waiting),
    ).fetchone()
    return ManifestRow(*rows) if rows else None


def any_open(db: sqlite3.Connection) -> bool:
    """Whether some manifest is not closed yet."""
    return db.execute("SELECT 1 FROM manifests WHERE state != 'closed' LIMIT 1").fetchone() is not None


def files_sent(db: sqlite3.Connection, epoch: str, n: int) -> bool:
    """Whether none of the recordings announced in a manifest is still to be uploaded."""
    row = db.execute(
        "SELECT 1 FROM manifest_files f JOIN outbox_files o ON o.recording_id = f.recording_id"
        " WHERE f.epoch = ? AND f.n = ? AND o.state = 'new' LIMIT 1",
        (epoch, n),
    ).fetchone()
    return row is None


def stretch(db: sqlite3.Connection, epoch: str, stream: str, ranges: Iterable[tuple[int, int]]) -> Stretch:
    """The leaves of these entries as far as their rows are sound."""
    leaves: dict[int, bytes] = {}
    for first, last in ranges:
        rows = db.execute(
            "SELECT seq, kind, body, prev, h, state FROM outbox"
            " WHERE epoch = ? AND stream = ? AND seq BETWEEN ? AND ?",
            (epoch, stream, first, min(last, first + MOST_LEAVES)),
        )
        leaves |= {row["seq"]: leaf_of(row) for row in rows if is_sound(row)}
    return Stretch(leaves)


def leaf_of(row: sqlite3.Row) -> bytes:
    """The leaf of an entry; of one that was erased by order the leaf it had before."""
    body = as_bytes(row["body"])
    return entry_leaf(row["seq"], _erased_sha256(row) or digest(body))


def _erased_sha256(row: sqlite3.Row) -> str | None:
    if row["kind"] != ERASED:
        return None
    try:
        sha256 = facts(unpack_entry(as_bytes(row["body"]))).get("sha256")
    except EnvelopeError:
        return None
    return sha256 if isinstance(sha256, str) and is_hash(sha256) else None


def is_sound(row: sqlite3.Row) -> bool:
    """Whether a row hashes to what it did; one that head office holds wrapped, or that was erased, is so."""
    if not isinstance(row["body"], bytes):
        return False
    if _erased_sha256(row) is not None:
        return True
    try:
        return bool(row["state"] == "quarantined" or chained(row["prev"], row["body"]) == row["h"])
    except (TypeError, ValueError):
        return False


def as_bytes(body: object) -> bytes:
    """A body that damage may have made text."""
    return body if isinstance(body, bytes) else str(body).encode()


# -- what head office says


def mark(db: sqlite3.Connection, epoch: str, n: int, state: str, code: str = "") -> None:
    """Note how far head office is with it."""
    db.execute("UPDATE manifests SET state = ?, code = ? WHERE epoch = ? AND n = ?", (state, code, epoch, n))


def close(db: sqlite3.Connection, epoch: str, n: int, key: str, sig: str, now_utc: str) -> None:
    """Head office has everything in it, and has signed that."""
    db.execute(
        "UPDATE manifests SET state = 'closed', code = '', closed_utc = ?, witness_key = ?, witness_sig = ?"
        " WHERE epoch = ? AND n = ?",
        (now_utc, key, sig, epoch, n),
    )


def reopen(db: sqlite3.Connection, epoch: str, numbers: Iterable[int], above: int) -> int:
    """Head office no longer holds these closed, nor any number above; returns how many are open again."""
    count = db.execute(
        "UPDATE manifests SET state = 'open' WHERE epoch = ? AND n > ? AND body != x'' AND state != 'open'",
        (epoch, above),
    ).rowcount
    for n in numbers:
        count += db.execute(
            "UPDATE manifests SET state = 'open'"
            " WHERE epoch = ? AND n = ? AND body != x'' AND state = 'closed'",
            (epoch, n),
        ).rowcount
    return count


def go_on_after(db: sqlite3.Connection, epoch: str, n: int, h: str, now_utc: str) -> None:
    """Head office has manifests that this database never made (it was restored from a copy): number on.

    Those made since, which it has never seen, are given up; their entries come in the next ones.
    """
    (agreed,) = db.execute(
        "SELECT coalesce(max(n), 0) FROM manifests WHERE epoch = ? AND state = 'closed' AND n <= ?",
        (epoch, n),
    ).fetchone()
    for table in ("manifest_parts", "manifest_files", "manifests"):
        db.execute(f"DELETE FROM {table} WHERE epoch = ? AND n > ?", (epoch, agreed))
    db.execute(
        "INSERT OR REPLACE INTO manifests (epoch, n, span, body, h, sig, state, made_utc)"
        " VALUES (?, ?, '', x'', ?, '', 'closed', ?)",
        (epoch, n, h, now_utc),
    )


def owe_again(
    db: sqlite3.Connection, epoch: str, n: int, stream: str, ranges: Iterable[tuple[int, int]]
) -> None:
    """Head office asks for these entries again: they are sent before the manifest is."""
    for first, last in ranges:
        db.execute(
            "UPDATE outbox SET state = 'new', code = NULL WHERE epoch = ? AND stream = ?"
            " AND seq BETWEEN ? AND ? AND state != 'new'",
            (epoch, stream, first, last),
        )
    mark(db, epoch, n, "open")


def owe_files_again(db: sqlite3.Connection, recording_ids: Iterable[str]) -> None:
    """Head office's copies of these recordings are gone or damaged: upload them again."""
    for recording_id in recording_ids:
        db.execute(
            "UPDATE outbox_files SET state = 'new', code = NULL WHERE recording_id = ? AND state = 'stored'",
            (recording_id,),
        )


def mend(db: sqlite3.Connection, epoch: str, stream: str, seq: int, body: bytes) -> bool:
    """Put an entry back as head office has it, if our own chain says that it was this; whether it does."""
    before, here, after = (
        db.execute(
            "SELECT prev, h, state FROM outbox WHERE epoch = ? AND stream = ? AND seq = ?",
            (epoch, stream, number),
        ).fetchone()
        for number in (seq - 1, seq, seq + 1)
    )
    counter = db.execute(
        "SELECT last_seq, head FROM outbox_streams WHERE epoch = ? AND stream = ?", (epoch, stream)
    ).fetchone()
    prev = genesis(epoch, stream) if seq == 1 else (before or here or {"h": ""})["h" if before else "prev"]
    try:
        entry, h = unpack_entry(body), chained(prev, body)
    except (EnvelopeError, TypeError, ValueError):
        return False
    vouched = {here["h"]} if here else set()
    vouched |= {after["prev"]} if after else set()
    vouched |= {counter["head"]} if counter and counter["last_seq"] == seq else set()
    if h not in vouched or entry.seq != seq:
        return False
    db.execute("DELETE FROM outbox WHERE epoch = ? AND stream = ? AND seq = ?", (epoch, stream, seq))
    db.execute(
        "INSERT INTO outbox (epoch, stream, seq, eid, kind, at_utc, body, prev, h, state)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'acked')",
        (epoch, stream, seq, entry.eid, entry.kind, entry.at, body, prev, h),
    )
    return True
