"""Search by any two characters: what is found and what is not, and that the index follows its table."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.db import run_script, write
from sync.search import index_script, mark, match, needles, terms

PEOPLE = {
    1: ("王小明", "昆明东风商贸有限公司", "13800138000"),
    2: ("李明", "大理古城客栈", "0872-2123456"),
    3: ("Wang Xiaoming", "Acme Ltd", "+86 138 1234 5678"),
    4: ("张三", "", "65123456"),
    5: ("𠮷田", "ＡＢＣ贸易", "95588"),
}


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    made = sqlite3.connect(":memory:", isolation_level=None)
    with write(made):
        made.execute("CREATE TABLE people (no INTEGER PRIMARY KEY, terms TEXT NOT NULL)")
        run_script(made, index_script("people", "no"))
        for no, texts in PEOPLE.items():
            owner = mark("group", "north" if no < 3 else "south")
            made.execute("INSERT INTO people VALUES (?, ?)", (no, f"{terms(*texts)} {owner}"))
    yield made
    made.close()


def found(db: sqlite3.Connection, asked: str, *marks: str) -> set[int]:
    expression = match(asked, *marks)
    assert expression, asked
    rows = db.execute("SELECT rowid FROM people_search WHERE people_search MATCH ?", (expression,))
    numbers = {no for (no,) in rows}
    wanted = [*needles(asked), *(f" {one} " for one in marks)]
    looked_at = db.execute("SELECT no, terms FROM people").fetchall()
    assert {no for no, kept in looked_at if all(one in f" {kept} " for one in wanted)} == numbers
    return numbers


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("小明", {1}),
        ("王小", {1}),
        ("王明", set()),  # both are there, not beside each other
        ("王小明", {1}),
        ("明", {1, 2}),  # one character, first or last or between
        ("小明 商贸", {1}),
        ("小明 客栈", set()),
        ("有限公司", {1}),
        ("限有", set()),
        ("13800138000", {1}),
        ("138 0013 8000", {1}),
        ("138-0013", {1}),
        ("8000", {1}),
        ("(0872) 21", {2}),
        ("0872-2123456", {2}),
        ("12", {2, 3, 4}),
        ("wang", {3}),
        ("WANG xiao", {3}),
        ("xiaom", {3}),
        ("ming", set()),  # words of letters are found from their beginning
        ("𠮷田", {5}),
        ("ABC", {5}),
        ("ａｂｃ", {5}),
        ("9", {5}),
        ("不在", set()),
    ],
)
def test_what_is_found(db: sqlite3.Connection, asked: str, expected: set[int]) -> None:
    assert found(db, asked) == expected


@pytest.mark.parametrize("asked", ["", "   ", "，。", "*", '"', "()", "%_", "\x00"])
def test_nothing_to_look_for(asked: str) -> None:
    assert match(asked) is None
    assert match(asked, mark("group", "north")) is None


def test_a_mark_narrows_and_no_text_can_pass_for_one(db: sqlite3.Connection) -> None:
    north = mark("group", "north")
    assert found(db, "12", north) == {2}
    assert found(db, "12", mark("group", "south")) == {3, 4}
    assert found(db, "12", mark("number", "north")) == set()
    assert found(db, north) == set()  # asked as a text, it is split
    assert north not in terms(north).split()


def test_the_index_follows_its_table(db: sqlite3.Connection) -> None:
    with write(db):
        db.execute("UPDATE people SET terms = ? WHERE no = 1", (terms("赵六"),))
        db.execute("DELETE FROM people WHERE no = 2")
    assert found(db, "小明") == found(db, "李明") == set()
    assert found(db, "赵六") == {1}
    db.execute("INSERT INTO people_search (people_search) VALUES ('integrity-check')")


@given(st.text(max_size=80))
def test_whatever_is_asked_is_an_expression_the_index_reads(asked: str) -> None:
    db = sqlite3.connect(":memory:")
    db.execute("CREATE VIRTUAL TABLE t USING fts5 (terms, tokenize='unicode61')")
    if expression := match(asked):
        db.execute("SELECT rowid FROM t WHERE t MATCH ?", (expression,)).fetchall()
    db.close()


@given(
    st.text(alphabet="王小明李四张三阳光0123456789", min_size=1, max_size=12),
    st.integers(0, 11),
    st.integers(1, 6),
)
def test_every_part_of_a_run_finds_it(text: str, start: int, length: int) -> None:
    part = text[start : start + length]
    if match(part) is None:
        return
    db = sqlite3.connect(":memory:")
    db.execute("CREATE VIRTUAL TABLE t USING fts5 (terms, tokenize='unicode61')")
    db.execute("INSERT INTO t VALUES (?)", (terms(text),))
    assert db.execute("SELECT count(*) FROM t WHERE t MATCH ?", (match(part),)).fetchone()[0] == 1
    db.close()
