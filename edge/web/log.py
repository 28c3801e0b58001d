"""The Operation log page (操作日志): who did, heard, took away or was refused what, and when."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from bottle import HTTPResponse

from edge.store.operations import LogFilter, LogPage, log_page, operation_names
from edge.web.calls import AskedBadly, read_days
from edge.web.shown import Word
from edge.web.site import Visit
from edge.web.strip import strip
from sync.locale import marked

PAGE_SIZE = 100
FIELDS = ("user", "operation", "result", "subject", "from", "to")
RESULTS = {
    "done": Word(marked("Done"), "done", "quiet"),
    "refused": Word(marked("Refused"), "warning", "alarm"),
}
# name in the log -> what people read; one that is not here stands for itself
OPERATIONS = {
    "log_in": marked("Log-in"),
    "log_out": marked("Log-out"),
    "request": marked("Page or request"),
    "out_of_scope": marked("Call of another line"),
    "search": marked("Search of calls"),
    "view": marked("View of a call"),
    "play": marked("Play"),
    "download": marked("Download"),
    "export": marked("Export"),
    "print": marked("Print"),
    "listen": marked("Listening live"),
    "record_on": marked("Record button pressed"),
    "record_off": marked("Record button released"),
    "delete_audio": marked("Recording deleted"),
    "delete_call": marked("Call deleted, by head office"),
    "hold": marked("Hold placed"),
    "lift_hold": marked("Hold ended"),
    "retention": marked("How long audio is kept, by head office"),
    "pop_up": marked("Caller pop-up"),
    "list_customers": marked("List of customers"),
    "view_customer": marked("View of a customer"),
    "add_customer": marked("Customer added"),
    "change_customer": marked("Customer changed"),
    "delete_customer": marked("Customer deleted"),
    "clear_customers": marked("Customers cleared"),
    "list_communications": marked("List of communications"),
    "view_communication": marked("View of a communication"),
    "add_communication": marked("Communication added"),
    "delete_communication": marked("Communication deleted"),
    "clear_communications": marked("Communications cleared"),
    "export_customers": marked("Customers exported"),
    "check_customers": marked("Sheet of customers checked"),
    "import_customers": marked("Customers imported"),
    "undo_import_customers": marked("Import of customers undone"),
    "export_communications": marked("Communications exported"),
    "check_communications": marked("Sheet of communications checked"),
    "import_communications": marked("Communications imported"),
    "undo_import_communications": marked("Import of communications undone"),
    "note": marked("Note"),
    "tag": marked("Tag"),
    "star": marked("Star"),
    "user_made": marked("User made"),
    "user_changed": marked("User changed"),
    "user_disabled": marked("User disabled"),
    "user_enabled": marked("User enabled"),
    "password_reset": marked("Password reset"),
    "password_changed": marked("Password changed"),
    "line_settings": marked("Line settings"),
    "number_settings": marked("Numbers and pop-up"),
    "pause_uploads": marked("Uploads paused"),
    "resume_uploads": marked("Uploads resumed"),
    "send_again": marked("What was set aside sent again"),
    "dismiss": marked("What was set aside dismissed"),
    "group_made": marked("Group made"),
    "group_renamed": marked("Group renamed"),
    "group_removed": marked("Group removed"),
    "lines_set": marked("Lines set"),
    "caller_read_again": marked("Caller ID read again"),
}


def show(visit: Visit) -> HTTPResponse:
    """The form, and the lines that pass; what was asked badly is said, and finds nothing."""
    asked = {name: visit.query.get(name, "").strip() for name in FIELDS}
    fault, page = "", LogPage((), None, None)
    try:
        page = found(visit)
    except AskedBadly as error:
        fault = str(error)
    return visit.page(
        "log.html",
        400 if fault else 200,
        strip=strip(visit),
        asked=asked,
        fault=fault,
        entries=page.lines,
        newer=_link(asked, "newer", page.newer_than),
        older=_link(asked, "older", page.older_than),
        filtered=any(asked.values()),
        operations={name: OPERATIONS.get(name, name) for name in operation_names(visit.db)},
        results=RESULTS,
    )


def found(visit: Visit) -> LogPage:
    """The page of the log that the address asks for; AskedBadly."""
    query = visit.query
    wanted = read_filter(query, visit.site.settings.zone)
    return log_page(visit.db, wanted, PAGE_SIZE, _key(query, "older"), _key(query, "newer"))


def read_filter(query: Mapping[str, str], zone: ZoneInfo) -> LogFilter:
    """The filter in an address; AskedBadly says what is wrong with it."""
    first_utc, until_utc = read_days(query, zone)
    if query.get("result", "") not in ("", *RESULTS):
        raise AskedBadly(marked("There is no such choice."))
    user, operation, result, subject = (query.get(name, "").strip() for name in FIELDS[:4])
    return LogFilter(user, operation, result, subject, first_utc, until_utc)


def _key(query: Mapping[str, str], way: str) -> int | None:
    text = query.get(way, "")
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise AskedBadly(marked("There is no such page."))
    return int(text)


def _link(asked: Mapping[str, str], way: str, key: int | None) -> str:
    if key is None:
        return ""
    return "/log?" + urlencode({**{name: value for name, value in asked.items() if value}, way: key})
