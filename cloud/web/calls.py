"""The calls of all branches, and one call with its player.

The first page of the list asks for itself anew every second and is sent only when it has changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from cloud.access import shape
from cloud.access.decision import Verb
from cloud.access.shape import Call
from cloud.access.subjects import call_place
from cloud.store import boxes, calls
from cloud.store.database import read
from cloud.web.answers import page, translate
from cloud.web.asking import ask_of, checked, counted, judged
from cloud.web.parts import parts_of
from cloud.web.query import SENTENCES, CallQuery, FilterRefused, make_cursor, read_query
from cloud.web.timeline import draw_recording, steps_of
from sync.locale import marked


@dataclass(frozen=True, slots=True)
class CallPage:
    """Calls, newest first. `next`: the cursor of the page after this one; None on the last."""

    calls: tuple[Call, ...]
    next: str | None


def calls_page(request: Request) -> Response:
    """The list, with its filter."""
    try:
        query = read_query(request.query_params, parts_of(request).settings.zone)
    except FilterRefused as refused:
        faults = [translate(request, SENTENCES[field]) for field in refused.fields]
        typed = dict(request.query_params)
        return _list_page(request, 422, typed, CallPage((), None), faults=faults, live=False)
    found = fetch_page(request, query)
    return _list_page(request, 200, query.typed, found, faults=[], live=query.after is None)


def calls_rows(request: Request) -> Response:
    """The rows alone, when they differ from those the page has (`seen`); else 204."""
    try:
        query = read_query(request.query_params, parts_of(request).settings.zone)
    except FilterRefused as refused:
        raise HTTPException(422, str(refused)) from refused
    found = fetch_page(request, query)
    if request.query_params.get("seen") == _digest(found):
        return Response(status_code=204)
    newest_seen = request.query_params.get("newest", "")
    return page(request, "_rows.html", **_rows(query.typed, found, live=True, newest_seen=newest_seen))


def call_page(request: Request, call_id: str) -> Response:
    """One call: what is known of it, its timeline, its recordings."""
    call = fetch_call(request, call_id)
    return page(request, "call.html", steps=steps_of(call), **_recordings(call))


def call_recordings(request: Request, call_id: str) -> Response:
    """The recordings of a call alone, when they differ from those the page has (`seen`); else 204."""
    call = fetch_call(request, call_id)
    if request.query_params.get("seen") == _digest(call.recordings):
        return Response(status_code=204)
    return page(request, "_recordings.html", **_recordings(call))


def fetch_page(request: Request, query: CallQuery) -> CallPage:
    """The calls that `query` asks for, as the person asking may see them."""
    wanted = query.wanted
    ask = ask_of(
        request,
        Verb.VIEW,
        "calls",
        from_utc=wanted.from_utc,
        until_utc=wanted.until_utc,
        box_ids=frozenset({wanted.box_id}) if wanted.box_id else None,
    )
    with read(parts_of(request).engine) as connection:
        verdict = judged(request, connection, ask)
        rows = calls.list_calls(connection, wanted, query.after, query.limit + 1, verdict)
        recordings = calls.recordings_of(connection, [row["id"] for row in rows])
        gaps = calls.gaps_of(connection, [row["id"] for row in recordings])
    shown = rows[: query.limit]
    verdict = counted(request, verdict, map(call_place, shown))
    shaped = (shape.call(row, recordings, gaps, verdict) for row in shown)
    more = len(rows) > query.limit
    onward = make_cursor(shown[-1]["started_utc"], shown[-1]["id"]) if more else None
    return CallPage(tuple(call for call in shaped if call is not None), onward)


def fetch_call(request: Request, call_id: str) -> Call:
    """The call of that id, as the person asking may see it; 404 when there is none."""
    with read(parts_of(request).engine) as connection:
        verdict = judged(request, connection, ask_of(request, Verb.VIEW, "calls"))
        row = calls.find_call(connection, call_id)
        if row is None:
            raise HTTPException(404, marked("There is no such call."))
        recordings = calls.recordings_of(connection, [call_id])
        gaps = calls.gaps_of(connection, [one["id"] for one in recordings])
    verdict = counted(request, verdict, [call_place(row)])
    checked(verdict, call_place(row))
    shaped = shape.call(row, recordings, gaps, verdict)
    assert shaped is not None  # checked above
    return shaped


def _list_page(
    request: Request,
    status: int,
    typed: Mapping[str, str],
    found: CallPage,
    faults: Sequence[str],
    live: bool,
) -> Response:
    with read(parts_of(request).engine) as connection:
        verdict = judged(request, connection, ask_of(request, Verb.VIEW, "calls"))
        names = shape.box_names(boxes.list_boxes(connection), verdict)
    filtered = any(typed.get(field) for field in SENTENCES if field not in ("cursor", "limit"))
    rows = _rows(typed, found, live=live, newest_seen=None)
    return page(
        request, "calls.html", status, typed=typed, boxes=names, faults=faults, filtered=filtered, **rows
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
