"""Conditions on calls that `cloud.store.call_search` puts together: one of many values, a number, an end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Select, and_, any_, func, literal, literal_column, or_, select

from cloud.calls.facets import LENGTHS, Wish, bits_for
from cloud.calls.numbers import LAST4, NumberWish
from cloud.store.schema import calls


def one_of(column: ColumnElement[Any], values: frozenset[Any], arrays: bool) -> ColumnElement[bool]:
    """An array is one parameter: a thousand of them cost more to say than the page to find."""
    listed = sorted(values)
    return column == any_(literal(listed, ARRAY(column.type))) if arrays else column.in_(listed)


def has_facet(facet: ColumnElement[int], wish: Wish) -> ColumnElement[bool]:
    """A call that may fit: of a wish for lengths more are let pass, up to where their classes end."""
    mask, value, (shortest, longest) = bits_for(wish)
    return and_(facet.bitwise_and(mask) == value, facet.bitwise_and(LENGTHS).between(shortest, longest))


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


def ends_so(numbers: Sequence[NumberWish]) -> ColumnElement[bool]:
    """The calls that end in one of those, by the index of the last eight digits alone."""
    other = calls.alias("other")
    endings = [
        (func.substr(other.c.last8, -LAST4) if one.by_last4 else other.c.last8) == one.last for one in numbers
    ]
    rows: Select[Any] = select(literal_column("other.rowid")).select_from(other).where(or_(*endings))
    return literal_column("calls.rowid").in_(rows)
