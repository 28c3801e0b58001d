"""How pages get at customers: through `cloud.reading`, opening what is sealed just before it is shaped.

What cannot be opened because its key is gone is said so; nothing is shown half.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping
from starlette.exceptions import HTTPException
from starlette.requests import Request

from cloud.access.decision import Ask, Verb, Verdict
from cloud.access.grants import Place
from cloud.access.log import Action
from cloud.access.roles import Right
from cloud.access.shapes import customers as shapes
from cloud.access.shapes.customers import Customer
from cloud.field_keys import KeyFault, Keyring
from cloud.reading import Found, Look
from cloud.store import customers as store
from cloud.store.customer_rows import open_row
from cloud.store.customer_writes import Stamp
from cloud.store.database import write
from cloud.web.asking import ask_of, given
from cloud.web.customer_query import SENTENCES, CustomerQuery, make_cursor
from cloud.web.door import note_deed, person_of
from cloud.web.parts import parts_of
from sync.locale import marked

HIDDEN = "****"
QUESTIONS = frozenset(SENTENCES) - {"cursor", "limit", "sort"}
Choose = Callable[[Connection, Verdict], Sequence[RowMapping]]
NONE_SUCH = marked("There is no such customer.")
NO_KEY = marked("Sensitive fields cannot be read: their key is missing or the record was altered.")


@dataclass(frozen=True, slots=True)
class CustomerPage:
    """Customers of a page. `next`: the cursor of the page after it; None on the last."""

    customers: tuple[Customer, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class One:
    """One customer: as it may be shown, the row behind it, and where it stands."""

    shown: Customer
    row: RowMapping
    place: Place
    verdict: Verdict
    numbers: tuple[str, ...]  # keys


@dataclass(frozen=True, slots=True)
class Gathered:
    """Rows of customers and all that belongs to them, as the database has them."""

    rows: Sequence[RowMapping]
    parts: Mapping[str, Sequence[RowMapping]]
    tags: Sequence[RowMapping]
    more: bool = False  # whether there is a page after this one

    def found(self) -> Found[Gathered]:
        """What counts of it: every customer, where it stands."""
        numbers = self.parts["customer_numbers"]
        places = [(row["id"], shapes.customer_place(row, numbers)) for row in self.rows]
        return Found(self, places)


def gather(db: Connection, rows: Sequence[RowMapping], more: bool = False) -> Gathered:
    """What belongs to these customers."""
    ids = [row["id"] for row in rows]
    return Gathered(rows, store.parts_of(db, ids), store.tags_of(db, ids), more)


def shape_all(gathered: Gathered, verdict: Verdict, ring: Keyring) -> list[Customer]:
    """Customers as they may be shown."""
    shaped = (
        shapes.customer(opened(row, ring), gathered.parts, gathered.tags, verdict) for row in gathered.rows
    )
    return [one for one in shaped if one is not None]


def fetch_page(request: Request, query: CustomerQuery) -> CustomerPage:
    """The customers that `query` asks for, as the person asking may see them."""
    boxes = frozenset({query.wanted.box_id}) if query.wanted.box_id else None
    ring = parts_of(request).ring

    def fetch(db: Connection, verdict: Verdict) -> Found[Gathered]:
        rows = store.list_customers(
            db, query.wanted, verdict.box_ids, query.sort, query.after, query.limit + 1
        )
        return gather(db, rows[: query.limit], len(rows) > query.limit).found()

    def shaped(gathered: Gathered, verdict: Verdict) -> CustomerPage:
        onward = make_cursor(query.sort, gathered.rows[-1]) if gathered.more else None
        return CustomerPage(tuple(shape_all(gathered, verdict, ring)), onward)

    ask = ask_of(request, Verb.VIEW, "customers", box_ids=boxes)
    return given(request, ask, look_of(query), fetch, shaped)


def look_of(query: CustomerQuery, action: Action | None = None) -> Look:
    """The question as the audit keeps it, which is told no sealed value."""
    asked = {name: value for name, value in query.typed.items() if name in QUESTIONS}
    if query.wanted.tokens:
        asked["q"] = HIDDEN
    by_number = query.wanted.tokens or query.wanted.number is not None
    plain = Action.SEARCH_NUMBER if by_number else Action.SEARCH if asked else Action.VIEW
    return Look(action=action or plain, query=asked)


def fetch_one(
    request: Request, customer_id: str, verb: Verb = Verb.VIEW, noted: bool = True, tab: str = ""
) -> One:
    """One customer; 404 when there is none within reach. `noted`: whether the look is one of its own."""
    ring = parts_of(request).ring

    def fetch(db: Connection, verdict: Verdict) -> Found[Gathered] | None:
        row = store.find_customer(db, customer_id, verdict.box_ids)
        return None if row is None else gather(db, [row]).found()

    def shaped(gathered: Gathered, verdict: Verdict) -> One:
        ((_, place),) = gathered.found().places
        (shown,) = shape_all(gathered, verdict, ring)  # one that is not admitted was refused before
        keys = tuple(dict.fromkeys(one["key"] for one in gathered.parts["customer_numbers"]))
        return One(shown, gathered.rows[0], place, verdict, keys)

    look = Look(object_id=customer_id, query={"tab": tab} if tab else {})
    ask = ask_of(request, verb, "customers")
    return given(request, ask, look, fetch, shaped, lambda _: noted, NONE_SUCH)


def fetch_some(request: Request, verb: Verb, choose: Choose, query: Mapping[str, str]) -> list[Customer]:
    """The customers that `choose` finds, as they may be shown."""
    ring = parts_of(request).ring
    return given(
        request,
        ask_of(request, verb, "customers"),
        Look(query=query),
        lambda db, verdict: gather(db, choose(db, verdict)).found(),
        lambda gathered, verdict: shape_all(gathered, verdict, ring),
    )


def bounds(request: Request, verb: Verb = Verb.VIEW) -> Verdict:
    """How far the person may reach: for the choices of a page and before a change. It reads nobody."""
    return given(
        request,
        ask_of(request, verb, "customers"),
        Look(),
        lambda _db, _verdict: Found(None, []),
        lambda _rows, verdict: verdict,
        lambda _: False,
    )


def reached(request: Request, ids: Sequence[str]) -> list[str]:
    """Those of these customers that the person may change."""

    def shaped(gathered: Gathered, verdict: Verdict) -> list[str]:
        return [row_id for row_id, place in gathered.found().places if verdict.admits(place)]

    return given(
        request,
        ask_of(request, Verb.CHANGE, "customers"),
        Look(),
        lambda db, verdict: gather(db, store.customers_of(db, ids, verdict.box_ids)).found(),
        shaped,
        lambda _: False,
    )


def opened(row: Mapping[Any, Any], ring: Keyring) -> dict[str, Any]:
    """A row with what is sealed in it; 503 when its key is gone."""
    try:
        return open_row(row, ring)
    except KeyFault as error:
        raise HTTPException(503, NO_KEY) from error


def note(request: Request, action: Action, ask: Ask, **more: Any) -> None:
    """A row of the audit trail about a change, in a transaction of its own."""
    with write(parts_of(request).engine) as db:
        note_in(db, request, action, ask, **more)


def note_in(db: Connection, request: Request, action: Action, ask: Ask, **more: Any) -> None:
    """A row of the audit trail about a change, in its own transaction; add it last."""
    more.setdefault("row_count", len(more.get("ids", ())) or 1)
    note_deed(request, db, action, "customers", purpose=ask.reason, **more)


def stamp_of(request: Request) -> Stamp:
    """Who writes, and when."""
    person = person_of(request)
    return Stamp(person.name, parts_of(request).clock.now_utc(), person.may(Right.MANAGE_CUSTOMERS))
