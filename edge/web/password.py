"""One's own password, changed by whoever knows it; the only page until a one-time password is gone."""

from __future__ import annotations

from bottle import HTTPResponse

from edge.store.users import User, set_password
from edge.web.log_in import begin_session, knows_password
from edge.web.operators import operation
from edge.web.site import Visit
from sync.accounts import PasswordRefused
from sync.locale import marked

WRONG = marked("The password you have now is not right.")
DIFFERENT = marked("The two new passwords are not the same.")
SAME = marked("The new password has to be another one.")
REFUSED = {
    "too_short": marked("A password needs at least 8 characters."),
    "too_long": marked("A password may have at most 128 characters."),
    "too_common": marked("This password is among the first that are guessed."),
}


def form(visit: Visit) -> HTTPResponse:
    """The form; it says why when the password was made by an administrator."""
    return _form(visit)


class NotChanged(ValueError):
    """A password that was not changed; the message is a marked text."""


def change(visit: Visit) -> HTTPResponse:
    """Check the old, set the new; every session of this user ends and a new one begins here."""
    try:
        return begin_session(visit, *changed(visit))
    except NotChanged as error:
        return _form(visit, str(error), 400)


def changed(visit: Visit) -> tuple[User, str]:
    """The user, and the hash of the password that is theirs now; NotChanged."""
    user = visit.user
    old, new = visit.form.get("old", ""), visit.form.get("new", "")
    if user is None or not knows_password(visit, user, old):
        raise NotChanged(WRONG)
    fault = DIFFERENT if new != visit.form.get("again", "") else SAME if new == old else ""
    if fault:
        raise NotChanged(fault)
    try:
        by = operation(visit, "password_changed", user.name)
        return user, set_password(visit.db, user, new, by, visit.now, one_time=False)
    except PasswordRefused as error:
        raise NotChanged(REFUSED[error.reason]) from error


def _form(visit: Visit, fault: str = "", status: int = 200) -> HTTPResponse:
    return visit.page("password.html", status, fault=fault)
