"""A filter of calls in the name of a request: units and customers looked up, cursors signed, masks kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import RowMapping
from starlette.exceptions import HTTPException
from starlette.requests import Request

from cloud.access.decision import Ask, Verb
from cloud.access.grades import CLEAR_GRADES, PERSONAL
from cloud.access.roles import Right
from cloud.calls.flags import MARKS
from cloud.calls.numbers import whole_number
from cloud.calls.presets import PRESETS
from cloud.reading import Look, Outcome, note
from cloud.store.call_search import Position
from cloud.store.customers import parts_of as parts_of_customers
from cloud.store.database import read
from cloud.store.signing_keys import secret_of
from cloud.store.units import read_units
from cloud.web.asking import ask_of, desk_of
from cloud.web.cursors import make_cursor
from cloud.web.door import person_of
from cloud.web.parts import parts_of
from cloud.web.query import (
    NUMBER_MASKED,
    SORTS,
    YES_NO,
    CallQuery,
    FilterRefused,
    Terms,
    read_query,
    same_list,
)

# The fields that are out of sight until they are used.
FOLDED = ("from", "to", "unit", "line", "shortest", "longest", "recorded", "gap", "mark", "tag", "sort")
CURSORS = "cursors"  # the name of the key they are signed with


def query_of(request: Request, given: Mapping[str, str]) -> CallQuery:
    """What `given` asks for, a unit's branches and a customer's numbers filled in; FilterRefused."""
    parts = parts_of(request)
    secret = secret_of(parts.engine, CURSORS)
    query = read_query(given, Terms(parts.clock.now(), parts.settings.zone, secret))
    if query.unit:
        query = _of_unit(request, query)
    return _of_customer(request, query) if query.customer else query


def ask_for(request: Request, query: CallQuery | None, verb: Verb) -> Ask:
    """The question that `query` puts to the decision; None: one that was not understood, of nothing."""
    ask = ask_of(request, verb, "calls")
    if query is None:
        return ask
    wanted = query.wanted
    return replace(
        ask,
        from_utc=wanted.from_utc,
        until_utc=wanted.until_utc,
        box_ids=wanted.box_ids,
        subjects=query.subjects,
        named=query.named,
    )


def cursor_after(request: Request, query: CallQuery, row: RowMapping) -> str:
    """The cursor of the page that begins after that call."""
    secret = secret_of(parts_of(request).engine, CURSORS)
    return make_cursor(secret, same_list(query.typed), Position(row["started_utc"], row["id"]))


def check_number(request: Request, query: CallQuery, ask: Ask, look: Look) -> None:
    """Refuse a number that asks about digits which are masked for the reader: guessing would unmask them."""
    if query.reveals and PERSONAL not in CLEAR_GRADES.get(ask.person.role, ()):
        note(desk_of(request), ask, look, Outcome(refused="masked"))
        raise HTTPException(403, NUMBER_MASKED)


def choices(request: Request, typed: Mapping[str, str]) -> dict[str, Any]:
    """What the form of the filter offers, besides the branches."""
    with read(parts_of(request).engine) as connection:
        units = read_units(connection)
    person = person_of(request)
    seen = [unit for unit in units.by_id.values() if unit.name and units.is_within(unit.id, person.unit_id)]
    names = {unit.id: unit.name for unit in sorted(seen, key=lambda one: one.name)}
    return {
        "units": names,
        "presets": {key: name for key, (name, _) in PRESETS.items()},
        "sorts": SORTS,
        "yes_no": YES_NO,
        "marks": MARKS,
        "unfolded": any(typed.get(field) for field in FOLDED),
    }


def _of_unit(request: Request, query: CallQuery) -> CallQuery:
    with read(parts_of(request).engine) as connection:
        units = read_units(connection)
    if query.unit not in units.by_id:
        raise FilterRefused(["unit"])
    below = units.boxes_seen_from(query.unit)
    before = query.wanted.box_ids
    boxes = below if before is None else before if below is None else before & below
    return replace(query, wanted=replace(query.wanted, box_ids=boxes))


def _of_customer(request: Request, query: CallQuery) -> CallQuery:
    if not person_of(request).may(Right.READ_CUSTOMERS):
        raise FilterRefused(["customer"])
    with read(parts_of(request).engine) as connection:
        parts = parts_of_customers(connection, [query.customer])
    keys = frozenset(row["key"] for row in parts["customer_numbers"])
    theirs = tuple(wish for one in sorted(keys) for wish in whole_number(one.removeprefix("local:")))
    return replace(query, wanted=replace(query.wanted, about=theirs), subjects=query.subjects | keys)
