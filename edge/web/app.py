"""The branch page as one WSGI application: the table of its routes, and the making of it.

A new page is one module with its function, one template and one line here; a line without a right cannot be
written, so nothing is open by mistake. The last word of a line is its twin for programs, at /api + the path.
"""

from __future__ import annotations

import threading
from contextlib import closing
from functools import partial

from bottle import Bottle, HTTPError

from edge.clock import Clock, SystemClock
from edge.store.call_search import catch_up
from edge.store.customers import tell_untold
from edge.store.imports import finish_undone
from edge.store.schema import open_store
from edge.web import (
    call,
    calls,
    communications,
    customers,
    erase,
    exports,
    files,
    groups,
    language,
    line_settings,
    lines,
    listen,
    log,
    log_in,
    number_settings,
    operators,
    password,
    popup,
    popup_save,
    record,
    record_sheets,
    remarks,
    trust,
    uploads,
)
from edge.web.api import answered, people, records
from edge.web.api import calls as api_calls
from edge.web.door import Route, add_headers, door, error_page
from edge.web.rights import Right
from edge.web.settings import WebSettings
from edge.web.site import Site

PAGES: tuple[Route, ...] = (
    Route("/", "GET", Right.OWN, lines.home),
    Route("/log-in", "GET", Right.PUBLIC, log_in.form),
    Route("/log-in", "POST", Right.PUBLIC, log_in.enter, people.entered),
    Route("/log-out", "POST", Right.OWN, log_in.leave, people.left),
    Route("/language", "POST", Right.PUBLIC, language.choose, people.language_chosen),
    Route("/static/<path:path>", "GET", Right.PUBLIC, files.static),
    Route("/trust", "GET", Right.PUBLIC, trust.show),
    Route("/trust/ca.crt", "GET", Right.PUBLIC, trust.certificate),
    Route("/lines", "GET", Right.LIST, lines.show, api_calls.lines),
    Route("/lines/stream", "GET", Right.LIST, lines.stream, lines.stream),
    Route("/lines/<line>/record", "POST", Right.LIST, record.press, api_calls.pressed),
    Route("/lines/<line>/listen", "GET", Right.LISTEN, listen.listen, listen.listen),
    Route("/calls", "GET", Right.LIST, calls.show, api_calls.found),
    Route("/calls/xlsx", "POST", Right.EXPORT, exports.sheet, exports.sheet),
    Route("/calls/csv", "POST", Right.EXPORT, exports.table, exports.table),
    Route("/calls/zip", "POST", Right.DOWNLOAD, exports.archive, exports.archive),
    Route("/calls/print", "POST", Right.LIST, exports.printed),
    Route("/calls/<call_id>", "GET", Right.LIST, call.show, api_calls.one),
    Route("/calls/<call_id>/notes", "POST", Right.LIST, remarks.note, api_calls.noted),
    Route("/calls/<call_id>/notes/<note_id>/strike", "POST", Right.LIST, remarks.strike, api_calls.struck),
    Route("/calls/<call_id>/tags", "POST", Right.LIST, remarks.tag, api_calls.tagged),
    Route("/calls/<call_id>/star", "POST", Right.LIST, remarks.star, api_calls.starred),
    Route("/calls/<call_id>/hold", "POST", Right.DELETE, erase.hold, api_calls.held),
    Route("/recordings/<recording_id>/delete", "POST", Right.DELETE, erase.erase, api_calls.erased),
    Route("/recordings/<recording_id>/audio", "GET", Right.PLAY, files.audio, files.audio),
    Route("/recordings/<recording_id>/peaks", "GET", Right.PLAY, files.peaks, files.peaks),
    Route("/recordings/<recording_id>/file", "GET", Right.DOWNLOAD, files.download, files.download),
    Route("/password", "GET", Right.OWN, password.form, people.oneself),
    Route("/password", "POST", Right.OWN, password.change, people.password_changed),
    Route("/users", "GET", Right.USERS, operators.show, people.users),
    Route("/users/new", "GET", Right.USERS, operators.blank),
    Route("/users/new", "POST", Right.USERS, operators.add, people.user_made),
    Route("/users/<user_id>", "GET", Right.USERS, operators.form, people.user),
    Route("/users/<user_id>", "POST", Right.USERS, operators.save, people.user_changed),
    Route("/users/<user_id>/enabled", "POST", Right.USERS, operators.enable, people.user_enabled),
    Route("/users/<user_id>/password", "POST", Right.USERS, operators.reset, people.user_reset),
    Route("/groups", "GET", Right.USERS, groups.show, people.all_groups),
    Route("/groups", "POST", Right.USERS, groups.add, people.group_made),
    Route("/groups/lines", "POST", Right.USERS, groups.save_lines, people.lines_set),
    Route("/groups/<group_id>", "POST", Right.USERS, groups.save, people.group_saved),
    Route("/settings", "GET", Right.USERS, line_settings.first, people.settings),
    Route("/settings/numbers", "GET", Right.USERS, number_settings.show, people.numbers),
    Route("/settings/numbers", "POST", Right.USERS, number_settings.save, people.numbers_saved),
    Route("/settings/uploads", "GET", Right.USERS, uploads.show, people.uploads),
    Route("/settings/uploads", "POST", Right.USERS, uploads.save, people.uploads_changed),
    Route("/settings/lines/<line>", "GET", Right.USERS, line_settings.show, people.settings_of_line),
    Route("/settings/lines/<line>", "POST", Right.USERS, line_settings.save, people.settings_saved),
    Route("/settings/lines/<line>/copy", "POST", Right.USERS, line_settings.copy, people.settings_copied),
    Route("/log", "GET", Right.LOG, log.show, people.logged),
    Route("/popup/stream", "GET", Right.POP_UP, popup.stream, popup.stream),
    Route("/popup/<call_id>", "GET", Right.POP_UP, popup.show, records.card),
    Route("/popup/<call_id>", "POST", Right.POP_UP, popup_save.save, records.card_saved),
    Route("/customers", "GET", Right.CUSTOMERS, customers.show, records.customers_found),
    Route("/customers/new", "GET", Right.CUSTOMERS, customers.blank),
    Route("/customers/new", "POST", Right.CUSTOMERS, customers.add, records.customer_added),
    Route("/customers/clear", "POST", Right.CUSTOMERS_BULK, customers.clear, records.customers_cleared),
    Route("/customers/export.xlsx", "GET", Right.CUSTOMERS, record_sheets.export, record_sheets.export),
    Route("/customers/template.xlsx", "GET", Right.CUSTOMERS, record_sheets.template, record_sheets.template),
    Route("/customers/import", "GET", Right.CUSTOMERS_BULK, record_sheets.form),
    Route("/customers/import", "POST", Right.CUSTOMERS_BULK, record_sheets.look, records.sheet_looked_at),
    Route("/customers/import/undo", "POST", Right.CUSTOMERS_BULK, record_sheets.undo, records.sheet_undone),
    Route(
        "/customers/import/<import_id>",
        "POST",
        Right.CUSTOMERS_BULK,
        record_sheets.confirm,
        records.sheet_confirmed,
    ),
    Route(
        "/customers/import/<import_id>/reasons.xlsx",
        "GET",
        Right.CUSTOMERS_BULK,
        record_sheets.errors,
        record_sheets.errors,
    ),
    Route("/customers/<customer_id>", "GET", Right.CUSTOMERS, customers.form, records.customer),
    Route("/customers/<customer_id>", "POST", Right.CUSTOMERS, customers.save, records.customer_saved),
    Route(
        "/customers/<customer_id>/delete",
        "POST",
        Right.CUSTOMERS_BULK,
        customers.delete,
        records.customer_deleted,
    ),
    Route("/communications", "GET", Right.COMMUNICATIONS, communications.show, records.communications_found),
    Route("/communications/new", "GET", Right.COMMUNICATIONS, communications.blank),
    Route(
        "/communications/new", "POST", Right.COMMUNICATIONS, communications.add, records.communication_added
    ),
    Route(
        "/communications/clear",
        "POST",
        Right.COMMUNICATIONS_BULK,
        communications.clear,
        records.communications_cleared,
    ),
    Route(
        "/communications/export.xlsx", "GET", Right.COMMUNICATIONS, record_sheets.export, record_sheets.export
    ),
    Route(
        "/communications/template.xlsx",
        "GET",
        Right.COMMUNICATIONS,
        record_sheets.template,
        record_sheets.template,
    ),
    Route("/communications/import", "GET", Right.COMMUNICATIONS_BULK, record_sheets.form),
    Route(
        "/communications/import",
        "POST",
        Right.COMMUNICATIONS_BULK,
        record_sheets.look,
        records.sheet_looked_at,
    ),
    Route(
        "/communications/import/undo",
        "POST",
        Right.COMMUNICATIONS_BULK,
        record_sheets.undo,
        records.sheet_undone,
    ),
    Route(
        "/communications/import/<import_id>",
        "POST",
        Right.COMMUNICATIONS_BULK,
        record_sheets.confirm,
        records.sheet_confirmed,
    ),
    Route(
        "/communications/import/<import_id>/reasons.xlsx",
        "GET",
        Right.COMMUNICATIONS_BULK,
        record_sheets.errors,
        record_sheets.errors,
    ),
    Route(
        "/communications/<communication_id>/recording",
        "GET",
        Right.COMMUNICATIONS,
        communications.recording,
        communications.recording,
    ),
    Route(
        "/communications/<communication_id>/delete",
        "POST",
        Right.COMMUNICATIONS_BULK,
        communications.delete,
        records.communication_deleted,
    ),
)

API: tuple[Route, ...] = tuple(
    Route(f"/api{page.path}", page.method, page.right, answered(page.api)) for page in PAGES if page.api
)
ROUTES: tuple[Route, ...] = PAGES + API


def build_app(
    settings: WebSettings, clock: Clock | None = None, stop: threading.Event | None = None
) -> Bottle:
    """The application; it brings the database's tables up to date first. `stop` ends the live streams."""
    clock = clock or SystemClock()
    with closing(open_store(settings.database)) as db:
        finish_undone(db, clock.utc())
        catch_up(db)
        while tell_untold(db, clock.utc()):
            pass
    site = Site.build(settings, clock, stop or threading.Event())
    app = Bottle()
    for route in ROUTES:
        app.route(route.path, route.method, callback=door(site, route))

    def show_error(error: HTTPError) -> str:
        return error_page(site, error)

    app.add_hook("after_request", partial(add_headers, settings))
    app.default_error_handler = show_error
    return app
