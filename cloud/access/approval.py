"""How an application is decided: a table of what may be done in which state, and what becomes of it.

    draft --submit--> submitted --approve--> [approved_1 --approve-->] approved --revoke--> revoked
                          |                       |                       |
                          +-- reject, withdraw ---+                       +-- its time is over --> expired

People are asked by tasks, one each. Of a level's tasks one signature is enough (any), all are needed (all) or
all one after the other (in turn); whoever was added to sign must sign in any case. One rejection rejects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from cloud.access.applications import LONGEST_TEXT, Application, State
from cloud.access.guard import Person
from cloud.access.roles import Right
from cloud.access.units import Units
from cloud.access.verbs import Clarity, Verb
from sync.locale import marked
from sync.marked import SaidError
from sync.moment import from_text

LONGEST_WAIT = timedelta(days=30)  # nobody decided: it has to be handed in anew
MOST_ASKED = 20  # people of one level


class Mode(StrEnum):
    """How many of those asked have to sign."""

    ANY = "any"
    ALL = "all"
    IN_TURN = "in_turn"


MODE_NAMES: dict[Mode, str] = {
    Mode.ANY: marked("any one signs"),
    Mode.ALL: marked("all sign"),
    Mode.IN_TURN: marked("in turn"),
}


class Act(StrEnum):
    """What people do with an application."""

    SUBMIT = "submit"
    APPROVE = "approve"
    REJECT = "reject"
    WITHDRAW = "withdraw"
    TRANSFER = "transfer"
    ADD_SIGN = "add_sign"
    REVOKE = "revoke"
    BREAK_GLASS = "break_glass"
    REVIEW = "review"


ACT_NAMES: dict[Act, str] = {
    Act.SUBMIT: marked("Submitted it"),
    Act.APPROVE: marked("Agreed"),
    Act.REJECT: marked("Rejected it"),
    Act.WITHDRAW: marked("Withdrew it"),
    Act.TRANSFER: marked("Handed it on"),
    Act.ADD_SIGN: marked("Asked one more to sign"),
    Act.REVOKE: marked("Revoked it"),
    Act.BREAK_GLASS: marked("Broke the glass"),
    Act.REVIEW: marked("Looked into it"),
}

NEEDS_REMARK = frozenset({Act.REJECT, Act.REVOKE, Act.BREAK_GLASS})

LEVEL_RIGHTS: Mapping[int, Right] = MappingProxyType({1: Right.DECIDE, 2: Right.DECIDE_SENSITIVE})

_WAITING = frozenset({State.SUBMITTED, State.APPROVED_1})
POSSIBLE: Mapping[Act, frozenset[State]] = MappingProxyType(
    {
        Act.SUBMIT: frozenset({State.DRAFT}),
        Act.APPROVE: _WAITING,
        Act.REJECT: _WAITING,
        Act.WITHDRAW: _WAITING | {State.DRAFT},
        Act.TRANSFER: _WAITING,
        Act.ADD_SIGN: _WAITING,
        Act.REVOKE: frozenset({State.APPROVED}),
        Act.REVIEW: frozenset({State.APPROVED, State.REVOKED, State.EXPIRED}),
    }
)


class TaskState(StrEnum):
    """What became of asking somebody."""

    OPEN = "open"
    SIGNED = "signed"
    REJECTED = "rejected"
    HANDED_ON = "handed_on"
    NOT_NEEDED = "not_needed"  # it was decided without them


@dataclass(frozen=True, slots=True)
class Task:
    """One person asked to decide on one level; of level 0 to look into a broken glass."""

    level: int
    user_id: str
    user_name: str
    turn: int = 0  # their place, where people sign in turn
    required: bool = False  # added by somebody: must sign whatever the mode
    state: TaskState = TaskState.OPEN


@dataclass(frozen=True, slots=True)
class Deed:
    """Somebody does something with an application."""

    act: Act
    person: Person
    remark: str = ""
    other: Person | None = None  # to whom it is handed on, or who is added


@dataclass(frozen=True, slots=True)
class File:
    """An application with everybody who was asked."""

    application: Application
    tasks: tuple[Task, ...] = ()
    mode: Mode = Mode.ANY

    def open_for(self, user_id: str) -> Task | None:
        """The task of this level that waits for that person now."""
        waiting = [task for task in self.asked if task.state is TaskState.OPEN]
        if self.mode is Mode.IN_TURN and waiting:
            turn = min(task.turn for task in waiting)
            waiting = [task for task in waiting if task.turn == turn or task.required]
        return next((task for task in waiting if task.user_id == user_id), None)

    @property
    def nobody_asked(self) -> bool:
        """Whether it waits and there is nobody to decide."""
        waits = self.application.state in _WAITING
        return waits and not any(task.state is TaskState.OPEN for task in self.asked)

    @property
    def asked(self) -> list[Task]:
        """The tasks of the level that has to decide now."""
        return [task for task in self.tasks if task.level == self.application.level]

    def is_signed(self) -> bool:
        """Whether this level has all the signatures it needs."""
        asked = [task for task in self.asked if task.state is not TaskState.HANDED_ON]
        signed = [task for task in asked if task.state is TaskState.SIGNED]
        needed = [task for task in asked if task.required or self.mode is not Mode.ANY]
        return bool(signed) and all(task.state is TaskState.SIGNED for task in needed)


class NotPossible(SaidError):
    """What somebody wants to do with an application cannot be done."""


def may_decide(person: Person, file: File, units: Units, level: int | None = None) -> bool:
    """Whether `person` may decide on that level: the right, the unit, not their own, no level before it."""
    application = file.application
    level = application.level if level is None else level
    right = LEVEL_RIGHTS.get(level)
    signed_before = any(
        task.user_id == person.user_id and task.level < level and task.state is TaskState.SIGNED
        for task in file.tasks
    )
    return (
        right is not None
        and person.may(right)
        and person.user_id != application.applicant_id
        and units.is_within(application.unit_id, person.unit_id)
        and not signed_before
    )


def ask_people(file: File, people: Sequence[Person], units: Units) -> File:
    """`file` with a task for everybody of `people` who may decide now, if none of those asked still may."""
    level = file.application.level
    able = {one.user_id: one for one in people if may_decide(one, file, units)}
    waiting = {task.user_id for task in file.asked if task.state is TaskState.OPEN}
    if not level or waiting & able.keys():
        return file
    asked = {task.user_id for task in file.asked}
    fresh = [one for one in able.values() if one.user_id not in asked][:MOST_ASKED]
    tasks = tuple(Task(level, one.user_id, one.name, turn) for turn, one in enumerate(fresh))
    return replace(file, tasks=(*file.tasks, *tasks))


def mode_of(application: Application) -> Mode:
    """How those asked sign: an authority's inquiry passes from hand to hand, clear data leave with all."""
    wish = application.wish
    if application.role in ("judicial", "regulator"):
        return Mode.IN_TURN
    leaves_clear = Verb.EXPORT in wish.verbs and wish.clarity is Clarity.CLEAR
    return Mode.ALL if leaves_clear else Mode.ANY


