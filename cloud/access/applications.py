"""An application to read: what is asked for, by whom, and how many people have to agree.

Everyone fills one in, from inside and outside: purpose, scope, time (CDR-30). LADDER says how many levels of
approval it takes; what fits no rung is refused when it is handed in, and is told so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType

from cloud.access.grades import HIGHEST_BY_GRANT, PERSONAL, SENSITIVE
from cloud.access.guard import Person
from cloud.access.kinds import KINDS
from cloud.access.purposes import PURPOSES_OF
from cloud.access.roles import OWN_ONLY, POSTS, ROLES, is_outside
from cloud.access.verbs import Clarity, Verb
from sync.locale import marked
from sync.moment import from_text

SHORTEST_REASON, LONGEST_TEXT = 4, 500
MOST_SUBJECTS = 200
NO_END = 10**9


class State(StrEnum):
    """Where an application stands (CDR-35)."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    APPROVED_1 = "approved_1"  # level 1 of 2
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    REVOKED = "revoked"


STATE_NAMES: dict[State, str] = {
    State.DRAFT: marked("Draft"),
    State.SUBMITTED: marked("Submitted"),
    State.APPROVED_1: marked("Approved, level 1"),
    State.APPROVED: marked("Approved"),
    State.REJECTED: marked("Rejected"),
    State.WITHDRAWN: marked("Withdrawn"),
    State.EXPIRED: marked("Expired"),
    State.REVOKED: marked("Revoked"),
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for. Times are UTC text; ends are exclusive."""

    kind: str
    purpose: str
    reason: str
    verbs: frozenset[Verb]
    clarity: Clarity
    grade: int  # the highest grade wanted clear; PERSONAL when masked
    rows: int
    hours: int  # how long the grant is wanted for
    subjects: frozenset[str] = frozenset()  # empty: whoever is in the branches
    box_ids: frozenset[str] | None = None  # None: all the applicant's
    from_utc: str | None = None
    until_utc: str | None = None
    references: Mapping[str, str] = field(default_factory=dict)  # key of REFERENCES -> its number

    @property
    def days(self) -> int:
        """Days of records, the begun one counted; NO_END when a side is open."""
        if self.from_utc is None or self.until_utc is None:
            return NO_END
        span = from_text(self.until_utc) - from_text(self.from_utc)
        return -(-span // timedelta(days=1))


@dataclass(frozen=True, slots=True)
class Application:
    """A wish, who has it, and where it stands."""

    id: str
    applicant_id: str
    applicant_name: str
    role: str  # the applicant's when it was handed in
    unit_id: str
    wish: Wish
    state: State
    levels: int  # how many have to agree, one after the other
    emergency: bool = False  # the glass was broken: read first, looked into afterwards

    @property
    def level(self) -> int:
        """The level that has to decide now; 0: none."""
        return {State.SUBMITTED: 1, State.APPROVED_1: 2}.get(self.state, 0)


@dataclass(frozen=True, slots=True)
class Rung:
    """Applications within these bounds take so many levels."""

    levels: int
    roles: frozenset[str]
    verbs: frozenset[Verb]
    grade: int
    rows: int
    subjects: int  # how many may be named; of a clear reading that names none, as many as there are
    days: int
    hours: int

    def admits(self, role: str, wish: Wish) -> bool:
        """Whether the wish of somebody of `role` stays within the bounds."""
        named = len(wish.subjects) or (NO_END if wish.clarity is Clarity.CLEAR else 1)
        bounds = (
            (wish.grade if wish.clarity is Clarity.CLEAR else PERSONAL, self.grade),
            (wish.rows, self.rows),
            (named, self.subjects),
            (wish.days, self.days),
            (wish.hours, self.hours),
        )
        within = all(wanted <= bound for wanted, bound in bounds)
        return role in self.roles and wish.verbs <= self.verbs and within


_INSIDE = frozenset(role for role in ROLES if not is_outside(role))
_READING = frozenset({Verb.VIEW, Verb.LISTEN, Verb.CHANGE})

LADDER: tuple[Rung, ...] = (  # the first rung that admits counts
    Rung(
        levels=0,  # one customer's number, said why, written down: no second person needed
        roles=frozenset({"senior_agent", "manager", "account_manager"}),
        verbs=frozenset({Verb.VIEW}),
        grade=PERSONAL,
        rows=20,
        subjects=1,
        days=184,
        hours=8,
    ),
    Rung(
        levels=1,
        roles=_INSIDE,
        verbs=_READING,
        grade=PERSONAL,
        rows=1000,
        subjects=20,
        days=366,
        hours=30 * 24,
    ),
    Rung(
        levels=2,  # from outside, sensitive, taken out, much or long (CDR-32)
        roles=frozenset(ROLES),
        verbs=frozenset(Verb),
        grade=SENSITIVE,
        rows=100_000,
        subjects=NO_END,
        days=NO_END,
        hours=90 * 24,
    ),
)

REFERENCES: Mapping[str, str] = MappingProxyType(
    {
        "incident": marked("Incident number"),
        "confidentiality": marked("Confidentiality agreement, number"),
        "data_use": marked("Data-use agreement, number"),
        "procedure": marked("Procedure, number of the letter"),
        "identity_document": marked("Subscriber's identity document, as seen"),
        "authorisation": marked("Written authorisation, number"),
        "complaint": marked("Complaint or dispute, number"),
    }
)
REFERENCES_OF: Mapping[str, tuple[str, ...]] = MappingProxyType(  # what a role cannot apply without
    {
        "maintainer": ("incident",),
        "partner": ("confidentiality", "data_use"),
        "regulator": ("procedure",),
        "judicial": ("procedure",),
        "authorised_person": ("identity_document", "authorisation"),
        "subscriber": ("complaint",),
    }
)


def levels_for(role: str, wish: Wish, ladder: Sequence[Rung] = LADDER) -> int | None:
    """How many levels have to agree; None: it is more than can be given to anybody."""
    return next((rung.levels for rung in ladder if rung.admits(role, wish)), None)


def faults_of(
    person: Person,
    wish: Wish,
    ladder: Sequence[Rung] = LADDER,
    purposes: Mapping[str, tuple[str, ...]] = PURPOSES_OF,
) -> list[str]:
    """Marked sentences that say what keeps `wish` from being handed in; none: it can be."""
    checks = (
        (_is_known(wish), marked("Choose what you want to read, and how.")),
        (wish.purpose in purposes.get(person.role, ()), marked("Choose a purpose of your role.")),
        (
            SHORTEST_REASON <= len(wish.reason.strip()) <= LONGEST_TEXT,
            marked("Say why, in 4 to 500 characters."),
        ),
        (_has_rights(person, wish), marked("Your role can never be given this. Ask for less.")),
        (
            _may_be_clear(person, wish),
            marked("Your role is only given masked records. Ask for those."),
        ),
        (_has_scope(wish), marked("Name numbers, customers, branches or a period.")),
        (len(wish.subjects) <= MOST_SUBJECTS, marked("At most 200 numbers or customers in one application.")),
        (_is_span(wish), marked("The period ends before it begins.")),
        (
            _is_own(person, wish),
            marked("Name the numbers: your own, or those you are authorised for."),
        ),
        (wish.rows >= 1 and wish.hours >= 1, marked("How many records, and for how long: at least 1.")),
        (
            all(wish.references.get(key, "").strip() for key in REFERENCES_OF.get(person.role, ())),
            marked("Fill in the numbers of the documents your role needs."),
        ),
        (
            max(map(len, wish.references.values()), default=0) <= LONGEST_TEXT,
            marked("The number of a document is too long."),
        ),
    )
    faults = [sentence for holds, sentence in checks if not holds]
    if not faults and levels_for(person.role, wish, ladder) is None:
        faults.append(marked("This is more than can be approved: fewer records or a shorter time, please."))
    return faults


def _is_known(wish: Wish) -> bool:
    kind = KINDS.get(wish.kind)
    return kind is not None and kind.is_private and not kind.granted_as and bool(wish.verbs)


def _has_rights(person: Person, wish: Wish) -> bool:
    """Whether the role's rights reach as far as the wish: a grant never opens a door (CDR-36)."""
    if not _is_known(wish):
        return True  # which is said already
    rights: dict[Verb, bool] = {}
    for name, kind in KINDS.items():
        if (kind.granted_as or name) == wish.kind:
            for verb, right in kind.rights.items():
                rights[verb] = rights.get(verb, False) or person.may(right)
    return person.role in POSTS and all(rights.get(verb, False) for verb in wish.verbs)


def _may_be_clear(person: Person, wish: Wish) -> bool:
    if wish.clarity is Clarity.MASKED:
        return True
    return PERSONAL <= wish.grade <= HIGHEST_BY_GRANT.get(person.role, 0)


def _has_scope(wish: Wish) -> bool:
    return bool(wish.subjects or wish.box_ids or wish.from_utc or wish.until_utc)


def _is_span(wish: Wish) -> bool:
    return wish.from_utc is None or wish.until_utc is None or wish.from_utc < wish.until_utc


def _is_own(person: Person, wish: Wish) -> bool:
    if person.role not in OWN_ONLY:
        return True
    # Whom somebody else is authorised for stands in the documents, which the approvers look at.
    own = person.role != "subscriber" or wish.subjects <= person.numbers
    return bool(wish.subjects) and own
