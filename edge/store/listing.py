"""Reads for the pages: lines as they are now, calls by filter and page, one call with all that belongs to it.

Every read is one statement or a few over indexes; paging goes by key, never by counting rows, so page 1,000
costs what page 1 costs and a call that arrives meanwhile moves nothing.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace

from edge.store.requests import is_by_hand


@dataclass(frozen=True, slots=True)
class CallRow:
    """A call as the lists show it. `recording_state` is None when nothing was recorded."""

    id: str
    line: int
    line_name: str
    state: str
    direction: str
    outcome: str
    started_utc: str
    answered_utc: str | None
    ended_utc: str | None
    duration_ms: int
    ring_count: int
    caller_number: str | None
    caller_name: str | None
    caller_presentation: str | None
    dialled: str | None
    recording_id: str | None
    recording_state: str | None
    gap_count: int
    starred: bool
    note_count: int
    tags: str  # set apart by commas

    @property
    def key(self) -> CallKey:
        """Its place in the order of the list."""
        return CallKey(self.started_utc, self.id)


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


@dataclass(frozen=True, slots=True)
class LineNow:
    """A line as it is now, with the call on it and the last one that ended."""

    line: int
    name: str
    state: str
    since_utc: str
    hook_known: bool
    audio_known: bool
    call: CallRow | None
    last_call: CallRow | None
    is_by_hand: bool = False  # somebody pressed the record button in this call


@dataclass(frozen=True, slots=True)
class GapRow:
    """Samples missing from a recording."""

    start_sample: int
    length_samples: int
    reason: str


@dataclass(frozen=True, slots=True)
class RecordingRow:
    """A recording with its gaps."""

    id: str
    call_id: str
    state: str
    file: str
    started_utc: str
    rate_hz: int
    samples: int
    codec: str | None
    size_bytes: int | None
    sha256: str | None
    upload_state: str | None  # new | stored | refused (by head office); None: not due yet
    gaps: tuple[GapRow, ...] = ()


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What the page of one call shows beyond its row in the list."""

    row: CallRow
    caller_standard: str | None
    keys: str | None
    end_reason: str | None
    hook_known: bool
    clock_quality: str
    is_fax: bool
    second_number: str | None
    second_name: str | None
    second_presentation: str | None  # as caller_presentation; dialled
    recordings: tuple[RecordingRow, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """A part that is lost at this moment."""

    part: str
    state: str
    since_utc: str
    detail: str


# A recording's state; of one that was deleted also why: `deleted_age`, `deleted_space` ...
_STATE = """CASE {recording}.state WHEN 'deleted' THEN 'deleted_' || coalesce(
        (SELECT d.reason FROM deletions d WHERE d.recording_id = {recording}.id), 'erased')
    ELSE {recording}.state END"""
_CALL_COLUMNS = f"""
    c.id, c.line, c.line_name, c.state, c.direction, c.outcome, c.started_utc, c.answered_utc, c.ended_utc,
    c.duration_ms, c.ring_count, c.caller_number, c.caller_name, c.caller_presentation, c.dialled,
    (SELECT r.id FROM recordings r WHERE r.call_id = c.id AND r.about = 'call' ORDER BY r.id DESC LIMIT 1),
    (SELECT {_STATE.format(recording="r")} FROM recordings r WHERE r.call_id = c.id AND r.about = 'call'
     ORDER BY r.id DESC LIMIT 1),
    (SELECT count(*) FROM gaps g JOIN recordings r ON r.id = g.recording_id
     WHERE r.call_id = c.id AND r.about = 'call'),
    EXISTS (SELECT 1 FROM call_stars s WHERE s.call_id = c.id),
    (SELECT count(*) FROM call_notes n WHERE n.call_id = c.id AND n.struck_utc IS NULL),
    (SELECT coalesce(group_concat(t.tag, ', '), '') FROM call_tags t WHERE t.call_id = c.id)
"""
_RECORDING_COLUMNS = f"""
    id, call_id, {_STATE.format(recording="recordings")}, file, started_utc, rate_hz, samples, codec,
    size_bytes, sha256,
    (SELECT f.state FROM outbox_files f WHERE f.recording_id = recordings.id)
"""


def lines_now(db: sqlite3.Connection) -> tuple[LineNow, ...]:
    """All lines, in order."""
    rows = db.execute(
        "SELECT line, name, state, since_utc, hook_known, audio_known, call_id FROM lines ORDER BY line"
    ).fetchall()
    return tuple(_line_now(db, row) for row in rows)


def _line_now(db: sqlite3.Connection, row: sqlite3.Row) -> LineNow:
    call = call_row(db, row["call_id"]) if row["call_id"] else None
    return LineNow(
        row["line"],
        row["name"],
        row["state"],
        row["since_utc"],
        bool(row["hook_known"]),
        bool(row["audio_known"]),
        call,
        _last_call(db, row["line"]),
        call is not None and is_by_hand(db, row["line"], call.started_utc),
    )


def line_names(db: sqlite3.Connection) -> dict[int, str]:
    """The name of each line by its number."""
    return {row["line"]: row["name"] for row in db.execute("SELECT line, name FROM lines ORDER BY line")}


def call_row(db: sqlite3.Connection, call_id: str) -> CallRow | None:
    """One call as the lists show it."""
    row = db.execute(f"SELECT {_CALL_COLUMNS} FROM calls c WHERE c.id = ?", (call_id,)).fetchone()
    return CallRow(*row) if row else None


def _last_call(db: sqlite3.Connection, line: int) -> CallRow | None:
    row = db.execute(
        f"""SELECT {_CALL_COLUMNS} FROM calls c WHERE c.line = ? AND c.state = 'ended'
            ORDER BY c.started_utc DESC LIMIT 1""",
        (line,),
    ).fetchone()
    return CallRow(*row) if row else None


def newest_calls(db: sqlite3.Connection, wanted: CallFilter, limit: int) -> tuple[CallRow, ...]:
    """The newest `limit` calls that pass."""
    return _select(db, wanted, None, "older", limit)


def count_calls(db: sqlite3.Connection, wanted: CallFilter, at_most: int) -> int:
    """How many calls pass, counting no further than `at_most`."""
    where, values = conditions(wanted)
    counted = f"SELECT count(*) FROM (SELECT 1 FROM calls c WHERE {where} LIMIT ?)"
    return int(db.execute(counted, (*values, at_most)).fetchone()[0])


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
    return CallsPage(calls, calls[0].key if above else None, calls[-1].key if below else None)


_ORDERS = {  # way through the list -> (comparison with the key, order); newest first is "older"
    "older": ("<", "DESC"),
    "newer": (">", "ASC"),
}


def _select(
    db: sqlite3.Connection, wanted: CallFilter, key: CallKey | None, way: str, limit: int
) -> tuple[CallRow, ...]:
    where, values = conditions(wanted)
    comparison, order = _ORDERS[way]
    if key is not None:
        where += f" AND (c.started_utc, c.id) {comparison} (?, ?)"
        values = (*values, key.started_utc, key.id)
    rows = db.execute(
        f"""SELECT {_CALL_COLUMNS} FROM calls c WHERE {where}
            ORDER BY c.started_utc {order}, c.id {order} LIMIT ?""",
        (*values, limit),
    )
    return tuple(CallRow(*row) for row in rows)


def conditions(wanted: CallFilter) -> tuple[str, tuple[str | int, ...]]:
    """The WHERE clause (never empty) and its values."""
    pattern = _like(wanted.text)
    lines = tuple(sorted(wanted.lines or ()))
    candidates: tuple[tuple[str, tuple[str | int, ...], bool], ...] = (
        (
            "(c.caller_number LIKE ? ESCAPE '\\' OR c.caller_name LIKE ? ESCAPE '\\' "
            "OR c.dialled LIKE ? ESCAPE '\\')",
            (pattern, pattern, pattern),
            bool(wanted.text),
        ),
        ("c.line = ?", (wanted.line or 0,), wanted.line is not None),
        ("c.direction = ?", (wanted.direction,), bool(wanted.direction)),
        ("c.outcome = ?", (wanted.outcome,), bool(wanted.outcome)),
        ("c.started_utc >= ?", (wanted.from_utc,), bool(wanted.from_utc)),
        ("c.started_utc < ?", (wanted.until_utc,), bool(wanted.until_utc)),
        (f"c.line IN ({', '.join('?' * len(lines))})", lines, wanted.lines is not None),
        (f"c.id IN ({', '.join('?' * len(wanted.ids))})", wanted.ids, bool(wanted.ids)),
        ("c.id IN (SELECT call_id FROM call_tags WHERE tag = ?)", (wanted.tag,), bool(wanted.tag)),
        ("c.id IN (SELECT call_id FROM call_stars)", (), wanted.starred),
    )
    chosen = [(clause, values) for clause, values, asked in candidates if asked]
    where = " AND ".join(clause for clause, _ in chosen) or "1"
    return where, tuple(value for _, values in chosen for value in values)


def _like(text: str) -> str:
    """`text` as a LIKE pattern: anywhere within, or, when it has a *, from first to last character."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%") if "*" in escaped else f"%{escaped}%"


def call_facts(db: sqlite3.Connection, call_id: str) -> CallFacts | None:
    """Everything about one call, or None when there is no such call."""
    row = call_row(db, call_id)
    if row is None:
        return None
    more = db.execute(
        "SELECT caller_standard, keys, end_reason, hook_known, clock_quality, is_fax, second_number,"
        " second_name, second_presentation FROM calls WHERE id = ?",
        (call_id,),
    ).fetchone()
    recordings = db.execute(
        f"""SELECT {_RECORDING_COLUMNS} FROM recordings WHERE call_id = ? AND about = 'call'
            ORDER BY started_utc, id""",
        (call_id,),
    ).fetchall()
    return CallFacts(
        row,
        more["caller_standard"],
        more["keys"],
        more["end_reason"],
        bool(more["hook_known"]),
        more["clock_quality"],
        bool(more["is_fax"]),
        more["second_number"],
        more["second_name"],
        more["second_presentation"],
        tuple(_with_gaps(db, RecordingRow(*one)) for one in recordings),
    )


def recording(db: sqlite3.Connection, recording_id: str) -> RecordingRow | None:
    """One recording, or None when there is no such recording."""
    row = db.execute(f"SELECT {_RECORDING_COLUMNS} FROM recordings WHERE id = ?", (recording_id,)).fetchone()
    return _with_gaps(db, RecordingRow(*row)) if row else None


def _with_gaps(db: sqlite3.Connection, row: RecordingRow) -> RecordingRow:
    rows = db.execute(
        "SELECT start_sample, length_samples, reason FROM gaps WHERE recording_id = ? ORDER BY start_sample",
        (row.id,),
    )
    return replace(row, gaps=tuple(GapRow(*gap) for gap in rows))


def problems(db: sqlite3.Connection) -> tuple[Problem, ...]:
    """What is lost at this moment, the longest-standing first."""
    rows = db.execute(
        "SELECT part, state, since_utc, detail FROM health WHERE until_utc IS NULL ORDER BY since_utc, id"
    )
    return tuple(Problem(*row) for row in rows)
