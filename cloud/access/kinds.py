"""The kinds of record that can be asked for: which right each verb takes, and whether they are private.

A kind that is not listed here is refused to everybody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cloud.access.roles import Right
from cloud.access.verbs import Verb
from sync.locale import marked


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of record."""

    name: str
    rights: Mapping[Verb, Right]
    is_private: bool  # asks for a purpose; verbs beyond a role's standing take a grant
    is_windowed: bool  # how far back one may read is bounded
    granted_as: str = ""  # the kind an application names, when it is another one
    is_whole: bool = False  # for people of the whole organisation only: a part would tell of the rest


KINDS: dict[str, Kind] = {
    "calls": Kind(
        marked("Call records"),
        {Verb.VIEW: Right.READ_CALLS, Verb.EXPORT: Right.EXPORT, Verb.CHANGE: Right.CHANGE_CALLS},
        is_private=True,
        is_windowed=True,
    ),
    "recordings": Kind(
        marked("Recordings"),
        {Verb.VIEW: Right.READ_CALLS, Verb.LISTEN: Right.PLAY_RECORDINGS, Verb.EXPORT: Right.EXPORT},
        is_private=True,
        is_windowed=True,
        granted_as="calls",
    ),
    "customers": Kind(
        marked("Customers"),
        {Verb.VIEW: Right.READ_CUSTOMERS, Verb.EXPORT: Right.EXPORT, Verb.CHANGE: Right.CHANGE_CUSTOMERS},
        is_private=True,
        is_windowed=False,
    ),
    "branches": Kind(
        marked("Branches"),
        {Verb.VIEW: Right.READ_BRANCHES, Verb.CHANGE: Right.SETTLE_QUARANTINE},
        is_private=False,
        is_windowed=False,
    ),
    "orders": Kind(
        marked("Orders to branches"),
        {Verb.VIEW: Right.READ_ORDERS, Verb.CHANGE: Right.READ_ORDERS},
        is_private=False,
        is_windowed=False,
    ),
    "releases": Kind(
        marked("Files before release"),
        {Verb.VIEW: Right.APPLY, Verb.CHANGE: Right.REVIEW_RELEASES},
        is_private=False,
        is_windowed=False,
    ),
    "audit": Kind(
        marked("Audit"),
        {Verb.VIEW: Right.READ_AUDIT, Verb.EXPORT: Right.READ_AUDIT, Verb.CHANGE: Right.READ_AUDIT},
        is_private=False,
        is_windowed=False,
        is_whole=True,
    ),
}


def granted_as(kind: str) -> str:
    """The kind that an application for records of `kind` names."""
    return KINDS[kind].granted_as or kind if kind in KINDS else kind
