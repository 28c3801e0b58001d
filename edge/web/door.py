"""The door every request comes through: whose it is, whether it may, and what every answer carries.

Nothing is allowed because nobody thought of it: a route names the right it needs, a POST must come from a
form of ours, and the headers are set on every answer, refusals and errors included.

    request -> Host ours? -> session -> right? -> POST: same origin, form token? -> page function -> headers
                  | 421       |           | 303 to log-in, 401, 403    | 403
"""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from bottle import HTTPError, HTTPResponse, request, response

from edge.store.operations import Operation, log_operation
from edge.store.sessions import session_user, touch_session
from edge.store.users import lines_in_scope
from edge.web import sessions
from edge.web.plain import as_json, fields_of
from edge.web.rights import Right, allowed, rights_of
from edge.web.settings import WebSettings
from edge.web.site import Site, Visit, see_other
from sync.locale import LANGUAGES, Language
from sync.moment import to_text

Page = Callable[..., HTTPResponse]  # (visit, **parts of the path)
Action = Callable[..., Any]  # the same, with an answer in plain values

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # no-referrer would blank the Origin of our own forms
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


# A browser that was told so asks for nothing but HTTPS under this name, and takes no excuse. So it is told
# only with a certificate from outside: with the box's own, a box that is exchanged would lock everybody out.
ONLY_HTTPS = ("Strict-Transport-Security", "max-age=31536000")


class Route(NamedTuple):
    """One line of the table of routes."""

    path: str
    method: str
    right: Right
    page: Page
    api: Action | None = None  # what a program is answered at /api + path; it stands behind the same right


def door(site: Site, route: Route) -> Callable[..., HTTPResponse]:
    """What the web framework calls for `route`: the checks, then the page function."""

    def enter(**parts: str) -> HTTPResponse:
        if not host_is_ours(request.get_header("Host", ""), site.settings.host_names):
            raise HTTPError(421)
        with closing(site.open_db()) as db:
            visit = _who(_anybody(site, db))
            refusal = _refusal(visit, route)
            return refusal or route.page(visit, **parts)

    return enter


def _anybody(site: Site, db: Any) -> Visit:
    """The request before anybody asked whose it is."""
    back = quote(request.path) + (f"?{request.query_string}" if request.query_string else "")
    return Visit(
        site=site,
        db=db,
        now=site.clock.utc(),
        address=request.environ.get("REMOTE_ADDR", ""),
        language=_language(site, None),
        path=back,
        query=_texts(request.query),
        host=_host(),
        form=_form() if request.method == "POST" else {},
    )


def _host() -> str:
    """The name or address the box was asked by, as it stands in an address."""
    name = urlsplit(f"//{request.get_header('Host', '')}").hostname or "localhost"
    return f"[{name}]" if ":" in name else name


def _texts(fields: Any) -> Mapping[str, str]:
    """Form fields as text; one that is not UTF-8 counts as empty."""
    return {name: fields.getunicode(name, "") for name in fields}


def _form() -> Mapping[str, str]:
    """The fields of a form, or those of a JSON object, which mean the same; 400 when it is neither."""
    if request.content_type.partition(";")[0].strip() != "application/json":
        return _texts(request.forms)
    try:
        return fields_of(request.body.read())
    except ValueError as error:
        raise HTTPError(400) from error


