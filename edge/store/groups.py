"""Groups (组别) and the lines that belong to them; and whether a line's calls pop up (POP-02)."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from edge.store.operations import Operation, add_operation
from edge.store.users import LONGEST_NAME
from sync.db import write
from sync.ids import new_id
from sync.moment import to_text


class GroupError(ValueError):
    """A group that cannot be as asked."""


@dataclass(frozen=True, slots=True)
class Group:
    """A group of users, with its lines and how many users it has."""

    id: str
    name: str
    lines: tuple[int, ...]
    user_count: int


@dataclass(frozen=True, slots=True)
class LineRule:
    """What an administrator says of a line."""

    line: int
    group_id: str | None = None
    pops_up: bool = True


def all_groups(db: sqlite3.Connection) -> tuple[Group, ...]:
    """Every group, by name."""
    rows = db.execute(
        """SELECT g.id, g.name, (SELECT group_concat(line) FROM line_groups WHERE group_id = g.id),
                  (SELECT count(*) FROM users WHERE group_id = g.id)
           FROM groups g ORDER BY g.name"""
    )
    return tuple(
        Group(row[0], row[1], tuple(sorted(int(line) for line in (row[2] or "").split(",") if line)), row[3])
        for row in rows
    )


def save_group(db: sqlite3.Connection, group_id: str | None, name: str, by: Operation, now: datetime) -> str:
    """Make a group (None) or give it another name; its id. GroupError says what is wrong with the name."""
    name = name.strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise GroupError(f"a group's name needs 1 to {LONGEST_NAME} visible characters, got {name!r}")
    saved = group_id or new_id()
    with write(db):
        if db.execute("SELECT 1 FROM groups WHERE name = ? AND id != ?", (name, saved)).fetchone():
            raise GroupError(f"there is a group {name!r} already")
        if group_id is None:
            db.execute("INSERT INTO groups VALUES (?, ?)", (saved, name))
        elif db.execute("UPDATE groups SET name = ? WHERE id = ?", (name, saved)).rowcount == 0:
            raise GroupError(f"there is no group {saved!r}")
        add_operation(db, by, to_text(now))
    return saved


def drop_group(db: sqlite3.Connection, group_id: str, by: Operation, now: datetime) -> None:
    """Remove a group that nobody is in; its lines are in no group then. GroupError when somebody is."""
    with write(db):
        if db.execute("SELECT 1 FROM users WHERE group_id = ?", (group_id,)).fetchone():
            raise GroupError("somebody is in this group")
        db.execute("UPDATE line_groups SET group_id = NULL WHERE group_id = ?", (group_id,))
        db.execute("DELETE FROM groups WHERE id = ?", (group_id,))
        add_operation(db, by, to_text(now))


def line_rule(db: sqlite3.Connection, line: int) -> LineRule:
    """The rule of one line; one that nobody has set is in no group and pops up."""
    row = db.execute("SELECT line, group_id, pops_up FROM line_groups WHERE line = ?", (line,)).fetchone()
    return LineRule(row["line"], row["group_id"], bool(row["pops_up"])) if row else LineRule(line)


def set_line_rules(db: sqlite3.Connection, rules: tuple[LineRule, ...], by: Operation, now: datetime) -> None:
    """Say anew of these lines which group they are in and whether they pop up."""
    with write(db):
        for rule in rules:
            known = "SELECT 1 FROM groups WHERE id = ?"
            if rule.group_id and not db.execute(known, (rule.group_id,)).fetchone():
                raise GroupError(f"there is no group {rule.group_id!r}")
            db.execute(
                "INSERT OR REPLACE INTO line_groups VALUES (?, ?, ?)",
                (rule.line, rule.group_id, rule.pops_up),
            )
        add_operation(db, by, to_text(now))
