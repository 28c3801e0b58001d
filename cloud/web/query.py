"""The filter of the list of calls: what the address may say, checked once for the page and the API.

A filter is a link: nothing of it is kept here. Only cursors are signed (`cloud.web.cursors`).

FilterRefused (ValueError)     the fields that could not be understood, with a sentence each
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from cloud.access.subjects import subject_of_number
from cloud.calls.facets import Wish
from cloud.calls.flags import MARKS, tag_flag
from cloud.calls.numbers import NumberWish, read_numbers
from cloud.calls.presets import PRESETS
from cloud.store.call_search import CallFilter, Position
from cloud.web.cursors import CursorForged, parse_cursor
from cloud.web.views import Day
from cloud.web.words import DIRECTIONS, OUTCOMES
from sync.locale import marked
from sync.moment import to_text

LONGEST_TEXT = 64
LARGEST_PAGE = 200
PAGE = 50
LONGEST_CALL_S = 7 * 24 * 3600
SORTS = {"-started": marked("Newest first"), "started": marked("Oldest first")}
YES_NO = {"yes": marked("Yes"), "no": marked("No")}

SENTENCES = {
    "branch": marked("Branch: pick one of the list."),
    "unit": marked("Unit: pick one of the list."),
    "line": marked("Line: a number from 1 to 999, of one branch."),
    "party": marked(
        "Number or name: a whole number, its last four or eight digits, 138*5678, or a whole name."
    ),
    "customer": marked("Customer: pick one from the list of customers."),
    "direction": marked("Direction: pick one of the list."),
    "outcome": marked("Outcome: pick one of the list."),
    "days": marked("Days: pick one of the list."),
    "from": marked("From: a day such as 2026-02-03."),
    "to": marked("To: a day such as 2026-02-03."),
    "shortest": marked("Shortest: whole seconds, at most a week."),
    "longest": marked("Longest: whole seconds, at most a week."),
    "recorded": marked("Recording: yes or no."),
    "gap": marked("Gap: yes or no."),
    "mark": marked("Marked: pick one of the list."),
    "tag": marked("Tag: at most 24 characters."),
    "sort": marked("Order: newest or oldest first."),
    "cursor": marked("This page of the list is not known; begin with the newest calls."),
    "limit": marked("Limit: a whole number from 1 to 200."),
}
QUESTIONS = tuple(field for field in SENTENCES if field not in ("cursor", "limit"))
NUMBER_MASKED = marked(
    "Numbers are masked for you: search for a whole one, its last four digits, or 138*5678."
)


class FilterRefused(ValueError):
    """A filter that cannot be understood; `fields` names what is wrong with it."""

    def __init__(self, fields: list[str]) -> None:
        self.fields = fields
        super().__init__(" ".join(SENTENCES[field] for field in fields))


@dataclass(frozen=True, slots=True)
class Terms:
    """What it takes to understand a filter: what day it is, and which cursors are ours."""

    now: datetime
    zone: ZoneInfo
    secret: bytes  # of cursors


@dataclass(frozen=True, slots=True)
class CallQuery:
    """A filter as it was typed, and what it means."""

    typed: Mapping[str, str]
    wanted: CallFilter
    after: Position | None
    limit: int
    unit: str = ""  # the branches below it; who they are, the organisation says
    customer: str = ""  # the calls of this customer's numbers
    subjects: frozenset[str] = frozenset()  # whom it asks about: a whole number, a customer's numbers

    @property
    def named(self) -> frozenset[str]:
        """Whom it names; a customer's numbers are not for everybody to see."""
        party = self.typed.get("party", "")
        return _named(party, self.wanted.numbers) | ({self.customer} if self.customer else frozenset())

    @property
    def reveals(self) -> bool:
        """Whether the number asks about digits that a masked one does not show."""
        return any(one.reveals for one in self.wanted.numbers or ())