def do(file: File, deed: Deed, units: Units) -> File:
    """`file` after `deed`; NotPossible with a sentence when it may not be done."""
    if file.application.state not in POSSIBLE.get(deed.act, ()):
        raise NotPossible(marked("This has been settled already, or is not that far yet."))
    if len(deed.remark) > LONGEST_TEXT:
        raise NotPossible(marked("At most 500 characters, please."))
    if deed.act in NEEDS_REMARK and not deed.remark.strip():
        raise NotPossible(marked("Give a reason."))
    return _DO[deed.act](file, deed, units)


def state_at(application: Application, submitted_utc: str, ends_utc: str | None, now: datetime) -> State:
    """The state as of `now`: what waited too long or has run out is expired, and no job has to say so."""
    state = application.state
    if state in _WAITING and now - from_text(submitted_utc) >= LONGEST_WAIT:
        return State.EXPIRED
    if state is State.APPROVED and ends_utc is not None and now >= from_text(ends_utc):
        return State.EXPIRED
    return state


def _submit(file: File, deed: Deed, _units: Units) -> File:
    _only_applicant(file, deed)
    state = State.SUBMITTED if file.application.levels else State.APPROVED
    return _in_state(file, state)


def _withdraw(file: File, deed: Deed, _units: Units) -> File:
    _only_applicant(file, deed)
    return _in_state(file, State.WITHDRAWN)


