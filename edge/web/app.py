"""The branch page as one WSGI application: the table of its routes, and the making of it.

A new page is one module with its function, one template and one line here; a line without a right cannot be
written, so nothing is open by mistake.
"""

from __future__ import annotations

import threading
from contextlib import closing

from bottle import Bottle, HTTPError

from edge.clock import Clock, SystemClock
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
)
from edge.web.door import Route, add_headers, door, error_page
from edge.web.rights import Right
from edge.web.settings import WebSettings
from edge.web.site import Site

ROUTES: tuple[Route, ...] = (
    Route("/", "GET", Right.OWN, lines.home),
    Route("/log-in", "GET", Right.PUBLIC, log_in.form),
    Route("/log-in", "POST", Right.PUBLIC, log_in.enter),
    Route("/log-out", "POST", Right.OWN, log_in.leave),
    Route("/language", "POST", Right.PUBLIC, language.choose),
    Route("/static/<path:path>", "GET", Right.PUBLIC, files.static),
    Route("/lines", "GET", Right.LIST, lines.show),
    Route("/lines/stream", "GET", Right.LIST, lines.stream),
    Route("/lines/<line>/record", "POST", Right.LIST, record.press),
    Route("/lines/<line>/listen", "GET", Right.LISTEN, listen.listen),
    Route("/calls", "GET", Right.LIST, calls.show),
    Route("/calls/xlsx", "POST", Right.EXPORT, exports.sheet),
    Route("/calls/csv", "POST", Right.EXPORT, exports.table),
    Route("/calls/zip", "POST", Right.DOWNLOAD, exports.archive),
    Route("/calls/print", "POST", Right.LIST, exports.printed),
    Route("/calls/<call_id>", "GET", Right.LIST, call.show),
    Route("/calls/<call_id>/notes", "POST", Right.LIST, remarks.note),
    Route("/calls/<call_id>/notes/<note_id>/strike", "POST", Right.LIST, remarks.strike),
    Route("/calls/<call_id>/tags", "POST", Right.LIST, remarks.tag),
    Route("/calls/<call_id>/star", "POST", Right.LIST, remarks.star),
    Route("/calls/<call_id>/hold", "POST", Right.DELETE, erase.hold),
    Route("/recordings/<recording_id>/delete", "POST", Right.DELETE, erase.erase),
    Route("/recordings/<recording_id>/audio", "GET", Right.PLAY, files.audio),
    Route("/recordings/<recording_id>/peaks", "GET", Right.PLAY, files.peaks),
    Route("/recordings/<recording_id>/file", "GET", Right.DOWNLOAD, files.download),
    Route("/password", "GET", Right.OWN, password.form),
    Route("/password", "POST", Right.OWN, password.change),
    Route("/users", "GET", Right.USERS, operators.show),
    Route("/users/new", "GET", Right.USERS, operators.blank),
    Route("/users/new", "POST", Right.USERS, operators.add),
    Route("/users/<user_id>", "GET", Right.USERS, operators.form),
    Route("/users/<user_id>", "POST", Right.USERS, operators.save),
    Route("/users/<user_id>/enabled", "POST", Right.USERS, operators.enable),
    Route("/users/<user_id>/password", "POST", Right.USERS, operators.reset),
    Route("/groups", "GET", Right.USERS, groups.show),
    Route("/groups", "POST", Right.USERS, groups.add),
    Route("/groups/lines", "POST", Right.USERS, groups.save_lines),
    Route("/groups/<group_id>", "POST", Right.USERS, groups.save),
    Route("/settings", "GET", Right.USERS, line_settings.first),
    Route("/settings/numbers", "GET", Right.USERS, number_settings.show),
    Route("/settings/numbers", "POST", Right.USERS, number_settings.save),
    Route("/settings/lines/<line>", "GET", Right.USERS, line_settings.show),
    Route("/settings/lines/<line>", "POST", Right.USERS, line_settings.save),
    Route("/settings/lines/<line>/copy", "POST", Right.USERS, line_settings.copy),
    Route("/log", "GET", Right.LOG, log.show),
    Route("/popup/stream", "GET", Right.POP_UP, popup.stream),
    Route("/popup/<call_id>", "GET", Right.POP_UP, popup.show),
    Route("/popup/<call_id>", "POST", Right.POP_UP, popup_save.save),
    Route("/customers", "GET", Right.CUSTOMERS, customers.show),
    Route("/customers/new", "GET", Right.CUSTOMERS, customers.blank),
    Route("/customers/new", "POST", Right.CUSTOMERS, customers.add),
    Route("/customers/clear", "POST", Right.CUSTOMERS_BULK, customers.clear),
    Route("/customers/export.xlsx", "GET", Right.CUSTOMERS, record_sheets.export),
    Route("/customers/template.xlsx", "GET", Right.CUSTOMERS, record_sheets.template),
    Route("/customers/import", "GET", Right.CUSTOMERS_BULK, record_sheets.form),
    Route("/customers/import", "POST", Right.CUSTOMERS_BULK, record_sheets.look),
    Route("/customers/import/undo", "POST", Right.CUSTOMERS_BULK, record_sheets.undo),
    Route("/customers/import/<import_id>", "POST", Right.CUSTOMERS_BULK, record_sheets.confirm),
    Route("/customers/import/<import_id>/reasons.xlsx", "GET", Right.CUSTOMERS_BULK, record_sheets.errors),
    Route("/customers/<customer_id>", "GET", Right.CUSTOMERS, customers.form),
    Route("/customers/<customer_id>", "POST", Right.CUSTOMERS, customers.save),
    Route("/customers/<customer_id>/delete", "POST", Right.CUSTOMERS_BULK, customers.delete),
    Route("/communications", "GET", Right.COMMUNICATIONS, communications.show),
    Route("/communications/new", "GET", Right.COMMUNICATIONS, communications.blank),
    Route("/communications/new", "POST", Right.COMMUNICATIONS, communications.add),
    Route("/communications/clear", "POST", Right.COMMUNICATIONS_BULK, communications.clear),
    Route("/communications/export.xlsx", "GET", Right.COMMUNICATIONS, record_sheets.export),
    Route("/communications/template.xlsx", "GET", Right.COMMUNICATIONS, record_sheets.template),
    Route("/communications/import", "GET", Right.COMMUNICATIONS_BULK, record_sheets.form),
    Route("/communications/import", "POST", Right.COMMUNICATIONS_BULK, record_sheets.look),
    Route("/communications/import/undo", "POST", Right.COMMUNICATIONS_BULK, record_sheets.undo),
    Route("/communications/import/<import_id>", "POST", Right.COMMUNICATIONS_BULK, record_sheets.confirm),
    Route(
        "/communications/import/<import_id>/reasons.xlsx",
        "GET",
        Right.COMMUNICATIONS_BULK,
        record_sheets.errors,
    ),
    Route(
        "/communications/<communication_id>/recording", "GET", Right.COMMUNICATIONS, communications.recording
    ),
    Route(
        "/communications/<communication_id>/delete", "POST", Right.COMMUNICATIONS_BULK, communications.delete
    ),
)


def build_app(
    settings: WebSettings, clock: Clock | None = None, stop: threading.Event | None = None
) -> Bottle:
    """The application; it brings the database's tables up to date first. `stop` ends the live streams."""
    with closing(open_store(settings.database)) as db:
        finish_undone(db)
    site = Site.build(settings, clock or SystemClock(), stop or threading.Event())
    app = Bottle()
    for route in ROUTES:
        app.route(route.path, route.method, callback=door(site, route))

    def show_error(error: HTTPError) -> str:
        return error_page(site, error)

    app.add_hook("after_request", add_headers)
    app.default_error_handler = show_error
    return app
