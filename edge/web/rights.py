"""What a route may ask for and which role has it: one table, so that one look answers who may do what."""

from __future__ import annotations

from enum import Enum

from edge.store.users import User


class Right(Enum):
    """What a route needs. Every route names one."""

    PUBLIC = "public"  # nobody need be logged in
    OWN = "own"  # any log-in: one's own session
    LIST = "list"  # see lines and calls
    PLAY = "play"  # hear recordings


ROLE_RIGHTS: dict[str, frozenset[Right]] = {
    "super": frozenset({Right.OWN, Right.LIST, Right.PLAY}),
    "leader": frozenset({Right.OWN, Right.LIST, Right.PLAY}),
    "ordinary": frozenset({Right.OWN, Right.LIST, Right.PLAY}),
}


def allowed(user: User | None, right: Right) -> bool:
    """Whether `user` (None: nobody is logged in) has `right`."""
    if right is Right.PUBLIC:
        return True
    return user is not None and right in ROLE_RIGHTS.get(user.role, frozenset())
