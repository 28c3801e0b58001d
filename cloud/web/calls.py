"""The calls of all branches, and one call with its player.

The first page of the list asks for itself anew every second and is sent only when it has changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from urllib.parse import urlencode

from sqlalchemy import Connection, RowMapping
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from cloud.access import call_notes as said_shape
from cloud.access import orders as order_shape
from cloud.access import shape
from cloud.access.decision import Verb, Verdict
from cloud.access.log import Action
from cloud.access.roles import Right
from cloud.access.shape import BoxName, Call
from cloud.access.subjects import call_place
from cloud.calls.flags import STAR
from cloud.reading import Found, Look, anything
from cloud.store import boxes, call_deletions, call_notes, call_reports, calls, orders
from cloud.web.answers import page, translate
from cloud.web.asking import ask_of, given
from cloud.web.call_filters import own_filters
from cloud.web.call_query import ask_for, check_number, choices, cursor_after, query_of
from cloud.web.door import person_of
from cloud.web.query import QUESTIONS, SENTENCES, CallQuery, FilterRefused
from cloud.web.timeline import draw_recording, steps_of
from sync.locale import marked

More = TypeVar("More")
FEWEST_DIGITS = 3  # from so many on, a search is for a number


@dataclass(frozen=True, slots=True)
class CallPage:
    """Calls, newest first. `next`: the cursor of the page after this one; None on the last."""

    calls: tuple[Call, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class CallRows:
    """What the database gave for a page of the list or for one call."""

    calls: Sequence[RowMapping] = ()
    recordings: Sequence[RowMapping] = ()
    gaps: Sequence[RowMapping] = ()
    boxes: Sequence[RowMapping] = ()
    more: bool = False
    notes: Sequence[RowMapping] = ()  # this and the next three: of one call
    flags: frozenset[str] = frozenset()
    reports: Sequence[RowMapping] = ()
    orders: Sequence[RowMapping] = ()  # to its branch
    hold: RowMapping | None = None
    deletion: RowMapping | None = None
    steps: Sequence[RowMapping] = ()

    def found(self) -> Found[CallRows]:
        """These rows and where each call stands."""
        return Found(self, [(row["id"], call_place(row)) for row in self.calls])


def calls_page(request: Request) -> Response:
    """The list, with its filter."""
    try:
        query = query_of(request, request.query_params)
    except FilterRefused as refused:
        faults = [translate(request, SENTENCES[field]) for field in refused.fields]
        return _list_page(request, dict(request.query_params), None, faults)
    return _list_page(request, query.typed, query, [])


def calls_rows(request: Request) -> Response:
    """The rows alone, when they differ from those the page has (`seen`); else 204."""
    try:
        query = query_of(request, request.query_params)
    except FilterRefused as refused:
        raise HTTPException(422, str(refused)) from refused
    seen = request.query_params.get("seen")
    found = fetch_page(request, query, lambda page: seen != _digest(page))
    if seen == _digest(found):
        return Response(status_code=204)
    newest_seen = request.query_params.get("newest", "")
    rows = _rows(query.typed, found, live=True, newest_seen=newest_seen)
    return page(request, "_rows.html", **rights_shown(request), **rows)


def call_page(request: Request, call_id: str) -> Response:
    """One call: what is known of it, its timeline, its recordings, what people put on it."""
    call, said = given_call(request, call_id, lambda _: True, said_of)
    may_change = person_of(request).may(Right.CHANGE_CALLS)
    may_order = person_of(request).may(Right.ORDER)
    return page(
        request,
        "call.html",
        steps=steps_of(call),
        said=said,
        may_change=may_change,
        may_order=may_order,
        **_recordings(call),
    )


def drawer(request: Request, call_id: str) -> Response:
    """One call beside the list."""
    call, said = given_call(request, call_id, lambda _: True, said_of)
    return page(request, "_call_drawer.html", said=said, **_recordings(call))


def call_recordings(request: Request, call_id: str) -> Response:
    """The recordings of a call alone, when they differ from those the page has (`seen`); else 204."""
    seen = request.query_params.get("seen")
    call = fetch_call(request, call_id, lambda call: seen != _digest(call.recordings))
    if seen == _digest(call.recordings):
        return Response(status_code=204)
    return page(request, "_recordings.html", **_recordings(call))


def rights_shown(request: Request) -> dict[str, bool]:
    """What the person may do with ticked calls, for the templates."""
    person = person_of(request)
    may_export, may_change = person.may(Right.EXPORT), person.may(Right.CHANGE_CALLS)
    return {"may_export": may_export, "may_change": may_change, "may_tick": may_export or may_change}


def fetch_page(
    request: Request, query: CallQuery, is_news: Callable[[CallPage], bool] = anything
) -> CallPage:
    """The calls that `query` asks for, as the person asking may see them."""

    def fetch(connection: Connection, verdict: Verdict) -> Found[CallRows]:
        return _page_rows(connection, query, verdict).found()

    def shaped(rows: CallRows, verdict: Verdict) -> CallPage:
        return _page_of(request, query, rows, verdict)

    ask, look = ask_for(request, query, Verb.VIEW), _look_of(query.typed)
    check_number(request, query, ask, look)
    return given(request, ask, look, fetch, shaped, is_news)


def fetch_call(request: Request, call_id: str, is_news: Callable[[Call], bool] = anything) -> Call:
    """The call of that id, as the person asking may see it; 404 when there is none."""
    return given_call(request, call_id, lambda shown: is_news(shown[0]), lambda _rows, _verdict: None)[0]


def given_call(
    request: Request,
    call_id: str,
    is_news: Callable[[tuple[Call, More]], bool],
    more: Callable[[CallRows, Verdict], More],
) -> tuple[Call, More]:
    """The call of that id and what `more` makes of its rows; 404 when there is none."""

    def fetch(connection: Connection, _verdict: Verdict) -> Found[CallRows] | None:
        row = calls.find_call(connection, call_id)
        if row is None:
            return None
        reported = call_reports.of_call(connection, call_id)
        rows = replace(
            _with_recordings(connection, [row]),
            notes=call_notes.notes_of(connection, call_id),
            flags=call_notes.flags_of(connection, call_id),
            reports=reported,
            steps=call_reports.steps_of(connection, [one["id"] for one in reported]),
            orders=orders.of_call(connection, call_id),
            hold=orders.hold_of(connection, call_id),
            deletion=call_deletions.deletion_of(connection, call_id),
        )
        return rows.found()

    def shaped(rows: CallRows, verdict: Verdict) -> tuple[Call, More]:
        call = shape.call(rows.calls[0], rows.recordings, rows.gaps, verdict)
        assert call is not None  # one that is not admitted was refused before
        return call, more(rows, verdict)

    look = Look(object_id=call_id)
    no_such = marked("There is no such call.")
    return given(request, ask_of(request, Verb.VIEW, "calls"), look, fetch, shaped, is_news, no_such)


def _look_of(typed: Mapping[str, str]) -> Look:
    """The question as the audit keeps it; which page of the answer it was, its ids tell."""
    asked = {name: typed[name] for name in QUESTIONS if typed.get(name)}
    digits = sum(one.isdigit() for one in asked.get("party", ""))
    action = Action.SEARCH_NUMBER if digits >= FEWEST_DIGITS else Action.SEARCH if asked else Action.VIEW
    return Look(action=action, query=asked)


def _page_rows(connection: Connection, query: CallQuery, verdict: Verdict) -> CallRows:
    rows = calls.list_calls(connection, query.wanted, query.after, query.limit + 1, verdict)
    shown = _with_recordings(connection, rows[: query.limit])
    return replace(shown, more=len(rows) > query.limit)


def _with_recordings(connection: Connection, rows: Sequence[RowMapping]) -> CallRows:
    recordings = calls.recordings_of(connection, [row["id"] for row in rows])
    return CallRows(rows, recordings, calls.gaps_of(connection, [row["id"] for row in recordings]))


def _page_of(request: Request, query: CallQuery, rows: CallRows, verdict: Verdict) -> CallPage:
    shaped = (shape.call(row, rows.recordings, rows.gaps, verdict) for row in rows.calls)
    onward = cursor_after(request, query, rows.calls[-1]) if rows.more else None
    return CallPage(tuple(call for call in shaped if call is not None), onward)


def _list_page(
    request: Request, typed: Mapping[str, str], query: CallQuery | None, faults: Sequence[str]
) -> Response:
    """The page with the calls of `query`; None: it was not understood, and there are none."""

    def fetch(connection: Connection, verdict: Verdict) -> Found[CallRows]:
        rows = _page_rows(connection, query, verdict) if query else CallRows()
        return replace(rows, boxes=boxes.list_boxes(connection)).found()

    def shaped(rows: CallRows, verdict: Verdict) -> tuple[CallPage, tuple[BoxName, ...]]:
        first = _page_of(request, query, rows, verdict) if query else CallPage((), None)
        return first, shape.box_names(rows.boxes, verdict)

    ask, look = ask_for(request, query, Verb.VIEW), _look_of(typed)
    if query is not None:
        check_number(request, query, ask, look)
    found, names = given(request, ask, look, fetch, shaped)
    filtered = any(typed.get(field) for field in QUESTIONS)
    live = query is not None and query.after is None
    rows = _rows(typed, found, live=live, newest_seen=None)
    status = 422 if query is None else 200
    return page(
        request,
        "calls.html",
        status,
        typed=typed,
        boxes=names,
        faults=faults,
        filtered=filtered,
        asked={name: typed[name] for name in QUESTIONS if typed.get(name)},
        own_filters=own_filters(request),
        done=request.query_params.get("done", "")[:12],
        **rights_shown(request),
        **choices(request, typed),
        **rows,
    )


def _rows(typed: Mapping[str, str], found: CallPage, live: bool, newest_seen: str | None) -> dict[str, Any]:
    plain = {field: value for field, value in typed.items() if field != "cursor"}
    newest = max((call.received_utc for call in found.calls), default="")
    poll = urlencode(plain | {"seen": _digest(found), "newest": newest})
    onward = urlencode(plain | {"cursor": found.next}) if found.next else None
    return {
        "calls": found.calls,
        "poll": f"/calls/rows?{poll}" if live else None,
        "newest_page": f"/calls?{urlencode(plain)}",
        "next_page": f"/calls?{onward}" if onward else None,
        "newest_seen": newest_seen,
    }


def said_of(rows: CallRows, verdict: Verdict) -> dict[str, Any]:
    """What people put on the call."""
    place = call_place(rows.calls[0])
    reports = (said_shape.report(one, rows.steps, place, verdict) for one in rows.reports)
    return {
        "notes": said_shape.notes(rows.notes, place, verdict),
        "tags": said_shape.tags(call_notes.tags_in(rows.flags), place, verdict),
        "star": STAR in rows.flags,
        "reports": [one for one in reports if one is not None],
        "orders": [order_shape.order(one, place, verdict) for one in rows.orders],
        "hold": order_shape.hold(rows.hold, place, verdict),
        "deletion": order_shape.deletion(rows.deletion, place, verdict),
    }


def _recordings(call: Call) -> dict[str, Any]:
    # No recording yet of a call in which people talked: its announcement may arrive after the call.
    waiting = any(one.state == "announced" for one in call.recordings) or (
        call.duration_ms > 0 and not call.recordings
    )
    return {
        "call": call,
        "drawings": {one.id: draw_recording(one, call) for one in call.recordings},
        "seen": _digest(call.recordings) if waiting else None,
    }


def _digest(shown: object) -> str:
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:16]
