"""The Lines page: a tile per line as it is now, today's calls under it, both live."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import date

from bottle import HTTPError, HTTPResponse

from edge.store.call_list import CallFilter, count_calls, newest_calls
from edge.store.listing import lines_now
from edge.store.sessions import session_user
from edge.store.users import lines_in_scope
from edge.web import sessions, shown
from edge.web.plain import as_json
from edge.web.rights import Right, rights_of
from edge.web.site import Visit, see_other
from edge.web.stream import Board, Fragments, live
from edge.web.strip import strip
from sync.db import data_version

MOST_MISSED = 8
MOST_TODAY = 50
COUNT_TO = 1000


def home(visit: Visit) -> HTTPResponse:
    """The address without a path: the Lines page, or the one page that everybody has."""
    return see_other("/lines" if visit.may(Right.LIST) else "/password")


def show(visit: Visit) -> HTTPResponse:
    """The page with everything on it, as of now."""
    parts = fragments(visit)
    tiles = [html for name, html in parts.items() if name.startswith("line-")]
    return visit.page("lines.html", strip_html=parts["strip"], tiles=tiles, today_html=parts["today"])


def stream(visit: Visit) -> HTTPResponse:
    """What changes on the page from now on, as server-sent events."""
    if not visit.site.streams.acquire(blocking=False):
        raise HTTPError(503)
    headers = {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store"}
    return HTTPResponse(_stream(visit), headers=headers)


def _stream(visit: Visit) -> Iterator[str]:
    """The stream; it ends with its session, which it watches over a connection of its own."""
    site, key = visit.site, sessions.token_hash(visit.token or "")
    try:
        with closing(site.open_db()) as db:

            def may_go_on() -> bool:
                user = session_user(db, key, site.clock.utc(), sessions.IDLE, sessions.ABSOLUTE)
                if user is None:
                    return False
                return (lines_in_scope(db, user), rights_of(user)) == (visit.lines, visit.rights)

            yield from live(site, _board(visit), may_go_on, visit.sees)
    finally:
        site.streams.release()


def _board(visit: Visit) -> Board:
    """The board of this language, these lines and rights; all who have the same share one."""
    site = visit.site
    key = (visit.language.code, visit.lines, visit.rights, visit.is_api)
    if key not in site.boards:
        anybody = replace(visit, db=site.open_db(), user=None, token=None, query={})

        def version() -> object:
            now = replace(anybody, now=site.clock.utc())
            return data_version(anybody.db), site.pulse.beats(site.clock.monotonic_s()), now.today()

        def render() -> Fragments:
            return fragments(replace(anybody, now=site.clock.utc()))

        site.boards.setdefault(key, Board(version, render))
    board: Board = site.boards[key]
    return board


def fragments(visit: Visit) -> Fragments:
    """The parts of the page that change, by the id of their element."""
    lines = [line for line in lines_now(visit.db) if visit.sees(line.line)]
    if visit.is_api:
        return {f"line-{line.line}": as_json(line) for line in lines} | {"strip": as_json(strip(visit))}
    parts = {f"line-{line.line}": visit.render("_tile.html", line=line) for line in lines}
    parts["today"] = _today(visit)
    parts["strip"] = visit.render("_strip.html", strip=strip(visit))
    return parts


def _today(visit: Visit) -> str:
    zone = visit.site.settings.zone
    since_utc = shown.midnight_utc(date.fromisoformat(visit.today()), zone)
    all_today = CallFilter(from_utc=since_utc, lines=visit.lines)
    missed = replace(all_today, outcome="missed")
    return visit.render(
        "_today.html",
        today=visit.today(),
        total=count_calls(visit.db, all_today, COUNT_TO),
        missed=newest_calls(visit.db, missed, MOST_MISSED),
        missed_total=count_calls(visit.db, missed, COUNT_TO),
        calls=newest_calls(visit.db, all_today, MOST_TODAY),
    )
