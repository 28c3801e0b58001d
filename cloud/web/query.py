"""The filter of the list of calls: what the address may say, checked once for the page and the API.

FilterRefused (ValueError)     the fields that could not be understood, with a sentence each
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from cloud.store.calls import CallFilter, Position
from cloud.web.views import Day
from cloud.web.words import DIRECTIONS, OUTCOMES
from sync.locale import marked
from sync.moment import from_text, to_text

LONGEST_TEXT = 64
LARGEST_PAGE = 200
PAGE = 50

SENTENCES = {
    "branch": marked("Branch: pick one of the list."),
    "party": marked("Number or name: at most 64 characters."),
    "direction": marked("Direction: pick one of the list."),
    "outcome": marked("Outcome: pick one of the list."),
    "from": marked("From: a day such as 2026-02-03."),
    "to": marked("To: a day such as 2026-02-03."),
    "cursor": marked("This page of the list is not known; begin with the newest calls."),
    "limit": marked("Limit: a whole number from 1 to 200."),
}


class FilterRefused(ValueError):
    """A filter that cannot be understood; `fields` names what is wrong with it."""

    def __init__(self, fields: list[str]) -> None:
        self.fields = fields
        super().__init__(" ".join(SENTENCES[field] for field in fields))


@dataclass(frozen=True, slots=True)
class CallQuery:
    """A filter as it was typed, and what it means."""

    typed: Mapping[str, str]
    wanted: CallFilter
    after: Position | None
    limit: int


class _Reader:
    """Takes fields out of what was typed and notes those that are wrong."""

    def __init__(self, typed: Mapping[str, str], zone: ZoneInfo) -> None:
        self.typed = typed
        self.zone = zone
        self.faults: list[str] = []

    def text(self, field: str) -> str | None:
        value = self.typed.get(field)
        if value and (len(value) > LONGEST_TEXT or "\0" in value):
            self.faults.append(field)
            return None
        return value

    def choice(self, field: str, choices: Mapping[str, str]) -> str | None:
        value = self.typed.get(field)
        if value and value not in choices:
            self.faults.append(field)
        return value

    def day(self, field: str, end: bool) -> str | None:
        value = self.typed.get(field)
        if not value:
            return None
        try:
            day = Day(value)
            moment: datetime = day.ends(self.zone) if end else day.begins(self.zone)
            return to_text(moment)
        except (ValueError, OverflowError):
            self.faults.append(field)
            return None

    def position(self) -> Position | None:
        value = self.typed.get("cursor")
        try:
            return parse_cursor(value) if value else None
        except ValueError:
            self.faults.append("cursor")
            return None

    def limit(self) -> int:
        value = self.typed.get("limit") or str(PAGE)
        if value.isascii() and value.isdigit() and len(value) < 4 and 1 <= int(value) <= LARGEST_PAGE:
            return int(value)
        self.faults.append("limit")
        return PAGE


def read_query(given: Mapping[str, str], zone: ZoneInfo) -> CallQuery:
    """What `given` (fields of `SENTENCES`, others are passed over) asks for; days are days in `zone`."""
    typed = {field: given[field].strip() for field in SENTENCES if given.get(field, "").strip()}
    reader = _Reader(typed, zone)
    wanted = CallFilter(
        box_id=reader.text("branch"),
        party=reader.text("party"),
        direction=reader.choice("direction", DIRECTIONS),
        outcome=reader.choice("outcome", OUTCOMES),
        from_utc=reader.day("from", end=False),
        until_utc=reader.day("to", end=True),
    )
    query = CallQuery(typed, wanted, reader.position(), reader.limit())
    if reader.faults:
        raise FilterRefused(reader.faults)
    return query


def make_cursor(started_utc: str, call_id: str) -> str:
    """The text that stands for the place after that call."""
    return base64.urlsafe_b64encode(f"{started_utc} {call_id}".encode()).decode().rstrip("=")


def parse_cursor(cursor: str) -> Position:
    """The inverse of `make_cursor`; ValueError for anything else.

    A made-up cursor does no harm: it only says where a page begins, and the guard looks at every row.
    """
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        started_utc, call_id = base64.b64decode(padded, altchars=b"-_", validate=True).decode().split(" ")
    except (binascii.Error, UnicodeDecodeError, ValueError) as error:
        raise ValueError(f"not a cursor: {cursor[:LONGEST_TEXT]!r}") from error
    from_text(started_utc)
    if not 0 < len(call_id) <= LONGEST_TEXT:
        raise ValueError("a cursor ends in a call's id")
    return Position(started_utc, call_id)
