"""What a restart remembers of a line: through the rows the recorder writes, onto its new time line."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge.alarms import LineMemory
from edge.line_memory import memory_of
from edge.store.health import begin_trouble, end_trouble, open_troubles
from edge.store.lines import name_line, show_line
from edge.store.schema import open_store
from edge.timeline import Timeline
from sync.db import write

BEFORE, RANG, LIFTED, START = (f"2026-03-02T{hour:02}:00:00.000Z" for hour in (6, 7, 8, 9))
TIMELINE = Timeline(1000, datetime(2026, 3, 2, 9, tzinfo=UTC))
HOUR = 3600 * 1000


@pytest.fixture
def db(tmp_path: Path) -> sqlite3.Connection:
    db = open_store(tmp_path / "branch.db")
    with write(db):
        name_line(db, 1, "", BEFORE)
    return db


def lived(db: sqlite3.Connection, *states: tuple[str, str]) -> LineMemory:
    """The line went through `states` (state, since), the recorder stopped, and starts at START."""
    with write(db):
        for state, since_utc in states:
            show_line(db, 1, state, since_utc, None)
        name_line(db, 1, "", START)
    return memory_of(db, 1, TIMELINE)


def test_a_new_line_remembers_nothing(db: sqlite3.Connection) -> None:
    assert memory_of(db, 2, TIMELINE) == LineMemory()


def test_a_line_that_never_rang_is_counted_from_when_it_was_known(db: sqlite3.Connection) -> None:
    assert lived(db, ("idle", RANG)) == LineMemory(ring_since=-3 * HOUR)
    assert lived(db) == LineMemory(ring_since=-3 * HOUR), "a second restart changes nothing"


def test_the_last_ring(db: sqlite3.Connection) -> None:
    assert lived(db, ("ringing", RANG), ("talking", RANG), ("idle", LIFTED)) == LineMemory(-2 * HOUR)


@pytest.mark.parametrize(
    ("states", "since"),
    [
        ([("dialling", LIFTED)], -HOUR),
        ([("dialling", LIFTED), ("calling", START)], -HOUR),
        ([("talking", RANG), ("left_off", LIFTED)], -2 * HOUR),
        ([("held", LIFTED)], -HOUR),
        ([("talking", RANG), ("idle", LIFTED)], None),
        ([("talking", RANG), ("line_lost", LIFTED)], None),
    ],
)
def test_a_phone_off_hook_when_the_recorder_stopped(
    db: sqlite3.Connection, states: list[tuple[str, str]], since: int | None
) -> None:
    assert lived(db, *states).in_use_since == since


def test_alarms_that_held(db: sqlite3.Connection) -> None:
    with write(db):
        for part in ("silent:1", "off_hook:11", "no_ring:1", "audio:hat0"):
            begin_trouble(db, part, "", RANG)
        end_trouble(db, "no_ring:1", LIFTED)
    assert lived(db).alarms == {"silent"}
    assert set(open_troubles(db, ("silent", "audio"))) == {"silent:1", "audio:hat0"}
