"""The index of calls: kept up by triggers alone, in the order of time, finding what LIKE would find."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator

import pytest

from edge.store.call_list import CallFilter, CallKey, calls_page, count_calls, newest_calls
from edge.store.call_search import catch_up, first_no, text_expression
from edge.store.schema import open_store


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    made = open_store(":memory:")
    yield made
    made.close()


def call(db: sqlite3.Connection, call_id: str, second: int, **values: object) -> None:
    row: dict[str, object] = {
        "id": call_id, "line": 1, "line_name": "Front", "state": "ended", "direction": "in",
        "outcome": "answered", "started_utc": f"2026-11-22T04:{second // 60:02}:{second % 60:02}.000Z",
    }  # fmt: skip
    row |= values
    db.execute(
        f"INSERT INTO calls ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", tuple(row.values())
    )


def ids(db: sqlite3.Connection, **asked: object) -> list[str]:
    return [one.id for one in newest_calls(db, CallFilter(**asked), 500)]  # type: ignore[arg-type]


def test_whatever_changes_a_call_is_found_by_the_next_search(db: sqlite3.Connection) -> None:
    call(db, "a", 1, outcome="open")
    assert ids(db, outcome="open") == ["a"] and ids(db, text="138") == []
    db.execute("UPDATE calls SET caller_number = '13800138000', caller_name = '王小明'")
    assert ids(db, text="138") == ids(db, text="小明") == ids(db, text="*8000") == ["a"]
    db.execute("UPDATE calls SET outcome = 'missed', line = 7")
    assert ids(db, outcome="open") == [] and ids(db, outcome="missed", line=7) == ["a"]
    db.execute("INSERT INTO call_tags VALUES ('VIP', 'a')")
    db.execute("INSERT INTO call_stars VALUES ('a')")
    assert ids(db, tag="vip", starred=True) == ["a"]
    db.execute("DELETE FROM call_tags")
    db.execute("DELETE FROM call_stars")
    assert ids(db, tag="vip") == ids(db, starred=True) == []


def test_what_is_written_late_still_stands_where_it_began(db: sqlite3.Connection) -> None:
    for name, second in (("c", 30), ("a", 10)):
        call(db, name, second)
    assert ids(db, direction="in") == ["c", "a"]
    call(db, "b", 20)
    call(db, "b2", 20)  # in the same millisecond
    found = ids(db, direction="in")
    assert found[0] == "c" and found[3] == "a" and set(found[1:3]) == {"b", "b2"}


def test_days_are_a_range_of_the_index(db: sqlite3.Connection) -> None:
    for second in range(10):
        call(db, f"call-{second}", second)
    bounds = {"from_utc": "2026-11-22T04:00:03.000Z", "until_utc": "2026-11-22T04:00:06.000Z"}
    assert ids(db, direction="in", **bounds) == ids(db, **bounds) == ["call-5", "call-4", "call-3"]
    assert count_calls(db, CallFilter(direction="in", **bounds), 99) == 3
    assert first_no("2026-11-22T04:00:03.001Z") - first_no("2026-11-22T04:00:03.000Z") == 4096


def test_pages_meet_each_call_once_there_and_back(db: sqlite3.Connection) -> None:
    for second in range(25):
        call(db, f"call-{second:02}", second // 3)  # three to a millisecond
    wanted, seen = CallFilter(direction="in"), list[str]()
    page = calls_page(db, wanted, 10)
    while True:
        seen += [one.id for one in page.calls]
        if page.older_than is None:
            break
        page = calls_page(db, wanted, 10, older_than=page.older_than)
    assert len(seen) == len(set(seen)) == 25
    back = [one.id for one in page.calls]
    while page.newer_than is not None:
        page = calls_page(db, wanted, 10, newer_than=page.newer_than)
        back = [one.id for one in page.calls] + back
    assert back == seen


def test_a_key_of_a_call_that_is_not_there_is_still_a_place(db: sqlite3.Connection) -> None:
    call(db, "a", 10)
    call(db, "b", 20)
    key = CallKey("2026-11-22T04:00:15.000Z", "gone")
    assert [one.id for one in calls_page(db, CallFilter(line=1), 9, older_than=key).calls] == ["a"]


TEXTS = ["138", "*138", "138*", "1*0", "*00", "王", "小明", "王*", "*明", "95", "+", "%", "_", "\\", "%*",
         "0871-65", "wang", "Wa", "138 0013", "*", "  ", "138*80*0"]  # fmt: skip


def test_it_finds_what_comparing_every_call_finds(db: sqlite3.Connection) -> None:
    """Digits and Chinese anywhere; words of letters from their beginning."""
    chance = random.Random(1)
    numbers = ["13800138000", "0871-65123456", "+8613800138000", "95555", "100%", "a_b", "\\x", None]
    names = ["王小明", "Wang Wei", "明小王", None]
    for at in range(120):
        call(db, f"call-{at:03}", at, caller_number=chance.choice(numbers), caller_name=chance.choice(names))
    everything = newest_calls(db, CallFilter(), 500)
    for text in TEXTS:
        plain = text.strip().replace(" ", "").replace("-", "").lower()

        def holds(value: str | None, plain: str = plain, text: str = text) -> bool:
            said = (value or "").lower()
            squeezed = said if "wang" in said else said.replace("-", "").replace(" ", "")
            parts = plain.split("*")
            if len(parts) == 1:
                return plain in squeezed
            if "-" in text:
                return False
            where = len(parts[0])
            if not said.startswith(parts[0]) or not said.endswith(parts[-1]):
                return False
            for part in parts[1:-1]:
                where = said.find(part, where)
                if where < 0:
                    return False
                where += len(part)
            return where + len(parts[-1]) <= len(said)

        wanted = [one.id for one in everything if not plain.strip("*") or holds(one.caller_number)
                  or holds(one.caller_name)]  # fmt: skip
        assert ids(db, text=text.strip()) == wanted, text


@pytest.mark.parametrize("text", ['"', "' OR 1", "NEAR(", "a AND b", "ʘz", "ʘs138", "-", "^"])
def test_nothing_typed_is_a_command_of_the_index(db: sqlite3.Connection, text: str) -> None:
    call(db, "a", 1, caller_number="13800138000")
    db.execute("INSERT INTO call_stars VALUES ('a')")
    assert ids(db, text=text) == []
    text_expression(text)


def test_an_old_box_is_taken_in_when_the_page_starts(db: sqlite3.Connection) -> None:
    for at in range(1200):
        call(db, f"call-{at:04}", at)
    catch_up(db)
    assert db.execute("SELECT count(*) FROM call_terms").fetchone()[0] == 1200
    assert db.execute("SELECT count(*) FROM call_terms_due").fetchone()[0] == 0
