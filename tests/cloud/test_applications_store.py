"""Applications and grants in the database: two deeds at the same time give one result."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from cloud.access.applications import Application, State
from cloud.access.approval import Act, Deed, NotPossible, TaskState
from cloud.access.granting import break_glass
from cloud.access.guard import Person
from cloud.access.units import NATIONAL, Unit
from cloud.store import applications, people, units
from cloud.store.applications import Case
from cloud.store.database import read, write
from cloud.store.grants import count_rows, live_grants
from sync.ids import new_id
from sync.moment import to_text
from tests.cloud.access.test_applications import wish_of
from tests.cloud.house import NOON

Add = Callable[..., Person]


@pytest.fixture
def add(engine: Engine) -> Add:
    def add_person(name: str, role: str, unit_id: str = NATIONAL) -> Person:
        with write(engine) as db:
            people.add_user(db, name, role, "hash", to_text(NOON))
            row = people.find_user(db, name)
            assert row is not None
            units.place_user(db, row["id"], unit_id)
        return Person(row["id"], name, role, unit_id, "", "")

    return add_person


def hand_in(engine: Engine, who: Person, levels: int = 1, **wish: object) -> Case:
    application = Application(
        new_id(), who.user_id, who.name, who.role, who.unit_id, wish_of(who.role, **wish), State.DRAFT, levels
    )
    with write(engine) as db:
        return applications.submit(db, application, who, NOON)


def act(engine: Engine, case: Case, act: Act, who: Person, **more: object) -> Case:
    deed = Deed(act, who, "because", **more)  # type: ignore[arg-type]
    with write(engine) as db:
        found = applications.act(db, case.file.application.id, deed, NOON)
    assert found is not None
    return found


def test_what_is_kept_is_what_was_handed_in(engine: Engine, add: Add) -> None:
    wang = add("Wang", "agent")
    case = hand_in(engine, wang, box_ids=frozenset({"box-01"}), references={"complaint": "投诉 1"})
    with read(engine) as db:
        found = applications.find(db, case.file.application.id, NOON)
        assert applications.find(db, "none", NOON) is None
    assert found == case
    assert found.file.application.wish == wish_of(
        box_ids=frozenset({"box-01"}), references={"complaint": "投诉 1"}
    )
    assert [step.act for step in found.steps] == [Act.SUBMIT] and found.grant is None


def test_two_levels_and_the_grant_that_comes_of_them(engine: Engine, add: Add) -> None:
    wang, li, gao = add("Wang", "agent"), add("Li", "approver_1"), add("Gao", "approver_2")
    case = hand_in(engine, wang, levels=2)
    case = act(engine, case, Act.APPROVE, li)
    assert case.file.application.state is State.APPROVED_1 and case.grant is None
    case = act(engine, case, Act.APPROVE, gao)
    assert case.file.application.state is State.APPROVED and case.grant is not None
    assert [(step.user_name, step.state) for step in case.steps] == [
        ("Wang", State.SUBMITTED),
        ("Li", State.APPROVED_1),
        ("Gao", State.APPROVED),
    ]
    with read(engine) as db:
        assert live_grants(db, wang.user_id, NOON) == (case.grant,)
        assert live_grants(db, li.user_id, NOON) == ()
        assert live_grants(db, wang.user_id, NOON + timedelta(hours=8)) == ()
    case = act(engine, case, Act.REVOKE, li)
    assert case.file.application.state is State.REVOKED
    with read(engine) as db:
        assert live_grants(db, wang.user_id, NOON) == ()


def test_each_sees_what_waits_for_them(engine: Engine, add: Add) -> None:
    with write(engine) as db:
        units.add_unit(db, Unit("yn", "云南省", "province", NATIONAL))
        units.add_unit(db, Unit("gd", "广东省", "province", NATIONAL))
    wang = add("Wang", "agent", "yn")
    li, far, ma = add("Li", "approver_1", "yn"), add("Far", "approver_1", "gd"), add("Ma", "approver_1")
    case = hand_in(engine, wang)

    def waiting(who: Person, later: timedelta = timedelta(0)) -> int:
        with read(engine) as db:
            cases = applications.to_decide(db, who, NOON + later)
            assert applications.count_waiting(db, who.user_id, NOON + later) == len(cases)
            return len(cases)

    assert [waiting(who) for who in (wang, li, far, ma)] == [0, 1, 0, 1]
    assert waiting(li, timedelta(days=30)) == 0  # nobody decided: over
    case = act(engine, case, Act.APPROVE, ma)
    assert [waiting(who) for who in (li, ma)] == [0, 0]
    with read(engine) as db:
        assert [one.file for one in applications.of_applicant(db, wang.user_id, NOON)] == [case.file]
        assert applications.of_applicant(db, li.user_id, NOON) == []


def test_without_an_approver_it_waits_and_goes_on_when_there_is_one(engine: Engine, add: Add) -> None:
    wang = add("Wang", "agent")
    case = hand_in(engine, wang)
    with read(engine) as db:
        assert len(applications.unasked(db, NOON)) == 1
    li = add("Li", "approver_1")
    with write(engine) as db:
        assert applications.ask_again(db, NOON) == 1 and applications.unasked(db, NOON) == []
        assert applications.ask_again(db, NOON) == 0
    assert act(engine, case, Act.APPROVE, li).file.application.state is State.APPROVED


def test_who_lost_the_post_does_not_decide(engine: Engine, add: Add) -> None:
    wang, li = add("Wang", "agent"), add("Li", "approver_1")
    case = hand_in(engine, wang)
    with pytest.raises(NotPossible):
        act(engine, case, Act.APPROVE, replace(li, role="agent"))
    with pytest.raises(NotPossible):
        act(engine, case, Act.APPROVE, replace(wang, role="approver_2"))


def test_a_broken_glass_answers_at_once_and_waits_for_review(engine: Engine, add: Add) -> None:
    boss, li = add("Boss", "manager"), add("Li", "approver_1")
    with write(engine) as db:
        file = break_glass(boss, new_id(), "emergency call", frozenset({"+8613800138000"}), None)
        case = applications.break_glass(db, file, boss, NOON)
    assert case.to_review and case.grant is not None and case.grant.emergency
    with read(engine) as db:
        assert live_grants(db, boss.user_id, NOON) == (case.grant,)
        assert [one.file for one in applications.to_decide(db, li, NOON + timedelta(days=40))] != []
    with pytest.raises(NotPossible):
        act(engine, case, Act.REVIEW, boss)
    case = act(engine, case, Act.REVIEW, li)
    assert not case.to_review and case.steps[-1].remark == "because"


def at_the_same_time(*works: Callable[[], object]) -> list[object]:
    """What each of `works` gives or raises, all begun together."""
    results: list[object] = [None] * len(works)
    barrier = threading.Barrier(len(works))

    def run(number: int) -> None:
        barrier.wait()
        try:
            results[number] = works[number]()
        except NotPossible as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.mark.parametrize("second", [Act.APPROVE, Act.REJECT, Act.WITHDRAW])
def test_two_decisions_at_the_same_time_give_one_result(engine: Engine, add: Add, second: Act) -> None:
    wang, li, ma = add("Wang", "agent"), add("Li", "approver_1"), add("Ma", "approver_1")
    other = wang if second is Act.WITHDRAW else ma
    for _ in range(5):
        case = hand_in(engine, wang)
        results = at_the_same_time(
            lambda case=case: act(engine, case, Act.APPROVE, li),  # type: ignore[misc]
            lambda case=case: act(engine, case, second, other),  # type: ignore[misc]
        )
        refused = [result for result in results if isinstance(result, NotPossible)]
        won = [result for result in results if isinstance(result, Case)]
        assert len(refused) == len(won) == 1
        with read(engine) as db:
            found = applications.find(db, case.file.application.id, NOON)
        assert found == won[0] and len(found.steps) == 2
        assert (found.grant is not None) is (found.file.application.state is State.APPROVED)
        assert not any(task.state is TaskState.OPEN for task in found.file.tasks)


def grant_with(engine: Engine, add: Add, rows: int) -> str:
    wang = add(f"Wang {new_id()[-6:]}", "manager")
    case = hand_in(engine, wang, levels=0, rows=rows)
    assert case.grant is not None
    return case.grant.id


def test_rows_are_counted_once_and_no_more_than_approved(engine: Engine, add: Add) -> None:
    grant_id = grant_with(engine, add, rows=3)

    def count(*row_ids: str, later: timedelta = timedelta(0)) -> frozenset[str]:
        with write(engine) as db:
            return count_rows(db, grant_id, row_ids, NOON + later)

    assert count("a", "b", "a") == {"a", "b"}
    assert count("a", "c", "d") == {"a", "c"}  # the fourth is one too many
    assert count("d") == frozenset() and count("b") == {"b"}
    assert count("b", later=timedelta(hours=8)) == frozenset()  # lapsed
    with write(engine) as db:
        assert count_rows(db, "no such grant", ["a"], NOON) == frozenset()


def test_a_use_is_ten_minutes_and_uses_are_bounded(engine: Engine, add: Add) -> None:
    grant_id = grant_with(engine, add, rows=20)
    for number in range(47):
        with write(engine) as db:
            later = NOON + timedelta(minutes=10 * number)
            assert count_rows(db, grant_id, ["a"], later) == {"a"}
            assert count_rows(db, grant_id, ["b"], later + timedelta(minutes=9)) == {"b"}


def test_two_readers_at_the_same_time_see_no_more_than_approved(engine: Engine, add: Add) -> None:
    grant_id = grant_with(engine, add, rows=10)

    def reading(name: str) -> Callable[[], object]:
        def count() -> object:
            with write(engine) as db:
                return count_rows(db, grant_id, [f"{name}{n}" for n in range(7)], NOON)

        return count

    seen = at_the_same_time(reading("x"), reading("y"))
    assert sorted(len(one) for one in seen if isinstance(one, frozenset)) == [3, 7]
