"""What each kind of sync event does to head office's tables; one line in APPLY per kind.

Each function runs in the transaction that also notes the entry in the inbox. Facts arrive in any order, the
audio perhaps first, and each function leaves what another has already written.
"""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Executable, Table, select
from sqlalchemy.dialects import postgresql, sqlite

from cloud.store import schema
from sync.events import CallEnded, RecordingLost, RecordingReady
from sync.inbox import Apply, Origin


def call_ended(db: Connection, origin: Origin, event: CallEnded) -> None:
    """The row of a call."""
    row = _fields(event) | {"box_id": origin.box_id, "received_utc": origin.received_utc}
    row["id"] = row.pop("call_id")
    _upsert(db, schema.calls, row)


def recording_ready(db: Connection, origin: Origin, event: RecordingReady) -> None:
    """The row of a recording, `announced` until its audio is stored, and its gaps."""
    row = _fields(event) | {"box_id": origin.box_id, "state": "announced"}
    row["id"] = row.pop("recording_id")
    gaps = row.pop("gaps")
    _upsert(db, schema.recordings, row | _audio(db, origin, event))
    for gap in gaps:
        _upsert(db, schema.gaps, dataclasses.asdict(gap) | {"recording_id": event.recording_id})


def recording_lost(db: Connection, origin: Origin, event: RecordingLost) -> None:
    """The row of a recording of which the box has no audio; audio that is stored here stays stored."""
    stored = select(schema.recordings.c.id).where(
        schema.recordings.c.id == event.recording_id, schema.recordings.c.state == "stored"
    )
    if db.execute(stored).first() is not None:
        return
    row = {
        "id": event.recording_id,
        "call_id": event.call_id,
        "box_id": origin.box_id,
        "state": "lost",
        "lost_reason": event.reason,
    }
    _upsert(db, schema.recordings, row)


APPLY: dict[str, Apply] = {
    "call_ended": call_ended,
    "recording_ready": recording_ready,
    "recording_lost": recording_lost,
}


def audio_stored(db: Connection, origin: Origin, recording_id: str, sha256: str, object_key: str) -> None:
    """The audio of a recording is in the object store; its row may come later."""
    table = schema.recordings
    db.execute(
        table.update()
        .where(table.c.id == recording_id, table.c.box_id == origin.box_id, table.c.sha256 == sha256)
        .values(state="stored", object_key=object_key, stored_utc=origin.received_utc)
    )


def _audio(db: Connection, origin: Origin, event: RecordingReady) -> dict[str, Any]:
    """State and place of audio that was there before its row."""
    transfers = schema.inbox_tables.transfers
    done_utc = db.execute(
        select(transfers.c.done_utc).where(
            transfers.c.box_id == origin.box_id,
            transfers.c.recording_id == event.recording_id,
            transfers.c.sha256 == event.sha256,
            transfers.c.state == "stored",
        )
    ).scalar()
    if done_utc is None:
        return {}
    return {"state": "stored", "object_key": event.sha256, "stored_utc": done_utc}


def _fields(event: CallEnded | RecordingReady) -> dict[str, Any]:
    return {field.name: getattr(event, field.name) for field in dataclasses.fields(event)}


def _upsert(db: Connection, table: Table, row: dict[str, Any]) -> None:
    """Insert `row`, or write it over the one with its key; ValueError if that is of another box."""
    if db.execute(_upsert_of(db.dialect.name, table, tuple(row)), row).rowcount == 0:
        raise ValueError(f"{table.name} {row['id']} belongs to another box")


@lru_cache
def _upsert_of(dialect: str, table: Table, names: tuple[str, ...]) -> Executable:
    """The statement, built once: building it takes twenty times as long as running it."""
    insert = postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
    keys = [column.name for column in table.primary_key]
    rest = {name: insert.excluded[name] for name in names if name not in keys}
    own = table.c.box_id == insert.excluded.box_id if "box_id" in names else None
    return insert.on_conflict_do_update(index_elements=keys, set_=rest, where=own)
