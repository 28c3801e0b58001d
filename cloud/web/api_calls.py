"""What people put on calls, over the API: notes in versions, star, tags, reports of a wrong record."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from cloud.access.call_notes import Note
from cloud.access.decision import Verb
from cloud.access.log import Action
from cloud.access.shape import Call
from cloud.calls.flags import MOST_TAGS
from cloud.reading import NOT_THERE, Look, Outcome, note
from cloud.store.call_notes import NoteChanged
from cloud.web.asking import ask_of, desk_of
from cloud.web.call_notes import LONGEST_NOTE, make_report, put_note, put_star, put_tags
from cloud.web.calls import fetch_call, given_call, said_of
from cloud.web.etags import IfMatch, IfNoneMatch, Stale, etag_of, seen_version, told
from sync.locale import marked

CallId = Annotated[str, Path(max_length=64)]
NoteId = Annotated[str, Path(max_length=64)]
NO_VERSIONS = 0  # a call is what has arrived of it so far
CALL: TypeAdapter[Call] = TypeAdapter(Call)


class VersionShown(BaseModel):
    """A note as it read for a time."""

    version: int
    text: str | None
    by_name: str | None
    at_utc: str


class NoteShown(VersionShown):
    """A note as it reads now. `etag`: what a change of it has to name in `If-Match`."""

    id: str
    before: list[VersionShown] = Field(description="the newest first")
    is_whole: bool = Field(description="nothing of it is masked; only then can you write it anew")
    etag: str


class ReportStepShown(BaseModel):
    """Something that was done with a report."""

    step: str
    text: str | None
    by_name: str | None
    at_utc: str


class ReportShown(BaseModel):
    """A report that the record of a call is wrong."""

    id: str
    state: str = Field(description="open, looked_into or answered")
    text: str | None
    by_name: str | None
    at_utc: str
    assigned_to: str | None
    changed_utc: str
    steps: list[ReportStepShown]


class SaidShown(BaseModel):
    """What people put on a call."""

    notes: list[NoteShown]
    tags: list[str]
    star: bool
    reports: list[ReportShown]


class TextWanted(BaseModel):
    """What somebody says."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(description="at most 4000 characters; of a report 1000", max_length=LONGEST_NOTE)


class StarWanted(BaseModel):
    """Whether the star is on."""

    model_config = ConfigDict(extra="forbid")

    on: bool


class TagsWanted(BaseModel):
    """All tags of the call."""

    model_config = ConfigDict(extra="forbid")

    tags: list[str] = Field(max_length=MOST_TAGS)


class Made(BaseModel):
    """What was made."""

    id: str


def get_call(request: Request, call_id: CallId, if_none_match: IfNoneMatch = None) -> Call:
    """One call with its recordings."""
    call = fetch_call(request, call_id)
    body = CALL.dump_json(call).decode()
    return told(body, etag_of(call.id, NO_VERSIONS, body), if_none_match)  # type: ignore[return-value]


def get_said(request: Request, call_id: CallId) -> SaidShown:
    """Notes, tags, star and reports of a call."""
    _, said = given_call(request, call_id, lambda _: True, said_of)
    return SaidShown.model_validate({**said, "notes": list(map(note_shown, said["notes"]))})


def add_note(request: Request, call_id: CallId, wanted: TextWanted) -> Made:
    """Put a note on a call."""
    return Made(id=put_note(request, call_id, wanted.text))


def change_note(
    request: Request, call_id: CallId, note_id: NoteId, wanted: TextWanted, if_match: IfMatch = None
) -> Made:
    """Write a note anew; what it was stays readable. Needs `If-Match`."""
    version = seen_version(if_match, note_id)
    said = get_said(request, call_id)
    before = next((one for one in said.notes if one.id == note_id), None)
    if before is None:
        raise _refused(request, note_id, NOT_THERE, 404, marked("There is no such note."))
    if not before.is_whole:
        sentence = marked("Part of this note is masked for you, so you cannot write it anew.")
        raise _refused(request, note_id, "masked", 403, sentence)
    try:
        return Made(id=put_note(request, call_id, wanted.text, note_id, version))
    except NoteChanged as error:
        raise Stale from error


def set_star(request: Request, call_id: CallId, wanted: StarWanted) -> Response:
    """Put the star on a call, or take it off."""
    put_star(request, call_id, wanted.on)
    return Response(status_code=204)


def set_tags(request: Request, call_id: CallId, wanted: TagsWanted) -> Response:
    """Give a call these tags and no others."""
    put_tags(request, call_id, "\n".join(wanted.tags))
    return Response(status_code=204)


def report_wrong(request: Request, call_id: CallId, wanted: TextWanted) -> Made:
    """Report the record of a call as wrong."""
    return Made(id=make_report(request, call_id, wanted.text))


def _refused(request: Request, note_id: str, why: str, status: int, sentence: str) -> HTTPException:
    """The refusal of a change of a note, noted."""
    look = Look(action=Action.UPDATE, object_id=note_id)
    note(desk_of(request), ask_of(request, Verb.CHANGE, "calls"), look, Outcome(refused=why))
    return HTTPException(status, sentence)


def note_shown(one: Note) -> NoteShown:
    """A note of the serialiser as JSON knows it."""
    now = VersionShown.model_validate(one.now)
    etag = etag_of(one.now["id"], now.version, now.model_dump_json())
    return NoteShown(
        **now.model_dump(), id=one.now["id"], is_whole=one.is_whole, etag=etag,
        before=[VersionShown.model_validate(older) for older in one.before],
    )  # fmt: skip
