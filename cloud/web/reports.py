"""The work list of reports that a record is wrong: by state, counted, taken up, answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Form
from sqlalchemy import Connection, RowMapping
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from cloud.access import call_notes as shape
from cloud.access.decision import Verb, Verdict
from cloud.access.grants import Place
from cloud.access.log import Action, Deed
from cloud.access.subjects import call_place
from cloud.calls.reports import LONGEST_TEXT, OPEN, STATES, StepRefused, steps_from
from cloud.reading import Found, Look
from cloud.store import call_reports, trail
from cloud.store.database import read, write
from cloud.web.answers import page, see_other
from cloud.web.asking import ask_of, check_change, given
from cloud.web.door import actor_of, person_of
from cloud.web.parts import parts_of
from sync.locale import marked

MOST = 100


@dataclass(frozen=True, slots=True)
class Rows:
    """What the database gave."""

    reports: Sequence[RowMapping]
    steps: Sequence[RowMapping]
    counts: dict[str, int]


def reports_page(request: Request) -> Response:
    """The reports in one state, those that changed last first."""
    state = request.query_params.get("state", OPEN)
    if state not in STATES:
        raise HTTPException(422, marked("There is no such page."))

    def fetch(db: Connection, verdict: Verdict) -> Found[Rows]:
        rows = call_reports.newest(db, state, verdict.box_ids, MOST)
        steps = call_reports.steps_of(db, [row["id"] for row in rows])
        counts = call_reports.counts(db, verdict.box_ids)
        return Found(Rows(rows, steps, counts), [(row["call_id"], place_of(row)) for row in rows])

    def shaped(rows: Rows, verdict: Verdict) -> tuple[list[dict[str, Any]], dict[str, int]]:
        mine = person_of(request).user_id
        shown = (
            (shape.report(row, rows.steps, place_of(row), verdict), row["by_id"] == mine)
            for row in rows.reports
        )
        return [one | {"next": steps_from(state, own)} for one, own in shown if one], rows.counts

    look = Look(query={"page": "reports", "state": state})
    items, counts = given(request, ask_of(request, Verb.VIEW, "calls"), look, fetch, shaped)
    return page(request, "reports.html", items=items, counts=counts, state=state, most=MOST)


def take_step(
    request: Request, report_id: str, step: Annotated[str, Form()] = "", text: Annotated[str, Form()] = ""
) -> Response:
    """Take a step with a report."""
    parts, by = parts_of(request), actor_of(request)
    with read(parts.engine) as db:
        row = call_reports.find(db, report_id)
    if row is None:
        raise HTTPException(404, marked("There is no such report."))
    place = Place(frozenset({row["call_id"]}), row["box_id"])
    look = Look(action=Action.UPDATE, object_id=report_id)
    ask = ask_of(request, Verb.CHANGE, "calls")
    check_change(request, ask, look, place)
    if len(text) > LONGEST_TEXT:
        raise HTTPException(422, marked("The text is too long."))
    with write(parts.engine) as db:
        try:
            call_reports.take_step(db, report_id, step, text.strip(), by, parts.clock.now_utc())
        except StepRefused as refused:
            raise HTTPException(409, str(refused)) from refused
        deed = Deed(
            actor=by,
            action=Action.UPDATE,
            kind="reports",
            object_id=report_id,
            box_id=row["box_id"],
            query={"step": step},
            purpose=ask.reason,
        )
        trail.append(db, deed, parts.clock.now_utc())
    return see_other(f"/reports?state={row['state']}")


def place_of(row: RowMapping) -> Place:
    """Where a report stands: where its call does, as far as that is known here."""
    if row["started_utc"] is None:
        return Place(frozenset({row["call_id"]}), row["box_id"])
    return call_place({**row, "id": row["call_id"]})
