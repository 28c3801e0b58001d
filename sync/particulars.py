"""What people write of a customer, and the one check of it, for forms, sheets and pop-ups of both ends.

CustomerError
  Unfit           a field that cannot be so; the message is a word for why, of FAULTS
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sync.phone import read_number

KINDS = ("individual", "enterprise")
LEVELS = (0, 1, 2, 3)  # 联系人层级: not said, decides, recommends, day to day
LONGEST = {"name": 120, "address": 300, "industry": 60, "remark": 4000}
LONGEST_NUMBER = 40
MOST_NUMBERS = 20
MOST_CONTACTS = 50
MOST_TAGS = 20
LONGEST_TAG = 30
_SEPARATORS = frozenset(";；|\n\r\t")  # between values of one cell of a sheet

FAULTS = (
    "no_name", "no_such_kind", "too_long", "too_many", "separator", "contact_without_name", "too_many_tags",
    "not_a_number",
)  # fmt: skip


class CustomerError(ValueError):
    """A customer that cannot be as asked."""


class Unfit(CustomerError):
    """A field that cannot be so; the message is one of FAULTS."""


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody to speak with at a customer's."""

    name: str
    title: str = ""
    numbers: tuple[str, ...] = ()
    level: int = 0  # one of LEVELS


@dataclass(frozen=True, slots=True)
class Particulars:
    """What people write of a customer."""

    name: str
    kind: str = "individual"
    numbers: tuple[str, ...] = ()
    contacts: tuple[Contact, ...] = ()
    address: str = ""
    industry: str = ""
    tags: tuple[str, ...] = ()
    remark: str = ""

    @property
    def all_numbers(self) -> tuple[str, ...]:
        """Its own and its contacts' numbers."""
        return self.numbers + tuple(number for contact in self.contacts for number in contact.numbers)


def check(particulars: Particulars) -> Particulars:
    """The particulars with spaces trimmed; Unfit says what cannot be so."""
    name, contacts = particulars.name.strip(), particulars.contacts
    if not name:
        raise Unfit("no_name")
    if particulars.kind not in KINDS:
        raise Unfit("no_such_kind")
    if any(len(getattr(particulars, field).strip()) > most for field, most in LONGEST.items()):
        raise Unfit("too_long")
    if any(len(text) > LONGEST["name"] for contact in contacts for text in (contact.name, contact.title)):
        raise Unfit("too_long")
    if len(contacts) > MOST_CONTACTS or len(particulars.all_numbers) > MOST_NUMBERS * (1 + len(contacts)):
        raise Unfit("too_many")
    one_line = (
        name,
        particulars.industry,
        *particulars.tags,
        *(c.name for c in contacts),
        *(c.title for c in contacts),
    )
    if any(_SEPARATORS & set(text) for text in (*one_line, *particulars.all_numbers)):
        raise Unfit("separator")
    if any(not contact.name.strip() for contact in contacts):
        raise Unfit("contact_without_name")
    if len(particulars.tags) > MOST_TAGS or any(len(tag) > LONGEST_TAG for tag in particulars.tags):
        raise Unfit("too_many_tags")
    _check_numbers(particulars.all_numbers)
    return Particulars(
        name, particulars.kind, particulars.numbers, contacts, particulars.address.strip(),
        particulars.industry.strip(), particulars.tags, particulars.remark.strip().replace("\r\n", "\n"),
    )  # fmt: skip


def _check_numbers(numbers: Iterable[str]) -> None:
    for number in numbers:
        read = read_number(number)
        if len(number) > LONGEST_NUMBER or not (read.normal or read.local):
            raise Unfit("not_a_number")
