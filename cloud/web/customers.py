"""The customers of all branches: the list with its drawer, and the page of one with a tab for each matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import Connection, RowMapping
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from cloud.access import shape
from cloud.access.decision import SENTENCES as SENTENCES_OF_REFUSALS
from cloud.access.decision import Verb, Verdict
from cloud.access.roles import SERVES, Right
from cloud.access.shapes import customers as shapes
from cloud.access.subjects import call_place
from cloud.calls.numbers import whole_number
from cloud.customers.from_branch import FAULTS
from cloud.customers.profile import expiry, next_expiry, on_network
from cloud.reading import Found, Look
from cloud.store import boxes, branch_customers, calls, communications, customer_merges, customer_tags
from cloud.store import customers as store
from cloud.store.call_search import CallFilter
from cloud.store.customer_writes import KEPT_FOR, history_of
from cloud.store.database import read
from cloud.store.serving import numbers_served
from cloud.web import customer_words as words
from cloud.web.answers import page, translate
from cloud.web.asking import NotGiven, ask_of, given
from cloud.web.customer_query import SENTENCES, FilterRefused, read_query
from cloud.web.customer_reading import CustomerPage, One, bounds, fetch_one, fetch_page
from cloud.web.door import person_of
from cloud.web.parts import parts_of
from sync.locale import marked

MOST_CALLS = 50
COLUMNS_COOKIE = "customer_columns"
COOKIE_S = 365 * 24 * 3600


def customers_page(request: Request) -> Response:
    """The list, with its filter."""
    try:
        query = read_query(request.query_params, parts_of(request).ring.tokens)
    except FilterRefused as refused:
        faults = [translate(request, SENTENCES[field]) for field in refused.fields]
        return _list(request, 422, dict(request.query_params), CustomerPage((), None), faults)
    return _list(request, 200, query.typed, fetch_page(request, query), [])


def drawer(request: Request, customer_id: str) -> Response:
    """One customer beside the list."""
    found = fetch_one(request, customer_id)
    return page(request, "_customer_drawer.html", **_facts(request, found))


def customer_page(request: Request, customer_id: str, tab: str = "basic") -> Response:
    """One customer in full."""
    if tab not in TABS:
        raise HTTPException(404, marked("There is no such page."))
    found = fetch_one(request, customer_id, tab=tab)
    with read(parts_of(request).engine) as db:
        at_branch = {"at_branch": branch_customers.state_of(db, customer_id), "branch_faults": FAULTS}
    facts = _facts(request, found) | TABS[tab](request, found) | at_branch | {"tab": tab}
    return page(request, "customer.html", **facts)


def _facts(request: Request, found: One) -> dict[str, Any]:
    """What drawer and page both show at their top."""
    parts = parts_of(request)
    today = parts.clock.now().astimezone(parts.settings.zone).date()
    fields, packages = found.shown.fields, found.shown.packages
    return {
        "customer": found.shown,
        "on_network": on_network(fields["joined_on"] or "", today),
        "packages": [(one, expiry(one["expires_on"] or "", today)) for one in packages],
        "next_expiry": next_expiry([one["expires_on"] or "" for one in packages], today),
        "customer_words": words,
        "kept_days": KEPT_FOR.days,
        "may_read_calls": person_of(request).may(Right.READ_CALLS),
        **rights_shown(request),
    }


def rights_shown(request: Request) -> dict[str, bool]:
    """What the person may do with customers, for the templates."""
    person = person_of(request)
    return {
        "may_change": person.may(Right.CHANGE_CUSTOMERS),
        "may_manage": person.may(Right.MANAGE_CUSTOMERS),
        "may_restore": person.may(Right.RESTORE_CUSTOMERS),
        "may_export": person.may(Right.EXPORT),
    }


def _list(
    request: Request, status: int, typed: Mapping[str, str], found: CustomerPage, faults: Sequence[str]
) -> Response:
    verdict = bounds(request)
    with read(parts_of(request).engine) as db:
        choices = {
            "boxes": shape.box_names(boxes.list_boxes(db), verdict),
            "tags": customer_tags.list_tags(db),
            "classes": customer_tags.list_classes(db),
            "regions": store.regions(db),
            "servers": store.users_of(db, SERVES) if person_of(request).may(Right.MANAGE_CUSTOMERS) else [],
        }
    plain = {field: value for field, value in typed.items() if field in SENTENCES and field != "cursor"}
    onward = urlencode(plain | {"cursor": found.next}) if found.next else ""
    columns = _columns(request)
    answer = page(
        request,
        "customers.html",
        status,
        typed=typed,
        faults=faults,
        filtered=bool(plain),
        customers=found.customers,
        columns=columns,
        asked=urlencode(plain),
        first_page=f"/customers?{urlencode(plain)}",
        next_page=f"/customers?{onward}" if onward else None,
        is_first="cursor" not in typed,
        customer_words=words,
        done=request.query_params.get("done", "")[:12],
        **choices,
        **rights_shown(request),
    )
    if "columns" in request.query_params:
        secure = parts_of(request).settings.web.https
        answer.set_cookie(
            COLUMNS_COOKIE, " ".join(columns), COOKIE_S, httponly=True, secure=secure, samesite="strict"
        )
    return answer


def _columns(request: Request) -> tuple[str, ...]:
    """The columns to show: as chosen now, as chosen before, or as they are at first."""
    chosen = request.query_params.getlist("columns")
    if not chosen:
        chosen = request.cookies.get(COLUMNS_COOKIE, "").split()
    return tuple(one for one in words.COLUMNS if one in chosen) or words.SHOWN_AT_FIRST


def _basic(request: Request, found: One) -> dict[str, Any]:
    with read(parts_of(request).engine) as db:
        merged = customer_merges.merges_of(db, found.row["id"])
        served_by = store.name_of_user(db, found.row["served_by"])
    return {"merges": merged, "served_by": served_by}


def _contacts(_request: Request, _found: One) -> dict[str, Any]:
    return {}


def _chart(request: Request, found: One) -> dict[str, Any]:
    with read(parts_of(request).engine) as db:
        nodes = store.nodes_of(db, found.row["id"])
    shown = [shapes.node(row, found.place, found.verdict) for row in nodes]
    return {"nodes": tree(shown)}


def tree(nodes: Sequence[Mapping[str, Any]]) -> list[tuple[int, Mapping[str, Any]]]:
    """(depth, node) from the top down; a node whose parent is gone stands at the top."""
    known = {node["id"] for node in nodes}
    below: dict[str | None, list[Mapping[str, Any]]] = {}
    for node in nodes:
        parent = node["parent_id"] if node["parent_id"] in known else None
        below.setdefault(parent, []).append(node)
    found: list[tuple[int, Mapping[str, Any]]] = []
    waiting = [(0, node) for node in reversed(below.get(None, []))]
    while waiting:
        depth, node = waiting.pop()
        found.append((depth, node))
        waiting += [(depth + 1, child) for child in reversed(below.get(node["id"], []))]
    return found


def _communications(request: Request, one: One) -> dict[str, Any]:
    return {"communications": fetch_communications(request, one)}


def fetch_communications(request: Request, one: One) -> list[dict[str, Any]]:
    """What was said with a customer, last first, as the person asking may see it."""

    def fetch(db: Connection, verdict: Verdict) -> Found[Sequence[RowMapping]]:
        ids = customer_merges.ids_within(db, one.row["id"])
        rows = communications.communications_of(db, ids, one.numbers, verdict.box_ids)
        return Found(rows, [(row["id"], shapes.communication_place(row)) for row in rows])

    def shaped(rows: Sequence[RowMapping], verdict: Verdict) -> list[Any]:
        told = (shapes.communication(row, verdict) for row in rows)
        return [each for each in told if each is not None]

    ask = ask_of(request, Verb.VIEW, "customers")
    look = Look(query={"customer": one.row["id"], "tab": "communications"})
    return given(request, ask, look, fetch, shaped)


def _calls(request: Request, one: One) -> dict[str, Any]:
    """Calls are judged as calls: who may read customers need not be one who may read these."""
    if not person_of(request).may(Right.READ_CALLS):
        return {"calls": [], "refusal": SENTENCES_OF_REFUSALS["role"]}
    keys = _keys_to_ask(request, one)
    left_out = len(one.numbers) - len(keys)
    try:
        return {"calls": _shaped_calls(request, one, keys), "refusal": "", "left_out": left_out}
    except NotGiven as refused:
        return {"calls": [], "refusal": refused.refusal.sentence, "apply": refused.refusal.apply}


def _keys_to_ask(request: Request, one: One) -> Sequence[str]:
    """The customer's numbers; for those who see only whom they serve, those that count, if any does."""
    person = person_of(request)
    if person.role not in SERVES:
        return one.numbers
    with read(parts_of(request).engine) as db:
        own = numbers_served(db, person.user_id, one.numbers).own
    return tuple(key for key in one.numbers if key in own) or one.numbers


