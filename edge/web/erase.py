"""What the right `delete` is for: erasing the audio of a call, and the legal hold that forbids it.

The row of the call stays, with a signed tombstone that says who erased the audio and when. What is on hold,
and what head office has not confirmed yet, is not erased; the page says which of the two it was.
"""

from __future__ import annotations

from bottle import HTTPError, HTTPResponse

from edge.store.operations import Operation, add_operation, log_operation
from edge.store.retention import delete_audio, hold_on, is_held, lift_hold, place_hold
from edge.web import call
from edge.web.guard import the_call, the_recording
from edge.web.operators import operation
from edge.web.site import Visit, see_other
from sync.db import write
from sync.locale import marked
from sync.moment import to_text

LONGEST_REASON = 200
NOT_READY = marked("There is no finished recording to delete.")
ON_HOLD = marked("This call is on hold: its audio may not be deleted.")
NOT_CONFIRMED = marked("Head office has not agreed yet that it has this recording; then it can be deleted.")
NOT_SURE = marked("Tick that you mean it; deleted audio does not come back.")
ORDERED = marked("Head office holds this call; only head office ends that.")
NO_REASON = marked("A hold needs a reason.")


def erase(visit: Visit, recording_id: str) -> HTTPResponse:
    """Erase the audio of one recording, or say on its call's page why not."""
    try:
        call_id = erased(visit, recording_id)
    except Refused as refusal:
        return call.show(visit, the_recording(visit, recording_id).call_id, str(refusal))
    return see_other(f"/calls/{call_id}")


def hold(visit: Visit, call_id: str) -> HTTPResponse:
    """Place a hold on a call, or end it."""
    try:
        held(visit, call_id)
    except Refused as refusal:
        return call.show(visit, call_id, str(refusal))
    return see_other(f"/calls/{call_id}")


class Refused(ValueError):
    """It may not be done; the message is a marked text."""


def erased(visit: Visit, recording_id: str) -> str:
    """Erase the audio; the id of its call. Refused says why not, and stands in the operation log."""
    row = the_recording(visit, recording_id)
    if visit.form.get("sure") != "yes":
        raise Refused(NOT_SURE)
    by = operation(visit, "delete_audio", recording_id, "erased")
    with write(visit.db):
        on_hold = is_held(visit.db, recording_id)
        alone = visit.site.settings.is_alone
        gone = delete_audio(visit.db, recording_id, "erased", by.user_name, to_text(visit.now), alone)
        if gone:
            add_operation(visit.db, by, to_text(visit.now))
    if not gone:
        why = NOT_READY if row.state != "ready" else ON_HOLD if on_hold else NOT_CONFIRMED
        refused = Operation("delete_audio", "refused", by.address, by.user_name, recording_id, why)
        log_operation(visit.db, refused, visit.now)
        raise Refused(why)
    return row.call_id


def held(visit: Visit, call_id: str) -> None:
    """Place a hold with `reason`, or end it with `lift`; 400 when there is none to end."""
    the_call(visit, call_id)
    name, at_utc = visit.user.name if visit.user else "", to_text(visit.now)
    reason = visit.form.get("reason", "").strip()[:LONGEST_REASON]
    if not visit.form.get("lift") and not reason:
        raise Refused(NO_REASON)
    hold = hold_on(visit.db, call_id)
    if visit.form.get("lift") and hold is not None and hold.ordered:
        raise Refused(ORDERED)
    try:
        with write(visit.db):
            if visit.form.get("lift"):
                lift_hold(visit.db, call_id, name, at_utc)
            else:
                place_hold(visit.db, call_id, reason, name, at_utc)
    except ValueError as error:
        raise HTTPError(400) from error
