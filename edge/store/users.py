"""Who may use the branch page: users, their sessions, and the log of what they did.

A session is found by the hash of its token, so a copy of the database opens no page; the operation log is
only ever added to, and refusals stand in it beside what was allowed.

    UserError
      UserExists      the name is taken
      NotAName        empty, too long, or with characters nobody can see
      UnknownRole     not one of ROLES
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlite_utils import Database, Migrations

from sync.accounts import check_password, hash_password
from sync.db import run_script, write
from sync.ids import new_id
from sync.moment import to_text

# 级别, in falling order.
ROLES = ("super", "leader", "ordinary")
LONGEST_NAME = 64

migrations = Migrations("users")


@migrations()
def m001_users(db: Database) -> None:
    """Users, sessions, operation log."""
    run_script(
        db.conn,
        """
        CREATE TABLE users (
            id              TEXT PRIMARY KEY,
            name            TEXT NOT NULL UNIQUE COLLATE NOCASE,
            role            TEXT NOT NULL,          -- edge.store.users.ROLES
            password_hash   TEXT NOT NULL,          -- argon2id
            language        TEXT,                   -- as last chosen; NULL: the box's
            disabled        INTEGER NOT NULL DEFAULT 0,
            created_utc     TEXT NOT NULL
        );
        CREATE TABLE sessions (
            token_sha256    TEXT PRIMARY KEY,
            user_id         TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
            address         TEXT NOT NULL,
            created_utc     TEXT NOT NULL,
            seen_utc        TEXT NOT NULL
        );
        CREATE INDEX sessions_by_user ON sessions (user_id);
        CREATE TABLE operation_log (
            id              INTEGER PRIMARY KEY,
            at_utc          TEXT NOT NULL,
            user_name       TEXT,                   -- as given at log-in when nobody is logged in
            address         TEXT NOT NULL,
            operation       TEXT NOT NULL,          -- log_in | log_out | play | page ...
            result          TEXT NOT NULL,          -- done | refused
            subject         TEXT NOT NULL DEFAULT '',
            reason          TEXT NOT NULL DEFAULT ''
        );
        CREATE INDEX operation_log_by_user ON operation_log (user_name, at_utc);
        CREATE INDEX operation_log_by_subject ON operation_log (subject, at_utc)
        """,
    )


class UserError(ValueError):
    """A user that cannot be made."""


class UserExists(UserError):
    """The name is taken."""


class NotAName(UserError):
    """Empty, too long, or with characters nobody can see."""


class UnknownRole(UserError):
    """Not one of ROLES."""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may log in."""

    id: str
    name: str
    role: str
    password_hash: str
    language: str | None


@dataclass(frozen=True, slots=True)
class Operation:
    """One line of the operation log."""

    operation: str
    result: str  # done | refused
    address: str
    user_name: str | None = None
    subject: str = ""
    reason: str = ""


def add_user(
    db: sqlite3.Connection, name: str, password: str, role: str, now: datetime | None = None
) -> User:
    """Make a user; UserError or sync.accounts.PasswordRefused says what is wrong with what was given."""
    name = name.strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise NotAName(f"a user's name needs 1 to {LONGEST_NAME} visible characters, got {name!r}")
    if role not in ROLES:
        raise UnknownRole(f"a role is one of {', '.join(ROLES)}, got {role!r}")
    check_password(password, name)
    user = User(new_id(), name, role, hash_password(password), None)
    try:
        with write(db):
            db.execute(
                "INSERT INTO users (id, name, role, password_hash, created_utc) VALUES (?, ?, ?, ?, ?)",
                (user.id, user.name, user.role, user.password_hash, to_text(now or datetime.now(UTC))),
            )
    except sqlite3.IntegrityError as error:
        raise UserExists(f"there is a user {name!r} already") from error
    return user


def any_user(db: sqlite3.Connection) -> bool:
    """Whether anybody at all can log in."""
    return db.execute("SELECT 1 FROM users WHERE NOT disabled LIMIT 1").fetchone() is not None


def find_user(db: sqlite3.Connection, name: str) -> User | None:
    """The enabled user of that name, whatever its case."""
    row = db.execute(
        "SELECT id, name, role, password_hash, language FROM users WHERE name = ? AND NOT disabled",
        (name.strip(),),
    ).fetchone()
    return User(*row) if row else None


def choose_language(db: sqlite3.Connection, user_id: str, language: str) -> None:
    """Remember in which language this user reads the pages."""
    with write(db):
        db.execute("UPDATE users SET language = ? WHERE id = ?", (language, user_id))


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
        _log(db, Operation("log_in", "done", address, user.name), at_utc)


def session_user(
    db: sqlite3.Connection, token_sha256: str, now: datetime, idle: timedelta, absolute: timedelta
) -> User | None:
    """Whose session it is, unless it is unknown, unused for `idle`, or older than `absolute`."""
    row = db.execute(
        """SELECT u.id, u.name, u.role, u.password_hash, u.language
           FROM sessions s JOIN users u ON u.id = s.user_id
           WHERE s.token_sha256 = ? AND s.seen_utc > ? AND s.created_utc > ? AND NOT u.disabled""",
        (token_sha256, to_text(now - idle), to_text(now - absolute)),
    ).fetchone()
    return User(*row) if row else None


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
        _log(db, Operation("log_out", "done", address, user_name), to_text(now))


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


def log_operation(db: sqlite3.Connection, operation: Operation, now: datetime) -> None:
    """Add one line to the operation log."""
    with write(db):
        _log(db, operation, to_text(now))


def log_play(db: sqlite3.Connection, operation: Operation, now: datetime, within: timedelta) -> None:
    """The same for a play, once per user and recording `within` a while: a player asks for many ranges."""
    seen = """SELECT 1 FROM operation_log WHERE subject = ? AND at_utc > ? AND user_name = ?
              AND operation = ? AND address = ? LIMIT 1"""
    wanted = (operation.subject, to_text(now - within), operation.user_name, operation.operation)
    if not db.execute(seen, (*wanted, operation.address)).fetchone():
        log_operation(db, operation, now)


def _log(db: sqlite3.Connection, operation: Operation, at_utc: str) -> None:
    db.execute(
        """INSERT INTO operation_log (at_utc, user_name, address, operation, result, subject, reason)
           VALUES (?, ?, ?, ?, ?, ?, ?)""",
        (
            at_utc,
            operation.user_name,
            operation.address,
            operation.operation,
            operation.result,
            operation.subject,
            operation.reason,
        ),
    )
