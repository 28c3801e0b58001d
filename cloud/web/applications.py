"""Applications to read: one's own with their grants, those to decide, one of them with its history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Form
from sqlalchemy import Connection
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from cloud.access import approval
from cloud.access.applications import REFERENCES, STATE_NAMES, State
from cloud.access.approval import ACT_NAMES, MODE_NAMES, Act, NotPossible
from cloud.access.guard import Person
from cloud.access.kinds import KINDS
from cloud.access.log import Action, Deed
from cloud.access.purposes import PURPOSES
from cloud.access.roles import Right
from cloud.access.units import Units
from cloud.reading import NOT_THERE
from cloud.store import applications, boxes, trail
from cloud.store.applications import Case
from cloud.store.database import read, write
from cloud.store.units import read_units
from cloud.web.answers import page, see_other, translate
from cloud.web.applying import VERB_NAMES
from cloud.web.door import actor_of, append_deed, person_of
from cloud.web.parts import parts_of
from sync.locale import marked
from sync.mask import mask_number
from sync.phone import read_number

ACTIONS = {Act.REVOKE: Action.REVOKE, Act.APPROVE: Action.GRANT}  # the others are changes
NO_APPLICATION = marked("There is no such application.")

Text = Annotated[str, Form(max_length=2000)]


@dataclass(frozen=True, slots=True)
class Possible:
    """What the person who looks may do with an application now."""

    decide: bool
    withdraw: bool
    revoke: bool
    review: bool
    others: tuple[tuple[str, str], ...]  # id and name of those it can be handed on to


def mine(request: Request) -> Response:
    """One's own applications and what came of them, the newest first."""
    return page(request, "applications.html", cases=fetch_mine(request), **_words())


def fetch_mine(request: Request) -> list[Case]:
    """The applications of whoever asks, the newest first."""
    now, person = parts_of(request).clock.now(), person_of(request)
    with read(parts_of(request).engine) as connection:
        cases = applications.of_applicant(connection, person.user_id, now)
    _note(request, ids=[case.file.application.id for case in cases])
    return cases


def to_decide(request: Request) -> Response:
    """What waits for one's decision, the oldest first, and what waits for nobody."""
    cases, stuck = fetch_waiting(request)
    return page(request, "to_decide.html", cases=cases, stuck=stuck, **_words())


def fetch_waiting(request: Request) -> tuple[list[Case], list[Case]]:
    """What waits for the decision of whoever asks, the oldest first; what waits for nobody."""
    parts, person = parts_of(request), person_of(request)
    now = parts.clock.now()
    with read(parts.engine) as connection:
        stuck = applications.unasked(connection, now)
    if stuck:  # perhaps somebody has been appointed meanwhile
        with write(parts.engine) as connection:
            applications.ask_again(connection, now)
    with read(parts.engine) as connection:
        cases = applications.to_decide(connection, person, now)
        units = read_units(connection)
        stuck = [one for one in applications.unasked(connection, now) if _sees(one, person, units)]
    _note(request, ids=[case.file.application.id for case in (*cases, *stuck)])
    return cases, stuck


def detail(request: Request, request_id: str) -> Response:
    """One application: what is asked for, by whom, everything that was done, and what can be done."""
    answer = _detail(request, request_id, 200, "")
    _note(request, object_id=request_id, ids=[request_id])
    return answer


def fetch_case(request: Request, request_id: str) -> Case:
    """The application of that id, if whoever asks may see it; else 404."""
    with read(parts_of(request).engine) as connection:
        case = _found(connection, request_id, person_of(request), request)
    _note(request, object_id=request_id, ids=[request_id])
    return case


def act(
    request: Request,
    request_id: str,
    act: str,
    remark: Text = "",
    other: Annotated[str, Form(max_length=64)] = "",
) -> Response:
    """Do one thing with an application."""
    try:
        take(request, request_id, act, remark, other)
    except NotPossible as refused:
        return _detail(request, request_id, 409, translate(request, refused.text, **refused.values))
    return see_other(f"/applications/{request_id}")


def take(request: Request, request_id: str, act: str, remark: str, other: str) -> None:
    """Do one thing with an application; 404, NotPossible."""
    parts, person = parts_of(request), person_of(request)
    if act not in tuple(Act) or act in (Act.SUBMIT, Act.BREAK_GLASS):
        _note(request, object_id=request_id, refusal=NOT_THERE)
        raise HTTPException(404, marked("There is no such page."))
    now = parts.clock.now()
    with read(parts.engine) as connection:
        before = _found(connection, request_id, person, request)
    try:
        with write(parts.engine) as connection:
            everybody = {one.user_id: one for one in applications.deciders(connection)}
            deed = approval.Deed(Act(act), person, remark, everybody.get(other))
            case = applications.act(connection, request_id, deed, now)
            if case is None:
                raise HTTPException(404, NO_APPLICATION)
            append_deed(request, connection, _row_of(request, Act(act), before, case))
    except NotPossible:
        _note(request, object_id=request_id, refusal="not_possible")
        raise


