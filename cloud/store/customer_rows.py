"""A customer's record as the rows of its tables, and back; what is sensitive is sealed on the way in.

Sealed values name the row and field they belong to, so none can be moved to another customer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloud.customers.record import SENSITIVE, Package, Record
from cloud.field_keys import Keyring
from sync.ids import new_id
from sync.particulars import Contact, Particulars
from sync.phone import read_number
from sync.search import mark, terms

TOKENS = ("identity", "bank")  # sealed fields that can be found by their whole value
PLAIN = ("region", "class_id", "state", "consumption", "joined_on", "email")

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Whose:
    """Which customer the rows are of: its id, and the branch it comes from."""

    id: str
    box_id: str | None


def place(customer_id: str, field: str) -> str:
    """Where a value of a customer is sealed."""
    return f"customers/{customer_id}/{field}"


def main_row(whose: Whose, record: Record, ring: Keyring) -> Row:
    """The columns of `customers` that follow from the record."""
    what = record.what
    values = {"address": what.address, "identity": record.identity, "bank": record.bank}
    return (
        {"kind": what.kind, "name": what.name, "industry": what.industry, "remark": what.remark}
        | {name: getattr(record, name) for name in PLAIN}
        | {f"{name}_sealed": ring.seal(values[name], place(whose.id, name)) for name in SENSITIVE}
        | {f"{name}_token": ring.token(values[name]) for name in TOKENS}
        | {"key_id": ring.active.id, "terms": index_terms(what, whose.box_id)}
    )


def index_terms(what: Particulars, box_id: str | None) -> str:
    """What the index is given: names and words, and whose branch it is; no digit of any number."""
    people = (text for contact in what.contacts for text in (contact.name, contact.title))
    return f"{terms(what.name, *people, what.industry, *what.tags)} {box_mark(box_id)}"


def box_mark(box_id: str | None) -> str:
    """The term that a branch's customers share."""
    return mark("box", box_id or "")


def part_rows(whose: Whose, record: Record, ring: Keyring) -> dict[str, list[Row]]:
    """The rows of the other tables but for tags; table -> rows."""
    contacts = [(new_id(), one) for one in record.what.contacts]
    said: list[tuple[str | None, str]] = [(None, number) for number in record.what.numbers]
    said += [(contact_id, number) for contact_id, one in contacts for number in one.numbers]
    return {
        "customer_contacts": [
            {"id": contact_id, "customer_id": whose.id, "position": at, "name": one.name, "title": one.title,
             "level": one.level}
            for at, (contact_id, one) in enumerate(contacts)
        ],
        "customer_numbers": [
            _number_row(whose, ring, at, contact_id, number) for at, (contact_id, number) in enumerate(said)
        ],
        "customer_packages": [
            {"id": new_id(), "customer_id": whose.id, "service": one.service, "name": one.name,
             "started_on": one.started_on, "expires_on": one.expires_on}
            for one in record.packages
        ],
    }  # fmt: skip


def open_row(row: Mapping[Any, Any], ring: Keyring) -> Row:
    """A row of `customers` with its sealed values read; KeyFault."""
    opened = {name: ring.open(row[f"{name}_sealed"], place(row["id"], name)) for name in SENSITIVE}
    return {key: value for key, value in row.items() if not key.endswith(("_sealed", "_token"))} | opened


def record_of(opened: Row, parts: Mapping[str, Sequence[Mapping[Any, Any]]], tags: Iterable[str]) -> Record:
    """The inverse of the rows: an opened row of customers, the rows of its parts, the tags given by hand."""
    numbers = parts["customer_numbers"]
    contacts = tuple(
        Contact(one["name"], one["title"], _numbers_of(numbers, one["id"]), one["level"])
        for one in parts["customer_contacts"]
    )
    what = Particulars(
        opened["name"], opened["kind"], _numbers_of(numbers, None), contacts, opened["address"],
        opened["industry"], tuple(tags), opened["remark"],
    )  # fmt: skip
    packages = tuple(
        Package(one["service"], one["name"], one["started_on"], one["expires_on"])
        for one in parts["customer_packages"]
    )
    plain = {name: opened[name] for name in PLAIN}
    return Record(what, **plain, identity=opened["identity"], bank=opened["bank"], packages=packages)


def number_key(said: str) -> str:
    """What a number is kept and met by: E.164, a service's digits, or a local number without its area."""
    keys = read_number(said).keys
    return keys[0] if keys else ""


def _numbers_of(numbers: Sequence[Mapping[Any, Any]], contact_id: str | None) -> tuple[str, ...]:
    return tuple(one["said"] for one in numbers if one["contact_id"] == contact_id)


def _number_row(whose: Whose, ring: Keyring, at: int, contact_id: str | None, said: str) -> Row:
    number = read_number(said)
    digits = (number.normal or number.local).lstrip("+")
    key = number.keys[0] if number.keys else said
    return {
        "id": new_id(), "customer_id": whose.id, "contact_id": contact_id, "position": at, "said": said,
        "key": key, "kind": number.kind, "last4": digits[-4:], "last8": digits[-8:],
        "token": ring.active.token(key), "is_primary": at == 0, "vouched": True,
    }  # fmt: skip
