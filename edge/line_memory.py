"""What the database remembers of a line from before this start, on the line's own time."""

from __future__ import annotations

import sqlite3

from edge.alarms import LineMemory
from edge.store.lines import line_before
from edge.timeline import Timeline
from sync.moment import from_text


def memory_of(db: sqlite3.Connection, line: int, timeline: Timeline) -> LineMemory:
    """When the line last rang, and since when it was in use; nothing for a new line."""
    before = line_before(db, line)
    if before is None:
        return LineMemory()

    def position(at_utc: str) -> int:
        return min(0, round((from_text(at_utc) - timeline.origin_utc).total_seconds() * timeline.rate_hz))

    return LineMemory(
        position(before.rang_utc) if before.rang_utc else 0,
        position(before.in_use_utc) if before.in_use_utc else None,
        frozenset(part.partition(":")[0] for part in before.alarms),
    )
