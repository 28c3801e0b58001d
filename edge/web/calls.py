"""The Calls page: find calls by number, line, direction, outcome and day; the address is the search."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from bottle import HTTPResponse

from edge.store.call_list import CallFilter, CallKey, CallsPage, calls_page
from edge.store.listing import line_names
from edge.store.notes import LONGEST_TAG, all_tags
from edge.store.operations import Operation, log_play
from edge.web import shown
from edge.web.daystrip import DayStrip, day_strip
from edge.web.site import Visit
from edge.web.strip import strip
from sync.locale import marked

PAGE_SIZE = 50
LONGEST_TEXT = 64
ONE_SEARCH = timedelta(minutes=10)
_KEY = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)~([0-9A-Za-z-]{1,64})")


class AskedBadly(ValueError):
    """A search that cannot be meant; the message is a marked text."""


@dataclass(frozen=True, slots=True)
class Search:
    """What the address asks for."""

    wanted: CallFilter
    older_than: CallKey | None
    newer_than: CallKey | None


def show(visit: Visit) -> HTTPResponse:
    """The form, and the calls that pass; what was asked badly is said, and finds nothing."""
    return show_calls(visit, visit.query)


def show_calls(visit: Visit, query: Mapping[str, str], refused: str = "") -> HTTPResponse:
    """The page for a search; `refused` (marked) says why something else that was asked for was not done."""
    asked = {name: query.get(name, "").strip() for name in shown.ASKED}
    fault, wanted, page = refused, CallFilter(lines=frozenset()), CallsPage((), None, None)
    try:
        wanted, page = found(visit, query)
    except AskedBadly as error:
        fault = str(error)
    return visit.page(
        "calls.html",
        400 if fault else 200,
        strip=strip(visit),
        asked=asked,
        fault=fault,
        calls=page.calls,
        address=_address(asked),
        newer=_link(asked, "newer", page.newer_than),
        older=_link(asked, "older", page.older_than),
        filtered=any(asked.values()),
        line_names={line: name for line, name in line_names(visit.db).items() if visit.sees(line)},
        tags=all_tags(visit.db),
        day=_day_strip(visit, asked, wanted, page),
    )


def found(visit: Visit, query: Mapping[str, str]) -> tuple[CallFilter, CallsPage]:
    """What is asked for and the page of it that the user sees; a search is logged. AskedBadly."""
    search = read_search(query, visit.site.settings.zone)
    wanted = replace(search.wanted, lines=visit.lines)
    page = calls_page(visit.db, wanted, PAGE_SIZE, search.older_than, search.newer_than)
    told = " ".join(f"{name}={query[name]}" for name in shown.ASKED if query.get(name, "").strip())
    if told and visit.user is not None and visit.form is not query:
        searched = Operation("search", "done", visit.address, visit.user.name, told[:200])
        log_play(visit.db, searched, visit.now, ONE_SEARCH)
    return wanted, page


def _day_strip(
    visit: Visit, asked: Mapping[str, str], wanted: CallFilter, page: CallsPage
) -> DayStrip | None:
    """The day that is asked for, else that of the first call on the page."""
    if asked["from"] and asked["from"] == asked["to"] and wanted.from_utc:
        return day_strip(visit, asked, wanted, date.fromisoformat(asked["from"]))
    if not page.calls:
        return None
    newest = shown.local(page.calls[0].started_utc, visit.site.settings.zone).date()
    return day_strip(visit, asked, wanted, newest)


def read_search(query: Mapping[str, str], zone: ZoneInfo) -> Search:
    """The search in an address; AskedBadly says what is wrong with it."""
    text = query.get("text", "").strip()
    if len(text) > LONGEST_TEXT:
        raise AskedBadly(marked("The number or name is too long."))
    first_utc, until_utc = read_days(query, zone)
    wanted = CallFilter(
        text,
        _line(query.get("line", "")),
        _one_of(query.get("direction", ""), shown.DIRECTIONS),
        _one_of(query.get("outcome", ""), shown.OUTCOMES),
        first_utc,
        until_utc,
        tag=query.get("tag", "").strip()[:LONGEST_TAG],
        starred=bool(query.get("starred", "")),
    )
    return Search(wanted, _key(query.get("older", "")), _key(query.get("newer", "")))


def read_days(query: Mapping[str, str], zone: ZoneInfo) -> tuple[str, str]:
    """When the days from `from` to `to` begin and end, each empty when it is not asked; AskedBadly."""
    first, last = _day(query.get("from", "")), _day(query.get("to", ""))
    if first and last and last < first:
        raise AskedBadly(marked("The last day is before the first."))
    first_utc = shown.midnight_utc(first, zone) if first else ""
    return first_utc, shown.midnight_utc(last + timedelta(days=1), zone) if last else ""


def _day(text: str) -> date | None:
    if not text.strip():
        return None
    try:
        day = date.fromisoformat(text.strip())
    except ValueError as error:
        raise AskedBadly(marked("A day is written like 2026-11-22.")) from error
    if not 2000 <= day.year <= 9000:
        raise AskedBadly(marked("A day is written like 2026-11-22."))
    return day


def _line(text: str) -> int | None:
    if not text.strip():
        return None
    if not re.fullmatch(r"[0-9]{1,3}", text.strip()):
        raise AskedBadly(marked("There is no such line."))
    return int(text)


def _one_of(text: str, table: Mapping[str, object]) -> str:
    if text and text not in table:
        raise AskedBadly(marked("There is no such choice."))
    return text


def _key(text: str) -> CallKey | None:
    if not text:
        return None
    match = _KEY.fullmatch(text)
    if match is None:
        raise AskedBadly(marked("There is no such page."))
    return CallKey(*match.groups())


def _link(asked: Mapping[str, str], way: str, key: CallKey | None) -> str:
    """The address of the page beside this one, or nothing."""
    if key is None:
        return ""
    return _address({**asked, way: f"{key.started_utc}~{key.id}"})


def _address(asked: Mapping[str, str]) -> str:
    """The address of a search, for a link that somebody else can open."""
    return "/calls?" + urlencode({name: value for name, value in asked.items() if value})
