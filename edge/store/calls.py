"""Calls as rows: opened with the first ring or the lifted handset, completed with the hang-up.

Every write here runs inside the caller's `sync.db.write`; the last one also fills the outbox, so a call
that is over and the news of it for head office are one transaction.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edge.store.marks import marks_of
from edge.store.seals import seal_call
from sync import outbox
from sync.events import CallEnded, MarkFact


@dataclass(frozen=True, slots=True)
class CallRow:
    """A row of `calls`; times are UTC text."""

    id: str
    line: int
    line_name: str
    direction: str
    started_utc: str
    outcome: str = "open"
    answered_utc: str | None = None
    ended_utc: str | None = None
    duration_ms: int = 0
    ring_count: int = 0
    caller_number: str | None = None
    caller_name: str | None = None
    caller_presentation: str | None = None
    caller_standard: str | None = None
    dialled: str | None = None
    keys: str | None = None
    end_reason: str | None = None
    hook_known: bool = True
    clock_quality: str = "unknown"
    caller_confidence: float | None = None  # of the receiver, 0..1
    caller_time: str | None = None  # MMDDhhmm, by the exchange's clock
    caller_other: str | None = None  # other_text()
    is_fax: bool = False
    second_number: str | None = None
    second_name: str | None = None
    second_presentation: str | None = None

    @property
    def values(self) -> dict[str, Any]:
        """Column names and values, the state included."""
        state = "open" if self.ended_utc is None else "ended"
        return {name: getattr(self, name) for name in self.__slots__} | {"state": state}


def other_text(other: Sequence[tuple[int, bytes]]) -> str | None:
    """Parameters kept without being understood, as JSON: [[type, "value in hex"], ...]; None without any."""
    return json.dumps([[kind, value.hex()] for kind, value in other]) if other else None


def save_call(db: sqlite3.Connection, call: CallRow) -> None:
    """Insert the call, or bring its row up to date."""
    values = call.values
    columns = ", ".join(values)
    places = ", ".join(f":{name}" for name in values)
    changes = ", ".join(f"{name} = excluded.{name}" for name in values if name != "id")
    db.execute(
        f"INSERT INTO calls ({columns}) VALUES ({places}) ON CONFLICT (id) DO UPDATE SET {changes}", values
    )


def end_call(db: sqlite3.Connection, call: CallRow, now_utc: str) -> None:
    """Save the call that is over, and tell head office in the same transaction."""
    if call.ended_utc is None or call.end_reason is None:
        raise ValueError(f"call {call.id} has not ended")
    save_call(db, call)
    tell_call(db, call, now_utc)
    seal_call(db, call.id, now_utc)


def tell_call(db: sqlite3.Connection, call: CallRow, now_utc: str) -> None:
    """Put the call that is over into the outbox as it is now; of several such entries the last counts."""
    if call.ended_utc is None or call.end_reason is None:
        raise ValueError(f"call {call.id} has not ended")
    outbox.put(
        db,
        CallEnded(
            call_id=call.id,
            line=call.line,
            line_name=call.line_name,
            direction=call.direction,
            outcome=call.outcome,
            started_utc=call.started_utc,
            ended_utc=call.ended_utc,
            duration_ms=call.duration_ms,
            answered_utc=call.answered_utc,
            ring_count=call.ring_count,
            caller_number=call.caller_number,
            caller_name=call.caller_name,
            caller_presentation=call.caller_presentation,
            caller_standard=call.caller_standard,
            dialled=call.dialled,
            keys=call.keys,
            end_reason=call.end_reason,
            hook_known=call.hook_known,
            clock_quality=call.clock_quality,
            is_fax=call.is_fax,
            second_number=call.second_number,
            second_name=call.second_name,
            second_presentation=call.second_presentation,
            marks=tuple(MarkFact(one.at_ms, one.kind, one.detail) for one in marks_of(db, call.id)),
        ),
        now_utc,
    )


def open_calls(db: sqlite3.Connection) -> list[CallRow]:
    """Calls that were going on when the recorder last stopped."""
    return _rows(db, "state = 'open' ORDER BY started_utc")


def find_call(db: sqlite3.Connection, call_id: str) -> CallRow:
    """One call; IndexError if there is none."""
    return _rows(db, "id = ?", call_id)[0]


def _rows(db: sqlite3.Connection, which: str, *values: str) -> list[CallRow]:
    names = ", ".join(CallRow.__slots__)
    rows = db.execute(f"SELECT {names} FROM calls WHERE {which}", values).fetchall()
    flags = ("hook_known", "is_fax")
    return [CallRow(**{**dict(row), **{flag: bool(row[flag]) for flag in flags}}) for row in rows]
