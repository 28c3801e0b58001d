"""The Lines page: a tile per line as it is now, today's calls under it, both live."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import date

from bottle import HTTPError, HTTPResponse

from edge.store.listing import CallFilter, count_calls, lines_now, newest_calls
from edge.store.users import session_user
from edge.web import sessions, shown
from edge.web.site import Visit, see_other
from edge.web.stream import Fragments, live
from edge.web.strip import strip

MOST_MISSED = 8
MOST_TODAY = 50
COUNT_TO = 1000


def home(visit: Visit) -> HTTPResponse:
    """The address without a path: the Lines page."""
    return see_other("/lines")


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


def fragments(visit: Visit) -> Fragments:
    """The parts of the page that change, by the id of their element."""
    lines = lines_now(visit.db)
    parts = {f"line-{line.line}": visit.render("_tile.html", line=line) for line in lines}
    parts["today"] = _today(visit)
    parts["strip"] = visit.render("_strip.html", strip=strip(visit))
    return parts


def _today(visit: Visit) -> str:
    zone = visit.site.settings.zone
    since_utc = shown.midnight_utc(date.fromisoformat(visit.today()), zone)
    all_today, missed = CallFilter(from_utc=since_utc), CallFilter(from_utc=since_utc, outcome="missed")
    return visit.render(
        "_today.html",
        today=visit.today(),
        total=count_calls(visit.db, all_today, COUNT_TO),
        missed=newest_calls(visit.db, missed, MOST_MISSED),
        missed_total=count_calls(visit.db, missed, COUNT_TO),
        calls=newest_calls(visit.db, all_today, MOST_TODAY),
    )


def _stream(visit: Visit) -> Iterator[str]:
    """The stream with a connection of its own; it ends with the session."""
    try:
        with closing(visit.site.open_db()) as db:

            def fresh() -> Fragments | None:
                seen = replace(visit, db=db, now=visit.site.clock.utc())
                key = sessions.token_hash(visit.token or "")
                if session_user(db, key, seen.now, sessions.IDLE, sessions.ABSOLUTE) is None:
                    return None
                return fragments(seen)

            yield from live(visit.site, db, fresh)
    finally:
        visit.site.streams.release()
