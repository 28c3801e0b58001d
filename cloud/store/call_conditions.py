"""Conditions on calls that `cloud.store.call_search` puts together: one of many values, a number, an end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Select,
    and_,
    any_,
    func,
    literal,
    literal_column,
    or_,
    select,
)
from sqlalchemy.sql.selectable import LateralFromClause

from cloud.calls.facets import LENGTHS, LENGTHS_MS, Wish, bits_for
from cloud.calls.numbers import LAST4, NumberWish
from cloud.store.schema import calls

if TYPE_CHECKING:
    from cloud.store.call_search import CallFilter

_ROW: ColumnElement[int] = literal_column("calls.rowid")
_BOX: ColumnElement[str] = literal_column("+calls.box_id")


def one_of(column: ColumnElement[Any], values: frozenset[Any], arrays: bool) -> ColumnElement[bool]:
    """An array is one parameter: a thousand of them cost more to say than the page to find."""
    listed = sorted(values)
    return column == any_(literal(listed, ARRAY(column.type))) if arrays else column.in_(listed)


def has_facet(facet: ColumnElement[int], wish: Wish) -> ColumnElement[bool]:
    """A call that may fit: of a wish for lengths more are let pass, up to where their classes end."""
    mask, value, (shortest, longest) = bits_for(wish)
    return and_(facet.bitwise_and(mask) == value, facet.bitwise_and(LENGTHS).between(shortest, longest))


def conditions_of_flags(wanted: CallFilter, columns: Any, arrays: bool) -> dict[str, ColumnElement[bool]]:
    """The conditions, by name, that the rows of flags answer as well as calls."""
    found: dict[str, ColumnElement[bool]] = {}
    if wanted.box_ids is not None:
        found["box"] = one_of(columns.box_id, wanted.box_ids, arrays)
    if not wanted.wish.is_any:
        found["facet"] = has_facet(columns.facet, wanted.wish)
    if wanted.wish.shortest_ms is not None and wanted.wish.shortest_ms not in LENGTHS_MS:
        found["shortest"] = columns.duration_ms >= wanted.wish.shortest_ms
    if wanted.wish.longest_ms is not None:
        found["longest"] = columns.duration_ms <= wanted.wish.longest_ms
    return found


def id_of(columns: Any) -> ColumnElement[Any]:
    """The id of the call in rows of calls or of their flags."""
    found: ColumnElement[Any] = columns.call_id if "call_id" in columns else columns.id
    return found


def is_number(one: NumberWish, columns: Any) -> ColumnElement[bool]:
    """A call with that number, or one that ends or begins so."""
    conditions = [(columns.last4 if one.by_last4 else columns.last8) == one.last]
    if one.forms:
        conditions.append(columns.party.in_(sorted(one.forms)))
    if one.first:
        conditions.append(columns.party.startswith(one.first))
    if one.more_last != one.last and one.more_last:
        conditions.append(columns.party.endswith(one.more_last))
    return and_(*conditions)


def call_of(id_: ColumnElement[Any]) -> LateralFromClause:
    """The whole call, by its id alone."""
    return select(calls).where(calls.c.id == id_).limit(1).lateral("call")


def rows_of(db: Connection, box_ids: frozenset[str], line: int | None, most: int) -> list[int]:
    """Where the calls of these branches are in SQLite's table, or those on one line; by their index alone."""
    on_line = [] if line is None else [calls.c.line == line]
    rows = select(_ROW).select_from(calls).where(calls.c.box_id.in_(sorted(box_ids)), *on_line)
    return list(db.execute(rows.limit(most)).scalars())


def in_rows(rows: Sequence[int]) -> ColumnElement[bool]:
    """The calls that are there in SQLite's table."""
    return _ROW.in_(rows)


def without_index(box_ids: frozenset[str]) -> ColumnElement[bool]:
    """The calls of these branches, which SQLite does not take for a reason to leave the order of time."""
    return _BOX.in_(sorted(box_ids))


def ends_so(numbers: Sequence[NumberWish]) -> ColumnElement[bool]:
    """The calls that end in one of those, by the index of the last eight digits alone."""
    other = calls.alias("other")
    endings = [
        (func.substr(other.c.last8, -LAST4) if one.by_last4 else other.c.last8) == one.last for one in numbers
    ]
    rows: Select[Any] = select(literal_column("other.rowid")).select_from(other).where(or_(*endings))
    return literal_column("calls.rowid").in_(rows)
