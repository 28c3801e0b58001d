"""Sheets of customers and of communications: taken away, and taken in after a look (POP-25, POP-26, COM-04).

upload --> looked at --> "so many rows can be added" --> confirmed --> added whole
              +--> "so many cannot": the file back, with a reason beside each such row; nothing is added
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bottle import HTTPError, HTTPResponse, request

from edge.store import imports
from edge.store.cells import communication_cells, customer_cells
from edge.store.communications import communications_page
from edge.store.customers import customers_page
from edge.store.imports import Import
from edge.store.operations import log_operation
from edge.store.popup_settings import number_rules
from edge.store.scope import Scope, communications_scope, customers_scope
from edge.store.taking_in import Importer, Judge, Judged
from edge.store.users import User
from edge.web import communications, customers
from edge.web.records import FAULT_WORDS, author, by, translated
from edge.web.site import Visit, see_other
from edge.web.strip import strip
from sync import sheets
from sync.locale import marked
from sync.sheets import Layout, NotASheet, WrongHeader, read_sheet, write_sheet

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
BATCH = 500
Cells = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Desk:
    """What differs between the two kinds of sheets."""

    table: str
    layout: Layout
    scope: Callable[[User | None], Scope]
    judge: Callable[[Judge, Sequence[str]], Judged]
    rows: Callable[[Visit], Iterator[Cells]]


def _customer_rows(visit: Visit) -> Iterator[Cells]:
    text, kind, _ = customers.asked(visit)
    older = None
    while found := customers_page(visit.db, customers_scope(visit.user), text, kind, BATCH, older):
        yield from (customer_cells(one) for one in found)
        older = found[-1].no


def _communication_rows(visit: Visit) -> Iterator[Cells]:
    wanted = communications.read_filter(
        visit, {name: visit.query.get(name, "").strip() for name in communications.FIELDS}
    )
    older = None
    while found := communications_page(visit.db, communications_scope(visit.user), wanted, BATCH, older):
        yield from (communication_cells(one) for one in found)
        older = found[-1].no


DESKS: dict[str, Desk] = {
    "customers": Desk("customers", sheets.CUSTOMERS, customers_scope, Judge.customer, _customer_rows),
    "communications": Desk(
        "communications",
        sheets.COMMUNICATIONS,
        communications_scope,
        Judge.communication,
        _communication_rows,
    ),
}


def _desk(visit: Visit) -> Desk:
    return DESKS[visit.path.removeprefix("/api").split("/")[1].split("?")[0]]


def export(visit: Visit) -> HTTPResponse:
    """All that the search finds within the user's scope, as a sheet."""
    desk = _desk(visit)
    rows = list(desk.rows(visit))
    log_operation(
        visit.db, by(visit, f"export_{desk.table}", visit.path[:200], f"{len(rows)} rows"), visit.now
    )
    return _sheet(visit, desk, rows, f"{desk.table}-{visit.today()}")


def template(visit: Visit) -> HTTPResponse:
    """The header alone."""
    desk = _desk(visit)
    return _sheet(visit, desk, [], f"{desk.table}-template")


def form(visit: Visit) -> HTTPResponse:
    """The page to upload a sheet on, and to undo the last one."""
    return _page(visit, _desk(visit))


def look(visit: Visit) -> HTTPResponse:
    """Judge an uploaded sheet; keep it, add nothing."""
    desk = _desk(visit)
    try:
        kept, reasons = looked_at(visit)
    except WrongHeader as error:
        return _refused(visit, desk, HEADER, column=error.column, wanted=error.wanted, came=error.came)
    except NotASheet:
        return _refused(visit, desk, NO_SHEET)
    return _page(visit, desk, kept=kept, reasons=reasons, fault_count=sum(reasons.values()))


def looked_at(visit: Visit) -> tuple[Import, dict[str, int]]:
    """The sheet as it is kept, and how many of its rows cannot be, by reason; WrongHeader, NotASheet."""
    desk, content = _desk(visit), _uploaded()
    rows = read_sheet(desk.layout, content)
    kept = imports.keep_file(visit.db, desk.table, _user_id(visit), content, len(rows), visit.now)
    log_operation(visit.db, by(visit, f"check_{desk.table}", kept.id, f"{len(rows)} rows"), visit.now)
    faults = [one.fault for one in _judged(visit, desk, rows, kept) if one.fault]
    return kept, {fault: faults.count(fault) for fault in dict.fromkeys(faults)}


