"""Who may use the branch page: users with their level, group, lines and rights, and who changed them.

A user's rights and lines are rows of their own, so that none is there by default; every change that an
administrator makes is one transaction with its line in the operation log. Somebody who can administer stays.

    UserError
      UserExists      the name or the employee number is taken
      NotAName        empty, too long, or with characters nobody can see
      UnknownLevel    not one of LEVELS
      NoSuchGroup     there is no group of that id
      NotGivable      a right that nobody can give, or `users` below super
      LastSuper       nobody could administer users any more
      NoSuchUser      there is no user of that id
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from edge.store.operations import Operation, add_operation
from edge.store.rights import GIVEN_BY_NOBODY, LEVEL_RIGHTS, LEVELS, Right
from sync.accounts import check_password, hash_password
from sync.db import write
from sync.ids import new_id
from sync.moment import to_text

LONGEST_NAME = 64


class UserError(ValueError):
    """A user that cannot be as asked."""


class UserExists(UserError):
    """The name or the employee number is taken."""


class NotAName(UserError):
    """Empty, too long, or with characters nobody can see."""


class UnknownLevel(UserError):
    """Not one of LEVELS."""


class NoSuchGroup(UserError):
    """There is no group of that id."""


class NotGivable(UserError):
    """A right that nobody can give, or `users` below super."""


class LastSuper(UserError):
    """Nobody could administer users any more."""


class NoSuchUser(UserError):
    """There is no user of that id."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What an administrator sets of a user."""

    name: str
    level: str
    employee_number: str = ""  # empty: the name
    group_id: str | None = None
    lines: frozenset[int] = frozenset()  # linked
    rights: frozenset[Right] = frozenset()
    shares_customers: bool = False
    shares_communications: bool = False


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may log in."""

    id: str
    name: str
    level: str  # edge.store.rights.LEVELS
    password_hash: str
    language: str | None
    employee_number: str  # never empty
    group_id: str | None
    shares_customers: bool
    shares_communications: bool
    must_change_password: bool  # it was made by an administrator, for one log-in
    disabled: bool
    lines: frozenset[int]  # linked; what a user sees is `lines_in_scope`
    rights: frozenset[Right]

    @property
    def profile(self) -> Profile:
        """The part an administrator sets."""
        return Profile(**{name: getattr(self, name) for name in Profile.__slots__})


def user_where(db: sqlite3.Connection, where: str, values: tuple[object, ...]) -> User | None:
    """The user `u` for whom `where` holds."""
    return next(iter(_select(db, where, values)), None)


def _select(db: sqlite3.Connection, where: str, values: tuple[object, ...]) -> list[User]:
    rows = db.execute(
        f"""SELECT u.id, u.name, u.level, u.password_hash, u.language, u.employee_number, u.group_id,
                   u.shares_customers, u.shares_communications, u.must_change_password, u.disabled,
                   (SELECT group_concat(line) FROM user_lines WHERE user_id = u.id),
                   (SELECT group_concat(right) FROM user_rights WHERE user_id = u.id)
            FROM users u WHERE {where} ORDER BY u.disabled, u.name""",
        values,
    )
    return [_user(row) for row in rows]


def _user(row: sqlite3.Row) -> User:
    known = {right.value: right for right in Right}
    values: list[Any] = [*row[:7], *(bool(flag) for flag in row[7:11])]
    values.append(frozenset(int(line) for line in (row[11] or "").split(",") if line))
    values.append(frozenset(known[one] for one in (row[12] or "").split(",") if one in known))
    return User(*values)


def all_users(db: sqlite3.Connection) -> list[User]:
    """Everybody, those who may log in first, by name."""
    return _select(db, "1", ())


def user_by_id(db: sqlite3.Connection, user_id: str) -> User:
    """The user of that id, disabled or not; NoSuchUser."""
    user = user_where(db, "u.id = ?", (user_id,))
    if user is None:
        raise NoSuchUser(f"there is no user {user_id!r}")
    return user


def find_user(db: sqlite3.Connection, name: str) -> User | None:
    """The enabled user of that name, whatever its case."""
    return user_where(db, "u.name = ? AND NOT u.disabled", (name.strip(),))


def any_user(db: sqlite3.Connection) -> bool:
    """Whether anybody at all can log in."""
    return db.execute("SELECT 1 FROM users WHERE NOT disabled LIMIT 1").fetchone() is not None


def lines_in_scope(db: sqlite3.Connection, user: User) -> frozenset[int] | None:
    """The lines whose calls `user` sees: None is all (super); a leader's group's; else linked ones."""
    if user.level == "super":
        return None
    if user.level == "leader":
        rows = db.execute("SELECT line FROM line_groups WHERE group_id = ?", (user.group_id,))
        return frozenset(row[0] for row in rows)
    return user.lines


def add_user(
    db: sqlite3.Connection, name: str, password: str, level: str, now: datetime | None = None
) -> User:
    """Make a user with what its level starts with; UserError or PasswordRefused says what is wrong."""
    profile = Profile(name, level, rights=LEVEL_RIGHTS.get(level, frozenset()))
    return make_user(db, profile, password, now or datetime.now(UTC))


def make_user(
    db: sqlite3.Connection,
    profile: Profile,
    password: str,
    now: datetime,
    by: Operation | None = None,
    one_time: bool = False,
) -> User:
    """Make a user; `by` says which administrator does. A `one_time` password has to be changed at log-in."""
    check_password(password, profile.name.strip())
    user_id, password_hash = new_id(), hash_password(password)
    with write(db):
        profile = _checked(db, profile, user_id)
        values = (user_id, profile.name, profile.level, profile.employee_number, password_hash, one_time)
        db.execute(
            """INSERT INTO users (id, name, level, employee_number, password_hash, must_change_password,
                                  created_utc) VALUES (?, ?, ?, ?, ?, ?, ?)""",
            (*values, to_text(now)),
        )
        _write_profile(db, user_id, profile)
        if by:
            add_operation(db, by, to_text(now))
    return user_by_id(db, user_id)


def change_user(db: sqlite3.Connection, user_id: str, profile: Profile, by: Operation, now: datetime) -> User:
    """Give a user another profile; UserError says what is wrong with it. `by` goes into the operation log."""
    with write(db):
        profile = _checked(db, profile, user_id)
        _write_profile(db, user_id, profile)
        _keep_a_super(db)
        add_operation(db, by, to_text(now))
    return user_by_id(db, user_id)


def enable_user(db: sqlite3.Connection, user_id: str, enabled: bool, by: Operation, now: datetime) -> None:
    """Let a user log in again, or no longer; the latter ends all their sessions."""
    with write(db):
        db.execute("UPDATE users SET disabled = ? WHERE id = ?", (not enabled, user_id))
        if not enabled:
            db.execute("DELETE FROM sessions WHERE user_id = ?", (user_id,))
        _keep_a_super(db)
        add_operation(db, by, to_text(now))


def set_password(
    db: sqlite3.Connection, user: User, password: str, by: Operation, now: datetime, one_time: bool
) -> str:
    """Another password, which ends all the user's sessions; its hash. Raises PasswordRefused."""
    check_password(password, user.name)
    password_hash = hash_password(password)
    with write(db):
        db.execute(
            "UPDATE users SET password_hash = ?, must_change_password = ? WHERE id = ?",
            (password_hash, one_time, user.id),
        )
        db.execute("DELETE FROM sessions WHERE user_id = ?", (user.id,))
        add_operation(db, by, to_text(now))
    return password_hash


