"""Who is asking, and the first decision: whether a request may go through the door of a route at all.

It is pure so that the whole matrix of routes and roles can be tried in a test. What may be read behind the
door is judged by `cloud.access.decision`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from cloud.access.roles import Right, rights_of


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is logged in."""

    user_id: str
    name: str
    role: str
    unit_id: str  # cloud.access.units; they see the branches below it
    session: str  # the first characters of the session's hash, for the access log
    csrf_token: str
    purpose: str = ""  # chosen for this session; "": the role's daily work
    channel: str = ""  # chosen for this session: hotline or counter; "": the pages themselves
    numbers: frozenset[str] = frozenset()  # a subscriber's own (E.164)
    scope: frozenset[Right] | None = None  # of an API token: of the role's rights, these and no others
    token_id: str = ""  # of that token

    def may(self, right: Right) -> bool:
        """Whether the role has `right`, and the token, if it is one that asks."""
        return right in rights_of(self.role) and (self.scope is None or right in self.scope)


class Open(Enum):
    """What a route says instead of a right when it is for people who are not logged in."""

    TO_ANYBODY = "open"


class Decision(Enum):
    """What becomes of a request."""

    ADMIT = "admit"
    LOG_IN_FIRST = "log in first"
    REFUSE = "refuse"


def decide(person: Person | None, needs: Right | Open) -> Decision:
    """Whether `person` (None: not logged in) may use a route that needs `needs`."""
    if needs is Open.TO_ANYBODY:
        return Decision.ADMIT
    if person is None:
        return Decision.LOG_IN_FIRST
    return Decision.ADMIT if person.may(needs) else Decision.REFUSE
