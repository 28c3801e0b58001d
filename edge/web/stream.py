"""Server-sent events: a page's parts are sent again when they have changed, and nothing else is.

    database commit -> data_version moves -> parts rendered -> those that differ, as one message:

        event: parts
        data: {"line-1": "<article id=line-1 ...", "strip": "..."}

A stream ends by itself after STREAM_S (the browser opens the next), so none outlives its reader for long.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator

from edge.web.site import Site
from sync.db import data_version
from sync.moment import to_text

POLL_S = 0.05
HEARTBEAT_S = 10.0
STREAM_S = 600.0
RETRY_MS = 1000

Fragments = dict[str, str]  # id of an element -> its HTML


def live(site: Site, db: sqlite3.Connection, fresh: Callable[[], Fragments | None]) -> Iterator[str]:
    """The messages of one stream; `fresh` renders the parts, or is None when the reader may not go on."""
    clock = site.clock
    started_s = beat_s = clock.monotonic_s()
    sent: Fragments = {}
    version: object = None
    yield f"retry: {RETRY_MS}\n\n"
    while clock.monotonic_s() - started_s < STREAM_S and not site.stop.is_set():
        now_s = clock.monotonic_s()
        beat_due = now_s - beat_s >= HEARTBEAT_S
        version_now = (data_version(db), site.pulse.beats(now_s))
        if version_now != version or beat_due:
            parts = fresh()
            if parts is None:
                return
            changed = {name: html for name, html in parts.items() if sent.get(name) != html}
            if changed:
                yield message("parts", json.dumps(changed, ensure_ascii=False))
            version, sent = version_now, parts
        if beat_due:
            beat_s = now_s
            yield message("beat", to_text(clock.utc()))
        site.stop.wait(POLL_S)


def message(name: str, data: str) -> str:
    """One server-sent event; `data` is one line."""
    return f"event: {name}\ndata: {data}\n\n"