def _note(request: Request, object_id: str = "", ids: Sequence[str] = (), refusal: str = "") -> None:
    """Write down that applications were read, or that something could not be."""
    parts = parts_of(request)
    deed = Deed(
        actor=actor_of(request),
        action=Action.VIEW if not refusal or request.method == "GET" else Action.UPDATE,
        kind="applications",
        object_id=object_id,
        row_count=len(ids),
        ids=tuple(ids),
        refusal=refusal,
    )
    with write(parts.engine) as connection:
        trail.append(connection, deed, parts.clock.now_utc())


def _row_of(request: Request, act: Act, before: Case, after: Case) -> Deed:
    old, new = before.file.application, after.file.application
    return Deed(
        actor=actor_of(request),
        action=ACTIONS.get(act, Action.UPDATE),
        kind="applications",
        object_id=new.id,
        purpose=new.wish.purpose,
        changes={"state": (old.state.value, new.state.value), "act": (None, act.value)},
        grants=(after.grant.id,) if after.grant else (),
    )


def _detail(request: Request, request_id: str, status: int, fault: str) -> Response:
    parts, person = parts_of(request), person_of(request)
    with read(parts.engine) as connection:
        case = _found(connection, request_id, person, request)
        possible = _possible(case, person, connection)
        names = {row["id"]: row["name"] for row in boxes.list_boxes(connection)}
    wish, own = case.file.application.wish, case.file.application.applicant_id == person.user_id
    shown = [subject_shown(one, own) for one in sorted(wish.subjects)]
    branches = [names.get(box_id, box_id) for box_id in sorted(wish.box_ids or ())]
    waits = case.file.nobody_asked
    facts = {"subjects": shown, "branches": branches, "fault": fault, "own": own, "waits_for_nobody": waits}
    return page(request, "application.html", status, case=case, possible=possible, **facts, **_words())


def _found(connection: Connection, request_id: str, person: Person, request: Request) -> Case:
    """The application, if that person may see it; else there is none."""
    case = applications.find(connection, request_id, parts_of(request).clock.now())
    if case is None or not _sees(case, person, read_units(connection)):
        _note(request, object_id=request_id, refusal=NOT_THERE)
        raise HTTPException(404, NO_APPLICATION)
    return case


def _sees(case: Case, person: Person, units: Units) -> bool:
    """Whether it is one's own, or of somebody below oneself whom one may decide about or stop."""
    application = case.file.application
    if application.applicant_id == person.user_id:
        return True
    above = units.is_within(application.unit_id, person.unit_id)
    return above and (person.may(Right.DECIDE) or person.may(Right.REVOKE_GRANTS))


def _possible(case: Case, person: Person, connection: Connection) -> Possible:
    units, people = read_units(connection), applications.deciders(connection)
    file = approval.ask_people(case.file, people, units)  # whoever was appointed meanwhile decides too
    application = file.application
    own = application.applicant_id == person.user_id
    decides = file.open_for(person.user_id) is not None and approval.may_decide(person, file, units)
    asked = {task.user_id for task in file.asked}
    others = [
        (one.user_id, one.name)
        for one in people
        if decides and one.user_id not in asked and approval.may_decide(one, file, units)
    ]
    return Possible(
        decide=decides,
        withdraw=own and application.level > 0,
        revoke=application.state is State.APPROVED and (own or person.may(Right.REVOKE_GRANTS)),
        review=case.to_review and approval.may_decide(person, file, units, level=1),
        others=tuple(others),
    )


def subject_shown(subject: str, own: bool) -> str:
    """A number or an id as it is shown: to others than the applicant the number is masked."""
    plain = subject.removeprefix("local:")
    if "-" in plain:
        return f"…{plain[-6:]}"
    return read_number(plain).shown if own else mask_number(plain)


def _words() -> dict[str, Any]:
    return {
        "state_names": STATE_NAMES,
        "act_names": ACT_NAMES,
        "mode_names": MODE_NAMES,
        "purposes": PURPOSES,
        "verb_names": VERB_NAMES,
        "kind_names": {name: kind.name for name, kind in KINDS.items()},
        "reference_names": REFERENCES,
    }
