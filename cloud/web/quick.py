"""Quick commands (Ctrl+K): pages by their names, customers by name, customers and calls by number.

Nothing is found here that the lists would not show: each look is one of theirs, bounded, masked and noted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from cloud.access.decision import Verb
from cloud.access.roles import OWN_ONLY, Right, stands
from cloud.calls.numbers import read_numbers
from cloud.web import calls, customer_query, customer_reading
from cloud.web.answers import page, translate
from cloud.web.call_query import query_of
from cloud.web.door import person_of
from cloud.web.menu import MENU
from cloud.web.parts import parts_of
from sync.locale import LANGUAGES

FEW = 5
FEWEST_CHARACTERS = 2
LONGEST = 64


@dataclass(frozen=True, slots=True)
class Found:
    """What a look brought: its rows, the list with all of them, or why there is none."""

    rows: Sequence[Any] = ()
    all: str = ""
    fault: str = ""


def quick(request: Request, q: str = "") -> Response:
    """The list below the box, for what was typed so far."""
    typed = q.strip().replace("\0", "")[:LONGEST]
    looks: dict[str, Found] = {}
    person = person_of(request)
    if len(typed) >= FEWEST_CHARACTERS and stands(person.role, Verb.VIEW) and person.role not in OWN_ONLY:
        if person.may(Right.READ_CUSTOMERS):
            looks["customers"] = _tried(request, typed, _customers)
        if person.may(Right.READ_CALLS) and read_numbers(typed):
            looks["calls"] = _tried(request, typed, _calls)
    customers, calls_ = looks.get("customers", Found()), looks.get("calls", Found())
    return page(
        request, "_quick.html", typed=typed, pages=_pages(request, typed), customers=customers, calls=calls_
    )


def _pages(request: Request, typed: str) -> list[tuple[str, str]]:
    """Pages of the menu whose name has what was typed in it, in whichever language."""
    views, person, wanted = parts_of(request).views, person_of(request), typed.casefold()
    return [
        (path, name)
        for path, (name, right) in MENU.items()
        if person.may(right)
        and any(wanted in views.translate(name, language).casefold() for language in LANGUAGES)
    ]


def _tried(request: Request, typed: str, look: Callable[[Request, str], Found]) -> Found:
    """What `look` brings; a refusal is its sentence, beside what else was found."""
    try:
        return look(request, typed)
    except HTTPException as refused:
        return Found(fault=translate(request, str(refused.detail)))


def _customers(request: Request, typed: str) -> Found:
    asked = {"q": typed, "limit": str(FEW)}
    try:
        query = customer_query.read_query(asked, parts_of(request).ring.tokens)
    except customer_query.FilterRefused:
        return Found()
    found = customer_reading.fetch_page(request, query)
    return Found(found.customers, f"/customers?{urlencode({'q': typed})}" if found.next else "")


def _calls(request: Request, typed: str) -> Found:
    query = query_of(request, {"party": typed, "limit": str(FEW)})
    found = calls.fetch_page(request, query)
    return Found(found.calls, f"/calls?{urlencode({'party': typed})}" if found.next else "")
