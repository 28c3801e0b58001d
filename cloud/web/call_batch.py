"""POST /calls/batch: one thing done with all ticked calls, or with none. One audit row tells of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from cloud.access.decision import Verb
from cloud.access.log import Action, Actor
from cloud.access.subjects import call_place
from cloud.calls import reports
from cloud.calls.flags import LONGEST_TAG, MOST_TAGS, STAR, TagsRefused, read_tags, tag_flag
from cloud.reading import Look
from cloud.store import call_notes, call_reports, calls
from cloud.store.call_notes import Call
from cloud.store.database import read, write
from cloud.web.answers import local_path, see_other
from cloud.web.asking import ask_of, check_change
from cloud.web.customer_form import Sent
from cloud.web.door import actor_of, note_deed
from cloud.web.parts import parts_of
from sync.locale import marked

MOST = 200  # a page of the list


@dataclass(frozen=True, slots=True)
class Deed:
    """What is done with each ticked call."""

    text: str
    by: Actor
    now_utc: str


def _tag(db: Connection, call: Call, deed: Deed) -> None:
    for tag in read_tags(deed.text):
        call_notes.set_flag(db, call, tag_flag(tag))
    if len(call_notes.tags_in(call_notes.flags_of(db, call.id))) > MOST_TAGS:
        raise HTTPException(409, marked("One of these calls would have more than 10 tags. Nothing was done."))


def _untag(db: Connection, call: Call, deed: Deed) -> None:
    for tag in read_tags(deed.text):
        call_notes.set_flag(db, call, tag_flag(tag), on=False)


def _star(db: Connection, call: Call, _deed: Deed) -> None:
    call_notes.set_flag(db, call, STAR)


def _report(db: Connection, call: Call, deed: Deed) -> None:
    call_reports.make(db, call, deed.text, deed.by, deed.now_utc)


ACTS: dict[str, tuple[Callable[[Connection, Call, Deed], None], int]] = {  # (what it does, longest text)
    "tag": (_tag, LONGEST_TAG),
    "untag": (_untag, LONGEST_TAG),
    "star": (_star, 0),
    "report": (_report, reports.LONGEST_TEXT),
}


def batch(request: Request, sent: Sent) -> Response:
    """Do it, and back to the list."""
    name = str(sent.get("act", ""))
    act, longest = ACTS.get(name, (None, 0))
    if act is None:
        raise HTTPException(422, marked("Pick one of the list."))
    text = _text(sent, longest)
    ticked = _ticked(request, sent)
    ask = ask_of(request, Verb.CHANGE, "calls")
    with write(parts_of(request).engine) as db:
        deed = Deed(text, actor_of(request), parts_of(request).clock.now_utc())
        for call in ticked:
            act(db, call, deed)
        ids = tuple(call.id for call in ticked)
        note_deed(
            request, db, Action.UPDATE, "calls", ids=ids, row_count=len(ids), fields=(name,),
            query={"batch": name}, purpose=ask.reason,
        )  # fmt: skip
    back = local_path(str(sent.get("back", "/calls")))
    return see_other(f"{back}{'&' if '?' in back else '?'}done={len(ticked)}")


def _text(sent: FormData, longest: int) -> str:
    """What goes with the act; 422 when it is missing or too long."""
    text = str(sent.get("text", "")).strip().replace("\0", "")
    if longest and not text:
        raise HTTPException(422, marked("Write the tag, or what is wrong, into the field first."))
    if longest == LONGEST_TAG:
        try:
            read_tags(text)
        except TagsRefused as error:
            raise HTTPException(422, marked("At most 10 tags of 24 characters each.")) from error
    elif longest and len(text) > longest:
        raise HTTPException(422, marked("The text is too long."))
    return text


def _ticked(request: Request, sent: FormData) -> Sequence[Call]:
    """The ticked calls, each of which the person may change."""
    ids = list(dict.fromkeys(str(one) for one in sent.getlist("id")))
    if not ids:
        raise HTTPException(422, marked("Tick some calls first."))
    if len(ids) > MOST:
        raise HTTPException(422, marked("At most 200 calls at once."))
    with read(parts_of(request).engine) as db:
        rows = calls.calls_of(db, ids)
    if len(rows) < len(ids):
        raise HTTPException(404, marked("There is no such call."))
    ask = ask_of(request, Verb.CHANGE, "calls")
    for row in rows:
        check_change(request, ask, Look(action=Action.UPDATE, object_id=row["id"]), call_place(row))
    return [Call(row["id"], row["box_id"], row["started_utc"]) for row in rows]
