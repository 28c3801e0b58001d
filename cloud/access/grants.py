"""A grant: what one person may read beyond the role, for one purpose, about whom, how and until when.

It lapses by being read too late: whether it is live is asked at every read, and no job has to end it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from cloud.access.guard import Person
from cloud.access.verbs import Clarity, Verb
from sync.moment import from_text, to_text

ONE_USE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row stands: about whom it is, of which branch, from when. None: the row has none."""

    subjects: frozenset[str]  # numbers (E.164), customers' and calls' ids
    box_id: str | None = None
    at_utc: str | None = None
    row_id: str = ""  # what it is counted by when a grant shows it; without one no grant does


@dataclass(frozen=True, slots=True)
class Grant:
    """A right that was applied for and given. Times are UTC text; ends are exclusive."""

    id: str
    request_id: str
    user_id: str
    role: str  # the applicant's when it was given; another role has to apply anew
    purpose: str
    kind: str  # as `cloud.access.kinds.granted_as`
    subjects: frozenset[str]  # numbers, customers' or calls' ids; empty: whoever is in `box_ids`
    box_ids: frozenset[str] | None  # None: all that the person's unit sees
    from_utc: str | None  # of the records; None: from the first on
    until_utc: str | None
    verbs: frozenset[Verb]
    clarity: Clarity
    grade: int  # the highest grade shown clear
    valid_from_utc: str
    valid_until_utc: str
    rows: int  # how many different ones may be read by it
    uses: int  # how often it may be used; reading on within ONE_USE is the same use
    rows_used: int = 0
    uses_used: int = 0
    last_used_utc: str | None = None  # when the latest use began
    revoked_utc: str | None = None
    emergency: bool = False  # taken by breaking the glass
    documents: frozenset[str] = frozenset()  # which are on record (cloud.access.applications.REFERENCES)

    def is_live(self, now: datetime) -> bool:
        """Whether it answers at `now`."""
        within = from_text(self.valid_from_utc) <= now < from_text(self.valid_until_utc)
        return within and self.revoked_utc is None and (self.uses_used < self.uses or self.is_in_use(now))

    def is_in_use(self, now: datetime) -> bool:
        """Whether reading at `now` goes on with the latest use."""
        return self.last_used_utc is not None and now - from_text(self.last_used_utc) < ONE_USE

    def is_for(self, person: Person, kind: str, verb: Verb, purpose: str) -> bool:
        """Whether it was given to this person, in this role, for such a reading."""
        owner = self.user_id == person.user_id and self.role == person.role
        return owner and self.kind == kind and verb in self.verbs and self.purpose == purpose

    def covers(self, place: Place) -> bool:
        """Whether a row there is among those it was given for."""
        if self.subjects and not self.subjects & place.subjects:
            return False
        if self.box_ids is not None and place.box_id not in self.box_ids:
            return False
        bounded = self.from_utc is not None or self.until_utc is not None
        if place.at_utc is None:
            return not bounded
        return (self.from_utc or "") <= place.at_utc and (not self.until_utc or place.at_utc < self.until_utc)

    def reaches(self, from_utc: str, until_utc: str | None, now: datetime) -> bool:
        """Whether the whole span asked for lies within the records it was given for."""
        last = until_utc or to_text(now)
        return (self.from_utc or "") <= from_utc and (self.until_utc is None or last <= self.until_utc)
