"""Which calls, in order: a filter as SQL over the index of searches, or over the calls themselves.

Paging goes by key, never by counting rows, so page 1,000 costs what page 1 costs and a call that arrives
meanwhile moves nothing.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import NamedTuple

from edge.store import call_search
from edge.store.listing import CALL_COLUMNS, CallRow


@dataclass(frozen=True, slots=True)
class CallKey:
    """A place in the list of calls, newest first."""

    started_utc: str
    id: str


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls; an empty field lets all pass. In `text`, * stands for any characters."""

    text: str = ""
    line: int | None = None
    direction: str = ""
    outcome: str = ""
    from_utc: str = ""  # included
    until_utc: str = ""  # not included
    lines: frozenset[int] | None = None  # of these lines only; None: of all
    ids: tuple[str, ...] = ()  # these calls only
    tag: str = ""
    starred: bool = False


@dataclass(frozen=True, slots=True)
class CallsPage:
    """Some calls, newest first, and the keys of the pages beside this one."""

    calls: tuple[CallRow, ...]
    newer_than: CallKey | None
    older_than: CallKey | None


class Source(NamedTuple):
    """Where a filter's calls `c` come from: FROM, WHERE (never empty) with its values, and their order."""

    tables: str
    where: str
    values: tuple[str | int, ...]
    order: tuple[str, ...]


_BY_TERMS = (
    "call_terms_search JOIN call_terms t ON t.no = call_terms_search.rowid JOIN calls c ON c.id = t.call_id"
)
_NOTHING = Source("calls c", "0", (), ("c.started_utc", "c.id"))


def newest_calls(db: sqlite3.Connection, wanted: CallFilter, limit: int) -> tuple[CallRow, ...]:
    """The newest `limit` calls that pass."""
    return _select(db, wanted, None, "older", limit)


def count_calls(db: sqlite3.Connection, wanted: CallFilter, at_most: int) -> int:
    """How many calls pass, counting no further than `at_most`."""
    source = source_of(db, wanted)
    counted = f"SELECT count(*) FROM (SELECT 1 FROM {source.tables} WHERE {source.where} LIMIT ?)"
    return int(db.execute(counted, (*source.values, at_most)).fetchone()[0])


def calls_page(
    db: sqlite3.Connection,
    wanted: CallFilter,
    size: int,
    older_than: CallKey | None = None,
    newer_than: CallKey | None = None,
) -> CallsPage:
    """One page of the calls that pass: the newest, those after `older_than`, or those before `newer_than`."""
    going_up = newer_than is not None
    key, way = (newer_than, "newer") if going_up else (older_than, "older")
    found = _select(db, wanted, key, way, size + 1)
    more, calls = len(found) > size, found[:size]
    if going_up:
        calls = calls[::-1]
    if not calls:
        return CallsPage((), None, None)
    above = more if going_up else older_than is not None
    below = True if going_up else more
    return CallsPage(calls, key_of(calls[0]) if above else None, key_of(calls[-1]) if below else None)


def key_of(call: CallRow) -> CallKey:
    """A call's place in the order of the list."""
    return CallKey(call.started_utc, call.id)


_ORDERS = {  # way through the list -> (comparison with the key, order); newest first is "older"
    "older": ("<", "DESC"),
    "newer": (">", "ASC"),
}


def _select(
    db: sqlite3.Connection, wanted: CallFilter, key: CallKey | None, way: str, limit: int
) -> tuple[CallRow, ...]:
    source = source_of(db, wanted)
    where, values = source.where, source.values
    comparison, order = _ORDERS[way]
    if key is not None:
        place = (key.started_utc, key.id) if len(source.order) > 1 else (_no_of(db, key),)
        where += f" AND ({', '.join(source.order)}) {comparison} ({', '.join('?' * len(place))})"
        values = (*values, *place)
    ordered = ", ".join(f"{column} {order}" for column in source.order)
    rows = db.execute(
        f"SELECT {CALL_COLUMNS} FROM {source.tables} WHERE {where} ORDER BY {ordered} LIMIT ?",
        (*values, limit),
    )
    return tuple(CallRow(*row) for row in rows)


def _no_of(db: sqlite3.Connection, key: CallKey) -> int:
    row = db.execute("SELECT no FROM call_terms WHERE call_id = ?", (key.id,)).fetchone()
    return int(row[0]) if row else call_search.first_no(key.started_utc)


def source_of(db: sqlite3.Connection, wanted: CallFilter) -> Source:
    """The calls that pass, by the index of searches when it is asked for anything but days."""
    if wanted.lines is not None and not wanted.lines:
        return _NOTHING
    if wanted.ids:
        return _named(wanted)
    text = wanted.text if wanted.text.strip("* ") else ""
    expression = call_search.text_expression(text) if text else ""
    if expression is None:
        return _NOTHING
    signs = [
        call_search.line_sign(wanted.line) if wanted.line is not None else "",
        call_search.direction_sign(wanted.direction) if wanted.direction else "",
        call_search.outcome_sign(wanted.outcome) if wanted.outcome else "",
        call_search.tag_sign(wanted.tag) if wanted.tag else "",
        call_search.STAR if wanted.starred else "",
    ]
    asked = [expression, *(f'"{sign}"' for sign in signs if sign)]
    if wanted.lines is not None:
        asked.append(call_search.any_of(map(call_search.line_sign, sorted(wanted.lines))))
    asked = [one for one in asked if one]
    if not asked:
        return _by_day(wanted)
    call_search.catch_up(db)
    return _by_terms(wanted, " AND ".join(asked), text)


def _by_terms(wanted: CallFilter, expression: str, text: str) -> Source:
    conditions, values = ["call_terms_search MATCH ?"], list[str | int]([expression])
    for comparison, moment_utc in ((">=", wanted.from_utc), ("<", wanted.until_utc)):
        if moment_utc:
            conditions.append(f"call_terms_search.rowid {comparison} ?")
            values.append(call_search.first_no(moment_utc))
    if text and call_search.needs_like(text):
        columns = ("c.caller_number", "c.caller_name", "c.dialled")
        conditions.append("(" + " OR ".join(f"{one} LIKE ? ESCAPE '\\'" for one in columns) + ")")
        values += [_like(text)] * len(columns)
    return Source(_BY_TERMS, " AND ".join(conditions), tuple(values), ("call_terms_search.rowid",))


def _by_day(wanted: CallFilter) -> Source:
    asked = [("c.started_utc >= ?", wanted.from_utc), ("c.started_utc < ?", wanted.until_utc)]
    where = " AND ".join(clause for clause, value in asked if value) or "1"
    return Source("calls c", where, tuple(value for _, value in asked if value), _NOTHING.order)


def _named(wanted: CallFilter) -> Source:
    where, values = f"c.id IN ({', '.join('?' * len(wanted.ids))})", list[str | int](wanted.ids)
    if wanted.lines is not None:
        where += f" AND c.line IN ({', '.join('?' * len(wanted.lines))})"
        values += sorted(wanted.lines)
    return Source("calls c", where, tuple(values), _NOTHING.order)


def _like(text: str) -> str:
    """`text` as a LIKE pattern: anywhere within, or, when it has a *, from first to last character."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%") if "*" in text else f"%{escaped}%"
