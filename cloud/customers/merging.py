"""Two records of one customer made into one: what differs, what is chosen, what is put together.

Whatever one of them alone knows is kept; where both say something else a person chooses, field by field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cloud.customers.record import Record, flat
from sync.particulars import Contact, Particulars

TOGETHER = ("numbers", "contacts", "tags", "packages")  # lists: all of both
CHOSEN = (
    "kind", "name", "address", "industry", "remark", "region", "class_id", "state", "consumption",
    "joined_on", "email", "identity", "bank",
)  # fmt: skip
SIDES = ("kept", "other")


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that both have and that is not the same."""

    field: str
    kept: Any
    other: Any


def differences(kept: Record, other: Record) -> tuple[Difference, ...]:
    """The fields somebody has to choose."""
    one, two = flat(kept), flat(other)
    return tuple(
        Difference(name, one[name], two[name])
        for name in CHOSEN
        if one[name] and two[name] and one[name] != two[name]
    )


def merged(kept: Record, other: Record, choices: Mapping[str, str]) -> Record:
    """One record of both; `choices` says for a field whose value it gets, `kept` where nothing is said."""
    values = {name: _pick(name, flat(kept), flat(other), choices) for name in CHOSEN}
    what = Particulars(
        name=values["name"],
        kind=values["kind"],
        numbers=_union(kept.what.numbers, other.what.numbers),
        contacts=_contacts(kept.what.contacts, other.what.contacts),
        address=values["address"],
        industry=values["industry"],
        tags=_union(kept.what.tags, other.what.tags),
        remark=values["remark"],
    )
    rest = {name: values[name] for name in CHOSEN if name in Record.__slots__}
    return replace(kept, what=what, packages=_union(kept.packages, other.packages), **rest)


def _pick(name: str, kept: Mapping[str, Any], other: Mapping[str, Any], choices: Mapping[str, str]) -> Any:
    if not kept[name] or (other[name] and choices.get(name) == "other"):
        return other[name]
    return kept[name]


def _union(one: tuple[Any, ...], two: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(one + two))


def _contacts(one: tuple[Contact, ...], two: tuple[Contact, ...]) -> tuple[Contact, ...]:
    """All of both; somebody of the same name and title is one person with all the numbers."""
    people: dict[tuple[str, str], Contact] = {}
    for contact in one + two:
        known = people.get((contact.name, contact.title))
        numbers = _union(known.numbers if known else (), contact.numbers)
        level = known.level if known and known.level else contact.level
        people[contact.name, contact.title] = replace(contact, numbers=numbers, level=level)
    return tuple(people.values())
