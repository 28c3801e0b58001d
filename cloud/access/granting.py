"""What an approved application becomes: a grant; and the one that somebody takes by breaking the glass."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from cloud.access.applications import Application, State, Wish
from cloud.access.approval import MOST_ASKED, File, NotPossible, Task, may_decide
from cloud.access.grants import Grant
from cloud.access.guard import Person
from cloud.access.roles import Right
from cloud.access.units import Units
from cloud.access.verbs import Clarity, Verb
from sync.locale import marked
from sync.moment import to_text

USES_A_DAY = 50
EMERGENCY_HOURS, EMERGENCY_ROWS = 2, 200
EMERGENCY_GRADE = 3


def grant_of(application: Application, grant_id: str, now: datetime) -> Grant:
    """The grant that an approved application gives from `now` on; ValueError for one that is not approved."""
    if application.state is not State.APPROVED:
        raise ValueError(f"only an approved application gives a grant, this one is {application.state.value}")
    wish = application.wish
    return Grant(
        id=grant_id,
        request_id=application.id,
        user_id=application.applicant_id,
        role=application.role,
        purpose=wish.purpose,
        kind=wish.kind,
        subjects=wish.subjects,
        box_ids=wish.box_ids,
        from_utc=wish.from_utc,
        until_utc=wish.until_utc,
        verbs=wish.verbs,
        clarity=wish.clarity,
        grade=wish.grade,
        valid_from_utc=to_text(now),
        valid_until_utc=to_text(now + timedelta(hours=wish.hours)),
        rows=wish.rows,
        uses=USES_A_DAY * max(1, -(-wish.hours // 24)),
        emergency=application.emergency,
        documents=frozenset(key for key, number in wish.references.items() if number.strip()),
    )


def break_glass(
    person: Person, request_id: str, reason: str, subjects: frozenset[str], box_ids: frozenset[str] | None
) -> File:
    """The application of somebody who cannot wait: approved at once, for two hours, open until reviewed.

    NotPossible for those who may not, and without a reason.
    """
    if not person.may(Right.BREAK_GLASS):
        raise NotPossible(marked("Your role may not break the glass."))
    if len(reason.strip()) < 4:
        raise NotPossible(marked("Give a reason."))
    wish = Wish(
        kind="calls",
        purpose="emergency",
        reason=reason.strip(),
        verbs=frozenset({Verb.VIEW}),
        clarity=Clarity.CLEAR,
        grade=EMERGENCY_GRADE,
        rows=EMERGENCY_ROWS,
        hours=EMERGENCY_HOURS,
        subjects=subjects,
        box_ids=box_ids,
    )
    application = Application(
        id=request_id,
        applicant_id=person.user_id,
        applicant_name=person.name,
        role=person.role,
        unit_id=person.unit_id,
        wish=wish,
        state=State.APPROVED,
        levels=0,
        emergency=True,
    )
    return File(application)


def ask_for_review(file: File, people: Sequence[Person], units: Units) -> tuple[Task, ...]:
    """A task for each of `people` who may look into a broken glass; never for the one who broke it."""
    able = [one for one in people if may_decide(one, file, units, level=1)]
    return tuple(Task(0, one.user_id, one.name) for one in able[:MOST_ASKED])
