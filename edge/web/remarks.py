"""What people add to a call from its page: notes, tags, a star. Its writer or a super strikes a note."""

from __future__ import annotations

from bottle import HTTPError, HTTPResponse

from edge.store import notes as rows
from edge.store.notes import Note, NoteError
from edge.web.guard import the_call
from edge.web.operators import operation
from edge.web.site import Visit, local_path, see_other


def note(visit: Visit, call_id: str) -> HTTPResponse:
    """Add `text` as a note."""
    noted(visit, call_id)
    return _back(visit, call_id)


def strike(visit: Visit, call_id: str, note_id: str) -> HTTPResponse:
    """Strike a note out."""
    struck(visit, call_id, note_id)
    return _back(visit, call_id)


def tag(visit: Visit, call_id: str) -> HTTPResponse:
    """Put `tag` on the call, or take it off with `remove`."""
    tagged(visit, call_id)
    return _back(visit, call_id)


def star(visit: Visit, call_id: str) -> HTTPResponse:
    """Star the call when `starred` is there, else no longer."""
    starred(visit, call_id)
    return _back(visit, call_id)


def noted(visit: Visit, call_id: str) -> str:
    """The id of the new note; 400 when it is none."""
    the_call(visit, call_id)
    user_id = visit.user.id if visit.user else ""
    by = operation(visit, "note", call_id, "added")
    try:
        return rows.add_note(visit.db, call_id, user_id, visit.form.get("text", ""), by, visit.now)
    except NoteError as error:
        raise HTTPError(400) from error


def struck(visit: Visit, call_id: str, note_id: str) -> None:
    """404 for a note that does not stand on this call, 403 for somebody else's."""
    the_call(visit, call_id)
    found = next((one for one in rows.notes_of(visit.db, call_id) if one.id == note_id), None)
    if found is None:
        raise HTTPError(404)
    if not may_strike(visit, found):
        raise HTTPError(403)
    rows.strike_note(visit.db, note_id, operation(visit, "note", call_id, f"struck {note_id}"), visit.now)


def tagged(visit: Visit, call_id: str) -> None:
    """400 when it is no tag."""
    the_call(visit, call_id)
    text, on = visit.form.get("tag", ""), not visit.form.get("remove")
    by = operation(visit, "tag", call_id, f"{'+' if on else '-'}{text}")
    try:
        rows.set_tag(visit.db, call_id, text, on, by, visit.now)
    except NoteError as error:
        raise HTTPError(400) from error


def starred(visit: Visit, call_id: str) -> None:
    """One star per call, for all."""
    the_call(visit, call_id)
    on = bool(visit.form.get("starred"))
    rows.set_star(visit.db, call_id, on, operation(visit, "star", call_id, "+" if on else "-"), visit.now)


def may_strike(visit: Visit, found: Note) -> bool:
    """Whether this user may strike that note."""
    return visit.user is not None and (visit.user.level == "super" or visit.user.id == found.user_id)


def _back(visit: Visit, call_id: str) -> HTTPResponse:
    return see_other(local_path(visit.form.get("next", ""), f"/calls/{call_id}"))