def choose_language(db: sqlite3.Connection, user_id: str, language: str) -> None:
    """Remember in which language this user reads the pages."""
    with write(db):
        db.execute("UPDATE users SET language = ? WHERE id = ?", (language, user_id))


def profile_changes(before: Profile, after: Profile) -> str:
    """What differs, for the operation log: `level ordinary>leader, lines +2 -1, rights +export`."""
    told = []
    for name in Profile.__slots__:
        old, new = getattr(before, name), getattr(after, name)
        if old != new and isinstance(old, frozenset):
            told.append(f"{name} {_set_change(old, new)}")
        elif old != new:
            told.append(f"{name} {old}>{new}")
    return ", ".join(told)


def _set_change(old: frozenset[object], new: frozenset[object]) -> str:
    def word(one: object) -> str:
        return one.value if isinstance(one, Right) else str(one)

    signs: Mapping[str, frozenset[object]] = {"+": new - old, "-": old - new}
    return " ".join(sign + one for sign, ones in signs.items() for one in sorted(map(word, ones)))


def _checked(db: sqlite3.Connection, profile: Profile, user_id: str) -> Profile:
    """The profile as it will be stored; UserError says what is wrong. Inside `sync.db.write`."""
    name = _visible("a user's name", profile.name)
    number = _visible("an employee number", profile.employee_number or name)
    if profile.level not in LEVELS:
        raise UnknownLevel(f"a level is one of {', '.join(LEVELS)}, got {profile.level!r}")
    if profile.rights & GIVEN_BY_NOBODY or (Right.USERS in profile.rights and profile.level != "super"):
        raise NotGivable("only a super user can administer users")
    if (
        profile.group_id
        and not db.execute("SELECT 1 FROM groups WHERE id = ?", (profile.group_id,)).fetchone()
    ):
        raise NoSuchGroup(f"there is no group {profile.group_id!r}")
    for column, value in (("name", name), ("employee_number", number)):
        taken = f"SELECT 1 FROM users WHERE {column} = ? COLLATE NOCASE AND id != ?"
        if db.execute(taken, (value, user_id)).fetchone():
            raise UserExists(f"there is a user {value!r} already")
    return Profile(
        name, profile.level, number, profile.group_id, profile.lines, profile.rights,
        profile.shares_customers, profile.shares_communications,
    )  # fmt: skip


