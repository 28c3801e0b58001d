"""The JSON API: what a page does, for a program. Each function here is the twin of a page in `app.PAGES`.

A twin stands behind the same right at /api + the page's path, so no page can do what the API cannot. It
returns plain values; `answered` makes the answer of them, and of every refusal a sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bottle import HTTPResponse

from edge.store.communications import UnfitCommunication
from edge.store.groups import GroupError
from edge.store.popup_settings import NoSuchRule
from edge.store.users import UserError
from edge.web import groups, number_settings, operators
from edge.web.calls import AskedBadly
from edge.web.door import Action, Page
from edge.web.erase import Refused
from edge.web.line_settings import NotSaved
from edge.web.log_in import WRONG, NotLetIn
from edge.web.password import NotChanged
from edge.web.plain import json_answer
from edge.web.record_sheets import HEADER, NO_SHEET
from edge.web.records import fault_words as record_fault_words
from edge.web.site import Visit
from sync.particulars import CustomerError
from sync.sheets import NotASheet, WrongHeader

# refusal -> (status, its words as a marked text)
REFUSALS: Mapping[type[Exception], tuple[int, Callable[[Any], str]]] = {
    AskedBadly: (400, str),
    NotChanged: (400, str),
    Refused: (409, str),
    NoSuchRule: (400, lambda error: number_settings.FAULTS[str(error)]),
    UserError: (400, operators.fault_words),
    GroupError: (400, lambda error: groups.FAULT),
    CustomerError: (400, record_fault_words),
    UnfitCommunication: (400, record_fault_words),
    NotASheet: (400, lambda error: NO_SHEET),
    NotLetIn: (403, lambda error: WRONG),
}


def answered(action: Action) -> Page:
    """`action` as a page function: what it returns is JSON (a file stays a file), and so is a refusal."""

    def answer(visit: Visit, **parts: str) -> HTTPResponse:
        try:
            value = action(visit, **parts)
        except NotSaved as error:  # its words are the reader's already
            return json_answer({"error": 400, "fault": str(error), "faults": error.faults}, 400)
        except WrongHeader as error:
            named = {"column": error.column, "wanted": error.wanted, "came": error.came}
            return json_answer({"error": 400, "fault": visit.text(HEADER) % named}, 400)
        except tuple(REFUSALS) as error:
            return _refused(visit, error)
        return value if isinstance(value, HTTPResponse) else json_answer(value)

    return answer


def _refused(visit: Visit, error: Exception) -> HTTPResponse:
    status, words = next(row for kind, row in REFUSALS.items() if isinstance(error, kind))
    told: dict[str, object] = {"error": status, "fault": visit.text(words(error))}
    wait_s = error.wait_s if isinstance(error, NotLetIn) else 0
    if not wait_s:
        return json_answer(told, status)
    answer = json_answer(told | {"error": 429, "wait_s": wait_s}, 429)
    answer.set_header("Retry-After", str(wait_s))
    return answer
