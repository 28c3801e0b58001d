"""The filter of the list of customers: what the address may say, and what it means.

Nobody searches by a part of a number, which would tell what its mask hides: a whole one or its last four. So
with identity and bank numbers, which are looked up by the token of the whole value.

    FilterRefused (ValueError)     a word of SENTENCES for each field that could not be understood
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cloud.store.customers import SORTS, CustomerFilter, NumberAsked, Place
from cloud.web import customer_words as words
from sync.locale import marked
from sync.phone import read_number

LONGEST_TEXT = 64
LARGEST_PAGE, PAGE = 200, 50
LARGEST_NO = 2**53

SENTENCES = {
    "q": marked("Name or number: at most 64 characters; of a number all of it or the last four digits."),
    "kind": marked("Type: pick one of the list."),
    "class": marked("Class: pick one of the list."),
    "region": marked("Region: at most 64 characters."),
    "branch": marked("Branch: pick one of the list."),
    "service": marked("Package: pick one of the list."),
    "tag": marked("Tag: pick one of the list."),
    "consumption": marked("Consumption: pick one of the list."),
    "state": marked("State: pick one of the list."),
    "sort": marked("Order: pick one of the list."),
    "cursor": marked("This page of the list is not known; begin with the first."),
    "limit": marked("Limit: a whole number from 1 to 200."),
}
CHOICES: dict[str, Mapping[str, str]] = {
    "kind": words.KINDS,
    "service": words.SERVICES,
    "consumption": words.CONSUMPTIONS,
    "state": words.STATES,
    "sort": words.SORTS,
}
TEXTS = {"class": "class_id", "region": "region", "branch": "box_id", "tag": "tag_id"}
_DIGITS = re.compile(r"[\d+*()转 .-]+")
_SEALED = re.compile(r"[0-9]{15,34}[0-9Xx]?")

Tokens = Callable[[str], list[str]]


class FilterRefused(ValueError):
    """A filter that cannot be understood; `fields` names what is wrong with it."""

    def __init__(self, fields: list[str]) -> None:
        self.fields = fields
        super().__init__(" ".join(SENTENCES[field] for field in fields))


@dataclass(frozen=True, slots=True)
class CustomerQuery:
    """A filter as it was typed, and what it means."""

    typed: Mapping[str, str]
    wanted: CustomerFilter
    sort: str
    after: Place | None
    limit: int


def read_query(given: Mapping[str, str], tokens: Tokens) -> CustomerQuery:
    """What `given` (fields of SENTENCES, others are passed over) asks for; `tokens` of a sealed value."""
    typed = {field: given[field].strip() for field in SENTENCES if given.get(field, "").strip()}
    faults = [field for field, value in typed.items() if len(value) > LONGEST_TEXT and field != "cursor"]
    faults += [field for field, known in CHOICES.items() if field in typed and typed[field] not in known]
    faults += [field for field, value in typed.items() if "\0" in value]
    sort = typed.get("sort", "newest")
    wanted, limit, after = CustomerFilter(), PAGE, None
    try:
        wanted = _asked(typed.get("q", ""), tokens)
    except ValueError:
        faults.append("q")
    try:
        limit = _limit(typed.get("limit", str(PAGE)))
    except ValueError:
        faults.append("limit")
    try:
        after = parse_cursor(typed["cursor"], sort) if "cursor" in typed else None
    except ValueError:
        faults.append("cursor")
    if faults:
        raise FilterRefused([field for field in SENTENCES if field in faults])
    chosen: dict[str, Any] = {
        name: typed.get(name, "") for name in ("kind", "service", "consumption", "state")
    }
    chosen |= {column: typed.get(field, "") for field, column in TEXTS.items()}
    return CustomerQuery(typed, replace(wanted, **chosen), sort, after, limit)


def make_cursor(sort: str, row: Mapping[Any, Any]) -> str:
    """The text that stands for the place after that row."""
    by = SORTS[sort]
    place = [sort, str(row[str(by[0].key)]) if by else "", row["no"]]
    return base64.urlsafe_b64encode(json.dumps(place, ensure_ascii=False).encode()).decode().rstrip("=")


def parse_cursor(cursor: str, sort: str) -> Place:
    """The inverse of `make_cursor`; ValueError for anything else.

    A made-up cursor does no harm: it only says where a page begins, and the guard looks at every row.
    """
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        told, value, no = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, UnicodeDecodeError, ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"not a cursor: {cursor[:LONGEST_TEXT]!r}") from error
    fits = told == sort and isinstance(value, str) and type(no) is int and 0 <= no < LARGEST_NO
    if not fits or "\0" in value:
        raise ValueError(f"not a cursor of this list: {cursor[:LONGEST_TEXT]!r}")
    return Place(value, no)


def _asked(text: str, tokens: Tokens) -> CustomerFilter:
    """What was typed into the one field: words, a number, or a sealed value."""
    if _SEALED.fullmatch(text):
        return CustomerFilter(tokens=tuple(tokens(text.upper())))
    if not _DIGITS.fullmatch(text) or not any(one.isdigit() for one in text):
        return CustomerFilter(words=text)
    digits = "".join(one for one in text if one.isdigit())
    number = read_number(text)
    if len(digits) == 4:
        return CustomerFilter(number=NumberAsked(last4=digits, key=digits))
    if number.keys and number.kind != "unknown":
        last8 = digits if len(digits) == 8 and number.kind == "fixed" else ""
        return CustomerFilter(number=NumberAsked(key=number.keys[0], last8=last8))
    raise ValueError("a part of a number")


def _limit(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 4 and 1 <= int(text) <= LARGEST_PAGE:
        return int(text)
    raise ValueError("not from 1 to 200")
