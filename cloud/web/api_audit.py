"""The audit trail over the API: the list with the page's filters, and one row."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request

from cloud.access.trail_shape import TrailRow
from cloud.web.query import LARGEST_PAGE
from cloud.web.trail import PAGE, fetch_row, fetch_rows, read_query


class AuditFields(BaseModel):
    """What may be asked of the audit trail; `cloud.web.trail` checks the values."""

    model_config = ConfigDict(extra="forbid")

    person: str = Field("", description="name of whoever did it")
    object: str = Field("", description="id of what was read or changed")
    branch: str = Field("", description="id of a branch's box")
    action: str = Field("", description="view, search, play, export, update ...")
    kind: str = Field("", description="calls, recordings, customers, audit ...")
    result: str = Field("", description="done or refused")
    purpose: str = ""
    from_day: str = Field("", alias="from", description="first day, in head office's time zone")
    to_day: str = Field("", alias="to", description="last day")
    cursor: str = Field("", description="`next` of the page before")
    limit: int = Field(PAGE, ge=1, le=LARGEST_PAGE)


class AuditPage(BaseModel):
    """Rows of the audit trail, newest first. `next`: the cursor of the page after; null on the last."""

    rows: list[TrailRow]
    next: str | None


def list_audit(request: Request, fields: Annotated[AuditFields, Query()]) -> AuditPage:
    """Who read, did or was refused what, newest first. This, too, is a row of it."""
    asked = fields.model_dump(by_alias=True, exclude={"limit", "cursor"})
    query = read_query(request, asked | {"after": fields.cursor})
    if query.fault:
        raise HTTPException(422, query.fault)
    rows, onward = fetch_rows(request, query, fields.limit)
    return AuditPage(rows=rows, next=onward)


def get_audit_row(request: Request, row_id: Annotated[str, Path(max_length=64)]) -> TrailRow:
    """One row: everything it says."""
    return fetch_row(request, row_id)
