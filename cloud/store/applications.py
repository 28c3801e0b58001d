"""Applications in the database: handed in, decided and read; each change is one transaction.

Whoever decides holds the row of the application meanwhile, so two decisions at the same time give one result:
the second finds it settled.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, or_, select

from cloud.access import approval, granting
from cloud.access.applications import Application, State
from cloud.access.approval import LEVEL_RIGHTS, Act, Deed, File, Task, TaskState
from cloud.access.grants import Grant
from cloud.access.guard import Person
from cloud.access.roles import ROLES
from cloud.access.units import Units
from cloud.store.access_tables import access_requests, access_steps, approval_tasks
from cloud.store.application_rows import Step as Step
from cloud.store.application_rows import cells_of, read_application, read_step, read_task
from cloud.store.grants import add_grant, grants_of_requests, revoke_grant_of
from cloud.store.schema import users
from cloud.store.units import read_units
from sync.ids import new_id
from sync.moment import to_text

MOST_SHOWN = 200
DECIDERS = tuple(role for role, rights in ROLES.items() if rights & frozenset(LEVEL_RIGHTS.values()))


@dataclass(frozen=True, slots=True)
class Case:
    """All there is about one application, as of a moment."""

    file: File
    submitted_utc: str
    steps: tuple[Step, ...]
    grant: Grant | None

    @property
    def to_review(self) -> bool:
        """Whether somebody still has to look into a broken glass."""
        return any(task.level == 0 and task.state is TaskState.OPEN for task in self.file.tasks)


def submit(connection: Connection, application: Application, person: Person, now: datetime) -> Case:
    """Hand in a draft; those who may decide are asked, and one that takes no approval gives its grant."""
    units = read_units(connection)
    file = approval.do(File(application), Deed(Act.SUBMIT, person), units)
    file = _asked(connection, file, units)
    connection.execute(access_requests.insert().values(cells_of(file.application, to_text(now))))
    return _after(connection, file, (), Deed(Act.SUBMIT, person, application.wish.reason), now)


def break_glass(connection: Connection, file: File, person: Person, now: datetime) -> Case:
    """Keep a broken glass and its grant, and ask every approver of level 1 to look into it."""
    tasks = granting.ask_for_review(file, deciders(connection), read_units(connection))
    file = replace(file, tasks=tasks)
    connection.execute(access_requests.insert().values(cells_of(file.application, to_text(now))))
    return _after(connection, file, (), Deed(Act.BREAK_GLASS, person, file.application.wish.reason), now)


def act(connection: Connection, request_id: str, deed: Deed, now: datetime) -> Case | None:
    """Do something with an application; None when there is none. NotPossible says why it cannot be done."""
    locked = select(access_requests).where(access_requests.c.id == request_id).with_for_update()
    if connection.execute(locked).first() is None:
        return None
    case = _cases(connection, select(access_requests).where(access_requests.c.id == request_id), now)[0]
    units = read_units(connection)
    file = approval.do(_asked(connection, case.file, units), deed, units)
    file = _asked(connection, file, units)
    return _after(connection, file, case.file.tasks, deed, now)


def find(connection: Connection, request_id: str, now: datetime) -> Case | None:
    """The application of that id."""
    found = _cases(connection, select(access_requests).where(access_requests.c.id == request_id), now)
    return found[0] if found else None


def of_applicant(connection: Connection, user_id: str, now: datetime) -> list[Case]:
    """Somebody's applications, the newest first."""
    mine = select(access_requests).where(access_requests.c.applicant_id == user_id)
    return _cases(connection, _newest(mine), now)


def to_decide(connection: Connection, person: Person, now: datetime) -> list[Case]:
    """What waits for that person's decision or review now, the oldest first."""
    asked = select(approval_tasks.c.request_id).where(
        approval_tasks.c.user_id == person.user_id, approval_tasks.c.state == TaskState.OPEN.value
    )
    cases = _cases(connection, _newest(select(access_requests).where(access_requests.c.id.in_(asked))), now)
    units = read_units(connection)
    return [case for case in reversed(cases) if _waits_for(case, person, units)]


def unasked(connection: Connection, now: datetime) -> list[Case]:
    """Applications that wait and have nobody who could decide: an administrator has to see to it."""
    waiting = access_requests.c.state.in_((State.SUBMITTED.value, State.APPROVED_1.value))
    units, people = read_units(connection), deciders(connection)
    found = _cases(connection, _newest(select(access_requests).where(waiting)), now)
    return [case for case in found if not has_decider(case.file, people, units)]


def ask_again(connection: Connection, now: datetime) -> int:
    """Ask the people who may decide by now what nobody could decide before; how many applications went on."""
    units, people = read_units(connection), deciders(connection)
    gone_on = 0
    for case in unasked(connection, now):
        file = approval.ask_people(case.file, people, units)
        if file.tasks != case.file.tasks:
            _keep_tasks(connection, file, case.file.tasks)
            gone_on += 1
    return gone_on


def has_decider(file: File, people: Sequence[Person], units: Units) -> bool:
    """Whether somebody who was asked may still decide, or nothing has to be decided."""
    if not file.application.level:
        return True
    able = {one.user_id for one in people if approval.may_decide(one, file, units)}
    return any(task.state is TaskState.OPEN and task.user_id in able for task in file.asked)


