"""The record button (键控, REC-05): a press becomes a row, and the recorder takes it when it looks.

Pressed again it ends only what was begun by hand: a recording that the line's settings began goes on, so that
nobody stops the evidence with a button.
"""

from __future__ import annotations

from bottle import HTTPError, HTTPResponse

from edge.store.listing import call_row
from edge.store.operations import add_operation
from edge.store.requests import ask_to_record, is_by_hand
from edge.web.listen import call_on, line_number
from edge.web.operators import operation
from edge.web.site import Visit, see_other
from sync.db import write
from sync.moment import to_text


def press(visit: Visit, line: str) -> HTTPResponse:
    """Record the call on this line from now on (`keep` is 1), or no longer."""
    pressed(visit, line)
    return see_other("/lines")


def pressed(visit: Visit, line: str) -> None:
    """404 for a line not theirs; 409 without a call, or when it would stop what was not begun by hand."""
    number, keep = line_number(visit, line), bool(visit.form.get("keep"))
    call_id = call_on(visit, number)
    call = call_row(visit.db, call_id) if call_id else None
    if call is None or not (keep or is_by_hand(visit.db, number, call.started_utc)):
        raise HTTPError(409)
    by = operation(visit, "record_on" if keep else "record_off", call.id, f"line {number}")
    at_utc = to_text(visit.now)
    with write(visit.db):
        ask_to_record(visit.db, number, keep, by.user_name or "", at_utc)
        add_operation(visit.db, by, at_utc)
