"""Users, sessions and the operation log as rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge.store import operations, sessions, users
from edge.store.schema import open_store
from edge.store.users import NotAName, User, UserError, UserExists
from sync.accounts import PasswordRefused, verify_password

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
IDLE, ABSOLUTE = timedelta(hours=8), timedelta(hours=16)
PASSWORD = "orchard-bridge-7"


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    opened = open_store(tmp_path / "branch.db")
    yield opened
    opened.close()


@pytest.fixture
def lin(db: sqlite3.Connection) -> User:
    return users.add_user(db, "Lin", PASSWORD, "leader", NOW)


def test_a_user_is_found_by_name_whatever_its_case(db: sqlite3.Connection, lin: User) -> None:
    assert users.find_user(db, " lIN ") == lin
    assert users.find_user(db, "Lin2") is None
    assert verify_password(lin.password_hash, PASSWORD)


def test_there_is_nobody_at_first(db: sqlite3.Connection) -> None:
    assert not users.any_user(db)
    users.add_user(db, "Lin", PASSWORD, "super")
    assert users.any_user(db)
    db.execute("UPDATE users SET disabled = 1")
    assert not users.any_user(db)


REFUSED = [
    ("lin", PASSWORD, "leader", UserExists, "there is a user 'lin' already"),
    ("", PASSWORD, "leader", NotAName, "needs 1 to 64 visible characters"),
    ("   ", PASSWORD, "leader", NotAName, "needs 1 to 64"),
    ("x" * 65, PASSWORD, "leader", NotAName, "needs 1 to 64"),
    ("a\nb", PASSWORD, "leader", NotAName, r"got 'a\\nb'"),
    ("a\u202eb", PASSWORD, "leader", NotAName, "visible"),
    ("Wu", PASSWORD, "admin", UserError, "one of super, leader, ordinary, got 'admin'"),
    ("Wu", "short", "leader", PasswordRefused, "at least 8 characters, got 5"),
    ("Wu", "password1", "leader", PasswordRefused, "first that are guessed"),
]


@pytest.mark.parametrize(("name", "password", "role", "error", "words"), REFUSED)
def test_users_that_cannot_be_made(
    db: sqlite3.Connection, lin: User, name: str, password: str, role: str, error: type, words: str
) -> None:
    with pytest.raises(error, match=words):
        users.add_user(db, name, password, role, NOW)
    assert db.execute("SELECT count(*) FROM users").fetchone()[0] == 1


def start(db: sqlite3.Connection, lin: User, token: str = "t1") -> None:
    sessions.start_session(db, lin, token, "192.0.2.1", NOW, lin.password_hash)


AGES = [(0.0, 0.0, True), (7.9, 7.9, True), (8.0, 8.0, False), (15.9, 0.5, True), (16.0, 0.5, False)]


@pytest.mark.parametrize(("age_h", "unused_h", "lives"), AGES)
def test_how_long_a_session_lives(
    db: sqlite3.Connection, lin: User, age_h: float, unused_h: float, lives: bool
) -> None:
    start(db, lin)
    now = NOW + timedelta(hours=age_h)
    sessions.touch_session(db, "t1", now - timedelta(hours=unused_h), timedelta(minutes=1))
    found = sessions.session_user(db, "t1", now, IDLE, ABSOLUTE)
    assert (found == lin) if lives else (found is None)
    sessions.drop_old_sessions(db, now, IDLE, ABSOLUTE)
    assert db.execute("SELECT count(*) FROM sessions").fetchone()[0] == int(lives)


def test_touching_writes_no_more_than_once_a_while(db: sqlite3.Connection, lin: User) -> None:
    start(db, lin)
    before = db.total_changes
    for second in range(0, 60, 5):
        sessions.touch_session(db, "t1", NOW + timedelta(seconds=second), timedelta(minutes=1))
    assert db.total_changes == before
    sessions.touch_session(db, "t1", NOW + timedelta(seconds=61), timedelta(minutes=1))
    assert db.total_changes == before + 1


def test_a_session_ends_for_good_and_alone(db: sqlite3.Connection, lin: User) -> None:
    start(db, lin, "t1")
    start(db, lin, "t2")
    sessions.end_session(db, "t1", lin.name, "192.0.2.1", NOW)
    assert sessions.session_user(db, "t1", NOW, IDLE, ABSOLUTE) is None
    assert sessions.session_user(db, "t2", NOW, IDLE, ABSOLUTE) == lin


def test_a_new_hash_is_kept_at_log_in(db: sqlite3.Connection, lin: User) -> None:
    sessions.start_session(db, lin, "t1", "192.0.2.1", NOW, "made anew")
    found = users.find_user(db, "Lin")
    assert found is not None and found.password_hash == "made anew"


KNOWN = [
    ("Lin", "192.0.2.1", 0, True),
    ("lin", "192.0.2.1", 29, True),
    ("Lin", "192.0.2.2", 0, False),
    ("Wu", "192.0.2.1", 0, False),
    ("Lin", "192.0.2.1", 31, False),
]


@pytest.mark.parametrize(("name", "address", "days", "known"), KNOWN)
def test_which_addresses_are_known(
    db: sqlite3.Connection, lin: User, name: str, address: str, days: int, known: bool
) -> None:
    start(db, lin)
    since = NOW + timedelta(days=days) - timedelta(days=30)
    assert sessions.address_known(db, name, address, since) is known


def test_a_refused_log_in_makes_no_address_known(db: sqlite3.Connection, lin: User) -> None:
    operations.log_operation(db, operations.Operation("log_in", "refused", "192.0.2.1", "Lin"), NOW)
    assert not sessions.address_known(db, "Lin", "192.0.2.1", NOW - timedelta(days=30))


def test_plays_are_logged_once_per_user_and_recording_in_a_while(db: sqlite3.Connection) -> None:
    def play(name: str, subject: str, minute: int) -> None:
        at = NOW + timedelta(minutes=minute)
        operations.log_play(
            db, operations.Operation("play", "done", "192.0.2.1", name, subject), at, timedelta(minutes=10)
        )

    for name, subject, minute in (
        ("a", "r1", 0),
        ("a", "r1", 9),
        ("b", "r1", 9),
        ("a", "r2", 9),
        ("a", "r1", 11),
    ):
        play(name, subject, minute)
    rows = [tuple(row) for row in db.execute("SELECT user_name, subject FROM operation_log ORDER BY id")]
    assert rows == [("a", "r1"), ("b", "r1"), ("a", "r2"), ("a", "r1")]
