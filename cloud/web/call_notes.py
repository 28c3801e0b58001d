"""What somebody puts on a call: a note, a star, tags, a report that its record is wrong. Each is audited."""

from __future__ import annotations

from typing import Annotated

from fastapi import Form
from sqlalchemy import Connection
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from cloud.access.decision import Verb
from cloud.access.log import Action
from cloud.access.subjects import call_place
from cloud.calls import reports
from cloud.calls.flags import STAR, TagsRefused, read_tags
from cloud.reading import Look
from cloud.store import call_notes, call_reports, calls
from cloud.store.call_notes import Call, NoteChanged
from cloud.store.database import read, write
from cloud.web.answers import see_other
from cloud.web.asking import ask_of, check_change
from cloud.web.door import actor_of, note_deed
from cloud.web.parts import parts_of
from sync.locale import marked

LONGEST_NOTE = 4000
Text = Annotated[str, Form()]


def write_note(
    request: Request, call_id: str, text: Text = "", note_id: Text = "", seen: Text = "0"
) -> Response:
    """A new note, or a new version of one."""
    version = int(seen) if seen.isascii() and seen.isdigit() and len(seen) < 6 else 0
    try:
        put_note(request, call_id, text, note_id, version)
    except NoteChanged as error:
        raise HTTPException(409, marked("Somebody has changed this note meanwhile.")) from error
    return _back(call_id)


def put_note(request: Request, call_id: str, text: str, note_id: str = "", version: int = 0) -> str:
    """Write a note, or the version after `version` of the one that is there; its id. NoteChanged."""
    said = _checked_text(text, LONGEST_NOTE)
    call = _changed(request, call_id)
    by, now_utc = actor_of(request), parts_of(request).clock.now_utc()
    with write(parts_of(request).engine) as db:
        written = call_notes.write_note(db, call, said, by, now_utc, note_id, version)
        _audit(request, db, call, "note", written)
    return written


def set_star(request: Request, call_id: str, on: Text = "") -> Response:
    """Put the star on a call (`on` is not empty), or take it off."""
    put_star(request, call_id, on=bool(on))
    return _back(call_id)


def put_star(request: Request, call_id: str, on: bool) -> None:
    """Put the star on a call, or take it off."""
    call = _changed(request, call_id)
    with write(parts_of(request).engine) as db:
        call_notes.set_flag(db, call, STAR, on=on)
        _audit(request, db, call, "star", "on" if on else "off")


def set_tags(request: Request, call_id: str, tags: Text = "") -> Response:
    """The tags of a call, all of them."""
    put_tags(request, call_id, tags)
    return _back(call_id)


def put_tags(request: Request, call_id: str, tags: str) -> None:
    """Give a call these tags, as they are typed, and no others."""
    try:
        wanted = read_tags(tags)
    except TagsRefused as error:
        raise HTTPException(422, marked("At most 10 tags of 24 characters each.")) from error
    call = _changed(request, call_id)
    with write(parts_of(request).engine) as db:
        before, after = call_notes.set_tags(db, call, wanted)
        _audit(request, db, call, "tags", f"{len(before)} -> {len(after)}")


def report(request: Request, call_id: str, text: Text = "") -> Response:
    """Report the record of a call as wrong."""
    make_report(request, call_id, text)
    return _back(call_id)


def make_report(request: Request, call_id: str, text: str) -> str:
    """Report the record of a call as wrong; the report's id."""
    said = _checked_text(text, reports.LONGEST_TEXT)
    call = _changed(request, call_id)
    with write(parts_of(request).engine) as db:
        made = call_reports.make(db, call, said, actor_of(request), parts_of(request).clock.now_utc())
        _audit(request, db, call, "report", made)
    return made


def _checked_text(text: str, longest: int) -> str:
    said = text.strip().replace("\0", "")
    if not said:
        raise HTTPException(422, marked("Say something, please."))
    if len(said) > longest:
        raise HTTPException(422, marked("The text is too long."))
    return said


def _changed(request: Request, call_id: str) -> Call:
    """The call, if the person may change what is put on it."""
    with read(parts_of(request).engine) as db:
        row = calls.find_call(db, call_id)
    if row is None:
        raise HTTPException(404, marked("There is no such call."))
    look = Look(action=Action.UPDATE, object_id=call_id)
    check_change(request, ask_of(request, Verb.CHANGE, "calls"), look, call_place(row))
    return Call(row["id"], row["box_id"], row["started_utc"])


def _audit(request: Request, db: Connection, call: Call, what: str, which: str) -> None:
    more = {"box_id": call.box_id, "fields": (what,), "query": {what: which}}
    purpose = ask_of(request, Verb.CHANGE, "calls").reason
    note_deed(request, db, Action.UPDATE, "calls", call.id, purpose=purpose, **more)


def _back(call_id: str) -> Response:
    return see_other(f"/calls/{call_id}#notes")