def _approve(file: File, deed: Deed, units: Units) -> File:
    file = _settle_task(file, _own_task(file, deed, units), TaskState.SIGNED)
    if not file.is_signed():
        return file
    more = file.application.level < file.application.levels
    return _in_state(file, State.APPROVED_1 if more else State.APPROVED)


def _reject(file: File, deed: Deed, units: Units) -> File:
    return _in_state(_settle_task(file, _own_task(file, deed, units), TaskState.REJECTED), State.REJECTED)


def _transfer(file: File, deed: Deed, units: Units) -> File:
    task = _own_task(file, deed, units)
    other = _new_signer(file, deed, units)
    handed = replace(task, user_id=other.user_id, user_name=other.name)
    file = _settle_task(file, task, TaskState.HANDED_ON)
    return replace(file, tasks=(*file.tasks, handed))


def _add_sign(file: File, deed: Deed, units: Units) -> File:
    task = _own_task(file, deed, units)
    other = _new_signer(file, deed, units)
    added = Task(task.level, other.user_id, other.name, task.turn, required=True)
    return replace(file, tasks=(*file.tasks, added))


def _revoke(file: File, deed: Deed, units: Units) -> File:
    application, person = file.application, deed.person
    above = person.may(Right.REVOKE_GRANTS) and units.is_within(application.unit_id, person.unit_id)
    if not above and person.user_id != application.applicant_id:
        raise NotPossible(marked("Only an approver, an administrator or the applicant can revoke it."))
    return _in_state(file, State.REVOKED)


def _review(file: File, deed: Deed, units: Units) -> File:
    open_tasks = [task for task in file.tasks if task.level == 0 and task.state is TaskState.OPEN]
    if not file.application.emergency or not open_tasks:
        raise NotPossible(marked("There is nothing to look into."))
    if not may_decide(deed.person, file, units, level=1):
        raise NotPossible(marked("You cannot decide this: it is your own, or not yours to decide."))
    for task in open_tasks:
        file = _settle_task(file, task, TaskState.SIGNED)
    return file


_DO: Mapping[Act, Callable[[File, Deed, Units], File]] = MappingProxyType(
    {
        Act.SUBMIT: _submit,
        Act.APPROVE: _approve,
        Act.REJECT: _reject,
        Act.WITHDRAW: _withdraw,
        Act.TRANSFER: _transfer,
        Act.ADD_SIGN: _add_sign,
        Act.REVOKE: _revoke,
        Act.REVIEW: _review,
    }
)


def _only_applicant(file: File, deed: Deed) -> None:
    if deed.person.user_id != file.application.applicant_id:
        raise NotPossible(marked("Only the applicant can do that."))


def _own_task(file: File, deed: Deed, units: Units) -> Task:
    # The right is looked at again now: who was asked last week may hold another post today.
    task = file.open_for(deed.person.user_id)
    if task is None or not may_decide(deed.person, file, units):
        raise NotPossible(marked("You cannot decide this: it is your own, or not yours to decide."))
    return task


def _new_signer(file: File, deed: Deed, units: Units) -> Person:
    other = deed.other
    if other is None or not may_decide(other, file, units):
        raise NotPossible(marked("That person may not decide this application."))
    level = file.application.level
    asked = {
        task.user_id for task in file.tasks if task.level == level and task.state is not TaskState.HANDED_ON
    }
    if other.user_id in asked:
        raise NotPossible(marked("That person is asked already."))
    return other


def _settle_task(file: File, settled: Task, state: TaskState) -> File:
    tasks = tuple(replace(task, state=state) if task is settled else task for task in file.tasks)
    return replace(file, tasks=tasks)


def _in_state(file: File, state: State) -> File:
    """The next state; whoever has not decided by then is not needed any more."""
    level = file.application.level
    tasks = tuple(
        replace(task, state=TaskState.NOT_NEEDED)
        if level and task.level == level and task.state is TaskState.OPEN
        else task
        for task in file.tasks
    )
    return replace(file, application=replace(file.application, state=state), tasks=tasks)
