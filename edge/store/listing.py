"""Reads for the pages: lines as they are now, a call as the lists show it, one call with all it has.

Every read is one statement or a few over indexes; which calls a list shows is for `edge.store.call_list`.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace

from edge.store.notes import newest_note
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
    note: str = ""  # the newest on this call, or on the last one
    messages_waiting: bool = False  # kept by the exchange
    message_count: int | None = None  # None: it does not say how many


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
CALL_COLUMNS = f"""
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
        "SELECT line, name, state, since_utc, hook_known, audio_known, call_id, messages_waiting,"
        " message_count FROM lines ORDER BY line"
    ).fetchall()
    return tuple(_line_now(db, row) for row in rows)


def _line_now(db: sqlite3.Connection, row: sqlite3.Row) -> LineNow:
    call = call_row(db, row["call_id"]) if row["call_id"] else None
    last_call = _last_call(db, row["line"])
    noted = call or last_call
    return LineNow(
        row["line"],
        row["name"],
        row["state"],
        row["since_utc"],
        bool(row["hook_known"]),
        bool(row["audio_known"]),
        call,
        last_call,
        call is not None and is_by_hand(db, row["line"], call.started_utc),
        newest_note(db, noted.id) if noted else "",
        bool(row["messages_waiting"]),
        row["message_count"],
    )


def line_names(db: sqlite3.Connection) -> dict[int, str]:
    """The name of each line by its number."""
    return {row["line"]: row["name"] for row in db.execute("SELECT line, name FROM lines ORDER BY line")}


def call_row(db: sqlite3.Connection, call_id: str) -> CallRow | None:
    """One call as the lists show it."""
    row = db.execute(f"SELECT {CALL_COLUMNS} FROM calls c WHERE c.id = ?", (call_id,)).fetchone()
    return CallRow(*row) if row else None


def _last_call(db: sqlite3.Connection, line: int) -> CallRow | None:
    row = db.execute(
        f"""SELECT {CALL_COLUMNS} FROM calls c WHERE c.line = ? AND c.state = 'ended'
            ORDER BY c.started_utc DESC LIMIT 1""",
        (line,),
    ).fetchone()
    return CallRow(*row) if row else None


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
