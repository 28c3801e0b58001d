"""The operation log (操作日志): who did, saw, heard or was refused what; only ever added to.

Its table came with the users' (`edge.store.users.m001_users`). Paging goes by id, the order of writing.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta

from sync.db import write
from sync.moment import to_text


@dataclass(frozen=True, slots=True)
class Operation:
    """One line of the operation log."""

    operation: str
    result: str  # done | refused
    address: str
    user_name: str | None = None
    subject: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class LoggedOperation:
    """A line of the log as it was written."""

    id: int
    at_utc: str
    user_name: str | None
    address: str
    operation: str
    result: str
    subject: str
    reason: str


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which lines; an empty field lets all pass."""

    user_name: str = ""
    operation: str = ""
    result: str = ""
    subject: str = ""
    from_utc: str = ""  # included
    until_utc: str = ""  # not included


@dataclass(frozen=True, slots=True)
class LogPage:
    """Some lines, newest first, and the ids that the pages beside this one go from."""

    lines: tuple[LoggedOperation, ...]
    newer_than: int | None
    older_than: int | None


def log_operation(db: sqlite3.Connection, operation: Operation, now: datetime) -> None:
    """Add one line to the operation log."""
    with write(db):
        add_operation(db, operation, to_text(now))


def log_play(db: sqlite3.Connection, operation: Operation, now: datetime, within: timedelta) -> None:
    """The same for a play, once per user and recording `within` a while: a player asks for many ranges."""
    seen = """SELECT 1 FROM operation_log WHERE subject = ? AND at_utc > ? AND user_name = ?
              AND operation = ? AND address = ? LIMIT 1"""
    wanted = (operation.subject, to_text(now - within), operation.user_name, operation.operation)
    if not db.execute(seen, (*wanted, operation.address)).fetchone():
        log_operation(db, operation, now)


def add_operation(db: sqlite3.Connection, operation: Operation, at_utc: str) -> None:
    """Add one line inside the caller's `sync.db.write`: what was done and the line that says so are one."""
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


MOST_HEARD = 20


def heard_by(db: sqlite3.Connection, subjects: tuple[str, ...]) -> tuple[LoggedOperation, ...]:
    """Who has heard or taken away these recordings, or listened to this call: the last MOST_HEARD."""
    marks = ", ".join("?" * len(subjects))
    rows = db.execute(
        f"""SELECT id, at_utc, user_name, address, operation, result, subject, reason FROM operation_log
            WHERE subject IN ({marks}) AND operation IN ('play', 'download', 'listen') AND result = 'done'
            ORDER BY id DESC LIMIT {MOST_HEARD}""",
        subjects,
    )
    return tuple(LoggedOperation(*row) for row in rows)


def operation_names(db: sqlite3.Connection) -> tuple[str, ...]:
    """Every kind of operation in the log, in order; one look-up per kind, however long the log."""
    rows = db.execute(
        """WITH RECURSIVE kinds (name) AS (
               SELECT min(operation) FROM operation_log
               UNION ALL
               SELECT (SELECT min(operation) FROM operation_log WHERE operation > name) FROM kinds
               WHERE name IS NOT NULL)
           SELECT name FROM kinds WHERE name IS NOT NULL"""
    )
    return tuple(row[0] for row in rows)


def log_page(
    db: sqlite3.Connection,
    wanted: LogFilter,
    size: int,
    older_than: int | None = None,
    newer_than: int | None = None,
) -> LogPage:
    """One page of the log: the newest lines that pass, those before `older_than`, or after `newer_than`."""
    going_up = newer_than is not None
    key, comparison, order = (newer_than, ">", "ASC") if going_up else (older_than, "<", "DESC")
    where, values = _conditions(wanted)
    if key is not None:
        where, values = f"{where} AND id {comparison} ?", (*values, key)
    rows = db.execute(
        f"""SELECT id, at_utc, user_name, address, operation, result, subject, reason FROM operation_log
            WHERE {where} ORDER BY id {order} LIMIT ?""",
        (*values, size + 1),
    ).fetchall()
    more, lines = len(rows) > size, tuple(LoggedOperation(*row) for row in rows[:size])
    if going_up:
        lines = lines[::-1]
    if not lines:
        return LogPage((), None, None)
    above = more if going_up else older_than is not None
    below = True if going_up else more
    return LogPage(lines, lines[0].id if above else None, lines[-1].id if below else None)


def _conditions(wanted: LogFilter) -> tuple[str, tuple[str | int, ...]]:
    candidates = (
        ("user_name = ? COLLATE NOCASE", wanted.user_name),
        ("operation = ?", wanted.operation),
        ("result = ?", wanted.result),
        ("subject = ?", wanted.subject),
        ("at_utc >= ?", wanted.from_utc),
        ("at_utc < ?", wanted.until_utc),
    )
    chosen = [(clause, value) for clause, value in candidates if value]
    return " AND ".join(clause for clause, _ in chosen) or "1", tuple(value for _, value in chosen)
