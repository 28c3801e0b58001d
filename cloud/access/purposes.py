"""Why somebody reads private records: the purposes there are, and which role may name which (CDR-11).

A purpose stands in every question and every line of the audit; the first one of a role is its daily work.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from sync.locale import marked

PURPOSES: Mapping[str, str] = MappingProxyType(
    {
        "service": marked("Serving the customer"),
        "complaint": marked("Settling a complaint or dispute"),
        "quality": marked("Supervising quality"),
        "charges": marked("Checking charges"),
        "abnormal_calls": marked("Looking into unknown or abnormal calls"),
        "account_care": marked("Looking after own customers"),
        "technical": marked("Technical fault"),
        "administration": marked("Administration"),
        "review": marked("Reviewing applications and audit"),
        "partnership": marked("Work under a partner agreement"),
        "statutory": marked("Statutory supervision"),
        "judicial": marked("Judicial inquiry"),
        "own_records": marked("The subscriber's own records"),
        "emergency": marked("Emergency"),
    }
)

_CARE = ("service", "complaint", "charges", "abnormal_calls")

PURPOSES_OF: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "agent": _CARE,
        "senior_agent": _CARE,
        "manager": ("quality", *_CARE, "emergency"),
        "maintainer": ("technical",),
        "account_manager": ("account_care", *_CARE),
        "admin": ("administration",),
        "approver_1": ("review", "emergency"),
        "approver_2": ("review", "emergency"),
        "partner": ("partnership",),
        "regulator": ("statutory",),
        "judicial": ("judicial",),
        "subscriber": ("own_records",),
        "authorised_person": ("own_records",),
    }
)


def default_purpose(role: str) -> str:
    """The purpose of a role's daily work; "" for a role that is not known."""
    return PURPOSES_OF.get(role, ("",))[0]


def may_name(role: str, purpose: str) -> bool:
    """Whether `role` may read for `purpose`."""
    return purpose in PURPOSES_OF.get(role, ())
