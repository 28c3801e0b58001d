"""Roles and their rights, as data: what a person may do is looked up here and nowhere else.

A right that no role lists is had by nobody, and a role that is not listed has no rights.
"""

from __future__ import annotations

from enum import StrEnum

from sync.locale import marked


class Right(StrEnum):
    """One thing a person may be allowed to do."""

    ENTER = "enter"  # log out, change language, read the API's description
    READ_CALLS = "read_calls"
    PLAY_RECORDINGS = "play_recordings"
    READ_BRANCHES = "read_branches"
    SETTLE_QUARANTINE = "settle_quarantine"


_ENTER = frozenset({Right.ENTER})

ROLES: dict[str, frozenset[Right]] = {
    "agent": _ENTER | {Right.READ_CALLS, Right.PLAY_RECORDINGS},
    "manager": _ENTER | {Right.READ_CALLS, Right.PLAY_RECORDINGS, Right.READ_BRANCHES},
    "maintainer": _ENTER | {Right.READ_BRANCHES, Right.SETTLE_QUARANTINE},
    "admin": frozenset(Right),
}

ROLE_NAMES: dict[str, str] = {
    "agent": marked("Agent"),
    "manager": marked("Manager"),
    "maintainer": marked("Maintenance"),
    "admin": marked("Administrator"),
}


def rights_of(role: str) -> frozenset[Right]:
    """The rights of `role`; none for a role that is not known."""
    return ROLES.get(role, frozenset())
