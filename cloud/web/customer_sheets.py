"""Customers as Excel sheets, in the columns of the branch page: taken away, and taken in after a look.

upload --> looked at --> "so many rows can be added" --> confirmed --> added whole
              +--> "so many cannot": the file back, with a reason beside each such row; nothing is added
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from sqlalchemy import RowMapping
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from cloud import reading
from cloud.access import shape
from cloud.access.decision import Verb
from cloud.access.log import Action
from cloud.customers.taking_in import Judged, ids_in, judge
from cloud.exporting import TooMany
from cloud.store import boxes
from cloud.store import customer_imports as imports
from cloud.store.customer_rows import Whose
from cloud.store.customer_writes import New
from cloud.store.database import read, write
from cloud.web import customer_words as words
from cloud.web.answers import language_of, page, see_other, translate
from cloud.web.asking import NotGiven, ask_of, desk_of
from cloud.web.customer_files import FORM, CustomerExport, make
from cloud.web.customer_form import Sent
from cloud.web.customer_query import SENTENCES, FilterRefused, read_query
from cloud.web.customer_reading import bounds, look_of, note, stamp_of
from cloud.web.door import person_of
from cloud.web.export_file import XLSX
from cloud.web.long_exports import given_file
from cloud.web.parts import parts_of
from cloud.web.releases import Laid
from sync import sheets
from sync.ids import new_id
from sync.locale import marked
from sync.sheets import CUSTOMERS, NotASheet, WrongHeader, read_sheet, write_sheet

Cells = tuple[str, ...]

HEADER = marked("Column %(column)s should be “%(wanted)s”, but is “%(came)s”. Nothing was added.")
NO_SHEET = marked("This is no .xlsx sheet that can be read, or it is too large. Nothing was added.")
TOO_MANY = marked("More than %(most)s customers fit. Nothing was exported; narrow the filter.")


def export(request: Request) -> Response:
    """All that the filter finds: complete, refused, or the page where it waits for a review."""
    parts = parts_of(request)
    try:
        query = read_query(request.query_params, parts.ring.tokens)
    except FilterRefused as refused:
        sentences = (translate(request, SENTENCES[field]) for field in refused.fields)
        raise HTTPException(422, " ".join(sentences)) from refused
    chosen = frozenset({query.wanted.box_id}) if query.wanted.box_id else None
    ask = ask_of(request, Verb.EXPORT, "customers", box_ids=chosen)
    try:
        export = CustomerExport(ask=ask, query=query, language=language_of(request))
        laid, desk = Laid("customers", FORM, look_of(query).query, ask.reason), desk_of(request)
        return given_file(request, laid, lambda tell: make(parts, desk, export, tell))
    except reading.NotGiven as refused:
        raise NotGiven(refused.refusal) from refused
    except TooMany as many:
        raise HTTPException(422, translate(request, TOO_MANY, most=f"{many.most:,}")) from many


def template(request: Request) -> Response:
    """The header alone."""
    return _sheet(request, [], "customers-template")


def import_page(request: Request) -> Response:
    """The page to upload a sheet on, and to undo the last one."""
    imports.undo_stale(parts_of(request).engine, parts_of(request).clock.now())
    return _page(request)


def look(request: Request, sent: Sent) -> Response:
    """Judge an uploaded sheet; keep it, add nothing."""
    parts = parts_of(request)
    content, box_id = _uploaded(sent), str(sent.get("box", "")) or None
    verdict = bounds(request, Verb.CHANGE)
    with read(parts.engine) as db:
        if box_id not in {one.id for one in shape.box_names(boxes.list_boxes(db), verdict)} and not (
            box_id is None and verdict.box_ids is None
        ):
            return _page(request, 422, fault=words.FAULTS["no_such_branch"])
    try:
        rows = read_sheet(CUSTOMERS, content)
    except WrongHeader as error:
        named = {"column": error.column, "wanted": error.wanted, "came": error.came}
        return _page(request, 422, fault=HEADER, named=named)
    except NotASheet:
        return _page(request, 422, fault=NO_SHEET)
    reasons = Counter(one.fault for one in _judged(request, rows) if one.fault)
    with write(parts.engine) as db:
        kept_id = imports.keep_sheet(
            db, parts.ring, person_of(request).user_id, box_id, content, len(rows), parts.clock.now_utc()
        )
        kept = imports.find_import(db, person_of(request).user_id, kept_id)
    return _page(request, kept=kept, reasons=reasons)


def errors(request: Request, import_id: str) -> Response:
    """The uploaded sheet back, with a reason beside each row that cannot be added."""
    _, rows = _kept(request, import_id)
    reasons = (
        translate(request, words.FAULTS[one.fault]) if one.fault else "" for one in _judged(request, rows)
    )
    with_reasons = [(*row, reason) for row, reason in zip(rows, reasons, strict=True)]
    return _sheet(request, with_reasons, "customers-reasons")


def confirm(request: Request, import_id: str) -> Response:
    """Add every row, or none when one of them cannot be."""
    parts = parts_of(request)
    kept, rows = _kept(request, import_id)
    verdict = bounds(request, Verb.CHANGE)
    new = [_new(one, kept["box_id"]) for one in _judged(request, rows) if one.record]
    added = len(new) == len(rows) and imports.add_all(
        parts.engine, parts.ring, import_id, new, stamp_of(request), parts.clock.now()
    )
    if not added:
        raise HTTPException(409, marked("Nothing was added: a row cannot be, or all are there already."))
    ids = tuple(one.whose.id for one in new)
    note(request, Action.CREATE, verdict.ask, object_id=import_id, ids=ids, row_count=len(ids))
    return see_other(f"/customers/import?added={len(new)}")


def undo(request: Request) -> Response:
    """Take out what the person's last import added."""
    parts = parts_of(request)
    verdict = bounds(request, Verb.CHANGE)
    with read(parts.engine) as db:
        last = imports.last_done(db, person_of(request).user_id)
    if last is None:
        raise HTTPException(404, marked("There is no import to undo."))
    removed, left = imports.undo(parts.engine, last["id"])
    note(request, Action.DELETE, verdict.ask, object_id=last["id"], row_count=removed)
    return see_other(f"/customers/import?removed={removed}&left={left}")


