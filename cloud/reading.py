"""The one way to rows: ask the decision, run the query with its bounds, shape, write the audit row.

    Ask --> judge --> fetch(connection, verdict) --> shape(rows, verdict) --> what is shown
              |         (who serves them, counted against grants)     |
              +-- refused ----------> one row of the audit <--------+-- the ids that were returned

The audit row is committed before anything is shown: a read that cannot be noted is not given. Refusals are
rows too, and so is the search for something that is not there.

    NotGiven      the decision refused; its refusal says how to apply
    NothingThere  there is no such row
    TooOften      wait, and ask again
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Generic, TypeVar

from sqlalchemy import Connection, Engine

from cloud.access.decision import Ask, Refusal, Verdict, judge
from cloud.access.grants import Grant, Place
from cloud.access.identity import FACE_TO_FACE, NOT_CHECKED
from cloud.access.limits import LIMITS, Before, pause_s
from cloud.access.log import Action, Actor, Deed
from cloud.access.roles import SERVES
from cloud.store import identity_checks, trail
from cloud.store.database import read, write
from cloud.store.grants import count_rows, live_grants
from cloud.store.reading_rules import read_rules
from cloud.store.serving import LOOKUPS, Serving, numbers_of
from cloud.store.units import read_units
from sync.moment import from_text, to_text

Rows = TypeVar("Rows")
Shown = TypeVar("Shown")
NOT_THERE, TOO_OFTEN = "not_there", "too_often"  # reasons besides those of the decision


class NotGiven(PermissionError):
    """The decision refused; `refusal` says why and how to apply."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        super().__init__(refusal.sentence)


class NothingThere(LookupError):
    """There is no such row."""


