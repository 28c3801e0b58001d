"""The branch page as one WSGI application: the table of its routes, and the making of it.

A new page is one module with its function, one template and one line here; a line without a right cannot be
written, so nothing is open by mistake.
"""

from __future__ import annotations

import threading

from bottle import Bottle, HTTPError

from edge.clock import Clock, SystemClock
from edge.store.schema import open_store
from edge.web import call, calls, files, groups, language, lines, log, log_in, operators, password
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
    Route("/calls", "GET", Right.LIST, calls.show),
    Route("/calls/<call_id>", "GET", Right.LIST, call.show),
    Route("/recordings/<recording_id>/audio", "GET", Right.PLAY, files.audio),
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
    Route("/log", "GET", Right.LOG, log.show),
)


def build_app(
    settings: WebSettings, clock: Clock | None = None, stop: threading.Event | None = None
) -> Bottle:
    """The application; it brings the database's tables up to date first. `stop` ends the live streams."""
    open_store(settings.database).close()
    site = Site.build(settings, clock or SystemClock(), stop or threading.Event())
    app = Bottle()
    for route in ROUTES:
        app.route(route.path, route.method, callback=door(site, route))

    def show_error(error: HTTPError) -> str:
        return error_page(site, error)

    app.add_hook("after_request", add_headers)
    app.default_error_handler = show_error
    return app
