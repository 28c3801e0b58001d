"""Roles and their rights, as data: what a person may do is looked up here and nowhere else.

A right opens a door and bounds what a grant can give; what is read behind the door `cloud.access.decision`
judges. A right that no role lists is had by nobody, and a role that is not listed has no rights.
"""

from __future__ import annotations

from enum import StrEnum

from cloud.access.verbs import Verb
from sync.locale import marked


class Right(StrEnum):
    """One thing a person may be allowed to do."""

    ENTER = "enter"  # log out, change language, read the API's description
    READ_CALLS = "read_calls"
    PLAY_RECORDINGS = "play_recordings"
    EXPORT = "export"
    CHANGE_CALLS = "change_calls"  # notes, reports of a wrong record
    SETTLE_REPORTS = "settle_reports"  # that a call's record is wrong
    READ_CUSTOMERS = "read_customers"
    CHANGE_CUSTOMERS = "change_customers"
    MANAGE_CUSTOMERS = "manage_customers"  # sheets, duplicates, tags, classes, who serves whom
    RESTORE_CUSTOMERS = "restore_customers"  # the recycle bin
    READ_BRANCHES = "read_branches"
    SETTLE_QUARANTINE = "settle_quarantine"
    APPLY = "apply"  # for what one may not read
    DECIDE = "decide"  # applications, level 1
    DECIDE_SENSITIVE = "decide_sensitive"  # applications, level 2
    BREAK_GLASS = "break_glass"
    REVOKE_GRANTS = "revoke_grants"
    READ_AUDIT = "read_audit"
    MANAGE_USERS = "manage_users"
    MAKE_TOKENS = "make_tokens"  # of the API, for oneself
    MANAGE_HOOKS = "manage_hooks"
    READ_ORDERS = "read_orders"  # to branches: holds, deletions, how long audio is kept
    ORDER = "order"  # give them
    APPROVE_ORDERS = "approve_orders"  # of somebody else
    REVIEW_RELEASES = "review_releases"  # files of others, before they may open them
    REPORT_CALLS = "report_calls"  # another telephone system tells of its calls


_ALL = frozenset({Right.ENTER, Right.APPLY})
_DESK = _ALL | {
    Right.READ_CALLS,
    Right.PLAY_RECORDINGS,
    Right.EXPORT,
    Right.CHANGE_CALLS,
    Right.READ_CUSTOMERS,
    Right.CHANGE_CUSTOMERS,
}
_APPROVER = _ALL | {
    Right.READ_CALLS,
    Right.READ_CUSTOMERS,
    Right.DECIDE,
    Right.BREAK_GLASS,
    Right.REVOKE_GRANTS,
    Right.READ_AUDIT,
    Right.READ_ORDERS,
    Right.APPROVE_ORDERS,
    Right.REVIEW_RELEASES,
}

ROLES: dict[str, frozenset[Right]] = {
    "agent": _DESK,
    "senior_agent": _DESK,
    "manager": _DESK
    | {
        Right.SETTLE_REPORTS,
        Right.READ_BRANCHES,
        Right.BREAK_GLASS,
        Right.MAKE_TOKENS,
        Right.MANAGE_CUSTOMERS,
        Right.READ_ORDERS,
        Right.ORDER,
        Right.APPROVE_ORDERS,
        Right.REVIEW_RELEASES,
    },
    "maintainer": _ALL | {Right.READ_BRANCHES, Right.SETTLE_QUARANTINE, Right.READ_CALLS},
    "account_manager": _DESK | {Right.MAKE_TOKENS},
    # Whoever appoints the approvers is none of them, and takes no short cut.
    "admin": frozenset(Right)
    - {Right.DECIDE, Right.DECIDE_SENSITIVE, Right.BREAK_GLASS, Right.APPROVE_ORDERS, Right.REVIEW_RELEASES},
    "approver_1": _APPROVER,
    "approver_2": _APPROVER | {Right.DECIDE_SENSITIVE},
    "partner": _ALL | {Right.READ_CALLS, Right.EXPORT, Right.MAKE_TOKENS},
    "regulator": _ALL | {Right.READ_CALLS, Right.PLAY_RECORDINGS, Right.EXPORT, Right.READ_CUSTOMERS},
    "judicial": _ALL | {Right.READ_CALLS, Right.PLAY_RECORDINGS, Right.EXPORT, Right.READ_CUSTOMERS},
    "subscriber": _ALL | {Right.READ_CALLS, Right.PLAY_RECORDINGS},
    "authorised_person": _ALL | {Right.READ_CALLS},
}

ROLE_NAMES: dict[str, str] = {
    "agent": marked("Agent"),
    "senior_agent": marked("Senior agent"),
    "manager": marked("Manager"),
    "maintainer": marked("Maintenance"),
    "account_manager": marked("Account manager"),
    "admin": marked("Administrator"),
    "approver_1": marked("Approver, level 1"),
    "approver_2": marked("Approver, level 2"),
    "partner": marked("Partner"),
    "regulator": marked("Regulator"),
    "judicial": marked("Judiciary"),
    "subscriber": marked("Subscriber"),
    "authorised_person": marked("Authorised by the subscriber"),
}

POSTS: dict[str, str] = {  # business, support or outside (SEC-23)
    "agent": "business",
    "senior_agent": "business",
    "manager": "business",
    "account_manager": "business",
    "approver_1": "business",
    "approver_2": "business",
    "maintainer": "support",
    "admin": "support",
    "partner": "outside",
    "regulator": "outside",
    "judicial": "outside",
    "subscriber": "outside",
    "authorised_person": "outside",
}

_WORK = frozenset({Verb.VIEW, Verb.LISTEN, Verb.CHANGE})

STANDING: dict[str, frozenset[Verb]] = {  # what private records a role uses without a grant
    "agent": _WORK,
    "senior_agent": _WORK,
    "manager": _WORK,
    "account_manager": _WORK,
    "admin": frozenset({Verb.VIEW, Verb.LISTEN, Verb.CHANGE}),
    "approver_1": frozenset({Verb.VIEW}),
    "approver_2": frozenset({Verb.VIEW}),
    "subscriber": frozenset({Verb.VIEW, Verb.LISTEN}),  # of their own
}
OWN_ONLY = frozenset({"subscriber", "authorised_person"})  # see nothing that is not about their own numbers
SERVES = frozenset({"agent", "senior_agent", "account_manager"})  # look up only those they serve (CDR-01)


def rights_of(role: str) -> frozenset[Right]:
    """The rights of `role`; none for a role that is not known."""
    return ROLES.get(role, frozenset())


def stands(role: str, verb: Verb) -> bool:
    """Whether `role` uses private records that way without a grant."""
    return verb in STANDING.get(role, frozenset())


def is_outside(role: str) -> bool:
    """Whether the role is of somebody who does not work here; so is one nobody knows."""
    return POSTS.get(role, "outside") == "outside"
