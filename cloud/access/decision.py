"""The one decision about reading: what somebody asks for, and what of it they may see, and how clearly.

    Ask --+
    grants +--> judge --> Verdict --> cloud.access.shape: the rows, cut and masked
    units -+                 |
    now  --+                 +-- refusal: why not, and the application that would change it

It is asked anew at every read and before it, so a grant that has lapsed never answers, and nothing older than
the window is fetched only to be thrown away.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlencode

from cloud.access.applications import REFERENCES_OF
from cloud.access.grades import CLEAR_GRADES, HIGHEST_BY_GRANT, PERSONAL, SECRET
from cloud.access.grants import Grant, Place
from cloud.access.guard import Person
from cloud.access.identity import FACE_TO_FACE, NOT_CHECKED, Checked
from cloud.access.kinds import KINDS, granted_as
from cloud.access.purposes import default_purpose, may_name
from cloud.access.roles import OWN_ONLY, SERVES, STANDING
from cloud.access.rules import DEFAULTS, Rules
from cloud.access.units import Units
from cloud.access.verbs import Clarity as Clarity
from cloud.access.verbs import Verb as Verb
from cloud.access.windows import window_of
from sync.locale import marked
from sync.moment import to_text

SENTENCES: dict[str, str] = {  # code of a refusal -> what is said; each page adds the link to apply
    "kind": marked("There is no rule for such records, so nobody may read them. Apply if you need them."),
    "role": marked("Your role does not allow this. You can apply for it."),
    "purpose": marked("Your role may not read for this purpose. Choose another one, or apply."),
    "identity": marked("Check the subscriber's identity first and note the check, or apply."),
    "code": marked("Your records are protected: enter the code that was sent to you, or apply at a counter."),
    "own": marked("Only records about your own numbers can be shown. For others you can apply."),
    "served": marked("You do not serve this customer. You can apply for the records."),
    "branch": marked("This branch is not within your part of the organisation. You can apply for it."),
    "window": marked("This is further back than your role may read. You can apply for it."),
    "spent": marked("As many records as were approved have been read. You can apply for more."),
    "grant": marked("This takes an approved application. You can apply for it."),
}


@dataclass(frozen=True, slots=True)
class Ask:
    """What somebody wants; made at the door, before anything is read."""

    person: Person
    verb: Verb
    kind: str  # a key of KINDS
    purpose: str  # a key of PURPOSES; "": that of the session, or of the role's daily work
    channel: str  # one of CHANNELS
    from_utc: str | None = None  # the span of records asked for; None: as far as the window goes
    until_utc: str | None = None
    box_ids: frozenset[str] | None = None  # None: all the person's
    subjects: frozenset[str] = frozenset()  # numbers (E.164), customers' or calls' ids named in the question
    named: frozenset[str] = frozenset()  # as an application names them, if not so: by customer, not number
    served: frozenset[str] = frozenset()  # numbers and customers that the person serves
    of_others: frozenset[str] = frozenset()  # of one record that is wanted by itself: whom others serve
    checked: Checked = NOT_CHECKED  # whose identity was checked in this conversation (CDR-10)
    code_due: bool = False  # the subscriber switched the code on and it has not been entered (CDR-08)

    @property
    def is_face_to_face(self) -> bool:
        """Whether it is for a subscriber on the line or at the desk: then for those checked alone."""
        return self.channel in FACE_TO_FACE and KINDS[self.kind].is_windowed

    @property
    def reason(self) -> str:
        """The purpose that counts."""
        return self.purpose or self.person.purpose or default_purpose(self.person.role)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why not, and how to apply: `apply` is the query string of an application that is already filled in."""

    code: str  # a key of SENTENCES
    sentence: str  # marked
    apply: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What may be shown of what was asked; holds for this one read."""

    ask: Ask
    admitted: bool
    refusal: Refusal | None
    box_ids: frozenset[str] | None  # rows of these branches only; None: all
    from_utc: str | None  # rows since then only (the window); None: no bound
    until_utc: str | None
    subjects: frozenset[str] | None  # rows about these only; None: all
    clear_grades: frozenset[int]  # grades shown clear without a grant
    grants: tuple[Grant, ...]  # live ones that admit or unmask single rows
    row_budget: int | None
    by_grant: Grant | None = None  # without this one nothing would have been admitted
    counted: frozenset[str] = frozenset()  # rows that were counted against grants; no grant shows another

    def admits(self, place: Place) -> bool:
        """Whether a row there may be shown at all."""
        shown = self._stands(place) or any(self._counted_for(place))
        return self.admitted and self._is_checked(place) and shown

    def charged_to(self, place: Place) -> Grant | None:
        """The grant that a row there has to be counted against before it is shown; None: none is needed."""
        covering = [grant for grant in self.grants if grant.covers(place) and self._is_checked(place)]
        clear = next((grant for grant in covering if grant.clarity is Clarity.CLEAR), None)
        if clear is not None and not self._is_theirs(place):
            return clear
        return None if self._stands(place) else next(iter(covering), None)

    def with_counted(self, row_ids: Iterable[str]) -> Verdict:
        """This verdict once those rows were counted against the grants that show them."""
        return replace(self, counted=self.counted | frozenset(row_ids))

    def knowing(self, served: frozenset[str], of_others: frozenset[str]) -> Verdict:
        """This verdict once it is known of whom the rows are."""
        ask = self.ask
        return replace(
            self, ask=replace(ask, served=ask.served | served, of_others=ask.of_others | of_others)
        )

    def reaches(self, box_id: str) -> bool:
        """Whether rows of that branch may be among those shown."""
        granted = any(grant.box_ids is None or box_id in grant.box_ids for grant in self.grants)
        return self.admitted and (self.box_ids is None or box_id in self.box_ids or granted)

    def reveals(self, grade: int, place: Place) -> bool:
        """Whether a field of `grade` in a row there is shown clear."""
        if grade >= SECRET or not self.admits(place):
            return False
        if grade in self.clear_grades or (grade == PERSONAL and self._is_theirs(place)):
            return True
        highest = HIGHEST_BY_GRANT.get(self.ask.person.role, 0)
        return grade <= highest and any(
            grant.clarity is Clarity.CLEAR and grade <= grant.grade for grant in self._counted_for(place)
        )

    def refusal_of(self, place: Place) -> Refusal | None:
        """Why a single row there is not shown, with an application for just that row; None: it is shown."""
        if self.admits(place):
            return None
        if self.refusal is not None:
            return self.refusal
        named = frozenset({place.row_id}) if place.row_id else place.subjects
        row = replace(self.ask, subjects=named, named=named, from_utc=place.at_utc, until_utc=place.at_utc)
        if not self._is_checked(place):
            return refusal("identity", row)
        if any(grant.covers(place) for grant in self.grants):
            return refusal("spent", row)
        if self._is_inside(place) and self._is_of_others(place):
            return refusal("served", row)
        beyond = self.box_ids is not None and place.box_id not in self.box_ids
        return refusal("branch" if beyond else "window", row)

    def _counted_for(self, place: Place) -> Iterator[Grant]:
        if place.row_id and place.row_id in self.counted:
            yield from (grant for grant in self.grants if grant.covers(place))

    def _stands(self, place: Place) -> bool:
        """Whether the role alone shows a row there."""
        return self.by_grant is None and self._is_inside(place) and not self._is_of_others(place)

    def _is_inside(self, place: Place) -> bool:
        if self.box_ids is not None and place.box_id is not None and place.box_id not in self.box_ids:
            return False
        if self.subjects is not None and not self.subjects & place.subjects:
            return False
        if place.at_utc is None:
            return True
        return (self.from_utc or "") <= place.at_utc and (not self.until_utc or place.at_utc < self.until_utc)

    def _is_checked(self, place: Place) -> bool:
        """Whether a row there may be read at all for whoever is on the line or at the desk, if anybody is."""
        return not self.ask.is_face_to_face or bool(self.ask.checked.numbers & place.subjects)

    def _is_theirs(self, place: Place) -> bool:
        person = self.ask.person
        if person.role in OWN_ONLY:
            return bool(person.numbers & place.subjects)
        return person.role in SERVES and bool(self.ask.served & place.subjects)

    def _is_of_others(self, place: Place) -> bool:
        """Whether a row there is a record of calls with somebody whom only others serve (CDR-01)."""
        if self.ask.person.role not in SERVES or not KINDS[self.ask.kind].is_windowed:
            return False
        known = self.ask.checked.agreed | self.ask.served
        return bool(self.ask.of_others & place.subjects) and not known & place.subjects


def judge(
    ask: Ask,
    grants: Sequence[Grant],
    units: Units,
    now: datetime,
    rules: Rules = DEFAULTS,
) -> Verdict:
    """What of `ask` may be shown at `now` (aware); `grants` are the person's, lapsed ones included."""
    code = _at_the_threshold(ask, rules)
    if code:
        return _refused(code, ask)
    if not KINDS[ask.kind].is_private:
        return _within_unit(ask, units)
    seen = units.boxes_seen_from(ask.person.unit_id)
    usable = _usable(ask, grants, seen, now)
    scope = _standing(ask, seen, now, rules)
    if isinstance(scope, Verdict):
        return replace(scope, grants=usable)
    by_grant = next((grant for grant in usable if _answers(grant, ask, now)), None)
    return _refused(scope, ask) if by_grant is None else _granted(ask, by_grant, usable)


