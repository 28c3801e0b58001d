"""The API: calls as JSON, behind the same guard and serialiser as the pages, and its description."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from cloud.web.answers import page, translate
from cloud.web.call_query import query_of
from cloud.web.calls import CallPage, fetch_page
from cloud.web.query import SENTENCES, FilterRefused
from sync.marked import marked

ABOUT = marked(
    "Calls, recordings and customers of all branches. Requests carry a token (`Authorization: Bearer`, made "
    "on the page Integrations) or the session cookie of a log-in; every field is what that person may see. "
    "Times are UTC. Errors are problem documents (RFC 9457). A POST with an `Idempotency-Key` is done once, "
    "however often it is sent. What can be changed is read with an `ETag`; a change names it in `If-Match`."
)


class CallFields(BaseModel):
    """What may be asked of the list of calls; `cloud.web.query` checks the values."""

    model_config = ConfigDict(extra="forbid")

    branch: str = Field("", description="id of a branch's box")
    party: str = Field(
        "", description="a whole number, its last four or eight digits, 138*5678, or a whole name"
    )
    direction: str = Field("", description="in, out or unknown")
    outcome: str = Field("", description="answered, missed, voicemail, busy, no_answer or unknown")
    unit: str = Field("", description="id of a unit of the organisation: the branches below it")
    line: str = Field("", description="number of a line, with `branch`")
    customer: str = Field("", description="id of a customer: calls of their numbers")
    days: str = Field("", description="today, yesterday, week, days30, month or last_month")
    shortest: str = Field("", description="talking time in whole seconds, at least")
    longest: str = Field("", description="talking time in whole seconds, at most")
    recorded: str = Field("", description="yes: audio is here; no: it is not")
    gap: str = Field("", description="yes: samples are missing from a recording; no: none are")
    mark: str = Field("", description="note, star or report")
    tag: str = Field("", description="with this tag")
    sort: str = Field("", description="-started (newest first, if not given) or started")
    from_day: str = Field(
        "", alias="from", description="first day, e.g. 2026-02-03, in head office's time zone"
    )
    to_day: str = Field("", alias="to", description="last day")
    cursor: str = Field("", description="`next` of the page before")
    limit: str = Field("", description="calls per page: 1 to 200, 50 if not given")


def list_calls(request: Request, fields: Annotated[CallFields, Query()]) -> CallPage:
    """Calls of all branches, newest first."""
    try:
        query = query_of(request, fields.model_dump(by_alias=True))
    except FilterRefused as refused:
        sentences = (translate(request, SENTENCES[field]) for field in refused.fields)
        raise HTTPException(422, " ".join(sentences)) from refused
    return fetch_page(request, query)


def description(request: Request) -> JSONResponse:
    """The OpenAPI document."""
    return JSONResponse(request.app.openapi())


def description_page(request: Request) -> Response:
    """The OpenAPI document as a page to read; nothing is loaded from elsewhere."""
    document: dict[str, Any] = request.app.openapi()
    operations = [
        (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    return page(request, "api.html", document=document, operations=operations)
