"""Calls that head office had deleted: what says who spoke goes, what is counted stays, the chain says so.

    calls          numbers, names and keys become NULL; id, line, times and outcome stay
    seal_links     what was sealed of the call goes; headers and hashes stay, and a link `erasure` names them
    outbox         each entry about the call becomes one `entry_erased` with its hash; the row is told anew
    the rest       marks, notes, tags, star, pictures of the audio: gone

What people wrote down of their talks with a customer (communications) is the customer's, and stays. Writes
run inside `sync.db.write`.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

import msgspec

from edge.seal import sha256
from edge.store import seals
from edge.store.calls import find_call, tell_call
from sync.db import Migrations, run_script
from sync.envelope import EnvelopeError, erased_bytes, facts, unpack_entry

PERSONAL = (
    "caller_number",
    "caller_name",
    "caller_presentation",
    "caller_confidence",
    "caller_time",
    "caller_other",
    "dialled",
    "keys",
    "second_number",
    "second_name",
    "second_presentation",
)
BESIDE = ("call_marks", "call_notes", "call_tags", "call_stars")  # go whole
ABOUT_CALLS = "call_ended"  # the kind of entry that says who spoke

migrations = Migrations("erasures")


@migrations()
def m001_erasures(db: sqlite3.Connection) -> None:
    """Which calls were deleted, for the page."""
    run_script(
        db,
        """
        CREATE TABLE call_erasures (
            call_id         TEXT PRIMARY KEY,
            order_id        TEXT NOT NULL,
            user_name       TEXT NOT NULL,
            at_utc          TEXT NOT NULL
        )
        """,
    )


@dataclass(frozen=True, slots=True)
class Erasure:
    """Why a call says nothing any more."""

    order_id: str
    user_name: str
    at_utc: str


def erasure_of(db: sqlite3.Connection, call_id: str) -> Erasure | None:
    """The erasure of a call, None if it was not deleted."""
    row = db.execute(
        "SELECT order_id, user_name, at_utc FROM call_erasures WHERE call_id = ?", (call_id,)
    ).fetchone()
    return Erasure(*row) if row else None


def is_owed(db: sqlite3.Connection, call_id: str) -> bool:
    """Whether head office has not confirmed yet what it was told of the call."""
    rows = db.execute("SELECT body FROM outbox WHERE state = 'new' AND kind = ?", (ABOUT_CALLS,))
    return any(_call_in(body) == call_id for (body,) in rows)


def erase_call(db: sqlite3.Connection, call_id: str, erasure: Erasure, reason: str) -> str:
    """Take out of the call what says who spoke; the SHA-256 of the record that had been sealed."""
    gone = _erase_entries(db, call_id, erasure.order_id)
    for table in BESIDE:
        db.execute(f"DELETE FROM {table} WHERE call_id = ?", (call_id,))
    of_call = "SELECT id FROM recordings WHERE call_id = ?"
    db.execute(f"DELETE FROM peaks WHERE recording_id IN ({of_call})", (call_id,))
    db.execute(f"UPDATE calls SET {', '.join(f'{one} = NULL' for one in PERSONAL)} WHERE id = ?", (call_id,))
    who = (erasure.user_name, reason)
    was = seals.erase_call(db, call_id, gone, who, erasure.at_utc)
    tell_call(db, find_call(db, call_id), erasure.at_utc)
    db.execute("INSERT INTO call_erasures VALUES (?, ?, ?, ?)", (call_id, *_values(erasure)))
    return was


def _values(erasure: Erasure) -> tuple[str, str, str]:
    return erasure.order_id, erasure.user_name, erasure.at_utc


def _erase_entries(db: sqlite3.Connection, call_id: str, order_id: str) -> list[tuple[str, str]]:
    """Replace what was said of the call, as far as it was not purged; id and SHA-256 of each entry."""
    rows = db.execute(
        "SELECT epoch, stream, seq, eid, at_utc, body FROM outbox WHERE kind = ? AND instr(body, ?)",
        (ABOUT_CALLS, call_id.encode()),
    ).fetchall()
    gone = []
    for epoch, stream, seq, eid, at_utc, body in rows:
        if _call_in(body) != call_id:
            continue
        instead = erased_bytes(eid, at_utc, body, seq, call_id, order_id)
        db.execute(
            "UPDATE outbox SET kind = 'entry_erased', body = ? WHERE epoch = ? AND stream = ? AND seq = ?",
            (instead, epoch, stream, seq),
        )
        gone.append((eid, sha256(body)))
    return gone


def _call_in(body: object) -> str | None:
    try:
        return str(facts(unpack_entry(body)).get("call_id")) if isinstance(body, bytes) else None
    except (EnvelopeError, msgspec.DecodeError):
        return None
