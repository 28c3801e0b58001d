"""The branches: each box, when it was last heard of, and how far its data has come."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping
from starlette.requests import Request
from starlette.responses import Response

from cloud.access import shape
from cloud.access.decision import Verb, Verdict
from cloud.access.grants import Place
from cloud.access.roles import Right, stands
from cloud.access.shape import Branch
from cloud.reading import Found, Look
from cloud.store import boxes
from cloud.web.answers import page
from cloud.web.asking import ask_of, given
from cloud.web.door import person_of
from cloud.web.parts import parts_of
from sync.moment import to_text


def branches_page(request: Request) -> Response:
    """Every branch, by name."""
    parts, person = parts_of(request), person_of(request)
    midnight = (
        parts.clock.now().astimezone(parts.settings.zone).replace(hour=0, minute=0, second=0, microsecond=0)
    )

    def fetch(connection: Connection, _verdict: Verdict) -> Found[Sequence[RowMapping]]:
        rows = boxes.list_branches(connection, to_text(midnight))
        return Found(rows, [(row["id"], Place(frozenset(), row["id"])) for row in rows])

    def shaped(rows: Sequence[RowMapping], verdict: Verdict) -> list[Branch]:
        return [one for row in rows if (one := shape.branch(row, verdict)) is not None]

    seen = given(request, ask_of(request, Verb.VIEW, "branches"), Look(), fetch, shaped)
    return page(
        request,
        "branches.html",
        branches=seen,
        may_read_calls=person.may(Right.READ_CALLS) and stands(person.role, Verb.VIEW),
    )
