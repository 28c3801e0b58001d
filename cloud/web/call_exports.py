"""POST /calls/export: the calls that are ticked, or else all that the filter finds, as a file to keep."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from cloud.access.decision import Verb
from cloud.access.log import Action
from cloud.exporting import TooMany
from cloud.reading import Look, NothingThere
from cloud.reading import NotGiven as NotGivenThere
from cloud.web.answers import language_of, translate
from cloud.web.asking import NotGiven, desk_of
from cloud.web.call_files import FORMS, MOST_RECORDINGS, MOST_ROWS, Export, make
from cloud.web.call_query import ask_for, check_number, query_of
from cloud.web.customer_form import Sent
from cloud.web.long_exports import given_file
from cloud.web.parts import parts_of
from cloud.web.query import QUESTIONS, SENTENCES, FilterRefused
from cloud.web.releases import Laid
from sync.locale import marked

MOST_TICKED = 500
TOO_MANY = marked("More than %(most)s calls fit. Nothing was exported; narrow the filter.")
TOO_MUCH_AUDIO = marked(
    "A file holds at most %(most)s recordings and 2 GB. Nothing was exported; narrow the filter."
)


def export_calls(request: Request, sent: Sent) -> Response:
    """The file, complete; the page on which it waits for a review; or a sentence why there is none."""
    export = _read(request, sent)
    try:
        laid = Laid("calls", export.form, export.asked, export.ask.reason)
        parts, desk = parts_of(request), desk_of(request)
        return given_file(request, laid, lambda tell: make(parts, desk, export, tell))
    except NotGivenThere as refused:
        raise NotGiven(refused.refusal) from refused
    except NothingThere as missing:
        raise HTTPException(404, marked("There is no such call.")) from missing
    except TooMany as many:
        sentence = TOO_MUCH_AUDIO if export.form == "zip" else TOO_MANY
        most = MOST_RECORDINGS if export.form == "zip" else MOST_ROWS
        raise HTTPException(422, translate(request, sentence, most=f"{most:,}")) from many


def _read(request: Request, sent: FormData) -> Export:
    """What is asked for; 422 for what cannot be understood."""
    form, ticked = str(sent.get("form", "")), tuple(str(one) for one in sent.getlist("id"))
    if form not in FORMS:
        raise HTTPException(422, marked("Pick one of the list."))
    if len(ticked) > MOST_TICKED:
        raise HTTPException(422, translate(request, TOO_MANY, most=MOST_TICKED))
    typed: dict[str, Any] = {} if ticked else {name: str(sent.get(name, "")) for name in QUESTIONS}
    try:
        query = query_of(request, typed)
    except FilterRefused as refused:
        sentences = (translate(request, SENTENCES[name]) for name in refused.fields)
        raise HTTPException(422, " ".join(sentences)) from refused
    ask = ask_for(request, query, Verb.EXPORT)
    check_number(request, query, ask, Look(action=Action.EXPORT, query=query.typed))
    return Export(
        ask=ask, form=form, wanted=query.wanted, ticked=ticked,
        asked=query.typed, language=language_of(request),
    )  # fmt: skip
