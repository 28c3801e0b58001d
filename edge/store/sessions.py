"""Sessions as rows, found by the hash of their token, so that a copy of the database opens no page."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta

from edge.store.operations import Operation, add_operation
from edge.store.users import User, user_where
from sync.db import write
from sync.moment import to_text


def start_session(
    db: sqlite3.Connection, user: User, token_sha256: str, address: str, now: datetime, password_hash: str
) -> None:
    """Open a session for `user`, and keep `password_hash` (the same, or made anew at today's cost)."""
    at_utc = to_text(now)
    with write(db):
        db.execute("UPDATE users SET password_hash = ? WHERE id = ?", (password_hash, user.id))
        db.execute(
            "INSERT INTO sessions VALUES (?, ?, ?, ?, ?)", (token_sha256, user.id, address, at_utc, at_utc)
        )
        add_operation(db, Operation("log_in", "done", address, user.name), at_utc)


def session_user(
    db: sqlite3.Connection, token_sha256: str, now: datetime, idle: timedelta, absolute: timedelta
) -> User | None:
    """Whose session it is, unless it is unknown, unused for `idle`, or older than `absolute`."""
    return user_where(
        db,
        """u.id = (SELECT user_id FROM sessions WHERE token_sha256 = ? AND seen_utc > ? AND created_utc > ?)
           AND NOT u.disabled""",
        (token_sha256, to_text(now - idle), to_text(now - absolute)),
    )


def touch_session(db: sqlite3.Connection, token_sha256: str, now: datetime, every: timedelta) -> None:
    """Note that the session is in use; writes at most once per `every`."""
    stale = "SELECT 1 FROM sessions WHERE token_sha256 = ? AND seen_utc < ?"
    if db.execute(stale, (token_sha256, to_text(now - every))).fetchone():
        with write(db):
            db.execute(
                "UPDATE sessions SET seen_utc = ? WHERE token_sha256 = ?", (to_text(now), token_sha256)
            )


def end_session(
    db: sqlite3.Connection, token_sha256: str, user_name: str, address: str, now: datetime
) -> None:
    """Log out: the token opens nothing from now on."""
    with write(db):
        db.execute("DELETE FROM sessions WHERE token_sha256 = ?", (token_sha256,))
        add_operation(db, Operation("log_out", "done", address, user_name), to_text(now))


def drop_old_sessions(db: sqlite3.Connection, now: datetime, idle: timedelta, absolute: timedelta) -> None:
    """Delete the sessions that `session_user` would refuse for their age."""
    with write(db):
        db.execute(
            "DELETE FROM sessions WHERE seen_utc <= ? OR created_utc <= ?",
            (to_text(now - idle), to_text(now - absolute)),
        )


def address_known(db: sqlite3.Connection, name: str, address: str, since: datetime) -> bool:
    """Whether that user has logged in from `address` since then."""
    return (
        db.execute(
            """SELECT 1 FROM operation_log WHERE user_name = (SELECT name FROM users WHERE name = ?)
               AND at_utc > ? AND address = ? AND operation = 'log_in' AND result = 'done' LIMIT 1""",
            (name.strip(), to_text(since), address),
        ).fetchone()
        is not None
    )
