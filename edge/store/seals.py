"""The chain of seals as rows: a link and the new head, in the transaction of the fact they seal.

`calls.end_call` and `recordings.finish_recording` / `lose_recording` call in here with one line each. The key
of the box lies beside the database and is made with its tables; whoever has the database alone cannot sign.

    SealError
      NoTransaction   called outside `sync.db.write`
      NotDeletable    a recording that has no finished audio
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edge.finished import sync_folder
from edge.seal import BEGINNING, ERASED, Link, make_link, read_object, sha256
from sync.db import Migrations, run_script, write
from sync.keys import DeviceKey, make_key_file
from sync.moment import to_text

KEY_FILE = "seal.key"  # beside the database, 0600
RECORDINGS = "recordings"  # folder beside the database

# kind -> its table, and the tables whose rows belong to one of its rows (table -> column with the id)
SEALED: dict[str, tuple[str, dict[str, str]]] = {
    "call": ("calls", {"call_marks": "call_id"}),
    "recording": ("recordings", {"gaps": "recording_id"}),
}
# Columns that people or the box may change after the seal; everything else is held to it.
FREE: dict[str, frozenset[str]] = {"calls": frozenset(), "recordings": frozenset()}
# States in which a row is not finished, and so not sealed yet.
UNFINISHED: dict[str, tuple[str, ...]] = {"calls": ("open",), "recordings": ("recording", "part")}

migrations = Migrations("seals")


class SealError(Exception):
    """A fact that cannot be sealed like this."""


class NoTransaction(SealError):
    """Called outside `sync.db.write`: the fact and its seal could be separated by a crash."""


class NotDeletable(SealError):
    """A recording that has no finished audio."""


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain: what head office is told, so that nobody can take links off unseen."""

    seq: int
    h: str


@migrations()
def m001_seals(db: sqlite3.Connection) -> None:
    """Links and their head; what was finished before there were seals is sealed as found."""
    run_script(
        db,
        """
        CREATE TABLE seal_links (
            seq             INTEGER PRIMARY KEY,
            subject         TEXT NOT NULL,          -- id of the call or recording
            header          BLOB NOT NULL,          -- canonical JSON (edge.seal)
            data            BLOB NOT NULL,          -- canonical JSON: what was sealed
            h               TEXT NOT NULL,
            sig             BLOB                    -- NULL: the key could not be read
        );
        CREATE INDEX seal_links_by_subject ON seal_links (subject, seq);
        CREATE TABLE seal_head (
            one             INTEGER PRIMARY KEY CHECK (one = 1),
            seq             INTEGER NOT NULL,
            h               TEXT NOT NULL
        )
        """,
    )
    db.execute("INSERT INTO seal_head VALUES (1, 0, ?)", (BEGINNING,))
    key, now_utc = device_key(db), to_text(datetime.now(UTC))
    for kind, (table, _) in SEALED.items():
        unfinished = UNFINISHED[table]
        finished = db.execute(
            f"SELECT id FROM {table} WHERE state NOT IN ({','.join('?' * len(unfinished))}) ORDER BY id",
            unfinished,
        ).fetchall()
        for (subject,) in finished:
            _append(db, kind, now_utc, _sealed(db, kind, subject, "found"), key)


def seal_call(db: sqlite3.Connection, call_id: str, now_utc: str) -> None:
    """Seal the call's row as it is now; a later seal of the same call replaces this one."""
    _seal(db, "call", call_id, now_utc)


def seal_recording(db: sqlite3.Connection, recording_id: str, now_utc: str) -> None:
    """Seal the recording's row and gaps as they are now; doing so again says that it became another file."""
    _seal(db, "recording", recording_id, now_utc)


def bury_recording(db: sqlite3.Connection, recording_id: str, reason: str, user: str, now_utc: str) -> str:
    """Delete by law or by policy, in the caller's `write`: row, tombstone, upload. Returns its file name.

    The caller removes the file once that is committed (`remove_deleted_files` does it at any time later).
    """
    _need_transaction(db)
    row = db.execute("SELECT state, file, sha256 FROM recordings WHERE id = ?", (recording_id,)).fetchone()
    if row is None or row["state"] != "ready":
        raise NotDeletable(
            f"recording {recording_id} is {row['state'] if row else 'unknown'}: only a finished one has"
            " audio to delete"
        )
    db.execute("UPDATE recordings SET state = 'deleted' WHERE id = ?", (recording_id,))
    db.execute(
        "UPDATE outbox_files SET state = 'deleted', code = 'deleted'"
        " WHERE recording_id = ? AND state = 'new'",
        (recording_id,),
    )
    sealed = _sealed(db, "recording", recording_id, "deleted")
    sealed |= {"user": user, "reason": reason, "sha256": row["sha256"]}
    _append(db, "deletion", now_utc, sealed, device_key(db))
    return str(row["file"])


def erase_call(
    db: sqlite3.Connection, call_id: str, entries: list[tuple[str, str]], why: tuple[str, str], now_utc: str
) -> str:
    """Empty the links about a call and seal its row as it is now, naming what was erased; its last hash.

    `entries`: id and SHA-256 of the outbox entries that went, too; `why`: who ordered it, and the reason.
    """
    _need_transaction(db)
    links = [link for link in links_of(db, call_id) if link.data != ERASED]
    named = [[link.seq, sha256(link.data)] for link in links]
    db.execute("UPDATE seal_links SET data = ? WHERE subject = ?", (ERASED, call_id))
    sealed = _sealed(db, "call", call_id, "erased")
    sealed |= {"user": why[0], "reason": why[1], "links": named, "entries": [list(one) for one in entries]}
    _append(db, "erasure", now_utc, sealed, device_key(db))
    return str(named[-1][1]) if named else ""


