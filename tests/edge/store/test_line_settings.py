"""Line settings as rows: the file's under people's, versions that say who, a change whole or refused."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from edge.line_settings import LineSettings, LineSettingsError
from edge.store.line_settings import (
    ChangedMeanwhile,
    NoSuchLine,
    change,
    changes_of,
    note_file,
    settings_of,
    versions,
)
from edge.store.schema import open_store
from sync.db import write

NOW, LATER = "2026-03-02T01:00:00.000Z", "2026-03-02T02:00:00.000Z"
FILE = (LineSettings(line=1, name="柜台", pre_roll_s=3.0), LineSettings(line=2))


@pytest.fixture
def db(tmp_path: Path) -> sqlite3.Connection:
    db = open_store(tmp_path / "branch.db")
    with write(db):
        note_file(db, FILE, 60.0)
    return db


def set_line(db: sqlite3.Connection, line: int, version: int | None = None, **changes: object):
    with write(db):
        return change(db, line, changes, "admin", NOW, version)


def test_nothing_changed_is_what_the_file_says(db: sqlite3.Connection) -> None:
    saved = settings_of(db, 1)
    assert (saved.settings, saved.changed, saved.version) == (FILE[0], frozenset(), 0)
    assert versions(db) == {}


def test_a_change_lies_over_the_file_on_its_line_alone(db: sqlite3.Connection) -> None:
    saved = set_line(db, 1, trigger="voice", hold_s="7")
    assert (saved.settings.trigger, saved.settings.hold_s, saved.settings.pre_roll_s) == ("voice", 7.0, 3.0)
    assert (saved.changed, saved.version) == ({"trigger", "hold_s"}, 1)
    assert settings_of(db, 2).settings == FILE[1]
    assert versions(db) == {1: 1}


def test_what_nobody_changed_follows_a_changed_file(db: sqlite3.Connection) -> None:
    set_line(db, 1, trigger="voice")
    with write(db):
        note_file(db, [LineSettings(line=1, trigger="manual", hold_s=9.0)], 60.0)
    settings = settings_of(db, 1).settings
    assert (settings.trigger, settings.hold_s) == ("voice", 9.0)
    with pytest.raises(NoSuchLine, match="no board has line 2"):
        settings_of(db, 2)


def test_back_to_the_file(db: sqlite3.Connection) -> None:
    set_line(db, 1, trigger="voice", hold_s=7)
    saved = set_line(db, 1, trigger=None)
    assert (saved.settings.trigger, saved.changed, saved.version) == ("voltage", {"hold_s"}, 2)


def test_every_version_says_who_when_and_what(db: sqlite3.Connection) -> None:
    set_line(db, 1, pre_roll_s=10)
    with write(db):
        change(db, 1, {"pre_roll_s": None, "name": "前台"}, "manager", LATER)
    newest, first = changes_of(db, 1)
    assert (first.version, first.changed_by, first.changes) == (1, "admin", {"pre_roll_s": (3.0, 10.0)})
    assert (newest.changed_utc, newest.changed_by) == (LATER, "manager")
    assert newest.changes == {"pre_roll_s": (10.0, None), "name": ("柜台", "前台")}
    assert changes_of(db, 1, most=1) == (newest,)


@pytest.mark.parametrize("same", [{}, {"pre_roll_s": 3}, {"trigger": None}])
def test_what_changes_nothing_is_no_version(db: sqlite3.Connection, same: dict) -> None:
    assert set_line(db, 1, **same).version == 0
    assert changes_of(db, 1) == ()


def test_a_refused_change_leaves_nothing(db: sqlite3.Connection) -> None:
    with pytest.raises(LineSettingsError, match="trigger: must be one of"):
        set_line(db, 1, hold_s=9, trigger="loud")
    assert settings_of(db, 1).settings == FILE[0]


def test_pre_roll_is_held_to_the_ring(db: sqlite3.Connection) -> None:
    with write(db):
        note_file(db, FILE, 20.0)
    with pytest.raises(LineSettingsError, match="at most 20 with the ring this box has, got 21"):
        set_line(db, 1, pre_roll_s=21)


def test_two_people_at_once(db: sqlite3.Connection) -> None:
    set_line(db, 1, version=0, hold_s=9)
    with pytest.raises(ChangedMeanwhile, match="line 1 is at version 1, not 0"):
        set_line(db, 1, version=0, hold_s=8)
    assert settings_of(db, 1).settings.hold_s == 9


def test_an_unknown_line(db: sqlite3.Connection) -> None:
    with pytest.raises(NoSuchLine):
        set_line(db, 3, hold_s=9)


def test_a_setting_this_version_does_not_know_is_passed_over(db: sqlite3.Connection) -> None:
    db.execute("INSERT INTO line_settings VALUES (1, 'from_the_future', '1')")
    assert settings_of(db, 1).settings == FILE[0]
