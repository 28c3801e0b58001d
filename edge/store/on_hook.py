"""What caller ID left behind: the on-hook audio of calls, how sure the receiver was, all that it said.

    recordings.about    call | on_hook      on-hook audio is a recording like any other (part, seal, hold,
                                            retention, backup), but pages do not list it and it is not sent
    calls.caller_*      confidence, time, other: what a better decoder may better

Writes run inside `sync.db.write`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from edge.store.calls import CallRow, end_call
from edge.store.operations import Operation, add_operation
from sync.db import Migrations, run_script

OPERATION = "caller_read_again"

migrations = Migrations("on_hook")


@migrations()
def m001_on_hook_audio(db: sqlite3.Connection) -> None:
    """On-hook audio among the recordings; confidence, time and the rest of what was sent with the call."""
    run_script(
        db,
        """
        ALTER TABLE recordings ADD COLUMN about TEXT NOT NULL DEFAULT 'call';   -- call | on_hook
        ALTER TABLE calls ADD COLUMN caller_confidence REAL;
        ALTER TABLE calls ADD COLUMN caller_time TEXT;          -- MMDDhhmm, by the exchange's clock
        ALTER TABLE calls ADD COLUMN caller_other TEXT;         -- JSON [[parameter type, hex], ...]
        CREATE INDEX recordings_on_hook ON recordings (call_id) WHERE about = 'on_hook'
        """,
    )


@dataclass(frozen=True, slots=True)
class OnHookAudio:
    """The on-hook audio of a call that is over."""

    recording_id: str
    file: str  # below the recordings folder
    sha256: str
    started_utc: str
    call: CallRow


def on_hook_audio(db: sqlite3.Connection, call_id: str = "", failed: bool = False) -> Iterator[OnHookAudio]:
    """What is still on the disk, by time: of one call, of calls whose caller ID had failed, or of all."""
    columns = ", ".join(f"c.{name}" for name in CallRow.__slots__)
    rows = db.execute(
        f"""SELECT r.id AS recording_id, r.file, r.sha256, r.started_utc AS heard_utc, {columns}
            FROM recordings r JOIN calls c ON c.id = r.call_id
            WHERE r.about = 'on_hook' AND r.state = 'ready' AND c.state = 'ended'
                  AND (? = '' OR c.id = ?) AND (? = 0 OR c.caller_presentation = 'failed')
            ORDER BY r.started_utc, r.id""",
        (call_id, call_id, int(failed)),
    ).fetchall()
    for row in rows:
        call = {name: row[name] for name in CallRow.__slots__}
        yield OnHookAudio(
            row["recording_id"],
            row["file"],
            row["sha256"],
            row["heard_utc"],
            CallRow(**call | {"hook_known": bool(row["hook_known"])}),
        )


def correct_caller(
    db: sqlite3.Connection, before: CallRow, now: CallRow, user: str, reason: str, now_utc: str
) -> bool:
    """Write what was read again: row, news for head office, seal and operation log; False if it has changed.

    The news is that of the call's end once more: head office puts it in the place of the first.
    """
    names = ", ".join(CallRow.__slots__)
    row = db.execute(f"SELECT {names} FROM calls WHERE id = ?", (before.id,)).fetchone()
    if row is None or CallRow(**{**dict(row), "hook_known": bool(row["hook_known"])}) != before:
        return False
    end_call(db, now, now_utc)
    add_operation(db, Operation(OPERATION, "done", "", user, before.id, reason), now_utc)
    return True
