"""Log in, log out, choose a language.

Guessing is slowed down per account and address (`sync.accounts`); a wrong name and a wrong password get the
same answer in the same time.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import Form
from sqlalchemy import RowMapping
from starlette.requests import Request
from starlette.responses import Response

from cloud.access.log import Action, Actor, Deed
from cloud.store import people, trail
from cloud.store.database import read, write
from cloud.web.answers import local_path, page, see_other, translate
from cloud.web.door import LONGEST_SESSION, note_deed, person_of, session_cookie, session_token, stranger_of
from cloud.web.parts import Parts, parts_of
from sync.accounts import hash_password, needs_rehash, throttle_keys, verify_password
from sync.locale import LANGUAGES, marked
from sync.moment import to_text

LANGUAGE_COOKIE_S = 365 * 24 * 3600

Text = Annotated[str, Form(max_length=200)]


def log_in_form(request: Request, back: str = "/") -> Response:
    """The form."""
    return page(request, "log_in.html", back=local_path(back), name="", fault=None)


def log_in(
    request: Request,
    name: Text,
    password: Annotated[str, Form(max_length=1000)],
    back: Annotated[str, Form(max_length=2000)] = "/",
) -> Response:
    """Check name and password; begin a session of a new token."""
    parts, stranger = parts_of(request), stranger_of(request)
    with read(parts.engine) as connection:
        user = people.find_user(connection, name)
        keys = throttle_keys(name, stranger.address, trail.address_known(connection, name, stranger.address))
    with parts.throttle_lock:
        pause_s = parts.throttle.admit(keys, parts.clock.monotonic_s())
    if pause_s > 0:
        sentence = marked("Too many tries. Wait %(seconds)s seconds.")
        fault = translate(request, sentence, seconds=int(pause_s) + 1)
        answer: Response = page(request, "log_in.html", 429, back=local_path(back), name=name, fault=fault)
        answer.headers["Retry-After"] = str(int(pause_s) + 1)
        return answer
    if not verify_password(user["password_hash"] if user else None, password) or user is None:
        _note_refused(parts, user, stranger)
        fault = translate(request, marked("Name or password is wrong."))
        return page(request, "log_in.html", 401, back=local_path(back), name=name, fault=fault)
    with parts.throttle_lock:
        parts.throttle.forgive(keys)
    token = _begin_session(parts, user, password, session_token(request), stranger)
    return _with_session(see_other(local_path(back)), parts, token)


def log_out(request: Request) -> Response:
    """End the session."""
    parts, person = parts_of(request), person_of(request)
    token = session_token(request)
    with write(parts.engine) as connection:
        if token:
            people.close_session(connection, token)
        note_deed(request, connection, Action.LOG_OUT, "users", person.user_id)
    answer = see_other("/log-in")
    answer.delete_cookie(session_cookie(parts), path="/", secure=parts.settings.web.https)
    return answer


def choose_language(
    request: Request, language: Text, back: Annotated[str, Form(max_length=2000)] = "/"
) -> Response:
    """Keep the reader's language in a cookie."""
    answer = see_other(local_path(back))
    if language in LANGUAGES:
        secure = parts_of(request).settings.web.https
        answer.set_cookie(
            "language", language, LANGUAGE_COOKIE_S, httponly=True, secure=secure, samesite="strict"
        )
    return answer


def _note_refused(parts: Parts, user: RowMapping | None, stranger: Actor) -> None:
    # A name nobody has may be a password typed into the wrong field: it is not kept.
    actor = _known(stranger, user, "") if user else stranger
    deed = Deed(
        actor=actor,
        action=Action.LOG_IN_REFUSED,
        kind="users",
        object_id=actor.user_id,
        refusal="wrong_password",
    )
    with write(parts.engine) as connection:
        trail.append(connection, deed, parts.clock.now_utc())


def _begin_session(parts: Parts, user: RowMapping, password: str, old: str | None, stranger: Actor) -> str:
    now = parts.clock.now()
    stronger = hash_password(password) if needs_rehash(user["password_hash"]) else None
    with write(parts.engine) as connection:
        if old:
            people.close_session(connection, old)
        if stronger:
            people.set_password_hash(connection, user["id"], stronger)
        people.forget_sessions(connection, created_before_utc=to_text(now - LONGEST_SESSION))
        token = people.open_session(connection, user["id"], to_text(now))
        actor = _known(stranger, user, people.token_hash(token)[:16])
        deed = Deed(actor=actor, action=Action.LOG_IN, kind="users", object_id=actor.user_id)
        trail.append(connection, deed, to_text(now))
    return token


def _known(stranger: Actor, user: RowMapping, session: str) -> Actor:
    return replace(stranger, user_id=user["id"], name=user["name"], role=user["role"], session=session)


def _with_session(answer: Response, parts: Parts, token: str) -> Response:
    answer.set_cookie(
        session_cookie(parts),
        token,
        path="/",
        httponly=True,
        secure=parts.settings.web.https,
        samesite="strict",
    )
    return answer