def _shaped_calls(request: Request, one: One, keys: Sequence[str]) -> list[Any]:
    def fetch(db: Connection, verdict: Verdict) -> Found[tuple[Any, ...]]:
        numbers = tuple(wish for key in keys for wish in whole_number(key.removeprefix("local:")))
        rows = calls.list_calls(db, CallFilter(numbers=numbers), None, MOST_CALLS, verdict)
        recordings = calls.recordings_of(db, [row["id"] for row in rows])
        gaps = calls.gaps_of(db, [each["id"] for each in recordings])
        return Found((rows, recordings, gaps), [(row["id"], call_place(row)) for row in rows])

    def shaped(found: tuple[Any, ...], verdict: Verdict) -> list[Any]:
        rows, recordings, gaps = found
        told = (shape.call(row, recordings, gaps, verdict) for row in rows)
        return [each for each in told if each is not None]

    look = Look(query={"customer": one.row["id"]})
    ask = ask_of(request, Verb.VIEW, "calls", subjects=frozenset(keys), named=frozenset({one.row["id"]}))
    return given(request, ask, look, fetch, shaped)


def _contracts(_request: Request, _found: One) -> dict[str, Any]:
    return {}


def _history(request: Request, found: One) -> dict[str, Any]:
    return {"history": fetch_history(request, found)}


def fetch_history(request: Request, found: One) -> list[dict[str, Any]]:
    """What happened to a customer, last first, as the person asking may see it."""
    parts = parts_of(request)
    with read(parts.engine) as db:
        lines = history_of(db, parts.ring, found.row["id"])
    return [shapes.change(line, found.place, found.verdict) for line in lines]


TABS = {
    "basic": _basic,
    "contacts": _contacts,
    "chart": _chart,
    "communications": _communications,
    "calls": _calls,
    "contracts": _contracts,
    "history": _history,
}
