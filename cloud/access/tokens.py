"""What an API token may be given: some of its owner's rights, never those that give rights to others."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from cloud.access.guard import Person
from cloud.access.roles import Right
from sync.locale import marked
from sync.marked import SaidError

LONGEST_LIFE = timedelta(days=366)
LONGEST_NAME = 64

# A token that leaks must not be able to make more of itself, nor decide about people, nor delete.
NEVER = frozenset(
    {
        Right.MAKE_TOKENS,
        Right.MANAGE_HOOKS,
        Right.MANAGE_USERS,
        Right.DECIDE,
        Right.DECIDE_SENSITIVE,
        Right.BREAK_GLASS,
        Right.REVOKE_GRANTS,
        Right.APPLY,
        Right.ORDER,
        Right.APPROVE_ORDERS,
        Right.REVIEW_RELEASES,
    }
)


class TokenRefused(SaidError):
    """No token of this kind is made."""


def can_be_given(person: Person) -> tuple[Right, ...]:
    """The rights that a token of `person` may have, in the order of `Right`."""
    return tuple(right for right in Right if person.may(right) and right not in NEVER)


def check_token(person: Person, name: str, rights: Iterable[str], days: int) -> tuple[Right, ...]:
    """The rights of a token that is called `name` and lives for `days`; TokenRefused."""
    if person.token_id:
        raise TokenRefused(marked("A token makes no tokens."))
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise TokenRefused(marked("Name: 1 to 64 characters."))
    if not 1 <= days <= LONGEST_LIFE.days:
        raise TokenRefused(marked("Days: 1 to 366."))
    wanted = set(rights)
    allowed = can_be_given(person)
    if not wanted or wanted - set(allowed):
        raise TokenRefused(marked("Rights: at least one, and only your own."))
    return tuple(right for right in allowed if right in wanted)