class _Reader:
    """Takes fields out of what was typed and notes those that are wrong."""

    def __init__(self, typed: Mapping[str, str], terms: Terms) -> None:
        self.typed = typed
        self.terms = terms
        self.today = terms.now.astimezone(terms.zone).date()
        self.zone = terms.zone
        self.faults: list[str] = []

    def text(self, field: str, longest: int = LONGEST_TEXT) -> str | None:
        value = self.typed.get(field)
        if value and (len(value) > longest or "\0" in value):
            self.faults.append(field)
            return None
        return value

    def choice(self, field: str, choices: Mapping[str, object]) -> str | None:
        value = self.typed.get(field)
        if value and value not in choices:
            self.faults.append(field)
            return None
        return value

    def flag(self, field: str) -> bool | None:
        value = self.choice(field, YES_NO)
        return None if value is None else value == "yes"

    def number(self, field: str, smallest: int, largest: int) -> int | None:
        value = self.typed.get(field)
        if not value:
            return None
        if value.isascii() and value.isdigit() and len(value) < 8 and smallest <= int(value) <= largest:
            return int(value)
        self.faults.append(field)
        return None

    def position(self) -> Position | None:
        value = self.typed.get("cursor")
        try:
            return parse_cursor(self.terms.secret, same_list(self.typed), value) if value else None
        except CursorForged:
            self.faults.append("cursor")
            return None

    def span(self) -> tuple[str | None, str | None]:
        """From the first moment of a day to the first one after another; typed days go before `days`."""
        preset = self.choice("days", PRESETS)
        first, last = self._day("from"), self._day("to")
        if preset and not (self.typed.get("from") or self.typed.get("to")):
            first, last = PRESETS[preset][1](self.today)
        return (
            None if first is None else self._moment("from", first, end=False),
            None if last is None else self._moment("to", last, end=True),
        )

    def _day(self, field: str) -> date | None:
        value = self.typed.get(field, "")
        try:
            return Day(value).begins(self.zone).date() if value else None
        except ValueError:
            self.faults.append(field)
            return None

    def _moment(self, field: str, day: date, end: bool) -> str | None:
        try:
            named = Day(day.isoformat())
            return to_text(named.ends(self.zone) if end else named.begins(self.zone))
        except (ValueError, OverflowError):
            self.faults.append(field)
            return None


def same_list(typed: Mapping[str, str]) -> str:
    """What every page of a list has in common."""
    return repr(sorted((name, one) for name, one in typed.items() if name in QUESTIONS))


def read_query(given: Mapping[str, str], terms: Terms) -> CallQuery:
    """What `given` (fields of `SENTENCES`, others are passed over) asks for; days are days of the zone."""
    typed = {field: given[field].strip() for field in SENTENCES if given.get(field, "").strip()}
    reader = _Reader(typed, terms)
    branch, unit, customer = reader.text("branch"), reader.text("unit"), reader.text("customer")
    shortest, longest = (reader.number(field, 0, LONGEST_CALL_S) for field in ("shortest", "longest"))
    wish = Wish(
        direction=reader.choice("direction", DIRECTIONS),
        outcome=reader.choice("outcome", OUTCOMES),
        shortest_ms=None if shortest is None else shortest * 1000,
        longest_ms=None if longest is None else longest * 1000 + 999,
        has_audio=reader.flag("recorded"),
        has_gap=reader.flag("gap"),
    )
    from_utc, until_utc = reader.span()
    party = reader.text("party")
    numbers = read_numbers(party) if party else None
    if party and not numbers and "*" in party:
        reader.faults.append("party")
    mark, tag = reader.choice("mark", MARKS), reader.text("tag", 24)
    wanted = CallFilter(
        box_ids=frozenset({branch}) if branch else None,
        line=reader.number("line", 1, 999),
        wish=wish,
        numbers=numbers or None,
        name=party if party and not numbers else None,
        flags=frozenset({*([mark] if mark else []), *([tag_flag(tag)] if tag else [])}),
        from_utc=from_utc,
        until_utc=until_utc,
        oldest_first=reader.choice("sort", SORTS) == "started",
    )
    if wanted.line is not None and not branch:
        reader.faults.append("line")
    limit = reader.number("limit", 1, LARGEST_PAGE) or PAGE
    after = reader.position()
    if reader.faults:
        order = list(SENTENCES)
        raise FilterRefused(sorted(set(reader.faults), key=order.index))
    return CallQuery(typed, wanted, after, limit, unit or "", customer or "", _named(party, numbers))


def _named(party: str | None, numbers: Sequence[NumberWish] | None) -> frozenset[str]:
    """Whom a whole number names; a part of one names nobody."""
    if not party or not numbers or not all(one.forms for one in numbers):
        return frozenset()
    return frozenset({subject_of_number(party)} - {""})