def errors(visit: Visit, import_id: str) -> HTTPResponse:
    """The uploaded sheet back, with a reason beside each row that cannot be added."""
    desk = _desk(visit)
    kept, rows = _kept(visit, desk, import_id)
    judged = _judged(visit, desk, rows, kept)
    reasons = [translated(visit, FAULT_WORDS[one.fault]) if one.fault else "" for one in judged]
    with_reasons = [(*row, reason) for row, reason in zip(rows, reasons, strict=True)]
    return _sheet(visit, desk, with_reasons, f"{desk.table}-reasons")


def confirm(visit: Visit, import_id: str) -> HTTPResponse:
    """Add every row, or none when one of them cannot be."""
    return see_other(f"/{_desk(visit).table}/import?added={confirmed(visit, import_id)}")


def confirmed(visit: Visit, import_id: str) -> int:
    """How many rows were added; 409 when one of them cannot be, or all are there already."""
    desk = _desk(visit)
    kept, rows = _kept(visit, desk, import_id)
    judged = _judged(visit, desk, rows, kept)
    inserts = [one.insert for one in judged if one.insert]
    if len(inserts) < len(rows):
        raise HTTPError(409)
    if not imports.add_all(visit.db, kept, inserts, by(visit, f"import_{desk.table}"), visit.now):
        raise HTTPError(409)
    return len(inserts)


def undo(visit: Visit) -> HTTPResponse:
    """Take out what the user's last import added."""
    removed, kept = undone(visit)
    return see_other(f"/{_desk(visit).table}/import?removed={removed}&kept={kept}")


def undone(visit: Visit) -> tuple[int, int]:
    """How many records went, and how many stay because they were changed since; 404 without an import."""
    desk = _desk(visit)
    last = imports.last_done(visit.db, desk.table, _user_id(visit))
    if last is None:
        raise HTTPError(404)
    told = imports.undo(visit.db, last, by(visit, f"undo_import_{desk.table}"), visit.now)
    return told.removed, told.kept


HEADER = marked("Column %(column)s should be “%(wanted)s”, but is “%(came)s”. Nothing was added.")
NO_SHEET = marked("This is no .xlsx sheet that can be read, or it is too large. Nothing was added.")
TITLES = {
    "customers": marked("Import customers"),
    "communications": marked("Import communications"),
}


def _judged(visit: Visit, desk: Desk, rows: Sequence[Cells], kept: Import) -> list[Judged]:
    importer = Importer(author(visit), desk.scope(visit.user).is_all)
    judge = Judge(visit.db, importer, number_rules(visit.db), visit.now, kept.id)
    return [desk.judge(judge, row) for row in rows]


def _kept(visit: Visit, desk: Desk, import_id: str) -> tuple[Import, list[Cells]]:
    """The user's own sheet that was looked at, and its rows; 404 when there is none any more."""
    kept = imports.the_import(visit.db, desk.table, _user_id(visit), import_id)
    content = imports.file_of(visit.db, kept) if kept else None
    if kept is None or content is None:
        raise HTTPError(404)
    return kept, read_sheet(desk.layout, content)


def _uploaded() -> bytes:
    """The file of the form; 400 without one, 413 when it is too large."""
    upload = request.files.get("sheet")
    if upload is None:
        raise HTTPError(400)
    content: bytes = upload.file.read(sheets.MOST_BYTES + 1)
    if len(content) > sheets.MOST_BYTES:
        raise HTTPError(413)
    return content


def _user_id(visit: Visit) -> str:
    if visit.user is None:
        raise HTTPError(403)
    return visit.user.id


def _sheet(visit: Visit, desk: Desk, rows: Sequence[Cells], name: str) -> HTTPResponse:
    content = write_sheet(desk.layout, rows, visit.language.code)
    headers = {
        "Content-Type": XLSX,
        "Content-Disposition": f'attachment; filename="{name}.xlsx"',
        "Cache-Control": "no-store",
    }
    return HTTPResponse(content, headers=headers)


def _refused(visit: Visit, desk: Desk, fault: str, **named: str) -> HTTPResponse:
    refused = by(visit, f"import_{desk.table}", "", "not this layout", "refused")
    log_operation(visit.db, refused, visit.now)
    return _page(visit, desk, 400, fault=fault, named=named)


def _page(visit: Visit, desk: Desk, status: int = 200, **values: object) -> HTTPResponse:
    blank: dict[str, object] = {"kept": None, "reasons": {}, "fault_count": 0, "fault": "", "named": {}}
    return visit.page(
        "import.html",
        status,
        strip=strip(visit),
        table=desk.table,
        title=TITLES[desk.table],
        words=FAULT_WORDS,
        last=imports.last_done(visit.db, desk.table, _user_id(visit)),
        said={name: visit.query.get(name, "") for name in ("added", "removed", "kept")},
        **(blank | values),
    )