def _bearer() -> str:
    """The token that a program sends by itself; a browser never does, so no other site can make it."""
    kind, _, token = request.get_header("Authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def _who(visit: Visit) -> Visit:
    """The visit with its session's user and language, when it has a live session."""
    token = _bearer() or request.get_cookie(sessions.cookie_name(visit.site.settings.tls))
    if not token:
        return visit
    key = sessions.token_hash(token)
    user = session_user(visit.db, key, visit.now, sessions.IDLE, sessions.ABSOLUTE)
    if user is None:
        return visit
    touch_session(visit.db, key, visit.now, sessions.TOUCH_EVERY)
    return replace(
        visit,
        user=user,
        token=token,
        rights=rights_of(user),
        lines=lines_in_scope(visit.db, user),
        language=_language(visit.site, user.language),
    )


def _language(site: Site, preferred: str | None) -> Language:
    """The user's language, else the browser's cookie, else the box's."""
    candidates = (preferred, request.get_cookie("language"), site.settings.language)
    return next(LANGUAGES[code] for code in candidates if code in LANGUAGES)


def _refusal(visit: Visit, route: Route) -> HTTPResponse | None:
    """The answer to a request that may not go on, or None."""
    if not allowed(visit.user, route.right):
        return _not_allowed(visit, route)
    if route.method == "POST" and not (_bearer() or (_same_origin() and _form_is_ours(visit))):
        return _log_refusal(visit, route, "not from a form of this page")
    return None


def _not_allowed(visit: Visit, route: Route) -> HTTPResponse:
    must_change = visit.user is not None and visit.user.must_change_password
    if must_change and route.method == "GET" and not visit.is_api:
        return see_other("/password")
    if visit.user is not None:
        return _log_refusal(visit, route, f"needs the right {route.right.value}")
    wants_page = "text/html" in request.get_header("Accept", "") and not visit.is_api
    if route.method != "GET" or not wants_page:
        return visit.page("error.html", 401, code=401, error_id="")
    if request.get_header("Sec-Fetch-Site") == "cross-site":
        # A link from elsewhere: the browser kept the strict cookie back. Asked again from here, it sends it.
        return visit.page("again.html", path=visit.path)
    return see_other(f"/log-in?next={quote(visit.path, safe='')}")


def _log_refusal(visit: Visit, route: Route, reason: str) -> HTTPResponse:
    if visit.user is not None:
        operation = Operation("request", "refused", visit.address, visit.user.name, visit.path[:200], reason)
        log_operation(visit.db, operation, visit.now)
    return visit.page("error.html", 403, code=403, error_id="")


def _same_origin() -> bool:
    """Whether the browser says that this request comes from one of our pages; silence is a no."""
    origin = request.get_header("Origin")
    if origin:
        parts = request.urlparts
        return bool(urlsplit(origin)[:2] == (parts.scheme, parts.netloc))
    return bool(request.get_header("Sec-Fetch-Site") == "same-origin")


def _form_is_ours(visit: Visit) -> bool:
    """Whether the form carries this session's token; without a session there is none to carry."""
    return visit.token is None or sessions.form_token_matches(visit.token, visit.form.get("form_token", ""))


def allow_style(answer: HTTPResponse, nonce: str) -> HTTPResponse:
    """Let one library of this page bring a style of its own, which carries `nonce`."""
    policy = HEADERS["Content-Security-Policy"].replace("style-src", f"style-src 'nonce-{nonce}'")
    answer.set_header("Content-Security-Policy", policy)
    return answer


def host_is_ours(host: str, names: tuple[str, ...]) -> bool:
    """Whether `host` (a Host header) is an IP address or one of our names; others are DNS rebinding."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name in names:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def add_headers(settings: WebSettings) -> None:
    """Put what every answer carries on the one being made."""
    if settings.tls and settings.authority is None:
        response.set_header(*ONLY_HTTPS)
    for name, value in HEADERS.items():
        if name not in response.headers:
            response.set_header(name, value)
    if "Cache-Control" not in response.headers:
        response.set_header("Cache-Control", "no-store")


def error_page(site: Site, error: HTTPError) -> str:
    """The page for an answer that is an error; a fault of ours gets an id that stands in the log too."""
    add_headers(site.settings)
    error_id = secrets.token_hex(4) if error.status_code == 500 else ""
    if error_id:
        request.environ["wsgi.errors"].write(f"error id {error_id} at {to_text(site.clock.utc())}\n")
    if request.path.startswith("/api/"):
        response.content_type = "application/json; charset=utf-8"
        return as_json({"error": error.status_code, "fault": error_id})
    response.content_type = "text/html; charset=utf-8"
    template = site.templates[_language(site, None).code].get_template("error.html")
    return template.render(
        code=error.status_code,
        error_id=error_id,
        user=None,
        may=lambda right: False,
        now_utc=to_text(site.clock.utc()),
        here="/",
        form_token="",
    )
