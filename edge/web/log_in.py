"""Log-in and log-out: one answer for whatever was wrong, guessing slowed down, nobody locked out."""

from __future__ import annotations

import threading
from datetime import timedelta
from math import ceil

from bottle import HTTPResponse

from edge.store import sessions as rows
from edge.store import users
from edge.store.operations import Operation, log_operation
from edge.store.users import User
from edge.web import sessions
from edge.web.site import Visit, local_path, see_other
from sync.accounts import hash_password, needs_rehash, throttle_keys, verify_password
from sync.locale import marked

KNOWN_FOR = timedelta(days=30)
WRONG = marked("Name or password is not right.")

# argon2 takes 19 MiB and a core for its time: a small box does one at a time.
_one_at_a_time = threading.Lock()


def form(visit: Visit) -> HTTPResponse:
    """The log-in form; whoever is logged in already is sent on."""
    if visit.user is not None:
        return see_other(local_path(visit.query.get("next", "")))
    return _form(visit, 200)


class NotLetIn(Exception):
    """A log-in that was not right, or (`wait_s` above 0) that came too soon after such."""

    def __init__(self, wait_s: int = 0) -> None:
        self.wait_s = wait_s
        super().__init__(f"wait {wait_s} s" if wait_s else "name or password")


def enter(visit: Visit) -> HTTPResponse:
    """Check name and password; begin a session with a new token."""
    name = visit.form.get("name", "").strip()
    try:
        return begin_session(visit, *let_in(visit))
    except NotLetIn as refusal:
        if not refusal.wait_s:
            return _form(visit, 403, name=name, wrong=WRONG)
        answer = _form(visit, 429, name=name, wait_s=refusal.wait_s)
        answer.set_header("Retry-After", str(refusal.wait_s))
        return answer


def let_in(visit: Visit) -> tuple[User, str]:
    """The user whose name and password these are, and the password's hash as it is to be kept; NotLetIn."""
    name, password = visit.form.get("name", "").strip(), visit.form.get("password", "")
    wait_s = _admit(visit, name)
    if wait_s > 0:
        raise NotLetIn(ceil(wait_s))
    user = users.find_user(visit.db, name)
    with _one_at_a_time:
        right = verify_password(user.password_hash if user else None, password)
    if user is None or not right:
        refused = Operation("log_in", "refused", visit.address, name[: users.LONGEST_NAME], reason="password")
        log_operation(visit.db, refused, visit.now)
        raise NotLetIn
    return user, hash_password(password) if needs_rehash(user.password_hash) else user.password_hash


def leave(visit: Visit) -> HTTPResponse:
    """End the session, here and in the browser."""
    if visit.token and visit.user:
        key = sessions.token_hash(visit.token)
        rows.end_session(visit.db, key, visit.user.name, visit.address, visit.now)
    answer = see_other("/log-in")
    tls = visit.site.settings.tls
    answer.delete_cookie(sessions.cookie_name(tls), path="/", secure=tls, httponly=True, samesite="strict")
    return answer


def _keys(visit: Visit, name: str) -> tuple[str, ...]:
    known = rows.address_known(visit.db, name, visit.address, visit.now - KNOWN_FOR)
    return throttle_keys(name, visit.address, known)


def _admit(visit: Visit, name: str) -> float:
    """Seconds this try has to wait, 0 when it is heard."""
    keys = _keys(visit, name)
    with visit.site.log_in_lock:
        return visit.site.throttle.admit(keys, visit.site.clock.monotonic_s())


def knows_password(visit: Visit, user: User, password: str) -> bool:
    """Whether somebody logged in knows their own password; guesses wait as they do at the log-in."""
    if _admit(visit, user.name) > 0:
        return False
    with _one_at_a_time:
        right = verify_password(user.password_hash, password)
    if not right:
        refused = Operation("password_changed", "refused", visit.address, user.name, reason="password")
        log_operation(visit.db, refused, visit.now)
    return right


def begin_session(visit: Visit, user: User, password_hash: str) -> HTTPResponse:
    """A new session with a new token, and on to where the log-in was asked for."""
    token, tls = new_session(visit, user, password_hash), visit.site.settings.tls
    answer = see_other(local_path(visit.form.get("next", "")))
    answer.set_cookie(
        sessions.cookie_name(tls), token, path="/", httponly=True, samesite="strict", secure=tls
    )
    return answer


def new_session(visit: Visit, user: User, password_hash: str) -> str:
    """The token of a new session."""
    site = visit.site
    with site.log_in_lock:
        # The address is not forgiven: one good account must not buy guesses at the others.
        site.throttle.forgive(key for key in _keys(visit, user.name) if not key.startswith("address "))
    token = sessions.new_token()
    rows.drop_old_sessions(visit.db, visit.now, sessions.IDLE, sessions.ABSOLUTE)
    rows.start_session(visit.db, user, sessions.token_hash(token), visit.address, visit.now, password_hash)
    return token


def _form(visit: Visit, status: int, name: str = "", wrong: str = "", wait_s: int = 0) -> HTTPResponse:
    wanted = visit.form.get("next") or visit.query.get("next", "")
    return visit.page(
        "log_in.html",
        status,
        name=name,
        wrong=wrong,
        wait_s=wait_s,
        next_path=local_path(wanted),
        nobody_yet=not users.any_user(visit.db),
    )
