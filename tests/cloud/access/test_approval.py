"""Approval: each act in each state, by the right and the wrong people, in every mode of signing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cloud.access import approval
from cloud.access.applications import Application, State
from cloud.access.approval import POSSIBLE, Act, Deed, File, Mode, NotPossible, Task, TaskState
from cloud.access.granting import ask_for_review, break_glass, grant_of
from cloud.access.guard import Person
from cloud.access.verbs import Clarity, Verb
from sync.moment import to_text
from tests.cloud.access.test_applications import wish_of
from tests.cloud.house import NOON
from tests.cloud.verdicts import YUNNAN, person

APPLICANT = person("agent", user_id="a", name="Applicant", unit_id="km")
LI = person("approver_1", user_id="li", name="Li", unit_id="km")
WU = person("approver_1", user_id="wu", name="Wu", unit_id="yn")
MA = person("approver_1", user_id="ma", name="Ma")
GAO = person("approver_2", user_id="gao", name="Gao")
HE = person("approver_2", user_id="he", name="He")
FAR = person("approver_1", user_id="far", name="Far", unit_id="gd")
PEOPLE = (LI, WU, MA, GAO, HE, FAR, APPLICANT)


def draft(levels: int = 1, **fields: Any) -> Application:
    application = Application(
        id="r1",
        applicant_id="a",
        applicant_name="Applicant",
        role="agent",
        unit_id="km",
        wish=wish_of(),
        state=State.DRAFT,
        levels=levels,
    )
    return replace(application, **fields)


def submitted(levels: int = 1, mode: Mode = Mode.ANY, people: tuple[Person, ...] = PEOPLE) -> File:
    file = approval.do(File(draft(levels), mode=mode), Deed(Act.SUBMIT, APPLICANT), YUNNAN)
    return approval.ask_people(file, people, YUNNAN)


def after(file: File, *deeds: tuple[Act, Person] | Deed) -> File:
    for deed in deeds:
        deed = deed if isinstance(deed, Deed) else Deed(deed[0], deed[1], "because")
        file = approval.ask_people(approval.do(file, deed, YUNNAN), PEOPLE, YUNNAN)
    return file


def asked(file: File) -> list[str]:
    return [task.user_id for task in file.asked if task.state is TaskState.OPEN]


def test_those_above_the_applicant_are_asked_and_nobody_else() -> None:
    assert asked(submitted()) == ["li", "wu", "ma", "gao", "he"]


def test_one_signature_is_enough_for_one_level() -> None:
    file = after(submitted(), (Act.APPROVE, WU))
    assert file.application.state is State.APPROVED
    assert {task.state for task in file.tasks} == {TaskState.SIGNED, TaskState.NOT_NEEDED}


def test_two_levels_take_two_people() -> None:
    file = after(submitted(levels=2), (Act.APPROVE, GAO))
    assert file.application.state is State.APPROVED_1
    assert asked(file) == ["he"]  # Gao signed level 1, Li and Wu have not the right
    with pytest.raises(NotPossible, match="not yours"):
        after(file, (Act.APPROVE, GAO))
    assert after(file, (Act.APPROVE, HE)).application.state is State.APPROVED


def test_no_level_needs_nobody() -> None:
    file = submitted(levels=0)
    assert file.application.state is State.APPROVED and file.tasks == ()


@pytest.mark.parametrize("act", [Act.APPROVE, Act.REJECT])
@pytest.mark.parametrize(
    "who",
    [
        APPLICANT,
        FAR,
        replace(LI, role="agent"),  # asked as an approver, another post since
        replace(LI, unit_id="gd"),
        replace(GAO, user_id="a", name="Applicant"),  # the applicant, promoted meanwhile
        person("admin", user_id="root"),
        person("manager", user_id="boss"),
        person("approver_1", user_id="not asked"),
    ],
)
def test_nobody_else_decides(act: Act, who: Person) -> None:
    with pytest.raises(NotPossible, match="not yours"):
        after(submitted(), (act, who))


@pytest.mark.parametrize("levels", [1, 2])
@pytest.mark.parametrize("mode", Mode)
def test_one_rejection_rejects_whatever_the_mode(levels: int, mode: Mode) -> None:
    file = after(submitted(levels, mode), (Act.REJECT, LI))
    assert file.application.state is State.REJECTED and file.open_for("wu") is None


@pytest.mark.parametrize("act", [Act.REJECT, Act.REVOKE])
@pytest.mark.parametrize("remark", ["", "   "])
def test_some_acts_need_a_reason(act: Act, remark: str) -> None:
    file = submitted() if act is Act.REJECT else after(submitted(), (Act.APPROVE, LI))
    with pytest.raises(NotPossible, match="reason"):
        approval.do(file, Deed(act, LI, remark), YUNNAN)


def test_remarks_are_bounded() -> None:
    with pytest.raises(NotPossible, match="500"):
        approval.do(submitted(), Deed(Act.APPROVE, LI, "x" * 501), YUNNAN)


def test_all_sign() -> None:
    file = submitted(mode=Mode.ALL)
    for one in (MA, GAO, LI, HE):
        file = after(file, (Act.APPROVE, one))
        assert file.application.state is State.SUBMITTED
        with pytest.raises(NotPossible):
            after(file, (Act.APPROVE, one))  # once each
    assert after(file, (Act.APPROVE, WU)).application.state is State.APPROVED


def test_in_turn() -> None:
    file = submitted(mode=Mode.IN_TURN)
    with pytest.raises(NotPossible):
        after(file, (Act.APPROVE, WU))
    for one in (LI, WU, MA, GAO):
        file = after(file, (Act.APPROVE, one))
        assert file.application.state is State.SUBMITTED
    assert after(file, (Act.APPROVE, HE)).application.state is State.APPROVED


def test_whoever_is_added_must_sign_too() -> None:
    file = submitted(people=(LI,))
    file = after(file, Deed(Act.ADD_SIGN, LI, other=MA), (Act.APPROVE, LI))
    assert file.application.state is State.SUBMITTED and asked(file) == ["ma"]
    assert after(file, (Act.APPROVE, MA)).application.state is State.APPROVED


def test_handed_on_it_is_the_others_to_decide() -> None:
    file = after(submitted(people=(LI,)), Deed(Act.TRANSFER, LI, other=WU))
    with pytest.raises(NotPossible):
        after(file, (Act.APPROVE, LI))
    assert after(file, (Act.APPROVE, WU)).application.state is State.APPROVED


@pytest.mark.parametrize("act", [Act.TRANSFER, Act.ADD_SIGN])
@pytest.mark.parametrize("other", [None, APPLICANT, FAR, person("agent", user_id="x"), WU])
def test_nobody_is_drawn_in_who_may_not_decide_or_is_asked_already(act: Act, other: Person | None) -> None:
    with pytest.raises(NotPossible, match="That person"):
        approval.do(submitted(), Deed(act, LI, other=other), YUNNAN)


def test_without_an_approver_it_waits() -> None:
    file = submitted(people=(FAR, APPLICANT))
    assert file.application.state is State.SUBMITTED and file.nobody_asked
    assert asked(approval.ask_people(file, PEOPLE, YUNNAN)) == ["li", "wu", "ma", "gao", "he"]


def test_when_those_asked_may_not_decide_any_more_others_are() -> None:
    file = submitted(people=(LI,))
    file = approval.ask_people(file, (replace(LI, role="agent"), MA), YUNNAN)
    assert file.open_for("ma") is not None
    assert after(file, (Act.APPROVE, MA)).application.state is State.APPROVED


WHO = {Act.SUBMIT: APPLICANT, Act.WITHDRAW: APPLICANT, Act.REVOKE: MA}


@pytest.mark.parametrize("act", POSSIBLE)
@pytest.mark.parametrize("state", State)
def test_each_act_has_its_states(act: Act, state: State) -> None:
    level = {State.SUBMITTED: 1, State.APPROVED_1: 2}.get(state, 0)
    tasks = (Task(level, "gao", "Gao"),)
    file = File(draft(2, state=state, emergency=act is Act.REVIEW), tasks)
    deed = Deed(act, WHO.get(act, GAO), "because", HE)
    if state in POSSIBLE[act]:
        approval.do(file, deed, YUNNAN)
    else:
        with pytest.raises(NotPossible, match="settled already"):
            approval.do(file, deed, YUNNAN)


@pytest.mark.parametrize("who", [LI, GAO])
def test_only_the_applicant_withdraws(who: Person) -> None:
    with pytest.raises(NotPossible, match="Only the applicant"):
        after(submitted(), (Act.WITHDRAW, who))
    assert after(submitted(), (Act.WITHDRAW, APPLICANT)).application.state is State.WITHDRAWN


@pytest.mark.parametrize(
    ("who", "may"),
    [(LI, True), (GAO, True), (APPLICANT, True), (person("admin", user_id="r"), True), (FAR, False)]
    + [(person(role, user_id="x"), False) for role in ("agent", "manager", "maintainer", "partner")],
)
def test_who_revokes(who: Person, may: bool) -> None:
    file = after(submitted(), (Act.APPROVE, LI))
    if may:
        assert after(file, (Act.REVOKE, who)).application.state is State.REVOKED
    else:
        with pytest.raises(NotPossible, match="can revoke"):
            after(file, (Act.REVOKE, who))


@pytest.mark.parametrize(
    ("state", "waited", "ends", "now_state"),
    [
        (State.SUBMITTED, timedelta(days=29), None, State.SUBMITTED),
        (State.SUBMITTED, timedelta(days=30), None, State.EXPIRED),
        (State.APPROVED_1, timedelta(days=30), None, State.EXPIRED),
        (State.REJECTED, timedelta(days=300), None, State.REJECTED),
        (State.APPROVED, timedelta(days=300), timedelta(seconds=1), State.APPROVED),
        (State.APPROVED, timedelta(0), timedelta(0), State.EXPIRED),
        (State.REVOKED, timedelta(0), timedelta(0), State.REVOKED),
    ],
)
def test_time_alone_expires(
    state: State, waited: timedelta, ends: timedelta | None, now_state: State
) -> None:
    ends_utc = None if ends is None else to_text(NOON + ends)
    assert approval.state_at(draft(state=state), to_text(NOON - waited), ends_utc, NOON) is now_state


@pytest.mark.parametrize(
    ("role", "verbs", "clarity", "mode"),
    [
        ("agent", {Verb.VIEW}, Clarity.CLEAR, Mode.ANY),
        ("manager", {Verb.EXPORT}, Clarity.MASKED, Mode.ANY),
        ("manager", {Verb.EXPORT}, Clarity.CLEAR, Mode.ALL),
        ("judicial", {Verb.VIEW}, Clarity.CLEAR, Mode.IN_TURN),
        ("regulator", {Verb.EXPORT}, Clarity.CLEAR, Mode.IN_TURN),
    ],
)
def test_how_they_sign(role: str, verbs: set[Verb], clarity: Clarity, mode: Mode) -> None:
    wish = wish_of(role, verbs=frozenset(verbs), clarity=clarity)
    assert approval.mode_of(draft(role=role, wish=wish)) is mode


def test_a_grant_is_what_was_applied_for() -> None:
    file = after(submitted(), (Act.APPROVE, LI))
    grant = grant_of(file.application, "g1", NOON)
    wish = file.application.wish
    for name in (
        "kind",
        "purpose",
        "subjects",
        "box_ids",
        "from_utc",
        "until_utc",
        "verbs",
        "clarity",
        "rows",
    ):
        assert getattr(grant, name) == getattr(wish, name), name
    assert (grant.user_id, grant.role, grant.grade, grant.request_id) == ("a", "agent", 3, "r1")
    assert grant.is_live(NOON) and not grant.is_live(NOON + timedelta(hours=8))
    assert not grant.is_live(NOON - timedelta(milliseconds=1))


@pytest.mark.parametrize("state", [state for state in State if state is not State.APPROVED])
def test_nothing_else_gives_a_grant(state: State) -> None:
    with pytest.raises(ValueError, match="only an approved"):
        grant_of(draft(state=state), "g1", NOON)


@pytest.mark.parametrize(
    ("role", "may"),
    [("manager", True), ("approver_1", True), ("approver_2", True)]
    + [(role, False) for role in ("agent", "senior_agent", "admin", "maintainer", "partner", "judicial")],
)
def test_who_breaks_the_glass(role: str, may: bool) -> None:
    who = person(role, user_id="b")
    if not may:
        with pytest.raises(NotPossible):
            break_glass(who, "r2", "there is no time", frozenset({"+8613800138000"}), None)
        return
    file = break_glass(who, "r2", "there is no time", frozenset({"+8613800138000"}), None)
    grant = grant_of(file.application, "g2", NOON)
    assert grant.emergency and grant.is_live(NOON + timedelta(minutes=119))
    assert not grant.is_live(NOON + timedelta(hours=2))
    assert grant.verbs == {Verb.VIEW} and grant.purpose == "emergency"


def test_a_broken_glass_is_open_until_somebody_else_looked_into_it() -> None:
    file = break_glass(replace(LI, user_id="b"), "r2", "there is no time", frozenset({"x"}), None)
    tasks = ask_for_review(file, (*PEOPLE, replace(LI, user_id="b")), YUNNAN)
    assert {task.user_id for task in tasks} == {"li", "wu", "ma", "gao", "he"}
    file = replace(file, tasks=tasks)
    for who in (replace(LI, user_id="b"), APPLICANT, FAR):
        with pytest.raises(NotPossible):
            approval.do(file, Deed(Act.REVIEW, who, "fine"), YUNNAN)
    reviewed = approval.do(file, Deed(Act.REVIEW, WU, "justified"), YUNNAN)
    assert all(task.state is TaskState.SIGNED for task in reviewed.tasks)
    with pytest.raises(NotPossible, match="nothing to look into"):
        approval.do(reviewed, Deed(Act.REVIEW, WU, "again"), YUNNAN)


def test_without_a_reason_the_glass_stays_whole() -> None:
    with pytest.raises(NotPossible, match="reason"):
        break_glass(replace(LI, user_id="b"), "r2", "   ", frozenset({"x"}), None)
