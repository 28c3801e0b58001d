"""Users, their sessions, and the log of what they did.

A session's token is known to its browser alone; the database keeps its SHA-256.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, select

from cloud.access.log import Action
from cloud.store.schema import access_log, sessions, users
from sync.ids import new_id


@dataclass(frozen=True, slots=True)
class Deed:
    """One line of the access log."""

    user_name: str
    action: Action
    subject: str = ""
    session: str = ""
    address: str = ""


def find_user(connection: Connection, name: str) -> RowMapping | None:
    """The user of that name who may log in."""
    statement = select(users).where(users.c.name == name, users.c.disabled_utc.is_(None))
    return connection.execute(statement).mappings().one_or_none()


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
    """The session of that token with its user's id, name and role, unless the user was disabled."""
    statement = (
        select(sessions, users.c.name, users.c.role)
        .join(users, users.c.id == sessions.c.user_id)
        .where(sessions.c.token_sha256 == token_hash(token), users.c.disabled_utc.is_(None))
    )
    return connection.execute(statement).mappings().one_or_none()


def touch_session(connection: Connection, token: str, now_utc: str) -> None:
    """Note that the session was used."""
    statement = sessions.update().where(sessions.c.token_sha256 == token_hash(token))
    connection.execute(statement.values(last_used_utc=now_utc))


def close_session(connection: Connection, token: str) -> None:
    """End the session."""
    connection.execute(sessions.delete().where(sessions.c.token_sha256 == token_hash(token)))


def forget_sessions(connection: Connection, created_before_utc: str) -> None:
    """Delete the sessions that are too old to be used."""
    connection.execute(sessions.delete().where(sessions.c.created_utc < created_before_utc))


def log(connection: Connection, deed: Deed, now_utc: str) -> None:
    """Add a line to the access log."""
    connection.execute(
        access_log.insert().values(
            id=new_id(),
            at_utc=now_utc,
            user_name=deed.user_name,
            action=deed.action.value,
            subject=deed.subject,
            session=deed.session,
            address=deed.address,
        )
    )


def last_logged_utc(connection: Connection, deed: Deed) -> str | None:
    """When the same session last did the same to the same subject."""
    statement = (
        select(access_log.c.at_utc)
        .where(
            access_log.c.subject == deed.subject,
            access_log.c.action == deed.action.value,
            access_log.c.session == deed.session,
        )
        .order_by(access_log.c.at_utc.desc())
        .limit(1)
    )
    return connection.execute(statement).scalar()


def address_known(connection: Connection, user_name: str, address: str) -> bool:
    """Whether that user has logged in from that address before (a log-in's subject is the user's name)."""
    statement = select(access_log.c.id).where(
        access_log.c.subject == user_name,
        access_log.c.action == Action.LOG_IN.value,
        access_log.c.address == address,
    )
    return connection.execute(statement.limit(1)).first() is not None