def names_erased(db: sqlite3.Connection, call_id: str, eid: str, digest: str) -> bool:
    """Whether an erasure of this call names an entry of the outbox with that hash."""
    found = [read_object(link.data) or {} for link in links_of(db, call_id)]
    return any([eid, digest] in one.get("entries", []) for one in found if one.get("how") == "erased")


def delete_recording(db: sqlite3.Connection, recording_id: str, reason: str, user: str, now_utc: str) -> None:
    """Delete one recording: a signed tombstone first, then its file; NotDeletable if it has none."""
    with write(db):
        bury_recording(db, recording_id, reason, user, now_utc)
    remove_deleted_files(db, recording_id)


def remove_deleted_files(db: sqlite3.Connection, recording_id: str | None = None) -> int:
    """Remove the files of deleted recordings that are still there, as after a power cut; returns how many."""
    folder = _folder(db)
    if folder is None:
        return 0
    query = "SELECT file FROM recordings WHERE state = 'deleted'"
    rows = db.execute(
        query + " AND id = ?" * (recording_id is not None), (recording_id,)[: bool(recording_id)]
    )
    left = [folder / RECORDINGS / row[0] for row in rows if (folder / RECORDINGS / row[0]).is_file()]
    for file in left:
        file.unlink()
    for parent in {file.parent for file in left}:
        sync_folder(parent)
    return len(left)


def head_of(db: sqlite3.Connection) -> Head:
    """The last link of the chain; (0, zeros) before the first."""
    return Head(*db.execute("SELECT seq, h FROM seal_head").fetchone())


def links_from(db: sqlite3.Connection, first: int = 1) -> Iterator[Link]:
    """The chain in order, from link `first`."""
    rows = db.execute(
        "SELECT seq, subject, header, data, h, sig FROM seal_links WHERE seq >= ? ORDER BY seq", (first,)
    )
    return (Link(*row) for row in rows)


def links_of(db: sqlite3.Connection, subject: str) -> list[Link]:
    """Every link about one call or recording, the oldest first."""
    rows = db.execute(
        "SELECT seq, subject, header, data, h, sig FROM seal_links WHERE subject = ? ORDER BY seq", (subject,)
    )
    return [Link(*row) for row in rows]


def sealed_row(db: sqlite3.Connection, kind: str, subject: str) -> dict[str, Any] | None:
    """What would be sealed now: `row` and `parts`; None if there is no such row."""
    table, beside = SEALED[kind]
    row = db.execute(f"SELECT * FROM {table} WHERE id = ?", (subject,)).fetchone()
    if row is None:
        return None
    parts = {
        name: sorted(
            [[part[column] for column in part.keys() if column != owner] for part in  # noqa: SIM118
             db.execute(f"SELECT * FROM {name} WHERE {owner} = ?", (subject,))], key=repr,
        )
        for name, owner in beside.items()
    }  # fmt: skip
    return {"row": {name: row[name] for name in row.keys() if name not in FREE[table]}, "parts": parts}  # noqa: SIM118


def unset_values(db: sqlite3.Connection, table: str) -> dict[str, Any]:
    """What each column of a sealed table holds when nothing was written to it."""
    columns = db.execute(f"PRAGMA table_info({table})").fetchall()
    defaults = ", ".join(f"{column['dflt_value'] or 'NULL'}" for column in columns)
    values = db.execute(f"SELECT {defaults}").fetchone()
    return {column["name"]: value for column, value in zip(columns, values, strict=True)}


def key_path(db: sqlite3.Connection) -> Path | None:
    """Where the box's key lies: beside the database; None for one in memory."""
    folder = _folder(db)
    return None if folder is None else folder / KEY_FILE


def device_key(db: sqlite3.Connection) -> DeviceKey | None:
    """The box's key, made if there is none; None if it cannot be read: no call is lost for want of a seal."""
    path = key_path(db)
    try:
        if path is not None and not path.exists():
            make_key_file(path)
    except OSError:
        return None
    return read_key(db)


def read_key(db: sqlite3.Connection) -> DeviceKey | None:
    """The box's key, or None."""
    path = key_path(db)
    try:
        return DeviceKey.from_pem(path.read_bytes()) if path is not None else None
    except (OSError, ValueError):
        return None


def _seal(db: sqlite3.Connection, kind: str, subject: str, now_utc: str) -> None:
    _need_transaction(db)
    _append(db, kind, now_utc, _sealed(db, kind, subject, "live"), device_key(db))


def _sealed(db: sqlite3.Connection, kind: str, subject: str, how: str) -> dict[str, Any]:
    found = sealed_row(db, kind, subject)
    if found is None:
        raise SealError(f"{kind} {subject} has no row to seal")
    return {"subject": subject, "how": how, "salt": secrets.token_hex(16)} | found


def _append(
    db: sqlite3.Connection, kind: str, at_utc: str, sealed: dict[str, Any], key: DeviceKey | None
) -> None:
    head = head_of(db)
    link = make_link(head.seq + 1, head.h, kind, at_utc, sealed, key)
    db.execute(
        "INSERT INTO seal_links (seq, subject, header, data, h, sig) VALUES (?, ?, ?, ?, ?, ?)",
        (link.seq, link.subject, link.header, link.data, link.h, link.sig),
    )
    db.execute("UPDATE seal_head SET seq = ?, h = ?", (link.seq, link.h))


def _folder(db: sqlite3.Connection) -> Path | None:
    (_, _, file), *_ = db.execute("PRAGMA database_list").fetchall()
    return Path(file).parent if file else None


def _need_transaction(db: sqlite3.Connection) -> None:
    if not db.in_transaction:
        raise NoTransaction("a seal is only written inside sync.db.write, beside the fact it seals")
