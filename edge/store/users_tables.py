"""The tables of users, their rights, groups and the operation log, as numbered migrations.

Apart from `edge.store.users`, which reads and writes them: tables change seldom.
"""

from __future__ import annotations

import sqlite3

from edge.store.rights import LEVEL_RIGHTS
from sync.db import Migrations, run_script
from sync.ids import new_id

migrations = Migrations("users")


@migrations()
def m001_users(db: sqlite3.Connection) -> None:
    """Users, sessions, operation log."""
    run_script(
        db,
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


@migrations()
def m002_levels_and_rights(db: sqlite3.Connection) -> None:
    """Roles become levels; groups, lines, rights. Whoever is there keeps seeing and doing what they did."""
    run_script(
        db,
        """
        CREATE TABLE groups (               -- 组别
            id              TEXT PRIMARY KEY,
            name            TEXT NOT NULL UNIQUE COLLATE NOCASE
        );
        CREATE TABLE line_groups (          -- what an administrator says of a line; no row: no group, pops up
            line            INTEGER PRIMARY KEY,
            group_id        TEXT REFERENCES groups (id),
            pops_up         INTEGER NOT NULL DEFAULT 1  -- 通道来电在客户端是否弹出 (POP-02)
        );
        ALTER TABLE users RENAME COLUMN role TO level;
        ALTER TABLE users ADD COLUMN employee_number TEXT NOT NULL DEFAULT '';
        ALTER TABLE users ADD COLUMN group_id TEXT REFERENCES groups (id);
        ALTER TABLE users ADD COLUMN shares_customers INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE users ADD COLUMN shares_communications INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE users ADD COLUMN must_change_password INTEGER NOT NULL DEFAULT 0;
        UPDATE users SET employee_number = name;
        CREATE UNIQUE INDEX users_by_employee_number ON users (employee_number COLLATE NOCASE);
        CREATE TABLE user_lines (           -- linked lines (POP-11)
            user_id         TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
            line            INTEGER NOT NULL,
            PRIMARY KEY (user_id, line)
        ) WITHOUT ROWID;
        CREATE TABLE user_rights (
            user_id         TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
            right           TEXT NOT NULL,          -- edge.store.rights.Right values
            PRIMARY KEY (user_id, right)
        ) WITHOUT ROWID;
        CREATE INDEX operation_log_by_operation ON operation_log (operation, id)
        """,
    )
    _keep_who_is_there(db)


def _keep_who_is_there(db: sqlite3.Connection) -> None:
    """Users of before levels meant anything saw every line: they stay linked to those there are."""
    users = db.execute("SELECT id, level FROM users").fetchall()
    lines = [row[0] for row in db.execute("SELECT DISTINCT line FROM calls UNION SELECT line FROM lines")]
    for user_id, level in users:
        rights = LEVEL_RIGHTS.get(level, frozenset())
        db.executemany("INSERT INTO user_rights VALUES (?, ?)", [(user_id, one.value) for one in rights])
        db.executemany("INSERT INTO user_lines VALUES (?, ?)", [(user_id, line) for line in lines])
    if any(level == "leader" for _, level in users):
        group_id = new_id()
        db.execute("INSERT INTO groups VALUES (?, '1')", (group_id,))
        db.execute("UPDATE users SET group_id = ? WHERE level = 'leader'", (group_id,))
        db.executemany(
            "INSERT INTO line_groups (line, group_id) VALUES (?, ?)", [(n, group_id) for n in lines]
        )
