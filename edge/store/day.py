"""The calls of one day as marks on a strip: no more of each than where it lies and how it ended."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from edge.store.call_list import CallFilter, source_of

MOST_MARKS = 1500


@dataclass(frozen=True, slots=True)
class Mark:
    """A call on the strip."""

    id: str
    line: int
    started_utc: str
    ended_utc: str | None
    outcome: str


def day_marks(db: sqlite3.Connection, wanted: CallFilter) -> tuple[Mark, ...]:
    """The newest MOST_MARKS calls that pass; `wanted` should say which day."""
    source = source_of(db, wanted)
    rows = db.execute(
        f"""SELECT c.id, c.line, c.started_utc, c.ended_utc, c.outcome FROM {source.tables}
            WHERE {source.where} ORDER BY {source.order[0]} DESC LIMIT ?""",
        (*source.values, MOST_MARKS),
    )
    return tuple(Mark(*row) for row in rows)
