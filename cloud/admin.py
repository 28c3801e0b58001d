"""What an administrator does at the command line: users, the authority, boxes, the broker's files.

AdminError (ValueError)     what was asked cannot be done; the message says why
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine

from cloud import broker, pki
from cloud.access.roles import ROLES
from cloud.config import Settings
from cloud.store import boxes, people
from cloud.store.database import open_engine, write
from sync.accounts import PasswordRefused, check_password, hash_password
from sync.moment import to_text
from sync.topics import HEAD_OFFICE, TopicError, check_box_id

LONGEST_NAME = 64


class AdminError(ValueError):
    """What was asked cannot be done; the message says why."""


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user to add. Without a password file, a password is made up."""

    name: str
    role: str
    password_file: Path | None = None


def add_user(settings: Settings, user: NewUser, now: datetime) -> str | None:
    """Add a user; returns the password if it was made up (it is kept nowhere)."""
    if (
        not 0 < len(user.name) <= LONGEST_NAME
        or user.name != user.name.strip()
        or not user.name.isprintable()
    ):
        raise AdminError(f"a user's name has 1 to {LONGEST_NAME} printable characters, got {user.name!r}")
    if user.role not in ROLES:
        raise AdminError(f"a role is one of {', '.join(ROLES)}, got {user.role!r}")
    password = _read_password(user.password_file) if user.password_file else secrets.token_urlsafe(12)
    try:
        check_password(password, user.name)
    except PasswordRefused as refused:
        raise AdminError(str(refused)) from refused
    password_hash = hash_password(password)
    with write(open_database(settings)) as connection:
        if people.user_exists(connection, user.name):
            raise AdminError(f"there is a user {user.name!r} already")
        people.add_user(connection, user.name, user.role, password_hash, to_text(now))
    return None if user.password_file else password


def init_ca(settings: Settings, hosts: Sequence[str], now: datetime, workers: int = 1) -> Path:
    """Make the authority, the broker's certificate and ingest's, unless they are there; returns their folder.

    `hosts` are names and addresses of the broker besides the one in the settings.
    """
    folder = settings.broker.ca.parent
    wanted = (pki.pair_of(folder, "ca").cert, *_head_office_files(folder))
    given = (settings.broker.ca, settings.broker.cert, settings.broker.key)
    for wants, has in zip(wanted, given, strict=True):
        if wants != has:
            raise AdminError(f"the settings must name {wants}, they name {has}")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    pki.make_ca(folder, pki.Validity.days(now, pki.CA_DAYS))
    names = tuple(dict.fromkeys((settings.broker.host, *hosts)))
    pki.make_server(folder, names, pki.Validity.days(now, pki.SERVER_DAYS))
    for number in range(1, workers + 1):
        pki.make_head_office(folder, pki.Validity.days(now, pki.CLIENT_DAYS), number)
    return folder


def add_box(settings: Settings, box_id: str, name: str, out: Path, now: datetime) -> tuple[Path, ...]:
    """Register a box and put what it needs to connect into `out`; returns the files.

    Doing it again for the same box renames it and hands out the same certificates.
    """
    try:
        check_box_id(box_id)
    except TopicError as error:
        raise AdminError(str(error)) from error
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise AdminError(f"a branch's name has 1 to {LONGEST_NAME} printable characters, got {name!r}")
    folder = _authority(settings)
    events, bulk = pki.make_box(folder, box_id, pki.Validity.days(now, pki.CLIENT_DAYS))
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    files = (settings.broker.ca, events.cert, events.key, bulk.cert, bulk.key)
    copies = tuple(_copy_private(file, out / file.name) for file in files)
    with write(open_database(settings)) as connection:
        boxes.register(connection, box_id, name)
    return copies


def write_broker_config(settings: Settings, out: Path, bind: str, user: str) -> Path:
    """Write mosquitto's configuration and access list into `out`; returns the former."""
    return broker.write_config(
        broker.BrokerSettings(
            folder=out,
            port=settings.broker.port,
            ca_file=settings.broker.ca,
            server=pki.pair_of(_authority(settings), "server"),
            bind=bind,
            user=user,
        )
    )


def open_database(settings: Settings) -> Engine:
    """The database of these settings, made when missing."""
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    return open_engine(settings.database)


def _authority(settings: Settings) -> Path:
    folder = settings.broker.ca.parent
    if not settings.broker.ca.exists():
        raise AdminError(f"there is no {settings.broker.ca}; make it with: python -m cloud admin ca init")
    return folder


def _copy_private(source: Path, target: Path) -> Path:
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(source.read_bytes())
    return target


def _head_office_files(folder: Path) -> tuple[Path, Path]:
    pair = pki.pair_of(folder, HEAD_OFFICE)
    return pair.cert, pair.key


def _read_password(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise AdminError(f"the password file cannot be read: {error}") from error
