"""The one guard: what a route may ask for, and which lines' calls a user sees once inside.

Pages, the JSON API, exports, audio by id and the live stream all stand behind `allowed` (asked by the door)
and `edge.web.guard` (asked wherever a call or recording is named). A level starts with `LEVEL_RIGHTS`.
"""

from __future__ import annotations

from edge.store.rights import LEVEL_RIGHTS, LEVELS, RIGHTS, Right
from edge.store.users import User

__all__ = ["LEVELS", "LEVEL_RIGHTS", "RIGHTS", "Right", "allowed", "rights_of"]


def allowed(user: User | None, right: Right) -> bool:
    """Whether `user` (None: nobody is logged in) has `right`."""
    if right is Right.PUBLIC:
        return True
    if user is None or user.disabled or user.level not in LEVELS:
        return False
    if right is Right.OWN:
        return True
    # Whoever has a password that somebody else knows may only change it.
    if user.must_change_password or (right is Right.USERS and user.level != "super"):
        return False
    return right in user.rights


def rights_of(user: User) -> frozenset[Right]:
    """What `user` may do at this moment."""
    return frozenset(right for right in RIGHTS if allowed(user, right))