class TooOften(PermissionError):
    """The same person asked too many different questions; ask again after `pause_s` seconds."""

    def __init__(self, pause_s: int) -> None:
        self.pause_s = pause_s
        super().__init__(f"too many questions; wait {pause_s} s")


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a question is answered: the database, who asks, and when."""

    engine: Engine
    actor: Actor
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the audit says of a read, besides the question itself."""

    action: Action = Action.VIEW
    object_id: str = ""  # the one row wanted; "": a list
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found(Generic[Rows]):
    """What a query brought, and which of it counts: the id of each row and where it stands."""

    rows: Rows
    places: Sequence[tuple[str, Place]]
    fields: tuple[str, ...] = ()  # columns of grade 3 and up that are about to be shown clear


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a read: the rows that were shown, or why none was."""

    shown: Sequence[tuple[str, Place]] = ()
    refused: str = ""
    fields: tuple[str, ...] = ()
    grants: tuple[str, ...] = ()  # ids of those that showed some of the rows


Fetch = Callable[[Connection, Verdict], Found[Rows] | None]
Shape = Callable[[Rows, Verdict], Shown]


def anything(_shown: object) -> bool:
    """Every answer is news."""
    return True


def give(
    desk: Desk,
    ask: Ask,
    look: Look,
    fetch: Fetch[Rows],
    shape: Shape[Rows, Shown],
    is_news: Callable[[Shown], bool] = anything,
) -> Shown:
    """What may be shown of what `ask` wants; one audit row says so, unless it is what the reader has already.

    `fetch` gives None for a single row that is not there (NothingThere). A row wanted by its id that the
    verdict does not admit is refused (NotGiven).
    """
    with read(desk.engine) as db:
        pause = _pause_s(desk, ask, look, db)
        verdict = judged(desk, ask, db)
        found = None if pause or verdict.refusal else fetch(db, verdict)
    if pause:
        note(desk, ask, look, Outcome(refused=TOO_OFTEN))
        raise TooOften(pause)
    places = found.places if found else ()
    verdict = counted(desk, verdict, [place for _, place in places], by_itself=bool(look.object_id))
    refusal = verdict.refusal or _refusal_of(look, found, verdict)
    if refusal is not None:
        note(desk, verdict.ask, look, Outcome(refused=refusal.code))
        raise NotGiven(refusal)
    if found is None:
        note(desk, verdict.ask, look, Outcome(refused=NOT_THERE))
        raise NothingThere(look.object_id)
    shown = shape(found.rows, verdict)
    if is_news(shown):
        admitted = [one for one in places if verdict.admits(one[1])]
        used = {grant.id for _, place in admitted if (grant := verdict.charged_to(place))}
        note(desk, verdict.ask, look, Outcome(admitted, fields=found.fields, grants=tuple(sorted(used))))
    return shown


def check(desk: Desk, ask: Ask, look: Look, place: Place) -> None:
    """NotGiven unless a row at `place` may be changed; the change itself writes its own audit row."""
    with read(desk.engine) as db:
        verdict = judged(desk, ask, db)
    verdict = counted(desk, verdict, [place], by_itself=True)
    refusal = verdict.refusal_of(place)
    if refusal is not None:
        note(desk, verdict.ask, look, Outcome(refused=refusal.code))
        raise NotGiven(refusal)


def note(desk: Desk, ask: Ask, look: Look, outcome: Outcome) -> str:
    """Write the audit row of a read; returns its id."""
    with write(desk.engine) as db:
        return trail.append(db, _deed(desk, ask, look, outcome), to_text(desk.now))


def judged(desk: Desk, ask: Ask, db: Connection) -> Verdict:
    """What the decision says to `ask` now."""
    grants = _with_numbers(db, live_grants(db, ask.person.user_id, desk.now))
    checked = NOT_CHECKED
    if ask.channel in FACE_TO_FACE:
        checked = identity_checks.checked(db, ask.person, ask.channel, desk.now)
    ask = replace(ask, served=_serving(db, ask, ask.subjects).own, checked=checked)
    return judge(ask, grants, read_units(db), desk.now, read_rules(db))


def _with_numbers(db: Connection, grants: Sequence[Grant]) -> list[Grant]:
    """Grants for the calls of a customer, whose numbers the applicant need not know, with those numbers."""
    named = {one for grant in grants if grant.kind == "calls" for one in grant.subjects if "-" in one}
    numbers = numbers_of(db, named) if named else {}
    return [
        replace(grant, subjects=grant.subjects.union(*(numbers.get(one, ()) for one in grant.subjects)))
        for grant in grants
    ]


def _knowing(desk: Desk, verdict: Verdict, places: Sequence[Place], by_itself: bool) -> Verdict:
    """`verdict` with who serves those the rows at `places` are about."""
    about = frozenset().union(*(place.subjects for place in places))
    if not about or verdict.ask.person.role not in SERVES:
        return verdict
    with read(desk.engine) as db:
        serving = _serving(db, verdict.ask, about)
    return verdict.knowing(serving.own, serving.others if by_itself else frozenset())


def _serving(db: Connection, ask: Ask, about: frozenset[str]) -> Serving:
    """Two statements at most a read, however many rows; none for people who serve nobody."""
    lookup = LOOKUPS.get(ask.kind)
    if lookup is None or not about or ask.person.role not in SERVES:
        return Serving()
    return lookup(db, ask.person.user_id, about)


def counted(desk: Desk, verdict: Verdict, places: Sequence[Place], by_itself: bool = False) -> Verdict:
    """`verdict` once it knows whom the rows at `places` are about and has counted them against its grants.

    What others serve is refused only of a row that was asked for `by_itself`; a list shows it masked.
    """
    verdict = _knowing(desk, verdict, places, by_itself)
    owed: dict[str, list[str]] = {}
    for place in places:
        grant = verdict.charged_to(place)
        if grant is not None and place.row_id:
            owed.setdefault(grant.id, []).append(place.row_id)
    if not owed:
        return verdict
    with write(desk.engine) as db:
        shown = [count_rows(db, grant_id, row_ids, desk.now) for grant_id, row_ids in sorted(owed.items())]
    return verdict.with_counted(frozenset().union(*shown))


def _deed(desk: Desk, ask: Ask, look: Look, outcome: Outcome) -> Deed:
    boxes = {place.box_id for _, place in outcome.shown if place.box_id} or ask.box_ids or set()
    checks = {"identity_check": " ".join(ask.checked.ids)} if ask.checked.ids else {}
    return Deed(
        actor=desk.actor,
        action=look.action,
        kind=ask.kind,
        object_id=look.object_id,
        box_id=next(iter(boxes)) if len(boxes) == 1 else "",
        fields=outcome.fields,
        query={**look.query, **checks},
        purpose=ask.reason,
        grants=outcome.grants,
        row_count=len(outcome.shown),
        ids=tuple(row_id for row_id, _ in outcome.shown),
        refusal=outcome.refused,
    )


def _refusal_of(look: Look, found: Found[Rows] | None, verdict: Verdict) -> Refusal | None:
    """A row that was wanted by its id is refused by itself; a list just leaves it out."""
    if not look.object_id or found is None:
        return None
    return next((why for _, place in found.places if (why := verdict.refusal_of(place))), None)


def _pause_s(desk: Desk, ask: Ask, look: Look, db: Connection) -> int:
    limit = LIMITS.get(look.action)
    if limit is None:
        return 0
    deed = _deed(desk, ask, look, Outcome())
    done = trail.done_lately(db, deed, desk.now - limit.within)
    before = [Before(from_text(row["at_utc"]), row["query"] + row["object_id"]) for row in done]
    return pause_s(limit, before, trail.question(deed), desk.now)
