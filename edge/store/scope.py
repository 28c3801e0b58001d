"""Whose customers and communications a user may see and change: POP-22 to 24 and COM-03, in this one place.

    level      with the share right   without
    super      all                    all
    leader     all                    those added by somebody of the same group
    ordinary   all                    those added by the user

A scope is a condition of SQL, and the same as marks for the search index. The group and employee number
compared are those of the moment a record was added (POP-10): both tables keep them beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge.store.users import User
from sync.search import mark


@dataclass(frozen=True, slots=True)
class Scope:
    """Which records: `where` is a condition over `creator_number` and `creator_group_id`."""

    where: str = "0"
    values: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()  # what `sync.search.match` takes besides the words

    @property
    def is_all(self) -> bool:
        """Whether every record is within."""
        return self.where == "1"


ALL = Scope("1")
NOTHING = Scope()


def customers_scope(user: User | None) -> Scope:
    """The customers of a user (POP-22 to 24)."""
    return _scope(user, user is not None and user.shares_customers)


def communications_scope(user: User | None) -> Scope:
    """The communications of a user (COM-03)."""
    return _scope(user, user is not None and user.shares_communications)


def _scope(user: User | None, shares: bool) -> Scope:
    if user is None:
        return NOTHING
    if user.level == "super" or (shares and user.level in ("leader", "ordinary")):
        return ALL
    if user.level == "leader" and user.group_id:
        return Scope("creator_group_id = ?", (user.group_id,), (group_mark(user.group_id),))
    if user.level == "ordinary":
        return Scope("creator_number = ?", (user.employee_number,), (number_mark(user.employee_number),))
    return NOTHING


def group_mark(group_id: str) -> str:
    """What the index keeps of a record's group."""
    return mark("group", group_id)


def number_mark(employee_number: str) -> str:
    """What the index keeps of the employee number that added a record."""
    return mark("employee", employee_number)


@dataclass(frozen=True, slots=True)
class Author:
    """Who adds a record: number and group as they are at that moment."""

    user_name: str
    employee_number: str
    group_id: str | None
    group_name: str = ""

    @property
    def marks(self) -> str:
        """Its marks, for the index."""
        group = f" {group_mark(self.group_id)}" if self.group_id else ""
        return number_mark(self.employee_number) + group
