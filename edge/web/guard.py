"""What stands before every call and recording that is named by its id: in scope, or not there.

A call of another line answers like one that never was, so that ids tell nothing; that somebody asked for it
stands in the operation log.
"""

from __future__ import annotations

from bottle import HTTPError

from edge.store.listing import CallFacts, RecordingRow, call_facts, call_row, recording
from edge.store.operations import Operation, log_operation
from edge.web.site import Visit


def the_call(visit: Visit, call_id: str) -> CallFacts:
    """The call of that id with its recordings; 404 when there is none that the user sees."""
    facts = call_facts(visit.db, call_id)
    if facts is None:
        raise HTTPError(404)
    keep_to_scope(visit, facts.row.line, call_id)
    return facts


def the_recording(visit: Visit, recording_id: str) -> RecordingRow:
    """The recording of that id; 404 when there is none that the user hears."""
    row = recording(visit.db, recording_id)
    call = call_row(visit.db, row.call_id) if row else None
    if row is None or call is None:
        raise HTTPError(404)
    keep_to_scope(visit, call.line, recording_id)
    return row


def keep_to_scope(visit: Visit, line: int, subject: str) -> None:
    """404, and a refusal in the operation log, when `subject` is of a line that the user does not see."""
    if visit.sees(line):
        return
    if visit.user is not None:
        refused = Operation(
            "out_of_scope", "refused", visit.address, visit.user.name, subject, f"line {line} is not theirs"
        )
        log_operation(visit.db, refused, visit.now)
    raise HTTPError(404)
