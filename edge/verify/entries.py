"""The outbox: the chain of every stream, and whether its news are what was sealed."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterable, Iterator
from itertools import groupby
from typing import Any

from edge.seal import read_object
from edge.store.seals import links_of, names_erased
from edge.verify.bench import Bench, Fault, row_in
from sync.envelope import ERASED, chained, genesis, is_hash
from sync.events import STREAMS

OUTBOX_STATES = ("new", "acked", "quarantined", "dismissed")
FILE_COLUMNS = ("file", "size_bytes", "sha256")
FILE_STATES = ("new", "stored", "refused", "deleted")
SUBJECT_OF = {"call_ended": "call_id", "recording_ready": "recording_id", "recording_lost": "recording_id"}


def check_outbox(bench: Bench) -> Iterator[Fault]:
    """The chain of every stream, each entry's bytes against its columns, and against what was sealed."""
    streams = bench.db.execute("SELECT * FROM outbox_streams").fetchall()
    counters = {(row["epoch"], row["stream"]): row for row in streams}
    if len(streams) != len(STREAMS) or {stream for _, stream in counters} != set(STREAMS):
        yield Fault("outbox", f"outbox streams are {[one for _, one in counters]}, not {', '.join(STREAMS)}")
    ends: dict[tuple[str, str], tuple[int, str]] = {}
    begins = {(row["epoch"], row["stream"]): (row["upto"], row["h"]) for row in _purged(bench)}
    rows = bench.db.execute("SELECT * FROM outbox ORDER BY epoch, stream, seq")
    for key, entries in groupby(rows, key=lambda row: (row["epoch"], row["stream"])):
        begin = begins.get(key, (0, genesis(*map(str, key))))
        ends[key] = yield from _stream_faults(bench, key, entries, key in counters, begin)
    for key, counter in counters.items():
        seq, h = ends.get(key, (0, genesis(*map(str, key))))
        if (counter["last_seq"], counter["head"]) != (seq, h):
            yield Fault(
                "outbox",
                f"outbox stream {key[1]}: its entries end at {seq}, its counter says {counter['last_seq']!r}"
                + (" and another hash" if counter["head"] != h else ""),
            )


def _stream_faults(
    bench: Bench, key: tuple[str, str], entries: Iterable[sqlite3.Row], present: bool, begin: tuple[int, str]
) -> Generator[Fault, None, tuple[int, str]]:
    """One stream of one epoch; of an earlier epoch the entries that were still owed have moved on."""
    seq, h = begin
    for row in entries:
        name = f"outbox entry {key[1]} {row['seq']}"
        if row["seq"] == seq + 1:
            if row["prev"] != h:
                yield Fault("outbox", f"{name}: it does not follow entry {seq}")
        elif present:
            yield Fault("outbox", f"{name}: the entries after {seq} and before it are missing")
        yield from (Fault("outbox", f"{name}: {says}") for says in _entry_faults(bench.db, row))
        seq, h = row["seq"] if isinstance(row["seq"], int) else seq + 1, row["h"]
        bench.tally.entries += 1
        bench.step(name)
    return seq, h


def _purged(bench: Bench) -> list[sqlite3.Row]:
    """Where each stream begins, after what head office has closed was purged."""
    return bench.db.execute("SELECT epoch, stream, upto, h FROM outbox_purged").fetchall()


def _entry_faults(db: sqlite3.Connection, row: sqlite3.Row) -> Iterator[str]:
    if not (isinstance(row["body"], bytes) and isinstance(row["prev"], str) and is_hash(row["prev"])):
        yield "its bytes or its hash were changed"
        return
    if chained(row["prev"], row["body"]) != row["h"] and not _is_erased(db, row):
        yield "its bytes and its hash disagree; one of them was changed"
    if row["state"] not in OUTBOX_STATES:
        yield f"state {row['state']!r} is none of {', '.join(OUTBOX_STATES)}"
    entry = read_object(row["body"])
    if entry is None:
        yield "it cannot be read"
        return
    for column, key in (("seq", "seq"), ("eid", "eid"), ("kind", "kind"), ("at_utc", "at")):
        if row[column] != entry.get(key):
            yield f"its row says {column} {row[column]!r}, its bytes say {entry.get(key)!r}"
    data = entry.get("data")
    subject = data.get(SUBJECT_OF.get(str(entry.get("kind")), "")) if isinstance(data, dict) else None
    if isinstance(subject, str):
        yield from _news_faults(db, subject, entry["data"])


def _is_erased(db: sqlite3.Connection, row: sqlite3.Row) -> bool:
    """Whether the entry stands for one that went with its call, as the call's erasure says."""
    data = (read_object(row["body"]) or {}).get("data")
    if row["kind"] != ERASED or not isinstance(data, dict):
        return False
    return names_erased(db, str(data.get("call_id")), str(row["eid"]), str(data.get("sha256")))


def _news_faults(db: sqlite3.Connection, subject: str, data: dict[str, Any]) -> Iterator[str]:
    """The news must say what some link of its subject sealed."""
    links = links_of(db, subject)
    if not links:
        yield f"it tells of {subject}, which was never sealed or was removed"
        return
    rows = [row_in(read_object(link.data)) for link in links]
    differing = [_different(row, data) for row in rows if row is not None]
    if differing and all(differing):
        yield f"it tells of {subject} otherwise than sealed: {', '.join(differing[-1])}"


def _different(row: dict[str, Any], data: dict[str, Any]) -> list[str]:
    told = {name: int(value) if isinstance(value, bool) else value for name, value in data.items()}
    return [name for name in sorted(set(told) & set(row)) if told[name] != row[name]]


def check_uploads(bench: Bench) -> Iterator[Fault]:
    """Every queued file is a sealed one, and every sealed one was queued."""
    unqueued = bench.db.execute(
        "SELECT id FROM recordings WHERE state IN ('ready', 'deleted') AND about <> 'on_hook'"
        " AND NOT EXISTS (SELECT 1 FROM outbox_files WHERE recording_id = recordings.id)"
    )
    for (recording_id,) in unqueued:
        yield Fault("outbox", f"recording {recording_id}: its upload to head office is missing")
    for row in bench.db.execute("SELECT * FROM outbox_files"):
        name = f"upload of recording {row['recording_id']}"
        if row["state"] not in FILE_STATES:
            yield Fault("outbox", f"{name}: state {row['state']!r} is none of {', '.join(FILE_STATES)}")
        rows = [row_in(read_object(one.data)) for one in links_of(bench.db, row["recording_id"])]
        wanted = [row[column] for column in FILE_COLUMNS]
        if wanted not in [[one.get(column) for column in FILE_COLUMNS] for one in rows if one]:
            yield Fault("outbox", f"{name}: file, size or hash are not what was sealed")
