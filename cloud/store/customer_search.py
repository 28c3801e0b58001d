"""Finds a page of customers by words on PostgreSQL, as quick for words that everybody has as for rare ones.

    customers_search_pairs   (pair, no)   (pair, box_id, no)     kept by triggers; no grows with time

Two characters, newest first, are a walk along one of these indexes that ends with the page. Whatever else is
asked, and in whichever order: if FEW customers have one of its pairs, those are looked at, and that is all.

What remains has frequent pairs only. The full-text index knows no order: of a word that a fifth of all
customers have it gives all, and they are read and sorted for fifty. So the first LOOK customers in order are
looked at, which finds a page of most frequent words; what is rare together is asked of that index, together
with the branches it may be of, if those are few.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Select,
    Text,
    any_,
    column,
    func,
    literal,
    literal_column,
    select,
    table,
    text,
    true,
    tuple_,
)

from cloud.store.customer_rows import box_mark
from cloud.store.customer_tables import customers
from sync.search import needles, pairs, ts_match

PAIRS = table("customers_search_pairs", column("pair"), column("no"), column("box_id"))
FEW = 2_000  # customers that are looked at whatever else is asked of them
MOST_BRANCHES = 400  # each costs a look into the index
LOOK = 12_000  # frequent: a page of fifty is among so many
MOST_MARKS = 64  # branches named in a search; with more, each row found is looked at instead


def only_pair(words: str) -> str | None:
    """The two characters that were asked for, if that is all."""
    found = pairs(words)
    return found[0] if found and needles(words) == [f" {found[0]} "] else None


def newest_with_pair(
    db: Connection, pair: str, box_ids: frozenset[str] | None, before: int | None, limit: int
) -> list[int]:
    """The `no` of up to `limit` customers with that pair, newest first; of these branches, of any if None."""
    kept = PAIRS.c
    walk = select(kept.no).where(kept.pair == pair).order_by(kept.no.desc()).limit(limit)
    if before is not None:
        walk = walk.where(kept.no < before)
    if box_ids is None:
        return list(db.execute(walk).scalars())
    asked = literal(sorted(box_ids), ARRAY(Text))
    if len(box_ids) > MOST_BRANCHES:
        return list(db.execute(walk.where(kept.box_id == any_(asked))).scalars())
    boxes = func.unnest(asked).table_valued("id", name="wanted").render_derived()
    page = walk.where(kept.box_id == boxes.c.id).correlate(boxes).lateral("page")
    every = select(page.c.no).select_from(boxes.join(page, true()))
    return list(db.execute(every.order_by(page.c.no.desc()).limit(limit)).scalars())


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
    few: int = FEW,
) -> list[int]:
    """The `no` of up to `limit` customers with those words, in the order of `key`, whose last column `no` is.

    `walk` selects the key of all from the page's beginning on, `fits` is what else is asked; `branches` are
    those it is bounded to.
    """
    wanted = needles(words)
    if not wanted:
        return []
    looked_at = walk.where(*fits, *(func.strpos(_padded(), one) > 0 for one in wanted))
    some = _few(db, pairs(words), branches, few)
    if some is not None:
        return _first(db, looked_at.where(customers.c.no.in_(some)), key, ascending, limit)
    if len(branches) != 1:  # of one branch there are never many
        near = looked_at
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


def _few(
    db: Connection, asked: Sequence[str], branches: Sequence[str], few: int
) -> Select[tuple[int]] | None:
    """All with the first of these pairs that no more than `few` have; None: each has more."""
    for pair in asked:
        having: Select[Any] = select(PAIRS.c.no).where(PAIRS.c.pair == pair)
        if 0 < len(branches) <= MOST_BRANCHES:
            having = having.where(PAIRS.c.box_id == any_(literal(branches, ARRAY(Text))))
        counted = select(func.count()).select_from(having.limit(few + 1).subquery())
        if db.execute(counted).scalar_one() <= few:
            return having
    return None


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
