"""A search by words on PostgreSQL finds the same page however far it looks before it asks the index."""

from __future__ import annotations

import random

import pytest
from sqlalchemy import Connection, Engine, select

from cloud.store import customers as store
from cloud.store.customer_rows import Whose
from cloud.store.customer_search import MOST_MARKS, page_by_words
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
            for look in (1, 20, 1000):
                for limit in (1, 10, 400):
                    assert page(db, words, sort, branches, limit, look) == expected[:limit], (look, limit)


def page(db: Connection, words: str, sort: str, branches: list[str], limit: int, look: int) -> list[int]:
    key = (*SORTS[sort], customers.c.no)
    walk = select(*key).where(customers.c.deleted_utc.is_(None))
    fits = [customers.c.box_id.in_(branches)] if branches else []
    return page_by_words(db, walk, fits, key, sort in ASCENDING, limit, words, branches, look)


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


def test_the_list_looks_as_far_as_it_says(kept: Engine) -> None:
    with read(kept) as db:
        asked = store.CustomerFilter(words="小明")
        first = store.list_customers(db, asked, None, "newest", None, 20)
        place = store.Place("", first[-1]["no"])
        second = store.list_customers(db, asked, None, "newest", place, 20)
        expected = by_hand(db, "小明", "newest", [])
    assert [row["no"] for row in (*first, *second)] == expected[:40]