def _visible(what: str, text: str) -> str:
    text = text.strip()
    if not text or len(text) > LONGEST_NAME or not text.isprintable():
        raise NotAName(f"{what} needs 1 to {LONGEST_NAME} visible characters, got {text!r}")
    return text


def _write_profile(db: sqlite3.Connection, user_id: str, profile: Profile) -> None:
    changed = db.execute(
        """UPDATE users SET name = ?, level = ?, employee_number = ?, group_id = ?, shares_customers = ?,
                            shares_communications = ? WHERE id = ?""",
        (
            profile.name,
            profile.level,
            profile.employee_number,
            profile.group_id,
            profile.shares_customers,
            profile.shares_communications,
            user_id,
        ),
    )
    if changed.rowcount == 0:
        raise NoSuchUser(f"there is no user {user_id!r}")
    db.execute("DELETE FROM user_lines WHERE user_id = ?", (user_id,))
    db.execute("DELETE FROM user_rights WHERE user_id = ?", (user_id,))
    db.executemany("INSERT INTO user_lines VALUES (?, ?)", [(user_id, line) for line in profile.lines])
    db.executemany("INSERT INTO user_rights VALUES (?, ?)", [(user_id, one.value) for one in profile.rights])


def _keep_a_super(db: sqlite3.Connection) -> None:
    """LastSuper when nobody could administer users after what was just written; the write is undone by it."""
    left = db.execute(
        """SELECT 1 FROM users u JOIN user_rights r ON r.user_id = u.id AND r.right = ?
           WHERE u.level = 'super' AND NOT u.disabled LIMIT 1""",
        (Right.USERS.value,),
    ).fetchone()
    if left is None:
        raise LastSuper("nobody could administer users any more")
