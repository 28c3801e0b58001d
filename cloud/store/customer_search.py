"""Finds a page of customers by words on PostgreSQL, as quick for words that everybody has as for rare ones.

Its full-text index knows no order: of a word that a fifth of all customers have it gives all, and they are
read and sorted for fifty. In the order of the page, on the other hand, a rare word is a long walk. So the
first LOOK customers in order are looked at, which finds a page of any frequent word; only what is not
frequent is asked of the index, together with the branches it may be of, if those are few.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, literal, literal_column, select, text, tuple_

from cloud.store.customer_rows import box_mark
from cloud.store.customer_tables import customers
from sync.search import needles, ts_match

LOOK = 12_000  # frequent: a page of fifty is among so many
MOST_MARKS = 64  # branches named in a search; with more, each row found is looked at instead


def page_by_words(
    db: Connection,
    walk: Select[Any],
    fits: Sequence[ColumnElement[bool]],
    key: Sequence[ColumnElement[Any]],
    ascending: bool,
    limit: int,
    words: str,
    branches: Sequence[str],
    look: int = LOOK,
) -> list[int]:
    """The `no` of up to `limit` customers with those words, in the order of `key`, whose last column `no` is.

    `walk` selects the key of all from the page's beginning on, `fits` is what else is asked; `branches` are
    those it is bounded to.
    """
    wanted = needles(words)
    if not wanted:
        return []
    if len(branches) != 1:  # of one branch there are never many
        near = walk.where(*fits, *(func.strpos(_padded(), one) > 0 for one in wanted))
        end = _end_of_look(db, walk, key, ascending, look)
        if end is not None:
            here, there = tuple_(*key), tuple_(*end)
            near = near.where(here <= there if ascending else here >= there)
        found = _first(db, near, key, ascending, limit)
        if len(found) == limit or end is None:
            return found
    marks = [box_mark(one) for one in branches] if len(branches) <= MOST_MARKS else []
    terms: ColumnElement[Any] = literal_column("to_tsvector('simple', customers.terms)")
    asked = text("CAST(:asked AS tsquery)").bindparams(asked=ts_match(words, *marks))
    # MATERIALIZED: else the order may be walked after all, in the hope of finding fifty soon.
    every = walk.where(*fits, terms.op("@@")(asked)).cte("every").prefix_with("MATERIALIZED")
    return _first(db, select(every), list(every.c), ascending, limit)


def _end_of_look(
    db: Connection, walk: Select[Any], key: Sequence[ColumnElement[Any]], ascending: bool, look: int
) -> Sequence[Any] | None:
    """The key that ends the look; None: it sees all there is."""
    ordered = walk.order_by(*_order(key, ascending)).limit(1)
    if len(key) > 1:
        return db.execute(ordered.offset(look - 1)).first()
    first = db.execute(ordered).first()
    # Numbers are given out in order, so no more than `look` of them follow.
    return None if first is None or first.no <= look else (first.no - look,)


def _first(
    db: Connection, rows: Select[Any], key: Sequence[ColumnElement[Any]], ascending: bool, limit: int
) -> list[int]:
    return [row.no for row in db.execute(rows.order_by(*_order(key, ascending)).limit(limit))]


def _order(key: Sequence[ColumnElement[Any]], ascending: bool) -> list[ColumnElement[Any]]:
    return [one if ascending else one.desc() for one in key]


def _padded() -> ColumnElement[str]:
    return literal(" ").concat(customers.c.terms).concat(literal(" "))