def refusal(code: str, ask: Ask) -> Refusal:
    """The refusal of `ask`, with its application filled in."""
    reason = ask.reason if may_name(ask.person.role, ask.reason) else default_purpose(ask.person.role)
    wanted = {
        "kind": granted_as(ask.kind),
        "actions": ask.verb.value,
        "purpose": reason,
        "from": ask.from_utc or "",
        "until": ask.until_utc or "",
        "branches": " ".join(sorted(ask.box_ids or ())),
        "about": " ".join(sorted(ask.named or ask.subjects)),
    }
    return Refusal(code, SENTENCES[code], urlencode({key: value for key, value in wanted.items() if value}))


def _at_the_threshold(ask: Ask, rules: Rules) -> str:
    """The code of what stops `ask` whatever was granted; "": nothing does."""
    kind = KINDS.get(ask.kind)
    if kind is None:
        return "kind"
    right = kind.rights.get(ask.verb)
    if right is None or not ask.person.may(right):
        return "role"
    if not kind.is_private:
        return ""
    if not rules.may_name(ask.person.role, ask.reason):
        return "purpose"
    if ask.code_due:
        return "code"
    if ask.channel not in FACE_TO_FACE:
        return ""
    unchecked = not ask.checked.ids or (ask.is_face_to_face and ask.subjects - ask.checked.numbers)
    return "identity" if unchecked else ""


