"""Lines and calls for programs: what is on them now, the list, one call with all that belongs to it."""

from __future__ import annotations

from typing import Any

from edge.store.listing import lines_now
from edge.store.notes import notes_of, tags_of
from edge.store.operations import Operation, heard_by, log_play
from edge.store.proof import proof_of
from edge.store.retention import hold_on
from edge.web import call, calls, erase, record, remarks
from edge.web.guard import the_call
from edge.web.site import Visit
from edge.web.strip import strip


def lines(visit: Visit) -> dict[str, Any]:
    """The user's lines as they are now, and how the box is."""
    return {"lines": [one for one in lines_now(visit.db) if visit.sees(one.line)], "strip": strip(visit)}


def found(visit: Visit) -> dict[str, Any]:
    """A page of calls; `older` and `newer` are what the next question takes."""
    _, page = calls.found(visit, visit.query)
    keys = {"older": page.older_than, "newer": page.newer_than}
    told = {name: f"{key.started_utc}~{key.id}" if key else None for name, key in keys.items()}
    return {"calls": page.calls, **told}


def one(visit: Visit, call_id: str) -> dict[str, Any]:
    """One call, its recordings with their proof, notes, tags, hold, customers, and who listened."""
    facts = the_call(visit, call_id)
    if visit.user is not None:
        viewed = Operation("view", "done", visit.address, visit.user.name, call_id)
        log_play(visit.db, viewed, visit.now, call.ONE_VIEW)
    return {
        "call": facts,
        "proofs": {row.id: proof_of(visit.db, "recording", row.id) for row in facts.recordings},
        "kept_until": {row.id: call.kept_until(visit, facts.row, row) for row in facts.recordings},
        "notes": notes_of(visit.db, call_id),
        "tags": tags_of(visit.db, call_id),
        "hold": hold_on(visit.db, call_id),
        "customers": call.customers_of(visit, facts.row),
        "heard": heard_by(visit.db, (call_id, *(row.id for row in facts.recordings))),
    }


def pressed(visit: Visit, line: str) -> dict[str, bool]:
    """The record button: `keep` true or false."""
    record.pressed(visit, line)
    return {"done": True}


def noted(visit: Visit, call_id: str) -> dict[str, str]:
    """A note of `text`; its id."""
    return {"id": remarks.noted(visit, call_id)}


def struck(visit: Visit, call_id: str, note_id: str) -> dict[str, bool]:
    """A note stands no longer."""
    remarks.struck(visit, call_id, note_id)
    return {"done": True}


def tagged(visit: Visit, call_id: str) -> dict[str, Any]:
    """`tag` on, or off with `remove`; the tags there are now."""
    remarks.tagged(visit, call_id)
    return {"tags": tags_of(visit.db, call_id)}


def starred(visit: Visit, call_id: str) -> dict[str, bool]:
    """`starred` true or false."""
    remarks.starred(visit, call_id)
    return {"done": True}


def held(visit: Visit, call_id: str) -> dict[str, Any]:
    """A hold with `reason`, or its end with `lift`; the hold there is now."""
    erase.held(visit, call_id)
    return {"hold": hold_on(visit.db, call_id)}


def erased(visit: Visit, recording_id: str) -> dict[str, str]:
    """The audio goes when `sure` is yes; the id of its call."""
    return {"call_id": erase.erased(visit, recording_id)}
