"""Makes manifests: the entries of the oldest hour that is over and in none, hashed, chained and signed.

A row that was damaged on the disk is found here, before a signature could make the damage the truth.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import msgspec

from edge.store.manifests import DAY_STREAM, as_bytes, covered, is_sound, leaf_of, top
from edge.store.seals import device_key, head_of
from sync.envelope import EnvelopeError, canonical, facts, unpack_entry
from sync.events import STREAMS
from sync.keys import DeviceKey
from sync.manifest import (
    BOX_KEY,
    DAY,
    HOUR,
    MOST_LEAVES,
    Chain,
    Files,
    Part,
    Statement,
    digest,
    entry_leaf,
    file_leaf,
    root_of,
    sign,
)
from sync.moment import from_text, to_text

GRACE = timedelta(seconds=30)  # after an hour's end: what was begun in it may still be on its way


def make_next(db: sqlite3.Connection, box_id: str, epoch: str, now_utc: str) -> int | None:
    """Make the next manifest that is due, inside the caller's `write`; its number, None if none is due.

    One whose rows are damaged is not made before they are mended (`damaged`).
    """
    key = device_key(db)
    if key is None:
        return None
    now_hour = to_text(from_text(now_utc) - GRACE)[:HOUR]
    waiting = {stream: _pending(db, epoch, stream) for stream in STREAMS}
    spans = [run.span for run in waiting.values() if run]
    span = min(spans, default=now_hour)
    owed_day = _owed_day(db, epoch, span)
    if owed_day:
        return _make_day(db, box_id, epoch, owed_day, key, now_utc)
    runs = [run for run in waiting.values() if run and run.span == span and (run.over or span != now_hour)]
    if not runs or any(run.damaged for run in runs):
        return None
    return _write(db, _statement(db, box_id, epoch, span, key, now_utc), runs, key)


@dataclass(frozen=True, slots=True)
class _Run:
    stream: str
    span: str
    first: int
    leaves: tuple[bytes, ...]
    size_bytes: int
    bodies: tuple[bytes, ...]  # of `meta`: recordings are announced there
    over: bool  # an entry of another hour follows
    damaged: tuple[int, ...]


def _pending(db: sqlite3.Connection, epoch: str, stream: str) -> _Run | None:
    """The first entries of a stream that are in no manifest, as far as they are of one hour."""
    after = covered(db, epoch, stream)
    rows = db.execute(
        "SELECT seq, kind, at_utc, body, prev, h, state FROM outbox"
        " WHERE epoch = ? AND stream = ? AND seq > ? ORDER BY seq LIMIT ?",
        (epoch, stream, after, MOST_LEAVES + 1),
    )
    leaves: list[bytes] = []
    bodies: list[bytes] = []
    damaged: list[int] = []
    size, first, span = 0, 0, ""
    for row in rows:
        label = _span_of(row["at_utc"])
        if leaves and (label != span or row["seq"] != first + len(leaves) or len(leaves) == MOST_LEAVES):
            return _Run(stream, span, first, tuple(leaves), size, tuple(bodies), True, tuple(damaged))
        first, span = first or row["seq"], span or label
        body = as_bytes(row["body"])
        if not is_sound(row):
            damaged.append(row["seq"])
        leaves.append(leaf_of(row))
        size += len(body)
        if stream == "meta":
            bodies.append(body)
    if not leaves:
        return None
    return _Run(stream, span, first, tuple(leaves), size, tuple(bodies), False, tuple(damaged))


def _statement(
    db: sqlite3.Connection, box_id: str, epoch: str, span: str, key: DeviceKey, now_utc: str
) -> Statement:
    n, prev = top(db, epoch)
    head = head_of(db)
    return Statement(
        box=box_id,
        epoch=epoch,
        n=n + 1,
        prev=prev,
        span=span,
        made=now_utc,
        parts=(),
        files=Files(0, 0, root_of([])),
        chain=Chain(head.seq, head.h),
        key=key.public,
    )


def _write(db: sqlite3.Connection, empty: Statement, runs: Sequence[_Run], key: DeviceKey) -> int:
    announced = [one for run in runs for body in run.bodies if (one := recording_in(body)) is not None]
    parts = tuple(
        Part(run.stream, run.first, run.first + len(run.leaves) - 1, run.size_bytes, root_of(run.leaves))
        for run in runs
    )
    files = Files(len(announced), sum(size for _, size, _ in announced), files_root(announced))
    _save(db, msgspec.structs.replace(empty, parts=parts, files=files), key)
    db.executemany(
        "INSERT OR REPLACE INTO manifest_files (recording_id, epoch, n) VALUES (?, ?, ?)",
        [(recording_id, empty.epoch, empty.n) for recording_id, _, _ in announced],
    )
    return empty.n


def _save(db: sqlite3.Connection, statement: Statement, key: DeviceKey) -> None:
    body = canonical(statement)
    h = digest(body)
    db.execute(
        "INSERT INTO manifests (epoch, n, span, body, h, sig, state, made_utc)"
        " VALUES (?, ?, ?, ?, ?, ?, 'open', ?)",
        (statement.epoch, statement.n, statement.span, body, h, sign(key, BOX_KEY, h), statement.made),
    )
    db.executemany(
        "INSERT INTO manifest_parts (epoch, stream, first, last, n) VALUES (?, ?, ?, ?, ?)",
        [(statement.epoch, part.stream, part.first, part.last, statement.n) for part in statement.parts],
    )


def _owed_day(db: sqlite3.Connection, epoch: str, span: str) -> str | None:
    """The day that ended with the last manifest, if the next one is of another."""
    row = db.execute(
        "SELECT span FROM manifests WHERE epoch = ? AND body != x'' ORDER BY n DESC LIMIT 1", (epoch,)
    ).fetchone()
    if row is None or len(row["span"]) == DAY or row["span"][:DAY] == span[:DAY]:
        return None
    return str(row["span"][:DAY])


def _make_day(db: sqlite3.Connection, box_id: str, epoch: str, day: str, key: DeviceKey, now_utc: str) -> int:
    """A manifest of the manifests since the last such one."""
    (before,) = db.execute(
        "SELECT coalesce(max(n), 0) FROM manifests WHERE epoch = ? AND (length(span) = ? OR body = x'')",
        (epoch, DAY),
    ).fetchone()
    rows = db.execute("SELECT n, h FROM manifests WHERE epoch = ? AND n > ? ORDER BY n", (epoch, before))
    leaves = {n: entry_leaf(n, h) for n, h in rows}
    part = Part(DAY_STREAM, min(leaves), max(leaves), 0, root_of(list(leaves.values())))
    statement = _statement(db, box_id, epoch, day, key, now_utc)
    _save(db, msgspec.structs.replace(statement, parts=(part,)), key)
    return statement.n


def recording_in(body: bytes) -> tuple[str, int, str] | None:
    """(id, size, SHA-256) of the recording that an entry announces; None if it announces none."""
    try:
        entry = unpack_entry(body)
        if entry.kind != "recording_ready":
            return None
        data = facts(entry)
    except EnvelopeError:
        return None
    found = (data.get("recording_id"), data.get("size_bytes"), data.get("sha256"))
    known = isinstance(found[0], str) and isinstance(found[1], int) and isinstance(found[2], str)
    return found if known else None  # type: ignore[return-value]


def files_root(announced: Iterable[tuple[str, int, str]]) -> str:
    """The root over the recordings announced in an hour, in the order of their entries."""
    return root_of([file_leaf(*one) for one in announced])


def _span_of(at_utc: object) -> str:
    try:
        return to_text(from_text(str(at_utc)))[:HOUR]
    except ValueError:
        return "1970-01-01T00"  # a damaged stamp: its hour is not known


def damaged(db: sqlite3.Connection, epoch: str) -> list[tuple[str, list[int]]]:
    """Entries that keep the next manifest from being made, per stream."""
    pending = [run for stream in STREAMS if (run := _pending(db, epoch, stream)) is not None]
    return [(run.stream, list(run.damaged)) for run in pending if run.damaged]
