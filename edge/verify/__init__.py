"""`edge verify`: walks chain, rows, outbox and files, and says in a sentence each what is wrong.

It reads only, from one snapshot of the database, and may run beside the recorder. `CHECKS` is the list of
what it does; the two `FILE_CHECKS` come after the snapshot, so that hashing hours of audio holds up nobody.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

from edge.store.seals import Head, key_path, read_key
from edge.verify.bench import Bench, Fault, Step, Tally, open_to_read
from edge.verify.chain import check_chain, check_database
from edge.verify.entries import check_outbox, check_uploads
from edge.verify.files import check_audio, check_folder
from edge.verify.rows import check_calls, check_gone, check_recordings
from sync.envelope import is_hash

PROGRESS_EVERY_S = 2.0
SETTLE_S = 0.3  # between a commit and the removal of a file the recorder needs much less
Check = Callable[[Bench], Iterator[Fault]]

CHECKS: tuple[Check, ...] = (
    check_database,
    check_chain,
    check_calls,
    check_recordings,
    check_gone,
    check_outbox,
    check_uploads,
)
FILE_CHECKS: tuple[Check, ...] = (check_audio, check_folder)


def examine(
    database: Path,
    folder: Path,
    tally: Tally | None = None,
    expected: Head | None = None,
    step: Step = lambda what: None,
    settle_s: float = SETTLE_S,
) -> Iterator[Fault]:
    """Every fault of this database and its recordings folder, as it is found."""
    with closing(open_to_read(database)) as db:
        bench = Bench(db, folder, tally or Tally(), expected, step, settle_s)
        try:
            if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'seal_links'").fetchone():
                yield Fault("database", "this database has no seals yet; start the recorder once")
                return
            db.execute("BEGIN")
            for check in CHECKS:
                yield from check(bench)
            db.execute("COMMIT")
            for check in FILE_CHECKS:
                yield from check(bench)
        except (sqlite3.Error, LookupError, UnicodeError) as error:  # of a damaged schema
            yield Fault("database", f"the database cannot be read to its end: {error}")


def run_verify(database: Path, folder: Path, as_json: bool, known_head: str = "") -> int:
    """Print every fault as it is found, then one line; 1 if there was any."""
    tally, count = Tally(), 0
    expected = parse_head(known_head) if known_head else None
    for fault in examine(database, folder, tally, expected, _progress()):
        count += 1
        _say(json.dumps(asdict(fault)) if as_json else fault.says)
    if as_json:
        _say(json.dumps(asdict(tally) | {"faults": count, "well": count == 0}))
        return 1 if count else 0
    for note in tally.notes:
        _say(f"note: {note}")
    says = f"{count} fault{'s' * (count > 1)}" if count else "all is well"
    _say(
        f"{says}: {tally.calls} calls, {tally.recordings} recordings"
        f" ({tally.files} files, {tally.bytes / 1e6:.1f} MB), {tally.links} links, {tally.entries} outbox"
        f" entries; chain head {tally.head}"
    )
    return 1 if count else 0


def parse_head(text: str) -> Head:
    """`NUMBER:SHA-256` as an earlier run printed it or head office keeps it; ValueError for anything else."""
    seq, _, h = text.partition(":")
    if not seq.isdecimal() or not is_hash(h):
        raise ValueError(f"wanted a chain head as NUMBER:SHA-256, got {text!r}")
    return Head(int(seq), h)


def print_key(database: Path) -> int:
    """The public key of this box: what head office, and whoever gets an evidence pack, compares with."""
    with closing(open_to_read(database)) as db:
        path, key = key_path(db), read_key(db)
    if key is None:
        raise OSError(f"{path} cannot be read as the box's key")
    _say(key.public)
    return 0


def _progress() -> Step:
    """Says once in a while, on stderr, what is being looked at."""
    last_s = time.monotonic()

    def step(what: str) -> None:
        nonlocal last_s
        if time.monotonic() - last_s >= PROGRESS_EVERY_S:
            last_s = time.monotonic()
            sys.stderr.write(f"verify: {what}\n")
            sys.stderr.flush()

    return step


def _say(line: str) -> None:
    """One line, whatever a damaged row or a hostile caller put into it."""
    shown = (one if one.isprintable() else one.encode("unicode_escape").decode() for one in line)
    sys.stdout.write("".join(shown) + "\n")
    sys.stdout.flush()
