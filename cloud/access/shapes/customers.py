"""Customers as somebody may see them: each field of the record, its parts and its history by its grade.

What belongs to a customer stands where the customer stands; calls and communications are judged on their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cloud.access.decision import Verdict
from cloud.access.grades import INTERNAL, PERSONAL, PUBLIC, SENSITIVE, Graded, Grades
from cloud.access.grants import Place
from cloud.access.shape import Row, seen
from cloud.access.subjects import subject_of_number

_PUBLIC, _INTERNAL = Graded(PUBLIC), Graded(INTERNAL)
_NUMBER, _NAME = Graded(PERSONAL, "number"), Graded(PERSONAL, "name")
_TEXT = Graded(PERSONAL, "text")

GRADES: Grades = {
    "id": _PUBLIC,
    "no": _PUBLIC,
    "version": _PUBLIC,
    "box_id": _PUBLIC,
    "branch": _PUBLIC,
    "kind": _PUBLIC,
    "name": _NAME,
    "class_id": _INTERNAL,
    "class_name": _INTERNAL,
    "region": _INTERNAL,
    "industry": _INTERNAL,
    "state": _INTERNAL,
    "consumption": _INTERNAL,
    "joined_on": _INTERNAL,
    "remark": _TEXT,
    "email": Graded(PERSONAL, "email"),
    "address": Graded(PERSONAL, "address"),
    "identity": Graded(SENSITIVE, "identity"),
    "bank": Graded(SENSITIVE, "account"),
    "served_by": _INTERNAL,
    "created_utc": _PUBLIC,
    "created_by": _INTERNAL,
    "changed_utc": _PUBLIC,
    "synced_utc": _PUBLIC,
    "deleted_utc": _PUBLIC,
    "deleted_by": _INTERNAL,
    "deleted_why": _TEXT,
}
COMPANY_GRADES: Grades = {**GRADES, "name": Graded(PERSONAL, "company")}
NUMBER_GRADES: Grades = {
    "said": _NUMBER,
    "kind": _INTERNAL,
    "contact_id": _PUBLIC,
    "is_primary": _PUBLIC,
    "vouched": _INTERNAL,
}
CONTACT_GRADES: Grades = {"id": _PUBLIC, "name": _NAME, "title": _INTERNAL, "level": _INTERNAL}
PACKAGE_GRADES: Grades = dict.fromkeys(("service", "name", "started_on", "expires_on"), _INTERNAL)
TAG_GRADES: Grades = dict.fromkeys(("tag_id", "name", "by_rule"), _INTERNAL)
NODE_GRADES: Grades = dict.fromkeys(("id", "parent_id", "kind", "name"), _INTERNAL)
PERSON_NODE_GRADES: Grades = {**NODE_GRADES, "name": _NAME}
COMMUNICATION_GRADES: Grades = {
    "id": _PUBLIC,
    "branch": _PUBLIC,
    "kind": _PUBLIC,
    "at_utc": _PUBLIC,
    "call_id": _PUBLIC,
    "from_popup": _PUBLIC,
    "number": _NUMBER,
    "subject": _TEXT,
    "content": _TEXT,
    "feedback": _TEXT,
    "creator_name": _INTERNAL,
}
CHANGED_GRADES: Grades = {  # fields of the history that are not single columns
    **GRADES,
    "numbers": Graded(PERSONAL),
    "contacts": Graded(PERSONAL),
    "chart": Graded(PERSONAL),
    "tags": _INTERNAL,
    "packages": _INTERNAL,
}

Parts = Mapping[str, Iterable[Row]]
Shaped = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer as shown; what is masked is text, what is hidden is None."""

    fields: Shaped
    numbers: tuple[Shaped, ...]
    contacts: tuple[Shaped, ...]
    packages: tuple[Shaped, ...]
    tags: tuple[Shaped, ...]
    personal: bool  # whether personal fields are clear
    sensitive: bool  # whether sensitive ones are

    def numbers_of(self, contact_id: str | None) -> list[str]:
        """The numbers of a contact, or the customer's own."""
        return [one["said"] for one in self.numbers if one["contact_id"] == contact_id]


def customer_place(row: Row, numbers: Iterable[Row]) -> Place:
    """Where a customer stands: under its id and every number of its own or of its contacts."""
    keys = (subject_of_number(one["said"]) for one in numbers if one["customer_id"] == row["id"])
    return Place(frozenset({row["id"], *keys}) - {""}, row["box_id"], row_id=row["id"])


def customer(opened: Row, parts: Parts, tags: Iterable[Row], verdict: Verdict) -> Customer | None:
    """An opened row of customers and what belongs to it; None: not to be shown."""
    numbers = [one for one in parts["customer_numbers"] if one["customer_id"] == opened["id"]]
    place = customer_place(opened, numbers)
    if not verdict.admits(place):
        return None
    grades = COMPANY_GRADES if opened["kind"] == "enterprise" else GRADES

    def own(rows: Iterable[Row], grades: Grades) -> tuple[Shaped, ...]:
        mine = (one for one in rows if one["customer_id"] == opened["id"])
        return tuple(seen(one, grades, place, verdict) for one in mine)

    return Customer(
        fields=seen(opened, grades, place, verdict),
        numbers=own(numbers, NUMBER_GRADES),
        contacts=own(parts["customer_contacts"], CONTACT_GRADES),
        packages=own(parts["customer_packages"], PACKAGE_GRADES),
        tags=own(tags, TAG_GRADES),
        personal=verdict.reveals(PERSONAL, place),
        sensitive=verdict.reveals(SENSITIVE, place),
    )


def node(row: Row, place: Place, verdict: Verdict) -> Shaped:
    """A node of the organisation chart of the customer at `place`."""
    return seen(row, PERSON_NODE_GRADES if row["kind"] == "person" else NODE_GRADES, place, verdict)


def communication_place(row: Row) -> Place:
    """Where a communication stands: under its customer, its number and its call."""
    about = {row["customer_id"] or "", row["number_key"], row["call_id"] or ""} - {""}
    return Place(frozenset(about), row["box_id"], row["at_utc"], row["id"])


def communication(row: Row, verdict: Verdict) -> Shaped | None:
    """A row of communications with its `branch`; None: not to be shown."""
    place = communication_place(row)
    return seen(row, COMMUNICATION_GRADES, place, verdict) if verdict.admits(place) else None


def change(line: Row, place: Place, verdict: Verdict) -> Shaped:
    """A line of history: of each changed field its old and new value, as far as they may be seen."""
    told = {}
    for name, (old, new) in line["fields"].items():
        graded = CHANGED_GRADES.get(name)
        if graded is None:
            continue
        pair = (seen({name: one}, {name: graded}, place, verdict)[name] for one in (old, new))
        told[name] = tuple(pair)
    return {name: line[name] for name in ("at_utc", "user_name", "what")} | {"fields": told}
