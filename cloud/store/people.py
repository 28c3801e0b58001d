"""Users and their sessions.

A session's token is known to its browser alone; the database keeps its SHA-256.
"""

from __future__ import annotations

import hashlib
import secrets

from sqlalchemy import Connection, RowMapping, select

from cloud.access.guard import Person
from cloud.store.schema import sessions, users
from sync.ids import new_id


def find_user(connection: Connection, name: str) -> RowMapping | None:
    """The user of that name who may log in."""
    statement = select(users).where(users.c.name == name, users.c.disabled_utc.is_(None))
    return connection.execute(statement).mappings().one_or_none()


def person_of(connection: Connection, user_id: str) -> Person | None:
    """That user as somebody who acts without a session of their own; None once they may not log in."""
    statement = select(users).where(users.c.id == user_id, users.c.disabled_utc.is_(None))
    row = connection.execute(statement).mappings().one_or_none()
    if row is None:
        return None
    return Person(
        user_id=row["id"],
        name=row["name"],
        role=row["role"],
        unit_id=row["unit_id"],
        session="",
        csrf_token="",
        numbers=frozenset(row["numbers"].split()),
    )


def user_exists(connection: Connection, name: str) -> bool:
    """Whether there is a user of that name, disabled or not."""
    return connection.execute(select(users.c.id).where(users.c.name == name)).first() is not None


def add_user(connection: Connection, name: str, role: str, password_hash: str, now_utc: str) -> None:
    """Add a user; the name must be new."""
    connection.execute(
        users.insert().values(
            id=new_id(), name=name, role=role, password_hash=password_hash, created_utc=now_utc
        )
    )


def set_password_hash(connection: Connection, user_id: str, password_hash: str) -> None:
    """Replace the stored hash, e.g. by one of today's cost."""
    connection.execute(users.update().where(users.c.id == user_id).values(password_hash=password_hash))


def token_hash(token: str) -> str:
    """What the database keeps of a session's token."""
    return hashlib.sha256(token.encode()).hexdigest()


def open_session(connection: Connection, user_id: str, now_utc: str) -> str:
    """A new session of that user: its token (256 random bits)."""
    token = secrets.token_urlsafe(32)
    connection.execute(
        sessions.insert().values(
            token_sha256=token_hash(token),
            user_id=user_id,
            csrf_token=secrets.token_urlsafe(24),
            created_utc=now_utc,
            last_used_utc=now_utc,
        )
    )
    return token


def find_session(connection: Connection, token: str) -> RowMapping | None:
    """The session of that token with who its user is, unless the user was disabled."""
    statement = (
        select(sessions, users.c.name, users.c.role, users.c.unit_id, users.c.numbers)
        .join(users, users.c.id == sessions.c.user_id)
        .where(sessions.c.token_sha256 == token_hash(token), users.c.disabled_utc.is_(None))
    )
    return connection.execute(statement).mappings().one_or_none()


def touch_session(connection: Connection, token: str, now_utc: str) -> None:
    """Note that the session was used."""
    statement = sessions.update().where(sessions.c.token_sha256 == token_hash(token))
    connection.execute(statement.values(last_used_utc=now_utc))


def set_purpose(connection: Connection, token: str, purpose: str, channel: str | None = None) -> None:
    """What for the session reads from now on, and by which channel if that is given too."""
    statement = sessions.update().where(sessions.c.token_sha256 == token_hash(token))
    values = {"purpose": purpose} | ({} if channel is None else {"channel": channel})
    connection.execute(statement.values(values))


def close_session(connection: Connection, token: str) -> None:
    """End the session."""
    connection.execute(sessions.delete().where(sessions.c.token_sha256 == token_hash(token)))


def forget_sessions(connection: Connection, created_before_utc: str) -> None:
    """Delete the sessions that are too old to be used."""
    connection.execute(sessions.delete().where(sessions.c.created_utc < created_before_utc))
