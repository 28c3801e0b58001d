"""Events of boards in the store: each once, with their mark, bounded, kept over a restart."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.sources.hat_events import EventMark, HatEvent
from edge.store.hat_events import KEPT, keep_events, mark_of
from edge.store.schema import open_store
from sync.db import write

NOW = "2025-03-06T01:02:03.456Z"


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    made = open_store(tmp_path / "branch.db")
    yield made
    made.close()


def event(number: int, line: int = 1) -> HatEvent:
    return HatEvent(number, line, number * 160, 5, 0)


def keep(db: sqlite3.Connection, hat: str, numbers: range, journal: int = 7) -> None:
    with write(db):
        keep_events(db, hat, [(event(n), NOW) for n in numbers], EventMark(journal, numbers[-1]))


def numbers(db: sqlite3.Connection, hat: str) -> list[int]:
    return [n for (n,) in db.execute("SELECT number FROM hat_events WHERE hat = ? ORDER BY number", (hat,))]


def test_nothing_is_known_of_a_board_never_met(db: sqlite3.Connection) -> None:
    assert mark_of(db, "hat0") is None


def test_events_and_mark_are_kept_for_each_board_on_its_own(db: sqlite3.Connection) -> None:
    keep(db, "hat0", range(1, 4))
    keep(db, "hat1", range(1, 2), journal=9)
    assert (numbers(db, "hat0"), numbers(db, "hat1")) == ([1, 2, 3], [1])
    assert (mark_of(db, "hat0"), mark_of(db, "hat1")) == (EventMark(7, 3), EventMark(9, 1))


def test_an_event_that_comes_twice_is_kept_once(db: sqlite3.Connection) -> None:
    keep(db, "hat0", range(1, 4))
    keep(db, "hat0", range(3, 6))
    assert numbers(db, "hat0") == [1, 2, 3, 4, 5]


def test_a_board_that_forgot_begins_anew(db: sqlite3.Connection) -> None:
    keep(db, "hat0", range(1, 4), journal=7)
    keep(db, "hat0", range(1, 3), journal=8)
    assert (numbers(db, "hat0"), mark_of(db, "hat0")) == ([1, 2], EventMark(8, 2))


def test_only_the_newest_stay(db: sqlite3.Connection) -> None:
    keep(db, "hat0", range(1, KEPT + 21))
    assert numbers(db, "hat0") == list(range(21, KEPT + 21))


def test_nothing_is_kept_of_what_is_rolled_back(db: sqlite3.Connection) -> None:
    with pytest.raises(RuntimeError), write(db):
        keep_events(db, "hat0", [(event(1), NOW)], EventMark(7, 1))
        raise RuntimeError("power")
    assert mark_of(db, "hat0") is None and numbers(db, "hat0") == []


def test_an_event_of_before_a_start_has_no_time(db: sqlite3.Connection) -> None:
    with write(db):
        keep_events(db, "hat0", [(event(1), None)], EventMark(7, 1))
    assert db.execute("SELECT at_utc FROM hat_events").fetchone()[0] is None