def _judged(request: Request, rows: Sequence[Cells]) -> list[Judged]:
    with read(parts_of(request).engine) as db:
        known = imports.known_ids(db, ids_in(rows))
    return list(judge(rows, known))


def _new(one: Judged, box_id: str | None) -> New:
    assert one.record is not None
    source = one.source
    return New(Whose(source.id or new_id(), box_id), one.record, source.employee_number, source.created_utc)


def _kept(request: Request, import_id: str) -> tuple[RowMapping, list[Cells]]:
    """The person's own sheet that was looked at, and its rows; 404 when there is none any more."""
    parts = parts_of(request)
    with read(parts.engine) as db:
        kept = imports.find_import(db, person_of(request).user_id, import_id)
        content = imports.sheet_of(kept, parts.ring) if kept else None
    if kept is None or content is None:
        raise HTTPException(404, marked("This sheet is kept no more; upload it again."))
    return kept, read_sheet(CUSTOMERS, content)


def _uploaded(sent: FormData) -> bytes:
    """The file of the form; 422 without one, 413 when it is too large."""
    upload = sent.get("sheet")
    if not isinstance(upload, UploadFile):
        raise HTTPException(422, marked("Choose a file first."))
    content = upload.file.read(sheets.MOST_BYTES + 1)
    if len(content) > sheets.MOST_BYTES:
        raise HTTPException(413, marked("The request is too long."))
    return content


def _sheet(request: Request, rows: Sequence[Cells], name: str) -> Response:
    content = write_sheet(CUSTOMERS, rows, language_of(request))
    return Response(
        content,
        media_type=XLSX,
        headers={"Content-Disposition": f'attachment; filename="{name}.xlsx"', "Cache-Control": "no-store"},
    )


def _page(
    request: Request,
    status: int = 200,
    kept: RowMapping | None = None,
    reasons: Mapping[str, int] | None = None,
    fault: str = "",
    named: Mapping[str, str] | None = None,
) -> Response:
    verdict = bounds(request, Verb.CHANGE)
    with read(parts_of(request).engine) as db:
        names = shape.box_names(boxes.list_boxes(db), verdict)
        last = imports.last_done(db, person_of(request).user_id)
    return page(
        request, "customer_import.html", status, kept=kept, reasons=reasons or {},
        fault_count=sum((reasons or {}).values()),
        fault=translate(request, fault, **(named or {})) if fault else "",
        boxes=names, sees_all=verdict.box_ids is None, last=last, customer_words=words,
        columns=[column.title(language_of(request)) for column in CUSTOMERS.columns],
        most_rows=sheets.MOST_ROWS,
        said={name: request.query_params.get(name, "")[:12] for name in ("added", "removed", "left")},
    )  # fmt: skip
