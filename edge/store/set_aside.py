"""What head office could not use of what this box sent: listed, sent again, or dismissed with a reason.

SetAsideError (ValueError)    there is no such item, or no reason was given
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from edge.store.operations import Operation, add_operation

ENTRY, FILE = "entry", "recording"


class SetAsideError(ValueError):
    """Not possible."""


@dataclass(frozen=True, slots=True)
class SetAside:
    """An entry that lies in head office's quarantine, or a recording that it refused."""

    id: str  # eid of the entry, or id of the recording
    what: str  # ENTRY | FILE
    kind: str  # of the entry; file name of the recording
    at_utc: str  # "" for a recording
    code: str


def items(db: sqlite3.Connection) -> list[SetAside]:
    """All of it, the oldest first."""
    entries = db.execute(
        "SELECT eid, ?, kind, at_utc, coalesce(code, '') FROM outbox WHERE state = 'quarantined'"
        " ORDER BY at_utc, seq",
        (ENTRY,),
    )
    files = db.execute(
        "SELECT recording_id, ?, file, '', coalesce(code, '') FROM outbox_files WHERE state = 'refused'"
        " ORDER BY recording_id",
        (FILE,),
    )
    return [SetAside(*row) for row in (*entries, *files)]


def send_again(db: sqlite3.Connection, item_id: str, user: str, now_utc: str, address: str = "") -> None:
    """Owe it again, as after head office was upgraded or a file was put right. Inside `write`."""
    _change(db, item_id, "new", "new")
    add_operation(db, Operation("send_again", "done", address, user, item_id), now_utc)


def dismiss(
    db: sqlite3.Connection, item_id: str, reason: str, user: str, now_utc: str, address: str = ""
) -> None:
    """It is of no use to anybody; head office keeps its bytes. Inside `write`."""
    if not reason.strip():
        raise SetAsideError("dismissing needs a reason")
    _change(db, item_id, "dismissed", "deleted")
    add_operation(db, Operation("dismiss", "done", address, user, item_id, reason.strip()), now_utc)


def _change(db: sqlite3.Connection, item_id: str, entry_state: str, file_state: str) -> None:
    code = None if entry_state == "new" else "dismissed"
    changed = db.execute(
        "UPDATE outbox SET state = ?, code = ? WHERE eid = ? AND state = 'quarantined'",
        (entry_state, code, item_id),
    ).rowcount
    changed += db.execute(
        "UPDATE outbox_files SET state = ?, code = ? WHERE recording_id = ? AND state = 'refused'",
        (file_state, code, item_id),
    ).rowcount
    if changed == 0:
        raise SetAsideError(f"nothing of this box is set aside under {item_id!r}")
