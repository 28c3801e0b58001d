"""Calls of other telephone systems, as they report them: `POST /api/v1/cti`, a form or JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from cloud.access.decision import Verb
from cloud.access.log import Action
from cloud.apply import call_ended
from cloud.calls.reported import HANG_UP, CtiRefused, after, ended, read_report
from cloud.store import reported_calls
from cloud.store.database import write
from cloud.web.answers import translate
from cloud.web.asking import ask_of
from cloud.web.door import note_deed, person_of
from cloud.web.parts import parts_of
from sync.arriving import Origin
from sync.ids import new_id
from sync.inbox import Told
from sync.locale import marked

SOURCE = "cti"  # stands before whose calls they are, where a branch's box has its id
MOST_FIELDS = 40


async def sent_fields(request: Request) -> Mapping[str, object]:
    """What was sent, as a form or as JSON."""
    if "json" not in request.headers.get("content-type", ""):
        form = await request.form(max_fields=MOST_FIELDS, max_files=0)
        return dict(form)
    try:
        fields = json.loads(await request.body())
    except (ValueError, RecursionError) as error:
        raise HTTPException(422, marked("The body is no JSON object.")) from error
    if not isinstance(fields, dict):
        raise HTTPException(422, marked("The body is no JSON object."))
    return fields


def report_call(request: Request, fields: Annotated[Mapping[str, object], Depends(sent_fields)]) -> Response:
    """A step of a call of another telephone system.

    Fields: event (newCall, answer, hangup), callId, direction (in, out), from, to, cause.
    """
    try:
        report = read_report(fields)
    except CtiRefused as refused:
        raise HTTPException(422, translate(request, refused.text, **refused.values)) from refused
    person, now_utc = person_of(request), parts_of(request).clock.now_utc()
    source = f"{SOURCE}-{person.user_id}"
    with write(parts_of(request).engine) as db:
        call = after(reported_calls.find(db, source, report.call_id), report, now_utc)
        if report.event != HANG_UP:
            reported_calls.keep(db, source, report.call_id, call)
            return Response(status_code=204)
        reported_calls.forget(db, source, report.call_id)
        call_id = new_id()
        call_ended(db, [Told(Origin(source, now_utc), ended(call, report, call_id, person.name, now_utc))])
        purpose = ask_of(request, Verb.CHANGE, "calls").reason
        note_deed(request, db, Action.CREATE, "calls", call_id, purpose=purpose)
    return Response(status_code=204)
