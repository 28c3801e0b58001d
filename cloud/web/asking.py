"""Asks for rows in the name of a request: who wants what, through `cloud.reading` and in no other way.

NotGiven (HTTPException)     403 with the application that would change it
NotFound, Busy               404; 429 with the seconds to wait
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request

from cloud import reading
from cloud.access.decision import Ask, Refusal, Verb
from cloud.access.grants import Place
from cloud.reading import Desk, Fetch, Look, NothingThere, Shape, TooOften, anything
from cloud.web.door import actor_of, channel_of, person_of
from cloud.web.parts import parts_of
from sync.locale import marked

Rows = TypeVar("Rows")
Shown = TypeVar("Shown")
NO_SUCH = marked("There is no such record.")


class NotGiven(HTTPException):
    """Refused by the decision; `refusal` says why and how to apply."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        super().__init__(403, refusal.sentence)


def ask_of(request: Request, verb: Verb, kind: str, **more: Any) -> Ask:
    """What the person of `request` wants; `more` are further fields of `Ask`."""
    plain = Ask(person_of(request), verb, kind, purpose="", channel=channel_of(request))
    return replace(plain, **more)


def desk_of(request: Request) -> Desk:
    """Where the questions of `request` are answered."""
    parts = parts_of(request)
    return Desk(parts.engine, actor_of(request), parts.clock.now())


def given(
    request: Request,
    ask: Ask,
    look: Look,
    fetch: Fetch[Rows],
    shape: Shape[Rows, Shown],
    is_news: Callable[[Shown], bool] = anything,
    no_such: str = NO_SUCH,
) -> Shown:
    """`cloud.reading.give` for a request; what it refuses becomes the answer (`no_such`: a marked text)."""
    try:
        return reading.give(desk_of(request), ask, look, fetch, shape, is_news)
    except reading.NotGiven as refused:
        raise NotGiven(refused.refusal) from refused
    except NothingThere as missing:
        raise HTTPException(404, no_such) from missing
    except TooOften as often:
        sentence = marked("Too many searches in a short time. Wait a little.")
        raise HTTPException(429, sentence, {"Retry-After": str(often.pause_s)}) from often


def check_change(request: Request, ask: Ask, look: Look, place: Place) -> None:
    """NotGiven unless the person may change what stands at `place`."""
    try:
        reading.check(desk_of(request), ask, look, place)
    except reading.NotGiven as refused:
        raise NotGiven(refused.refusal) from refused
