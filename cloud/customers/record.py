"""What head office knows of a customer beyond what a branch writes, and the one check of it.

A branch's particulars (`sync.particulars`) stand inside, so that a sheet and a form mean the same at both
ends. Everything is text: nothing here is looked up.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from typing import Any

from sync import particulars
from sync.particulars import Contact, Particulars, Unfit

STATES = ("active", "closed")  # closed: 销户
CONSUMPTIONS = ("low", "middle", "high")
SERVICES = ("mobile", "broadband", "landline", "trunk", "tv", "other")
SENSITIVE = ("address", "identity", "bank")  # sealed at rest
MOST_PACKAGES = 20
LONGEST = {"region": 60, "email": 120, "identity": 40, "bank": 40}

_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]+\.[^@\s]+")
_IDENTITY = re.compile(r"[0-9A-Z]{4,40}")
_BANK = re.compile(r"[0-9]{8,34}")

FAULTS = (
    "no_such_state", "no_such_consumption", "no_such_service", "no_day", "ends_before", "no_email",
    "no_identity", "no_bank", "too_long", "too_many_packages",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Package:
    """A service taken, with its package."""

    service: str  # one of SERVICES
    name: str = ""
    started_on: str = ""  # 2026-02-03
    expires_on: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """A customer as head office keeps it; an empty text is not known."""

    what: Particulars
    region: str = ""
    class_id: str = ""
    state: str = "active"
    consumption: str = ""
    joined_on: str = ""  # on the network since
    email: str = ""
    identity: str = ""
    bank: str = ""
    packages: tuple[Package, ...] = field(default=())


def check(record: Record) -> Record:
    """The record with spaces trimmed; Unfit says what cannot be so, in a word of either FAULTS."""
    trimmed = replace(
        record,
        what=particulars.check(record.what),
        region=record.region.strip(),
        email=record.email.strip(),
        identity=record.identity.replace(" ", "").upper(),
        bank=record.bank.replace(" ", ""),
    )
    _check_choices(trimmed)
    _check_shapes(trimmed)
    _check_packages(trimmed.packages)
    return trimmed


def flat(record: Record) -> dict[str, Any]:
    """Its fields side by side, as the history compares them."""
    fields = asdict(record)
    what = fields.pop("what")
    return what | fields  # type: ignore[no-any-return]


def from_flat(fields: dict[str, Any]) -> Record:
    """The inverse of `flat`, also of what JSON has made of it."""
    contacts = tuple(Contact(**one | {"numbers": tuple(one["numbers"])}) for one in fields["contacts"])
    packages = tuple(Package(**one) for one in fields["packages"])
    lists = {"numbers": tuple(fields["numbers"]), "contacts": contacts, "tags": tuple(fields["tags"])}
    known = fields | lists | {"packages": packages}
    what = Particulars(**{name: known[name] for name in Particulars.__slots__})
    return Record(what, **{name: known[name] for name in Record.__slots__ if name != "what"})


def changes(old: Record, new: Record) -> dict[str, list[Any]]:
    """{field: [old, new]} of what differs."""
    before, after = flat(old), flat(new)
    return {name: [before[name], after[name]] for name in after if before[name] != after[name]}


def _check_choices(record: Record) -> None:
    if record.state not in STATES:
        raise Unfit("no_such_state")
    if record.consumption and record.consumption not in CONSUMPTIONS:
        raise Unfit("no_such_consumption")


def _check_shapes(record: Record) -> None:
    if any(len(getattr(record, name)) > most for name, most in LONGEST.items()):
        raise Unfit("too_long")
    _check_day(record.joined_on)
    shapes = (("email", _EMAIL), ("identity", _IDENTITY), ("bank", _BANK))
    for name, shape in shapes:
        value = getattr(record, name)
        if value and not shape.fullmatch(value):
            raise Unfit(f"no_{name}")


def _check_packages(packages: tuple[Package, ...]) -> None:
    if len(packages) > MOST_PACKAGES:
        raise Unfit("too_many_packages")
    for one in packages:
        if one.service not in SERVICES:
            raise Unfit("no_such_service")
        if len(one.name) > particulars.LONGEST["name"]:
            raise Unfit("too_long")
        _check_day(one.started_on)
        _check_day(one.expires_on)
        if one.started_on and one.expires_on and one.expires_on < one.started_on:
            raise Unfit("ends_before")


def _check_day(text: str) -> None:
    try:
        if text and date.fromisoformat(text).isoformat() != text:
            raise Unfit("no_day")
    except ValueError as error:
        raise Unfit("no_day") from error