def deciders(connection: Connection) -> list[Person]:
    """Everybody whose role decides applications, by name."""
    statement = select(users).where(users.c.role.in_(DECIDERS), users.c.disabled_utc.is_(None))
    rows = connection.execute(statement.order_by(users.c.name)).mappings()
    return [Person(row["id"], row["name"], row["role"], row["unit_id"], "", "") for row in rows]


def count_waiting(connection: Connection, user_id: str, now: datetime) -> int:
    """How many tasks are open for that person; those of applications that waited too long are over."""
    begun = to_text(now - approval.LONGEST_WAIT)
    fresh = or_(access_requests.c.submitted_utc > begun, approval_tasks.c.level == 0)
    open_tasks = (
        select(approval_tasks.c.n)
        .join(access_requests, access_requests.c.id == approval_tasks.c.request_id)
        .where(approval_tasks.c.user_id == user_id, approval_tasks.c.state == TaskState.OPEN.value, fresh)
    )
    return len(connection.execute(open_tasks.limit(MOST_SHOWN)).all())


def _waits_for(case: Case, person: Person, units: Units) -> bool:
    if case.to_review:
        return approval.may_decide(person, case.file, units, level=1)
    return case.file.open_for(person.user_id) is not None and approval.may_decide(person, case.file, units)


def _asked(connection: Connection, file: File, units: Units) -> File:
    return approval.ask_people(file, deciders(connection), units)


def _after(connection: Connection, file: File, before: tuple[Task, ...], deed: Deed, now: datetime) -> Case:
    """Keep what came of `deed`: state, tasks, the step, and the grant that begins or ends."""
    application = file.application
    mine = access_requests.c.id == application.id
    connection.execute(access_requests.update().where(mine).values(state=application.state.value))
    _keep_tasks(connection, file, before)
    _keepread_step(connection, application, deed, now)
    if application.state is State.APPROVED and deed.act is not Act.REVIEW:
        add_grant(connection, granting.grant_of(application, new_id(), now))
    if deed.act is Act.REVOKE:
        revoke_grant_of(connection, application.id, to_text(now))
    found = find(connection, application.id, now)
    assert found is not None  # it was written above
    return found


def _keep_tasks(connection: Connection, file: File, before: tuple[Task, ...]) -> None:
    request_id = file.application.id
    for n, task in enumerate(file.tasks):
        cells = {name: getattr(task, name) for name in Task.__dataclass_fields__}
        cells |= {"state": task.state.value, "request_id": request_id, "n": n}
        if n >= len(before):
            connection.execute(approval_tasks.insert().values(cells))
        elif task != before[n]:
            mine = (approval_tasks.c.request_id == request_id) & (approval_tasks.c.n == n)
            connection.execute(approval_tasks.update().where(mine).values(state=task.state.value))


def _keepread_step(connection: Connection, application: Application, deed: Deed, now: datetime) -> None:
    mine = select(access_steps.c.n).where(access_steps.c.request_id == application.id)
    number = len(connection.execute(mine).all())
    connection.execute(
        access_steps.insert().values(
            request_id=application.id,
            n=number,
            at_utc=to_text(now),
            act=deed.act.value,
            user_name=deed.person.name,
            other_name=deed.other.name if deed.other else "",
            remark=deed.remark.strip(),
            state=application.state.value,
        )
    )


def _newest(statement: Select[Any]) -> Select[Any]:
    order = access_requests.c.submitted_utc.desc(), access_requests.c.id.desc()
    return statement.order_by(*order).limit(MOST_SHOWN)


def _cases(connection: Connection, statement: Select[Any], now: datetime) -> list[Case]:
    rows = connection.execute(statement).mappings().all()
    ids = [row["id"] for row in rows]
    tasks = _by_request(connection, approval_tasks, ids)
    steps = _by_request(connection, access_steps, ids)
    grants = grants_of_requests(connection, ids)
    return [
        _case(row, tasks.get(row["id"], ()), steps.get(row["id"], ()), grants.get(row["id"]), now)
        for row in rows
    ]


def _by_request(connection: Connection, table: Any, ids: Sequence[str]) -> dict[str, list[RowMapping]]:
    statement = select(table).where(table.c.request_id.in_(ids)).order_by(table.c.request_id, table.c.n)
    found: dict[str, list[RowMapping]] = {}
    for row in connection.execute(statement).mappings():
        found.setdefault(row["request_id"], []).append(row)
    return found


def _case(
    row: RowMapping,
    tasks: Iterable[RowMapping],
    steps: Iterable[RowMapping],
    grant: Grant | None,
    now: datetime,
) -> Case:
    application = read_application(row)
    ends_utc = grant.valid_until_utc if grant else None
    state = approval.state_at(application, row["submitted_utc"], ends_utc, now)
    application = replace(application, state=state)
    file = File(application, tuple(read_task(task) for task in tasks), approval.mode_of(application))
    return Case(file, row["submitted_utc"], tuple(read_step(step) for step in steps), grant)
