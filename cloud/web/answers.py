"""Answers that are pages, and answers that say what went wrong.

A failed request gets a sentence in the reader's language and an id that also stands in the service's log.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, quote, urlencode

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from cloud.access.decision import SENTENCES
from cloud.access.guard import Person
from cloud.access.identity import FACE_TO_FACE
from cloud.access.purposes import PURPOSES, default_purpose
from cloud.access.roles import Right
from cloud.access.windows import CHANNEL_NAMES
from cloud.store.applications import count_waiting
from cloud.store.database import read
from cloud.store.reading_rules import read_rules
from cloud.web.asking import NotGiven
from cloud.web.door import find_person, trace_id
from cloud.web.menu import areas_of
from cloud.web.parts import Parts, parts_of
from sync.locale import LANGUAGES, marked

_log = logging.getLogger(__name__)

FRAMEWORK_SENTENCES = {  # for what the framework refuses, which has no sentence of its own
    404: marked("There is no such page."),
    405: marked("This address does not do that."),
    413: marked("The request is too long."),
}
API_PATHS = ("/api/",)
PROBLEM_TYPE = "application/problem+json"


def page(request: Request, template: str, status: int = 200, **facts: Any) -> HTMLResponse:
    """The template as a page, with what every template may use."""
    person: Person | None = request.state.person
    parts = parts_of(request)
    common = {
        "person": person,
        "areas": areas_of(person, here(request)),
        "here": here(request),
        "now_utc": parts.clock.now_utc(),
        "may_play": person is not None and person.may(Right.PLAY_RECORDINGS),
        "may_decide": person is not None and person.may(Right.DECIDE),
        "may_break_glass": person is not None and person.may(Right.BREAK_GLASS),
        "waiting": _waiting(parts, person),
        "purpose_names": _purposes(parts, person),
        "channel_names": channels_of(person),
        "channel_now": (person.channel if person else "") or "web",
        "purpose_now": person and (person.purpose or default_purpose(person.role)),
    }
    text = parts.views.render(template, language_of(request), {**common, **facts})
    return HTMLResponse(text, status)


def _waiting(parts: Parts, person: Person | None) -> int:
    """How many applications wait for that person's decision."""
    if person is None or not person.may(Right.DECIDE):
        return 0
    with read(parts.engine) as connection:
        return count_waiting(connection, person.user_id, parts.clock.now())


def _purposes(parts: Parts, person: Person | None) -> dict[str, str]:
    """What that person can choose to read for, with the names; nothing where there is no choice."""
    if person is None:
        return {}
    with read(parts.engine) as connection:
        keys = read_rules(connection).purposes.get(person.role, ())
    return {key: PURPOSES[key] for key in keys} if len(keys) > 1 else {}


def channels_of(person: Person | None) -> dict[str, str]:
    """By which channels that person can read for somebody, with the names; none where there is no choice."""
    if person is None or not person.may(Right.CHANGE_CALLS):
        return {}
    return {key: CHANNEL_NAMES[key] for key in ("web", *FACE_TO_FACE)}


def language_of(request: Request) -> str:
    """The reader's choice, or the one in the settings."""
    chosen = request.cookies.get("language", "")
    return chosen if chosen in LANGUAGES else parts_of(request).settings.language


def translate(request: Request, text: str, **values: object) -> str:
    """A marked text in the reader's language."""
    return parts_of(request).views.translate(text, language_of(request), **values)


def see_other(path: str) -> RedirectResponse:
    """An answer that sends the browser on to a page of ours."""
    return RedirectResponse(path, status_code=303)


def here(request: Request) -> str:
    """The path and query asked for, as a link back."""
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def local_path(path: str) -> str:
    """`path` if it surely leads nowhere but to this site, else the first page."""
    plain = path.isascii() and path.isprintable() and "\\" not in path
    return path if plain and path.startswith("/") and not path.startswith("//") else "/"


def went_wrong(request: Request, error: Exception) -> Response:
    """The answer to a request that was refused (`HTTPException`)."""
    assert isinstance(error, HTTPException)
    if not hasattr(request.state, "person"):  # refused before the door, e.g. an address that is none
        request.state.person = find_person(request)
    if error.status_code == 401 and not _is_api(request):
        return _to_log_in(request)
    detail = error.detail
    if type(error) is HTTPException and detail == HTTPStatus(error.status_code).phrase:
        detail = FRAMEWORK_SENTENCES.get(error.status_code, detail)
    sentence = translate(request, detail)
    way = _way_to_apply(request, error)
    code = error.refusal.code if isinstance(error, NotGiven) else ""
    answer = _problem(request, error.status_code, sentence, trace_id(request), way, code)
    answer.headers.update(error.headers or {})
    return answer


def _way_to_apply(request: Request, error: HTTPException) -> str:
    """The application that would change a refusal, filled in as far as the refusal knows; "": none would."""
    if isinstance(error, NotGiven) and error.refusal.code == "identity" and not _is_api(request):
        about = " ".join(parse_qs(error.refusal.apply).get("about", []))
        return f"/identity-check?{urlencode({'about': about, 'back': here(request)})}"
    if isinstance(error, NotGiven):
        return f"/applications/new?{error.refusal.apply}"
    person: Person | None = request.state.person
    refused = error.status_code == 403 and error.detail == SENTENCES["role"]
    return "/applications/new" if refused and person is not None and person.may(Right.APPLY) else ""


def not_understood(request: Request, error: Exception) -> Response:
    """The answer to fields that do not fit the route."""
    assert isinstance(error, RequestValidationError)  # only ever raised behind the door
    names = ", ".join(sorted({str(fault["loc"][-1]) for fault in error.errors()}))
    sentence = translate(request, marked("Not understood: %(names)s"), names=names[:200])
    return _problem(request, 422, sentence, trace_id(request))


def broken(request: Request, error: Exception) -> Response:
    """The answer when the fault is ours: an id to copy, and nothing of the inside."""
    error_id = trace_id(request)
    _log.error("request failed, id %s", error_id, exc_info=error)
    if not hasattr(request.state, "person"):
        request.state.person = None
    sentence = translate(request, marked("Something broke here. It has been noted."))
    return _problem(request, 500, sentence, error_id)


def _problem(
    request: Request, status: int, sentence: str, error_id: str, apply: str = "", code: str = ""
) -> Response:
    if _is_api(request):
        problem = {"title": HTTPStatus(status).phrase, "status": status, "detail": sentence, "id": error_id}
        problem |= {"apply": apply} if apply else {}
        problem["code"] = code or HTTPStatus(status).name.lower()
        return JSONResponse(problem, status, media_type=PROBLEM_TYPE)
    return page(request, "error.html", status, sentence=sentence, code=status, error_id=error_id, apply=apply)


def _is_api(request: Request) -> bool:
    return request.url.path.startswith(API_PATHS)


def _to_log_in(request: Request) -> Response:
    if "hx-request" in request.headers:  # a part of a page: the page itself has to go
        return Response(status_code=401, headers={"HX-Redirect": "/log-in"})
    back = here(request) if request.method == "GET" else "/"
    return see_other(f"/log-in?back={quote(back, safe='')}")
