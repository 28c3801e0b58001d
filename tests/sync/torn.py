"""A power cut in the midst of work on an SQLite database, without cutting power.

Everything that was committed before the work began is durable (synchronous=FULL). Of what the work itself
wrote, the disk may have any sectors:

    the database file unchanged    any sectors of what was added to its WAL
    a checkpoint ran               its WAL whole (it is synced first), any sectors of the database file
    the WAL began anew             all of it, or nothing
"""

from __future__ import annotations

import random
from pathlib import Path

SECTOR = 512
SALT = slice(16, 24)  # of a WAL's header: changes when it begins anew

Files = dict[str, bytes]


def files_of(database: Path) -> Files:
    """The database and its WAL as they are now, as far as they are there."""
    paths = (database, database.with_name(database.name + "-wal"))
    return {path.name: path.read_bytes() for path in paths if path.exists()}


def torn(database: Path, before: Files, after: Files, choice: random.Random) -> Files:
    """What may be on the disk after a power cut during the work that led from `before` to `after`."""
    name, wal = database.name, database.name + "-wal"
    was, now = before.get(wal, b""), after.get(wal, b"")
    if was and was[SALT] != now[SALT]:
        return choice.choice([before, after])
    if before[name] == after[name]:
        return {name: after[name], wal: _mixed(was, now, choice)}
    return {name: _mixed(before[name], after[name], choice), wal: now}


def lay_out(database: Path, files: Files) -> None:
    """Put the files where those of `database` were."""
    for left in database.parent.glob(f"{database.name}*"):
        left.unlink()
    for name, content in files.items():
        database.with_name(name).write_bytes(content)


def _mixed(before: bytes, after: bytes, choice: random.Random) -> bytes:
    size = choice.choice([len(before), len(after), choice.randint(len(before), max(len(before), len(after)))])
    longest = max(len(before), len(after))
    either = (before.ljust(longest, b"\0"), after.ljust(longest, b"\0"))
    share = choice.choice([0.0, 0.5, 0.95, 1.0])  # of the sectors that arrived
    sectors = (either[choice.random() < share][at : at + SECTOR] for at in range(0, longest, SECTOR))
    return b"".join(sectors)[:size]
