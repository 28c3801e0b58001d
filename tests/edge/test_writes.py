"""The queue of what is written down, and the locks that keep a second recorder away."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.holding import HeldElsewhere, hold, hold_all, release
from edge.writes import Writes, is_disk_trouble

NOW, LATER = "2026-03-02T09:00:30.000Z", "2026-03-02T09:00:40.000Z"


class Table:
    """A table of numbers in a real database that can be told to take nothing."""

    def __init__(self) -> None:
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        self.db.execute("CREATE TABLE numbers (number INTEGER PRIMARY KEY)")
        self.asked_for_room = 0

    def put(self, number: int) -> Callable[[], None]:
        return lambda: self.db.execute("INSERT INTO numbers VALUES (?)", (number,)) and None

    def refuse(self, refuse: bool) -> None:
        self.db.execute(f"PRAGMA query_only = {int(refuse)}")

    def numbers(self) -> list[int]:
        return [row[0] for row in self.db.execute("SELECT number FROM numbers ORDER BY rowid")]

    def make_room(self) -> None:
        self.asked_for_room += 1


@pytest.fixture
def table() -> Table:
    return Table()


def test_what_cannot_be_written_waits_in_its_order(table: Table, capfd: pytest.CaptureFixture[str]) -> None:
    writes = Writes(table.make_room)
    writes.do(table.put(1), NOW)
    table.refuse(True)
    for number in (3, 2, 4):
        writes.do(table.put(number), NOW)
    assert table.numbers() == [1] and not writes.catch_up(LATER)
    assert writes.trouble == "attempt to write a readonly database" and writes.since_utc == NOW
    table.refuse(False)
    done: list[int] = []
    writes.do(lambda: done.append(len(table.numbers())), LATER)
    assert done == [4] and table.numbers() == [1, 2, 3, 4]
    assert capfd.readouterr().err.count("nothing can be written down") == 1, "said once, not a flood"


def test_what_is_tried_only_now_does_not_wait(table: Table) -> None:
    writes = Writes(table.make_room)
    table.refuse(True)
    assert not writes.attempt(table.put(1), NOW)
    table.refuse(False)
    assert writes.catch_up(NOW) and table.numbers() == []
    assert writes.attempt(table.put(2), NOW) and table.numbers() == [2]


def test_a_fault_of_ours_is_raised_not_waited_for(table: Table) -> None:
    writes = Writes(table.make_room)
    writes.do(table.put(1), NOW)
    with pytest.raises(sqlite3.IntegrityError):
        writes.do(table.put(1), NOW)
    assert writes.trouble is None


def full_error() -> sqlite3.Error:
    with pytest.raises(sqlite3.OperationalError) as caught:
        db = sqlite3.connect(":memory:", isolation_level=None)
        db.execute("PRAGMA max_page_count = 2")
        db.executescript("CREATE TABLE t (x); CREATE TABLE u (x); CREATE TABLE v (x);")
    return caught.value


def test_on_a_full_disk_room_is_made_and_the_work_done_again(table: Table) -> None:
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.execute("CREATE TABLE t (x)")
    db.execute("PRAGMA max_page_count = 3")

    def make_room() -> None:
        table.make_room()
        db.execute("PRAGMA max_page_count = 100")

    writes = Writes(make_room)
    writes.do(lambda: db.execute("INSERT INTO t VALUES (zeroblob(9000))") and None, NOW)
    assert db.execute("SELECT count(*) FROM t").fetchone() == (1,)
    assert table.asked_for_room == 1 and writes.trouble is None


def test_whose_fault_it_is() -> None:
    assert is_disk_trouble(full_error()) and is_disk_trouble(OSError(5, "Input/output error"))
    assert not is_disk_trouble(sqlite3.IntegrityError("twice")) and not is_disk_trouble(ValueError("no"))


# -- locks


def test_a_lock_names_its_holder_and_lives_as_long(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    held = hold(path, "the card", NOW)
    with pytest.raises(HeldElsewhere, match=rf"^the card is in use by the recorder .* since {NOW}; nothing"):
        hold(path, "the card", LATER)
    release([held])
    release([hold(path, "the card", LATER)])
    assert LATER in path.read_text() and NOW not in path.read_text()


def test_all_or_none(tmp_path: Path) -> None:
    wanted = [(tmp_path / name, name) for name in ("one", "two", "three")]
    other = hold(tmp_path / "two", "two", NOW)
    with pytest.raises(HeldElsewhere, match=r"^two "):
        hold_all(wanted, LATER)
    release([other])
    release(hold_all(wanted, LATER))