def _within_unit(ask: Ask, units: Units) -> Verdict:
    """Records that are not private: all of the person's branches."""
    seen = units.boxes_seen_from(ask.person.unit_id)
    beyond = ask.box_ids is not None and bool(ask.box_ids - (seen or frozenset()))
    if seen is not None and (beyond or KINDS[ask.kind].is_whole):
        return _refused("branch", ask)
    return _admitted(ask, seen if ask.box_ids is None else ask.box_ids, ask.from_utc)


def _standing(
    ask: Ask,
    seen: frozenset[str] | None,
    now: datetime,
    rules: Rules,
) -> Verdict | str:
    """What the role may read without a grant; or the code of why it may not."""
    role = ask.person.role
    if ask.verb not in STANDING.get(role, frozenset()):
        return "grant"
    if role in OWN_ONLY and (not ask.person.numbers or ask.subjects - ask.person.numbers):
        return "own"
    if role in SERVES and ask.subjects - ask.served - ask.checked.agreed:
        return "served"
    if seen is not None and ask.box_ids is not None and ask.box_ids - seen:
        return "branch"
    since = window_of(role, ask.channel, rules.windows).since(now) if KINDS[ask.kind].is_windowed else None
    oldest = None if since is None else to_text(since)
    if oldest and (oldest >= to_text(now) or (ask.from_utc and ask.from_utc < oldest)):
        return "window"
    boxes = None if role in OWN_ONLY else seen  # their records lie wherever they called from
    verdict = _admitted(ask, boxes if ask.box_ids is None else ask.box_ids, ask.from_utc or oldest)
    own = (ask.subjects or ask.person.numbers) if role in OWN_ONLY else None
    return replace(verdict, subjects=own) if own else verdict


def _usable(
    ask: Ask, grants: Sequence[Grant], seen: frozenset[str] | None, now: datetime
) -> tuple[Grant, ...]:
    """The live grants for such a reading, each with its branches spelled out; the longest-lived first."""
    kind = granted_as(ask.kind)
    needed = frozenset(REFERENCES_OF.get(ask.person.role, ()))  # CDR-04, 05, 09: no grant counts without them
    live = (one for one in grants if one.is_live(now) and needed <= one.documents)
    found = [one for one in live if one.is_for(ask.person, kind, ask.verb, ask.reason)]
    found.sort(key=lambda grant: (grant.valid_until_utc, grant.id), reverse=True)
    return tuple(grant if grant.box_ids is not None else replace(grant, box_ids=seen) for grant in found)


def _answers(grant: Grant, ask: Ask, now: datetime) -> bool:
    """Whether the grant was given for all of what is asked."""
    if grant.subjects and ask.subjects - grant.subjects:
        return False
    if grant.box_ids is not None and ask.box_ids is not None and ask.box_ids - grant.box_ids:
        return False
    return ask.from_utc is None or grant.reaches(ask.from_utc, ask.until_utc, now)


def _granted(ask: Ask, grant: Grant, usable: tuple[Grant, ...]) -> Verdict:
    ends = [end for end in (ask.until_utc, grant.until_utc) if end]
    verdict = _admitted(
        ask,
        grant.box_ids if ask.box_ids is None else ask.box_ids,
        ask.from_utc or grant.from_utc,
        min(ends, default=None),
    )
    return replace(
        verdict,
        subjects=verdict.subjects or grant.subjects or None,
        grants=usable,
        row_budget=grant.rows - grant.rows_used,
        by_grant=grant,
    )


def _admitted(
    ask: Ask, box_ids: frozenset[str] | None, from_utc: str | None, until_utc: str | None = None
) -> Verdict:
    clear = CLEAR_GRADES.get(ask.person.role, frozenset())
    until_utc = until_utc or ask.until_utc
    about = ask.subjects or (ask.checked.numbers if ask.is_face_to_face else frozenset())
    return Verdict(ask, True, None, box_ids, from_utc, until_utc, about or None, clear, (), None)


def _refused(code: str, ask: Ask) -> Verdict:
    nothing: frozenset[str] = frozenset()
    why = refusal(code, ask)
    return Verdict(ask, False, why, nothing, ask.from_utc, ask.until_utc, nothing, frozenset(), (), 0)
