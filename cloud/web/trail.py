"""The audit page: who read, did or was refused what; one row's particulars; export; findings to review."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any
from urllib.parse import urlencode, urlsplit

from fastapi import Form, Path
from sqlalchemy import Connection, RowMapping
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from cloud.access.decision import Verb, Verdict
from cloud.access.grants import Place
from cloud.access.kinds import KINDS
from cloud.access.log import Action, Deed
from cloud.access.patterns import PATTERNS
from cloud.access.purposes import PURPOSES
from cloud.access.trail_shape import TrailRow, trail_row
from cloud.reading import Found, Look
from cloud.store import boxes, findings, trail
from cloud.store.database import write
from cloud.store.trail import DONE, REFUSED, TrailFilter
from cloud.web import words
from cloud.web.answers import page, see_other, translate
from cloud.web.asking import ask_of, check_change, given
from cloud.web.door import actor_of, person_of
from cloud.web.parts import parts_of
from cloud.web.query import LONGEST_TEXT
from cloud.web.views import Day
from sync.locale import marked
from sync.moment import to_text

PAGE = 50
MOST_EXPORTED = 20_000  # rows of one file; more are refused, never cut
LONGEST_REMARK = 500
AUDIT, FINDINGS = "audit", "findings"
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
RESULTS = {DONE: marked("Done"), REFUSED: marked("Refused")}
CHOICES: Mapping[str, Mapping[str, str]] = {
    "action": words.ACTIONS,
    "kind": {name: kind.name for name, kind in KINDS.items()} | words.OBJECTS,
    "result": RESULTS,
    "purpose": PURPOSES,
}
TEXTS = {"person": "actor_name", "object": "object_id", "branch": "box_id"}  # field -> column
EXPORTED = tuple(one.name for one in fields(TrailRow) if one.name not in ("changes", "fields", "grants"))


@dataclass(frozen=True, slots=True)
class TrailQuery:
    """A filter as it was typed, and what it means; `fault` is a marked sentence."""

    typed: Mapping[str, str]
    wanted: TrailFilter
    after: str | None
    fault: str | None


@dataclass(frozen=True, slots=True)
class TrailRows:
    """What the database gave for a page."""

    rows: Sequence[RowMapping]
    more: bool = False
    boxes: Sequence[RowMapping] = ()
    findings: Sequence[RowMapping] = ()

    def found(self) -> Found[TrailRows]:
        """These rows; the trail is shown whole or not at all, so they stand nowhere in particular."""
        return Found(self, [(row["id"], Place(frozenset(), None, row["at_utc"])) for row in self.rows])


def audit_page(request: Request) -> Response:
    """The newest rows that fit the filter, and what waits to be reviewed."""
    query = read_query(request, request.query_params)
    limit = 0 if query.fault else PAGE

    def fetch(db: Connection, _verdict: Verdict) -> Found[TrailRows]:
        rows = trail.list_rows(db, query.wanted, query.after, limit + 1)
        waiting = findings.open_findings(db)
        return TrailRows(rows[:limit], len(rows) > limit > 0, boxes.list_boxes(db), waiting).found()

    def shaped(found: TrailRows, verdict: Verdict) -> tuple[TrailRows, list[TrailRow]]:
        return found, _shown(found.rows, verdict)

    look = _look(Action.VIEW, query)
    found, rows = given(request, ask_of(request, Verb.VIEW, AUDIT), look, fetch, shaped)
    typed = {name: value for name, value in query.typed.items() if name != "after"}
    onward = urlencode({**typed, "after": rows[-1].id}) if found.more else None
    return page(
        request,
        "audit.html",
        422 if query.fault else 200,
        rows=rows,
        typed=query.typed,
        fault=query.fault,
        choices=CHOICES,
        boxes=[(row["id"], row["name"]) for row in found.boxes],
        findings=found.findings,
        patterns=PATTERNS,
        next_page=f"/audit?{onward}" if onward else None,
        newest_page=f"/audit?{urlencode(typed)}",
        export=f"/audit/export?{urlencode(typed)}",
        is_first=query.after is None,
    )


def audit_row(request: Request, row_id: Annotated[str, Path(max_length=64)]) -> Response:
    """One row: everything it says. A part of a page for the drawer, else a page of its own."""
    row = fetch_row(request, row_id)
    template = "_audit_row.html" if "hx-request" in request.headers else "audit_row.html"
    return page(request, template, row=row, choices=CHOICES, back=_back(request))


def fetch_row(request: Request, row_id: str) -> TrailRow:
    """One row, as the person asking may see it; 404 when there is none."""

    def fetch(db: Connection, _verdict: Verdict) -> Found[TrailRows] | None:
        row = trail.find_row(db, row_id)
        return None if row is None else TrailRows([row]).found()

    look = Look(object_id=row_id)
    ask = ask_of(request, Verb.VIEW, AUDIT)
    (row,) = given(request, ask, look, fetch, lambda found, verdict: _shown(found.rows, verdict))
    return row


def fetch_rows(request: Request, query: TrailQuery, limit: int) -> tuple[list[TrailRow], str | None]:
    """The rows of a page, and after which row the next begins; None: it is the last."""

    def fetch(db: Connection, _verdict: Verdict) -> Found[TrailRows]:
        rows = trail.list_rows(db, query.wanted, query.after, limit + 1)
        return TrailRows(rows[:limit], len(rows) > limit).found()

    def shaped(found: TrailRows, verdict: Verdict) -> tuple[list[TrailRow], str | None]:
        return _shown(found.rows, verdict), found.rows[-1]["id"] if found.more else None

    return given(request, ask_of(request, Verb.VIEW, AUDIT), _look(Action.VIEW, query), fetch, shaped)


def export_audit(request: Request) -> Response:
    """All rows that fit the filter as a CSV file; refused when there are more than one file holds."""
    query = read_query(request, request.query_params)
    if query.fault:
        raise HTTPException(422, query.fault)

    def fetch(db: Connection, _verdict: Verdict) -> Found[TrailRows]:
        rows = trail.list_rows(db, query.wanted, None, MOST_EXPORTED + 1)
        return TrailRows([] if len(rows) > MOST_EXPORTED else rows, len(rows) > MOST_EXPORTED).found()

    def shaped(found: TrailRows, verdict: Verdict) -> list[TrailRow] | None:
        return None if found.more else _shown(found.rows, verdict)

    ask, look = ask_of(request, Verb.EXPORT, AUDIT), _look(Action.EXPORT, query)
    rows = given(request, ask, look, fetch, shaped)
    if rows is None:
        raise HTTPException(422, marked("More than 20,000 rows fit. Narrow the filter, say to a month."))
    now = parts_of(request).clock.now().astimezone(parts_of(request).settings.zone)
    sign = translate(
        request, marked("%(count)s rows, taken out by %(name)s at %(time)s"),
        count=len(rows), name=person_of(request).name, time=f"{now:%Y-%m-%d %H:%M:%S}",
    )  # fmt: skip
    headers = {"Content-Disposition": f'attachment; filename="audit-{now:%Y%m%d-%H%M%S}.csv"'}
    return Response("".join(_csv(rows, sign)), media_type="text/csv; charset=utf-8", headers=headers)


def review_finding(
    request: Request,
    finding_id: Annotated[str, Path(max_length=64)],
    remark: Annotated[str, Form(max_length=LONGEST_REMARK)] = "",
) -> Response:
    """Settle a finding, with what came of looking into it."""
    look = Look(action=Action.UPDATE, object_id=finding_id)
    check_change(request, ask_of(request, Verb.CHANGE, AUDIT), look, Place(frozenset()))
    parts, person, words_said = parts_of(request), person_of(request), remark.strip()
    if not words_said:
        raise HTTPException(422, marked("Say what came of looking into it."))
    with write(parts.engine) as db:
        of = findings.review(db, finding_id, person.name, words_said, parts.clock.now_utc())
        if of is None:
            raise HTTPException(404, marked("Nothing waits here any more."))
        if of == person.name:
            raise HTTPException(403, marked("Nobody reviews a finding about themselves."))
        deed = Deed(
            actor=actor_of(request), action=Action.UPDATE, kind=FINDINGS, object_id=finding_id, row_count=1
        )
        trail.append(db, deed, parts.clock.now_utc())
    return see_other("/audit")


def _back(request: Request) -> str:
    """The list that the row was opened from, with its filter."""
    came_from = urlsplit(request.headers.get("referer", ""))
    return f"/audit?{came_from.query}" if came_from.path == "/audit" and came_from.query else "/audit"


def read_query(request: Request, given_fields: Mapping[str, str]) -> TrailQuery:
    """The filter in the address."""
    names = (*TEXTS, *CHOICES, "from", "to", "after")
    typed = {name: value for name in names if (value := given_fields.get(name, "").strip()[:LONGEST_TEXT])}
    fault = None
    if any(value not in CHOICES[name] for name, value in typed.items() if name in CHOICES):
        fault = marked("Pick one of the list.")
    if "after" in typed and not _ID.fullmatch(typed["after"]):
        fault = marked("This page of the list is not known; begin with the newest rows.")
    try:
        span = _span(request, typed)
    except (ValueError, OverflowError):
        span, fault = {}, marked("Days are written like 2026-02-03.")
    texts = {column: typed.get(name) for name, column in TEXTS.items()}
    chosen = {name: typed.get(name) for name in CHOICES}
    after = None if fault else typed.get("after")
    return TrailQuery(typed, TrailFilter(**texts, **chosen, **span), after, fault)


def _span(request: Request, typed: Mapping[str, str]) -> dict[str, str | None]:
    zone = parts_of(request).settings.zone
    first, last = typed.get("from"), typed.get("to")
    return {
        "from_utc": to_text(Day(first).begins(zone)) if first else None,
        "until_utc": to_text(Day(last).ends(zone)) if last else None,
    }


def _look(action: Action, query: TrailQuery) -> Look:
    return Look(action=action, query={name: text for name, text in query.typed.items() if name != "after"})


def _shown(rows: Sequence[RowMapping], verdict: Verdict) -> list[TrailRow]:
    return [one for row in rows if (one := trail_row(row, verdict)) is not None]


def _csv(rows: Sequence[TrailRow], sign: str) -> Iterator[str]:
    """Lines with a byte-order mark, for the spreadsheets that need one; nothing begins like a formula."""
    yield "\ufeff"
    for cells in (EXPORTED, *([_cell(getattr(row, name)) for name in EXPORTED] for row in rows), [sign]):
        line = io.StringIO()
        csv.writer(line).writerow(cells)
        yield line.getvalue()


def _cell(value: Any) -> str:
    text = "; ".join(f"{name}={what}" for name, what in value) if isinstance(value, tuple) else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
