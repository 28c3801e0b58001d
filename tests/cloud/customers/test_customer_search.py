"""A search by words on PostgreSQL finds the same page however far it looks before it asks the index."""

from __future__ import annotations

import random

import pytest
from sqlalchemy import Connection, Engine, select

from cloud.store import customers as store
from cloud.store.customer_rows import Whose
from cloud.store.customer_search import FEW as FEW_HAVE
from cloud.store.customer_search import (
    MOST_BRANCHES,
    MOST_MARKS,
    PAIRS,
    newest_with_pair,
    only_pair,
    page_by_words,
)
from cloud.store.customer_tables import customers
from cloud.store.customer_writes import New, add_customers
from cloud.store.customers import ASCENDING, SORTS
from cloud.store.database import open_engine, read, write
from sync.ids import new_id
from sync.search import needles
from tests.cloud.customers.people import BY, RING, record
from tests.postgres import PostgresServer

NAMES = ("王小明", "小明王", "明小王", "昆明东风", "Wang 小明")
FEW = [f"box-{number}" for number in range(2)]
MANY = [f"box-{number}" for number in range(MOST_MARKS + 1)]


@pytest.fixture(scope="module")
def kept(postgres: PostgresServer) -> Engine:
    engine, chance = open_engine(postgres.url(postgres.make_database())), random.Random(3)
    with write(engine) as db:
        many = [
            New(Whose(new_id(), f"box-{chance.randrange(80)}"), record(chance.choice(NAMES)))
            for _ in range(300)
        ]
        add_customers(db, RING, many, BY)
        db.execute(
            customers.update().where(customers.c.no % 3 == 0).values(region="大理", changed_utc="2027")
        )
        db.execute(customers.update().where(customers.c.no % 7 == 0).values(deleted_utc="2027", terms=""))
    return engine


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("words", ["小明", "明", "王小明", "东风 昆明", "wang 小", "小 明王", "风东", " - "])
def test_the_same_page_however_far_it_looks(kept: Engine, words: str, sort: str) -> None:
    with read(kept) as db:
        for branches in ([], FEW, MANY):
            expected = by_hand(db, words, sort, branches)
            assert branches or bool(expected) == (words not in ("风东", " - "))
            for look, few in ((1, -1), (20, -1), (1000, -1), (20, 50), (20, FEW_HAVE)):
                for limit in (1, 10, 400):
                    found = page(db, words, sort, branches, limit, look, few)
                    assert found == expected[:limit], (look, limit, few)


def page(
    db: Connection, words: str, sort: str, branches: list[str], limit: int, look: int, few: int
) -> list[int]:
    key = (*SORTS[sort], customers.c.no)
    walk = select(*key).where(customers.c.deleted_utc.is_(None))
    fits = [customers.c.box_id.in_(branches)] if branches else []
    return page_by_words(db, walk, fits, key, sort in ASCENDING, limit, words, branches, look, few)


def by_hand(db: Connection, words: str, sort: str, branches: list[str]) -> list[int]:
    """Every row looked at."""
    wanted = needles(words)
    rows = [
        row
        for row in db.execute(select(customers)).mappings()
        if wanted and all(one in f" {row['terms']} " for one in wanted)
        if row["deleted_utc"] is None and (not branches or row["box_id"] in branches)
    ]
    key = [one.key for one in SORTS[sort]]
    rows.sort(key=lambda row: (*(row[name] for name in key), row["no"]), reverse=sort not in ASCENDING)
    return [row["no"] for row in rows]


