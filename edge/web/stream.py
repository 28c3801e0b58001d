"""Server-sent events: a page's parts are sent again when they have changed, and nothing else is.

    database commit -> data_version moves -> Board renders, once for all streams -> each sends what differs:

        event: parts
        data: {"line-1": "<article id=line-1 ...", "strip": "..."}

A stream ends by itself after STREAM_S (the browser opens the next), so none outlives its reader for long.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator

from edge.web.site import Site
from sync.moment import to_text

POLL_S = 0.05
HEARTBEAT_S = 10.0
STREAM_S = 600.0
RETRY_MS = 1000

Fragments = dict[str, str]  # id of an element -> its HTML


class Board:
    """What a page shows now, rendered once per change however many streams ask."""

    def __init__(self, version: Callable[[], object], render: Callable[[], Fragments]) -> None:
        self._version, self._render = version, render
        self._lock = threading.Lock()
        self._seen: object = None
        self._parts: Fragments = {}

    def parts(self) -> Fragments:
        """The parts as of now; another dict than before when `version` has moved."""
        with self._lock:
            version = self._version()
            if version != self._seen:
                self._parts, self._seen = self._render(), version
            return self._parts


def live(
    site: Site, board: Board, may_go_on: Callable[[], bool], sees: Callable[[int], bool]
) -> Iterator[str]:
    """The messages of one stream; it asks `may_go_on` before it tells anything new, and now and then."""
    clock = site.clock
    started_s = beat_s = clock.monotonic_s()
    sent: Fragments = {}
    levels = site.meter.levels(started_s)
    yield f"retry: {RETRY_MS}\n\n"
    while (now_s := clock.monotonic_s()) - started_s < STREAM_S and not site.stop.is_set():
        parts, beat_due = board.parts(), now_s - beat_s >= HEARTBEAT_S
        if (parts is not sent or beat_due) and not may_go_on():
            return
        if changed := news(parts, sent):
            yield message("parts", changed)
        sent = parts
        if levels != (levels := site.meter.levels(now_s)):
            yield message("levels", {line: level for line, level in levels.items() if sees(line)})
        if beat_due:
            beat_s = now_s
            yield message("beat", to_text(clock.utc()))
        site.stop.wait(POLL_S)


def news(parts: Fragments, sent: Fragments) -> Fragments:
    """The parts that are not as they were sent."""
    return {name: html for name, html in parts.items() if sent.get(name) != html}


def message(name: str, data: object) -> str:
    """One server-sent event with its data as JSON on one line."""
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
