"""Completeness: all branches with one number each, one branch as a grid of hours, and one hour of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Any

from fastapi import Path
from sqlalchemy import Connection, RowMapping
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from cloud.access.decision import Verb, Verdict
from cloud.access.grants import Place
from cloud.access.shape import completeness as completeness_of
from cloud.access.shape import troubles as troubles_of
from cloud.access.shapes import hours as shapes
from cloud.reading import Found, Look
from cloud.store import completeness, completeness_hours, troubles
from cloud.store.completeness import Branch
from cloud.web.answers import page
from cloud.web.asking import ask_of, given
from cloud.web.parts import parts_of
from cloud.web.views import Day
from sync.locale import marked
from sync.manifest import HOUR
from sync.moment import from_text, to_text
from sync.topics import HEAD_OFFICE

DAYS = 14
LATEST_HOURS = 24
SHOWN = {"all": marked("All"), "late": marked("Not complete"), "silent": marked("Not connected")}
NO_BRANCH = marked("There is no such branch.")
_SPAN = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}")


@dataclass(frozen=True, slots=True)
class Cell:
    """An hour in a grid."""

    begin: datetime  # local
    span: str  # as manifests name it
    state: str  # a key of HOUR_STATES


def overview(request: Request) -> Response:
    """Every branch: its number, what it is made of, its latest hours."""
    show = request.query_params.get("show", "all")
    if show not in SHOWN:
        raise HTTPException(422, marked("Pick one of the list."))
    now = _hour(request)
    begins = [now - timedelta(hours=LATEST_HOURS - 1 - at) for at in range(LATEST_HOURS)]
    branches, own = _branches(request, to_text(begins[0])[:HOUR], {"page": "completeness"})
    late = [one for one in branches if one["unreconciled"]]
    silent = [one for one in branches if not one["online"]]
    chosen = {"all": branches, "late": late, "silent": silent}[show]
    ordered = sorted(chosen, key=lambda one: (not one["unreconciled"], bool(one["online"])))
    cells = {one["box_id"]: [_cell(one, begin, request) for begin in begins] for one in ordered}
    counts = {"all": len(branches), "late": len(late), "silent": len(silent)}
    return page(
        request, "completeness.html", branches=ordered, cells=cells, counts=counts, show=show, shown=SHOWN,
        own={"troubles": own},
    )  # fmt: skip


def branch_page(request: Request, box_id: Annotated[str, Path(max_length=64)], until: str = "") -> Response:
    """One branch: DAYS days of 24 hours, up to the day `until`."""
    zone = parts_of(request).settings.zone
    today = parts_of(request).clock.now().astimezone(zone).date()
    try:
        last = Day(until).begins(zone).date() if until else today
        begins = [Day(str(last - timedelta(days=DAYS - 1 - at))).begins(zone) for at in range(DAYS)]
    except (ValueError, OverflowError) as error:
        raise HTTPException(422, marked("Days are written like 2026-02-03.")) from error
    since, end = to_text(begins[0])[:HOUR], to_text(begins[-1] + timedelta(days=1))[:HOUR]

    def fetch(db: Connection, _verdict: Verdict) -> Found[tuple[Branch, dict[str, str]]] | None:
        found = next((one for one in completeness.branches(db, since) if one.box_id == box_id), None)
        if found is None:
            return None
        hours = completeness.hours_of(db, box_id, since, end)
        return Found((found, hours), [(box_id, Place(frozenset(), box_id))])

    def shaped(rows: tuple[Branch, dict[str, str]], verdict: Verdict) -> dict[str, Any]:
        shown = completeness_of(rows[0], verdict)
        assert shown is not None  # one that is not admitted was refused before
        return shown | {"hours": rows[1]}

    ask, look = (
        ask_of(request, Verb.VIEW, "branches"),
        Look(object_id=box_id, query={"until": until} if until else {}),
    )
    branch = given(request, ask, look, fetch, shaped, no_such=NO_BRANCH)
    days = [
        (begin, [_cell(branch, begin + timedelta(hours=hour), request) for hour in range(24)])
        for begin in reversed(begins)
    ]
    earlier, later = last - timedelta(days=DAYS), last + timedelta(days=DAYS)
    return page(
        request, "completeness_branch.html", branch=branch, days=days, earlier=str(earlier),
        later=str(min(later, today)) if last < today else "", is_latest=last >= today,
        last=date.isoformat(last),
    )  # fmt: skip


def hour_page(
    request: Request, box_id: Annotated[str, Path(max_length=64)], span: Annotated[str, Path(max_length=16)]
) -> Response:
    """One hour of one branch. A part of a page for the drawer, else a page of its own."""
    try:
        begins = from_text(f"{span}:00:00.000Z") if _SPAN.fullmatch(span) else None
    except ValueError:
        begins = None
    if begins is None:
        raise HTTPException(404, marked("There is no such page."))

    def fetch(db: Connection, _verdict: Verdict) -> Found[tuple[Sequence[Any], str, int]] | None:
        name = next((one.name for one in completeness.branches(db, "9999") if one.box_id == box_id), None)
        if name is None:
            return None
        found = completeness_hours.manifests_of(db, box_id, span)
        end = to_text(begins + timedelta(hours=1))
        aside = completeness_hours.set_aside_count(db, box_id, to_text(begins), end)
        return Found((found, name, aside), [(box_id, Place(frozenset(), box_id))])

    def shaped(rows: tuple[Sequence[Any], str, int], verdict: Verdict) -> dict[str, Any]:
        shown = shapes.manifests(rows[0], box_id, verdict)
        return {"manifests": shown, "name": rows[1], "set_aside": rows[2]}

    look = Look(object_id=box_id, query={"hour": span})
    told = given(request, ask_of(request, Verb.VIEW, "branches"), look, fetch, shaped, no_such=NO_BRANCH)
    template = "_completeness_hour.html" if "hx-request" in request.headers else "completeness_hour.html"
    return page(request, template, box_id=box_id, begin=begins, **told)


def _branches(
    request: Request, since: str, query: Mapping[str, str]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The branches, and the troubles of head office itself."""

    def fetch(db: Connection, _verdict: Verdict) -> Found[tuple[list[Branch], Sequence[RowMapping]]]:
        rows, own = completeness.branches(db, since), troubles.open_troubles(db, HEAD_OFFICE)
        return Found((rows, own), [(row.box_id, Place(frozenset(), row.box_id)) for row in rows])

    def shaped(
        found: tuple[list[Branch], Sequence[RowMapping]], verdict: Verdict
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        rows, own = found
        shown = [one for row in rows if (one := completeness_of(row, verdict)) is not None]
        return shown, troubles_of(own, HEAD_OFFICE, verdict)

    return given(request, ask_of(request, Verb.VIEW, "branches"), Look(query=query), fetch, shaped)


def _cell(branch: Mapping[str, Any], begin: datetime, request: Request) -> Cell:
    """The hour, by what its manifests say; without any by whether anything was heard since."""
    span = to_text(begin)[:HOUR]
    state = branch["hours"].get(span)
    if state is None and begin + timedelta(hours=1) > parts_of(request).clock.now():
        state = "running" if begin <= parts_of(request).clock.now() else "later"
    if state is None:
        heard = branch["online"] or (branch["heard_utc"] or "") > f"{span}:59:59"
        state = "quiet" if heard else "unknown"
    return Cell(begin, span, state)


def _hour(request: Request) -> datetime:
    """The hour that runs, local."""
    parts = parts_of(request)
    now = parts.clock.now().astimezone(parts.settings.zone)
    return now.replace(minute=0, second=0, microsecond=0)