@pytest.mark.parametrize("pair", ["小明", "东风", "风东"])
@pytest.mark.parametrize("more", [0, MOST_BRANCHES])
def test_two_characters_are_a_walk_along_their_index(kept: Engine, pair: str, more: int) -> None:
    others = [f"other-{number}" for number in range(more)]
    with read(kept) as db:
        expected = by_hand(db, pair, "newest", [])
        assert newest_with_pair(db, pair, None, None, 10) == expected[:10]
        assert newest_with_pair(db, pair, frozenset(), None, 10) == []
        for branches in (FEW, MANY):
            of = frozenset([*branches, *others])
            expected = by_hand(db, pair, "newest", branches)
            assert newest_with_pair(db, pair, of, None, 400) == expected
            assert newest_with_pair(db, pair, of, 200, 3) == [no for no in expected if no < 200][:3]


@pytest.mark.parametrize(
    ("words", "pair"),
    [("小明", "小明"), (" 王 - 小明 ", None), ("王小明", None), ("小", None), ("ab", None), ("", None),
     ("12", "12"), ("１２", "12"), ("小明 wang", None), ("小明 小明", None)],
)  # fmt: skip
def test_a_walk_answers_two_characters_alone(words: str, pair: str | None) -> None:
    assert only_pair(words) == pair


def test_the_index_follows_every_change(postgres: PostgresServer) -> None:
    engine, box_ids = open_engine(postgres.url(postgres.make_database())), ("box-1", "box-2", None)
    with write(engine) as db:
        added = [New(Whose(new_id(), box_id), record("王小小明")) for box_id in box_ids]
        first, second, third = [new.whose.id for new in added]
        add_customers(db, RING, added, BY)
    assert walked(engine, "小小") == [3, 2, 1]
    assert walked(engine, "小小", "box-2") == [2]
    assert walked(engine, "小小", "") == [3]
    changes = ((first, {"terms": "明小 小王 王"}), (second, {"box_id": "box-1"}), (third, {"terms": ""}))
    for customer_id, values in changes:
        with write(engine) as db:
            db.execute(customers.update().where(customers.c.id == customer_id).values(**values))
    assert (walked(engine, "小小"), walked(engine, "明小"), walked(engine, "小明")) == ([2], [1], [2])
    assert (walked(engine, "小小", "box-2"), walked(engine, "小小", "box-1")) == ([], [2])
    with write(engine) as db:
        db.execute(customers.delete().where(customers.c.id == second))
        left = db.execute(select(PAIRS.c.pair, PAIRS.c.no)).all()
    assert sorted(left) == [("小王", 1), ("明小", 1)]


def walked(engine: Engine, pair: str, *box_ids: str) -> list[int]:
    with read(engine) as db:
        return newest_with_pair(db, pair, frozenset(box_ids) if box_ids else None, None, 9)


@pytest.mark.parametrize("words", ["小明", "王小明"])
def test_no_list_tells_of_other_branches(kept: Engine, words: str) -> None:
    with read(kept) as db:
        (newest, *_) = store.list_customers(db, store.CustomerFilter(words=words), None, "newest", None, 1)
        mine, other = frozenset({newest["box_id"]}), frozenset({"elsewhere"})
        asked = store.CustomerFilter(words=words, box_id=newest["box_id"])
        found = store.list_customers(db, asked, None, "newest", None, 400)
        assert {row["box_id"] for row in found} == mine
        assert store.list_customers(db, asked, mine | other, "newest", None, 400) == found
        for bounds in (other, frozenset[str]()):
            assert store.list_customers(db, asked, bounds, "newest", None, 400) == []
        anywhere = store.CustomerFilter(words=words)
        assert store.list_customers(db, anywhere, mine, "newest", None, 400) == found
        assert store.list_customers(db, anywhere, frozenset(), "newest", None, 400) == []


def test_the_list_looks_as_far_as_it_says(kept: Engine) -> None:
    with read(kept) as db:
        asked = store.CustomerFilter(words="小明")
        first = store.list_customers(db, asked, None, "newest", None, 20)
        place = store.Place("", first[-1]["no"])
        second = store.list_customers(db, asked, None, "newest", place, 20)
        expected = by_hand(db, "小明", "newest", [])
    assert [row["no"] for row in (*first, *second)] == expected[:40]
