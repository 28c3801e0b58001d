"""The branches: each box, when it was last heard of, and how far its data has come."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from cloud.access import shape
from cloud.access.decision import Verb
from cloud.access.roles import Right, stands
from cloud.store import boxes
from cloud.store.database import read
from cloud.web.answers import page
from cloud.web.asking import ask_of, judged
from cloud.web.door import person_of
from cloud.web.parts import parts_of
from sync.moment import to_text


def branches_page(request: Request) -> Response:
    """Every branch, by name."""
    parts, person = parts_of(request), person_of(request)
    midnight = (
        parts.clock.now().astimezone(parts.settings.zone).replace(hour=0, minute=0, second=0, microsecond=0)
    )
    with read(parts.engine) as connection:
        verdict = judged(request, connection, ask_of(request, Verb.VIEW, "branches"))
        rows = boxes.list_branches(connection, to_text(midnight))
    shaped = [one for row in rows if (one := shape.branch(row, verdict)) is not None]
    return page(
        request,
        "branches.html",
        branches=shaped,
        may_read_calls=person.may(Right.READ_CALLS) and stands(person.role, Verb.VIEW),
    )
