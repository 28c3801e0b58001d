"""The language switch: remembered by the browser, and by the box for whoever is logged in."""

from __future__ import annotations

from bottle import HTTPError, HTTPResponse

from edge.store.users import choose_language
from edge.web.site import Visit, local_path, see_other
from sync.locale import LANGUAGES

REMEMBER_S = 365 * 24 * 3600


def choose(visit: Visit) -> HTTPResponse:
    """Take the language of the pressed button and go back to where it was pressed."""
    code = visit.form.get("language", "")
    if code not in LANGUAGES:
        raise HTTPError(400)
    if visit.user is not None:
        choose_language(visit.db, visit.user.id, code)
    answer = see_other(local_path(visit.form.get("next", "")))
    answer.set_cookie(
        "language", code, path="/", max_age=REMEMBER_S, httponly=True, samesite="lax",
        secure=visit.site.settings.tls,
    )  # fmt: skip
    return answer
