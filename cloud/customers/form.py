"""The form of a customer: which fields a template shows and asks for, and what somebody typed as a record.

Who sees a field masked gets it empty, and empty then means: as it was. Of masked lists one can only add.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cloud.customers.record import Package, Record
from sync.cells import split
from sync.marked import marked
from sync.particulars import Contact, Particulars, Unfit

Rows = Sequence[Mapping[str, str]]
PERSONAL = ("name", "remark", "email", "address")
SENSITIVE = ("identity", "bank")
PLAIN = ("kind", "industry", "region", "class_id", "state", "consumption", "joined_on")


@dataclass(frozen=True, slots=True)
class Template:
    """What a new customer of some sort is asked."""

    name: str  # marked
    kind: str
    service: str  # offered first
    fields: tuple[str, ...]  # besides name, numbers, contacts and packages


_ALWAYS = ("region", "class_id", "consumption", "joined_on", "email", "address", "tags", "remark")
TEMPLATES: dict[str, Template] = {
    "individual": Template(marked("Individual"), "individual", "mobile", (*_ALWAYS, "identity", "bank")),
    "household": Template(marked("Household broadband"), "individual", "broadband", (*_ALWAYS, "identity")),
    "enterprise": Template(marked("Enterprise"), "enterprise", "trunk", (*_ALWAYS, "industry", "bank")),
}


@dataclass(frozen=True, slots=True)
class Typed:
    """What stands in the form."""

    texts: Mapping[str, str]  # of PERSONAL, SENSITIVE and PLAIN, and of numbers and tags
    contacts: Rows = ()  # name, title, numbers, level
    packages: Rows = ()  # service, name, started_on, expires_on


@dataclass(frozen=True, slots=True)
class Clear:
    """What whoever fills the form in saw clear."""

    personal: bool = True
    sensitive: bool = True


def as_typed(record: Record, clear: Clear) -> Typed:
    """The form as it is opened for `record`."""
    what = record.what
    texts: dict[str, str] = {"kind": what.kind, "industry": what.industry, "tags": "；".join(what.tags)}
    texts |= {name: getattr(record, name) for name in PLAIN if name in Record.__slots__}
    contacts: list[dict[str, str]] = []
    if clear.personal:
        texts |= {"name": what.name, "remark": what.remark, "email": record.email, "address": what.address}
        texts["numbers"] = "\n".join(what.numbers)
        contacts = [
            {"name": one.name, "title": one.title, "numbers": "；".join(one.numbers), "level": str(one.level)}
            for one in what.contacts
        ]
    if clear.sensitive:
        texts |= {"identity": record.identity, "bank": record.bank}
    packages = [
        {"service": one.service, "name": one.name, "started_on": one.started_on, "expires_on": one.expires_on}
        for one in record.packages
    ]
    return Typed(texts, contacts, packages)


def as_record(typed: Typed, before: Record, clear: Clear) -> Record:
    """`before` with what was typed; Unfit. What was masked and left empty stays."""
    old, said = before.what, typed.texts
    kept = {name: getattr(old, name, None) or getattr(before, name, "") for name in (*PERSONAL, *SENSITIVE)}
    seen = dict.fromkeys(PERSONAL, clear.personal) | dict.fromkeys(SENSITIVE, clear.sensitive)
    texts: dict[str, Any] = {
        name: said.get(name, "") if seen[name] or said.get(name, "").strip() else kept[name] for name in kept
    }
    numbers, contacts = split(said.get("numbers", "")), _contacts(typed.contacts)
    if not clear.personal:
        numbers, contacts = (*old.numbers, *numbers), (*old.contacts, *contacts)
    what = Particulars(
        name=texts.pop("name"),
        kind=said.get("kind") or old.kind,
        numbers=tuple(dict.fromkeys(numbers)),
        contacts=contacts,
        address=texts.pop("address"),
        industry=said.get("industry", old.industry),
        tags=split(said.get("tags", "")),
        remark=texts.pop("remark"),
    )
    plain = {name: said.get(name, getattr(before, name)) for name in PLAIN if name in Record.__slots__}
    return replace(before, what=what, packages=_packages(typed.packages), **plain, **texts)


def check_new(record: Record) -> Record:
    """A new customer by form has a way to be reached and a package (CUS-05); Unfit."""
    if not record.what.numbers and not record.what.contacts:
        raise Unfit("needs_contact")
    if not record.packages:
        raise Unfit("needs_package")
    return record


def _contacts(rows: Rows) -> tuple[Contact, ...]:
    given = (row for row in rows if any(row[name].strip() for name in ("name", "title", "numbers")))
    return tuple(
        Contact(
            row["name"].strip(),
            row["title"].strip(),
            split(row["numbers"]),
            int(row["level"]) if row["level"] in ("1", "2", "3") else 0,
        )
        for row in given
    )


def _packages(rows: Rows) -> tuple[Package, ...]:
    """A row whose service is not chosen is no package, unless something else of it is given."""
    found = []
    for row in rows:
        values = {name: row[name].strip() for name in ("service", "name", "started_on", "expires_on")}
        if any(values.values()):
            found.append(Package(**values))
    return tuple(found)
