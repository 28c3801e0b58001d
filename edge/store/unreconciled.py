"""How far head office and this box agree: the one number, the audit of what was closed, and purging.

Nothing is purged that head office has not closed, and not before its backups are sure to be younger.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from edge.store.manifests import DAY_STREAM, covered, epochs, purged, stretch
from sync.events import STREAMS
from sync.manifest import HOUR, Statement


@dataclass(frozen=True, slots=True)
class Unreconciled:
    """What head office has not confirmed to be whole: the one number of a branch, and what it is made of."""

    entries: int  # not sent, or of an hour that is over and not closed
    files: int  # recordings not stored there
    set_aside: int  # entries head office could not take, recordings it refused
    last_closed: str | None  # span of the newest closed hour

    @property
    def items(self) -> int:
        """The number; normally 0."""
        return self.entries + self.files + self.set_aside


def unreconciled(db: sqlite3.Connection, now_utc: str) -> Unreconciled:
    """How it stands at this moment."""
    hour = now_utc[:HOUR]
    (unclosed,) = db.execute(
        "SELECT coalesce(sum(p.last - p.first + 1), 0) FROM manifests m"
        " JOIN manifest_parts p ON p.epoch = m.epoch AND p.n = m.n"
        " WHERE m.state IN ('open', 'refused') AND p.stream != ?",
        (DAY_STREAM,),
    ).fetchone()
    pending = 0
    for epoch in epochs(db):
        for stream in STREAMS:
            (count,) = db.execute(
                "SELECT count(*) FROM outbox WHERE epoch = ? AND stream = ? AND seq > ?"
                " AND (state = 'new' OR at_utc < ?)",
                (epoch, stream, covered(db, epoch, stream), hour),
            ).fetchone()
            pending += count
    (files,) = db.execute("SELECT count(*) FROM outbox_files WHERE state = 'new'").fetchone()
    (aside,) = db.execute("SELECT count(*) FROM outbox WHERE state = 'quarantined'").fetchone()
    (refused,) = db.execute("SELECT count(*) FROM outbox_files WHERE state = 'refused'").fetchone()
    (last,) = db.execute(
        "SELECT max(span) FROM manifests WHERE state = 'closed' AND length(span) = ?", (HOUR,)
    ).fetchone()
    return Unreconciled(unclosed + pending, files, aside + refused, last)


def audit(
    db: sqlite3.Connection, at_most: int, after: tuple[str, int]
) -> Iterator[tuple[str, int, str, list[int]]]:
    """Closed manifests after `after` (epoch, n) whose rows no longer are what was signed: which rows."""
    rows = db.execute(
        "SELECT epoch, n, body FROM manifests WHERE state = 'closed' AND length(span) = ?"
        " AND (epoch, n) > (?, ?) ORDER BY epoch, n LIMIT ?",
        (HOUR, *after, at_most),
    ).fetchall()
    for epoch, n, body in rows:
        statement = msgspec.json.decode(body, type=Statement)
        for part in statement.parts:
            first = max(part.first, purged(db, epoch, part.stream) + 1)
            yield (
                epoch,
                n,
                part.stream,
                stretch(db, epoch, part.stream, [(first, part.last)]).missing(first, part.last),
            )


# -- purging


def purgeable(db: sqlite3.Connection, before_utc: str) -> bool:
    """Whether anything may go that was closed before then."""
    keys = db.execute("SELECT epoch, stream, min(seq) FROM outbox GROUP BY epoch, stream").fetchall()
    return any(_purgeable(db, epoch, stream, before_utc) >= first for epoch, stream, first in keys)


def purge(db: sqlite3.Connection, before_utc: str) -> int:
    """Delete entries of manifests closed before then, inside the caller's `write`; returns how many.

    They go in the order of their numbers, and the last one of a stream always stays: head office's welcome is
    compared with it. Head office restored from a backup younger than that gets everything again.
    """
    count = 0
    keys = db.execute("SELECT DISTINCT epoch, stream FROM outbox").fetchall()
    for epoch, stream in keys:
        upto = _purgeable(db, epoch, stream, before_utc)
        row = db.execute(
            "SELECT seq, h FROM outbox WHERE epoch = ? AND stream = ? AND seq <= ? ORDER BY seq DESC LIMIT 1",
            (epoch, stream, upto),
        ).fetchone()
        if row is None:
            continue
        db.execute(
            "INSERT OR REPLACE INTO outbox_purged (epoch, stream, upto, h) VALUES (?, ?, ?, ?)",
            (epoch, stream, row["seq"], row["h"]),
        )
        count += db.execute(
            "DELETE FROM outbox WHERE epoch = ? AND stream = ? AND seq <= ?", (epoch, stream, row["seq"])
        ).rowcount
    return count


def _purgeable(db: sqlite3.Connection, epoch: str, stream: str, before_utc: str) -> int:
    rows = db.execute(
        "SELECT p.first, p.last, m.state, m.closed_utc FROM manifest_parts p"
        " JOIN manifests m ON m.epoch = p.epoch AND m.n = p.n"
        " WHERE p.epoch = ? AND p.stream = ? AND p.last > ? ORDER BY p.first",
        (epoch, stream, purged(db, epoch, stream)),
    )
    upto = purged(db, epoch, stream)
    for first, last, state, closed_utc in rows:
        if first > upto + 1 or state != "closed" or closed_utc >= before_utc:
            break
        upto = last
    (newest,) = db.execute(
        "SELECT coalesce(max(seq), 0) FROM outbox WHERE epoch = ? AND stream = ?", (epoch, stream)
    ).fetchone()
    (aside,) = db.execute(
        "SELECT coalesce(min(seq), ?) FROM outbox WHERE epoch = ? AND stream = ? AND state = 'quarantined'",
        (upto + 1, epoch, stream),
    ).fetchone()
    return int(min(upto, newest - 1, aside - 1))
