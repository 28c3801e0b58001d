"""Filters of the list of calls kept under a name: each is a link, and its owner's alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Path
from sqlalchemy import RowMapping
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from cloud.store import saved_filters
from cloud.store.database import read, write
from cloud.web.answers import see_other
from cloud.web.customer_form import Sent
from cloud.web.door import person_of
from cloud.web.parts import parts_of
from cloud.web.query import QUESTIONS
from sync.locale import marked

PAGE = "/calls"
LONGEST_NAME = 24


def own_filters(request: Request) -> Sequence[RowMapping]:
    """Those of the person who looks."""
    with read(parts_of(request).engine) as db:
        return saved_filters.filters_of(db, person_of(request).user_id, PAGE)


def save(request: Request, sent: Sent) -> Response:
    """Keep the filter that stands in the form, and go there."""
    name = str(sent.get("name", "")).strip().replace("\0", "")
    asked = {field: str(sent.get(field, "")).strip()[:64] for field in QUESTIONS}
    query = urlencode({field: value for field, value in asked.items() if value})
    if not name or len(name) > LONGEST_NAME or not query:
        raise HTTPException(422, marked("A filter to keep takes a name of at most 24 characters."))
    parts = parts_of(request)
    with write(parts.engine) as db:
        kept = saved_filters.save_filter(
            db, person_of(request).user_id, PAGE, name, query, parts.clock.now_utc()
        )
    if not kept:
        raise HTTPException(409, marked("You have 20 filters already. Delete one first."))
    return see_other(f"{PAGE}?{query}")


def delete(request: Request, filter_id: Annotated[str, Path(max_length=64)]) -> Response:
    """Let one go."""
    with write(parts_of(request).engine) as db:
        gone = saved_filters.delete_filter(db, person_of(request).user_id, filter_id)
    if not gone:
        raise HTTPException(404, marked("There is no such filter."))
    return see_other(PAGE)
