"""No sequence of deeds yields a clear value without a live grant or serving, and nobody decides their own.

People of every role apply, decide, hand on, revoke, break the glass, change posts, are handed customers, look
at documents and read, in any order and at any time; after each deed everybody tries to read everything, and a
second, plainer account of what was given says whether they may.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from cloud.access import approval
from cloud.access.applications import Application, State, faults_of, levels_for
from cloud.access.approval import Act, Deed, File, NotPossible, TaskState
from cloud.access.decision import Ask, Verb, judge
from cloud.access.granting import ask_for_review, break_glass, grant_of
from cloud.access.grants import Grant, Place
from cloud.access.guard import Person
from cloud.access.identity import FACE_TO_FACE, LASTS, Checked
from cloud.access.purposes import PURPOSES_OF
from cloud.access.verbs import Clarity
from sync.moment import from_text, to_text
from tests.cloud.access.test_applications import wish_of
from tests.cloud.house import NOON
from tests.cloud.verdicts import YUNNAN

ROLES = (
    "agent", "manager", "maintainer", "partner", "approver_1", "approver_2", "judicial", "admin",
    "account_manager", "subscriber",
)  # fmt: skip
SERVING = ("agent", "account_manager")
NUMBERS = ("+8613800138000", "+8613912345678")
DECISIONS = (Act.APPROVE, Act.APPROVE, Act.APPROVE, Act.REJECT, Act.WITHDRAW, Act.REVOKE, Act.REVIEW)
PLACES = tuple(
    Place(frozenset({number}), box_id, to_text(NOON - age), f"{number} {box_id} {age.days}")
    for number in NUMBERS
    for box_id in ("box-km", "box-gz")
    for age in (timedelta(days=10), timedelta(days=400))
)
OWN, NONE = frozenset({NUMBERS[0]}), frozenset[str]()
people = st.integers(0, len(ROLES) - 1)


@dataclass
class Given:
    """What was given, told in plain words and apart from `Grant`."""

    user_id: str
    role: str
    purpose: str
    numbers: frozenset[str]
    from_utc: str
    until_utc: str
    clear: bool
    begins: datetime
    ends: datetime
    grant: Grant
    deciders: list[str] = field(default_factory=list)
    stopped: bool = False


class Office(RuleBasedStateMachine):
    """Head office, its people, and a clock that only goes on."""

    @initialize()
    def open(self) -> None:
        self.now = NOON
        self.people = [
            Person(f"u{n}", f"P{n}", role, "national", "", "", numbers=OWN if role == "subscriber" else NONE)
            for n, role in enumerate(ROLES)
        ]
        self.files: dict[str, File] = {}
        self.submitted: dict[str, str] = {}
        self.given: dict[str, Given] = {}
        self.served: dict[str, str] = {}  # number -> who serves its customer
        self.checks: list[tuple[str, str, bool, datetime]] = []  # who, number, agreed, until
        self.protected = self.entered = False  # the subscriber's code: switched on, entered

    @rule(
        who=people,
        number=st.sampled_from(NUMBERS),
        clear=st.booleans(),
        rows=st.sampled_from((1, 20, 500, 5000)),
        hours=st.sampled_from((8, 720)),
        span=st.sampled_from(((500, 0), (30, 0), (405, 395))),
    )
    def apply(self, who: int, number: str, clear: bool, rows: int, hours: int, span: tuple[int, int]) -> None:
        person = self.people[who]
        wish = wish_of(
            person.role,
            subjects=frozenset({number}),
            clarity=Clarity.CLEAR if clear else Clarity.MASKED,
            rows=rows,
            hours=hours,
            from_utc=to_text(NOON - timedelta(days=span[0])),
            until_utc=to_text(NOON - timedelta(days=span[1])),
        )
        levels = levels_for(person.role, wish)
        if faults_of(person, wish) or levels is None:
            return
        name = f"r{len(self.files)}"
        draft = Application(
            name, person.user_id, person.name, person.role, person.unit_id, wish, State.DRAFT, levels
        )
        file = File(draft, mode=approval.mode_of(draft))
        self.submitted[name] = to_text(self.now)
        self.keep(name, file, Deed(Act.SUBMIT, person))

    @rule(who=people, other=people, which=st.integers(0, 30), act=st.sampled_from(DECISIONS))
    def decide(self, who: int, other: int, which: int, act: Act) -> None:
        self.do(which, Deed(act, self.people[who], "because", self.people[other]))

    @rule(
        who=people, other=people, which=st.integers(0, 30), act=st.sampled_from((Act.TRANSFER, Act.ADD_SIGN))
    )
    def draw_in(self, who: int, other: int, which: int, act: Act) -> None:
        self.do(which, Deed(act, self.people[who], "because", self.people[other]))

    @rule(which=st.integers(0, 30))
    def go_on(self, which: int) -> None:
        """Whoever can decides, the applicant first if they can: the quick way to a grant."""
        if not self.files:
            return
        applicant = self.files[f"r{which % len(self.files)}"].application.applicant_id
        for person in sorted(self.people, key=lambda one: one.user_id != applicant):
            self.do(which, Deed(Act.APPROVE, person, "because"))

    @rule(which=st.integers(0, 30))
    def stop(self, which: int) -> None:
        for person in self.people:
            self.do(which, Deed(Act.REVOKE, person, "because"))

    @rule(who=people, number=st.sampled_from(NUMBERS))
    def break_the_glass(self, who: int, number: str) -> None:
        person = self.people[who]
        name = f"r{len(self.files)}"
        try:
            file = break_glass(person, name, "no time to wait", frozenset({number}), None)
        except NotPossible:
            assert person.role not in ("manager", "approver_1", "approver_2")
            return
        file = replace(file, tasks=ask_for_review(file, self.people, YUNNAN))
        self.submitted[name] = to_text(self.now)
        self.files[name] = file
        self.give(name, file, [])

    @rule(who=people, number=st.sampled_from(NUMBERS))
    def hand_over(self, who: int, number: str) -> None:
        self.served[number] = self.people[who].user_id

    @rule(who=people, number=st.sampled_from(NUMBERS), agreed=st.booleans())
    def check_identity(self, who: int, number: str, agreed: bool) -> None:
        self.checks.append((self.people[who].user_id, number, agreed, self.now + LASTS))

    @rule(on=st.booleans(), entered=st.booleans())
    def protect(self, on: bool, entered: bool) -> None:
        self.protected, self.entered = on, entered

    @rule(hours=st.sampled_from((0.25, 1, 9, 800)))
    def wait(self, hours: float) -> None:
        self.now += timedelta(hours=hours)

    @rule(who=people, role=st.sampled_from(ROLES))
    def change_post(self, who: int, role: str) -> None:
        numbers = OWN if role == "subscriber" else NONE
        self.people[who] = replace(self.people[who], role=role, numbers=numbers)

    def do(self, which: int, deed: Deed) -> None:
        if not self.files:
            return
        name = f"r{which % len(self.files)}"
        self.keep(name, self.aged(name), deed)

    def aged(self, name: str) -> File:
        """The file as of now, as the store reads it."""
        file = self.files[name]
        given = self.given.get(name)
        ends_utc = to_text(given.ends) if given else None
        state = approval.state_at(file.application, self.submitted[name], ends_utc, self.now)
        return replace(file, application=replace(file.application, state=state))

    def keep(self, name: str, file: File, deed: Deed) -> None:
        try:
            after = approval.do(approval.ask_people(file, self.people, YUNNAN), deed, YUNNAN)
        except NotPossible:
            return
        after = approval.ask_people(after, self.people, YUNNAN)
        self.files[name] = after
        if deed.act in (Act.APPROVE, Act.REJECT, Act.REVIEW):
            assert deed.person.user_id != after.application.applicant_id
            assert deed.person.role in ("approver_1", "approver_2")
        if after.application.state is State.APPROVED and name not in self.given:
            signers = [task.user_id for task in after.tasks if task.state is TaskState.SIGNED]
            assert len(set(signers)) >= after.application.levels
            self.give(name, after, signers)
        if deed.act is Act.REVOKE:
            self.given[name].stopped = True

    def give(self, name: str, file: File, deciders: list[str]) -> None:
        application, wish = file.application, file.application.wish
        grant = grant_of(application, f"g{name}", self.now)
        self.given[name] = Given(
            application.applicant_id,
            application.role,
            wish.purpose,
            wish.subjects,
            wish.from_utc or "",
            wish.until_utc or "9",
            wish.clarity is Clarity.CLEAR,
            self.now,
            self.now + timedelta(hours=wish.hours),
            grant,
            deciders,
        )

    @invariant()
    def nobody_decided_their_own(self) -> None:
        for name, given in getattr(self, "given", {}).items():
            assert given.user_id not in given.deciders
            levels = self.files[name].application.levels
            assert len(set(given.deciders)) >= levels

    @invariant()
    def a_clear_value_takes_a_live_grant(self) -> None:
        for person in getattr(self, "people", ()):
            mine = [one for one in self.given.values() if one.user_id == person.user_id]
            grants = [
                replace(one.grant, revoked_utc=to_text(self.now) if one.stopped else None) for one in mine
            ]
            for purpose in PURPOSES_OF[person.role]:
                self.read(person, purpose, mine, grants)

    def asked(self, person: Person, purpose: str, channel: str, from_utc: str | None) -> Ask:
        """The question with what the read path finds out about it."""
        live = [one for one in self.checks if one[0] == person.user_id and self.now < one[3]]
        checked = Checked(
            tuple(f"i{n}" for n, _ in enumerate(live)),
            frozenset(number for _, number, _, _ in live),
            frozenset(number for _, number, agreed, _ in live if agreed),
        )
        return Ask(
            person,
            Verb.VIEW,
            "calls",
            purpose,
            channel,
            from_utc=from_utc,
            served=frozenset(number for number, who in self.served.items() if who == person.user_id),
            of_others=frozenset(number for number, who in self.served.items() if who != person.user_id),
            checked=checked if channel in FACE_TO_FACE else Checked(),
            code_due=person.role == "subscriber" and self.protected and not self.entered,
        )

    @invariant()
    def on_the_line_only_those_who_were_checked(self) -> None:
        for person in getattr(self, "people", ()):
            mine = [one.grant for one in self.given.values() if one.user_id == person.user_id]
            for purpose in PURPOSES_OF[person.role]:
                ask = self.asked(person, purpose, "hotline", None)
                everything = frozenset(place.row_id for place in PLACES)
                verdict = judge(ask, mine, YUNNAN, self.now).with_counted(everything)
                for place in PLACES:
                    checks = [one for one in self.checks if one[0] == person.user_id and self.now < one[3]]
                    about = [one for one in checks if one[1] in place.subjects]
                    assert about or not verdict.admits(place)
                    if person.role in SERVING and not mine and verdict.admits(place):
                        (number,) = place.subjects
                        theirs = self.served.get(number, person.user_id) == person.user_id
                        assert theirs or any(agreed for _, _, agreed, _ in about)

    @invariant()
    def a_code_that_is_due_stops_the_subscriber(self) -> None:
        for person in getattr(self, "people", ()):
            if person.role == "subscriber":
                verdict = judge(self.asked(person, "own_records", "self_service", None), [], YUNNAN, self.now)
                assert verdict.admitted is (not self.protected or self.entered)
                assert all(verdict.admits(place) <= (NUMBERS[0] in place.subjects) for place in PLACES)

    def read(self, person: Person, purpose: str, mine: list[Given], grants: list[Grant]) -> None:
        everything = frozenset(place.row_id for place in PLACES)
        for from_utc in (None, to_text(NOON - timedelta(days=402))):
            ask = self.asked(person, purpose, "web", from_utc)
            verdict = judge(ask, grants, YUNNAN, self.now).with_counted(everything)
            for place in PLACES:
                allowed = any(self.is_given(one, person, purpose, place) for one in mine)
                theirs = self.is_theirs(person, place)
                if verdict.reveals(3, place):
                    assert (allowed or theirs) and verdict.admits(place)
                if verdict.reveals(4, place):  # which serving does not show
                    assert allowed and verdict.admits(place)
                if self.is_somebody_elses(person, place) and not mine:
                    assert not verdict.admits(place)
                assert not verdict.reveals(5, place)
                if person.role == "partner":
                    assert not verdict.reveals(2, place)
                if person.role in ("maintainer", "partner", "judicial") and not mine:
                    assert not verdict.admits(place)
            uncounted = judge(ask, grants, YUNNAN, self.now)
            assert all(self.is_theirs(person, place) for place in PLACES if uncounted.reveals(3, place))

    def is_theirs(self, person: Person, place: Place) -> bool:
        """Whether the role's own rule shows a row clear: whom one serves, or one's own number."""
        (number,) = place.subjects
        serves = person.role in SERVING and self.served.get(number) == person.user_id
        return serves or (person.role == "subscriber" and number in person.numbers)

    def is_somebody_elses(self, person: Person, place: Place) -> bool:
        (number,) = place.subjects
        return person.role in SERVING and self.served.get(number, person.user_id) != person.user_id

    def is_given(self, given: Given, person: Person, purpose: str, place: Place) -> bool:
        at_utc: Any = place.at_utc
        return (
            given.clear
            and not given.stopped
            and given.role == person.role
            and given.purpose == purpose
            and given.begins <= self.now < given.ends
            and bool(given.numbers & place.subjects)
            and given.from_utc <= at_utc < given.until_utc
        )


Office.TestCase.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
TestOffice = Office.TestCase


def test_the_plain_account_sees_what_is_given() -> None:
    """That the machine above can find a leak: a grant that is given does clear, until its end."""
    office = Office()
    office.open()
    office.apply(who=1, number=NUMBERS[0], clear=True, rows=20, hours=8, span=(30, 0))
    (given,) = office.given.values()
    ask = Ask(office.people[1], Verb.VIEW, "calls", given.purpose, "web")
    shown = [
        [
            judge(ask, [given.grant], YUNNAN, now).with_counted({place.row_id}).reveals(3, place)
            for place in PLACES
        ]
        for now in (NOON, from_text(given.grant.valid_until_utc))
    ]
    assert sum(shown[0]) == 2 and not any(shown[1])
