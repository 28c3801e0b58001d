"""What rows of head office should say, given the entries they were written from; and what they say otherwise.

The audit asks this of closed hours. A later entry about the same subject may have written the row since: then
the earlier one explains nothing any more, except where a recording was lost after it had been announced.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, RowMapping, Table, select

from cloud import clocks
from cloud.apply import CALL, FOUND_BY, READY, found_by
from cloud.kept import bytes_of, is_alias
from cloud.store import branch_customers, deletions, facets, schema
from cloud.store.communications import FACT
from cloud.store.customer_tables import communications
from sync.arriving import Origin
from sync.envelope import EnvelopeError, read_event, unpack_entry
from sync.events import (
    EVENT_TYPES,
    CallEnded,
    ClockMeasured,
    CommunicationAdded,
    CustomerSaved,
    RecordingLost,
    RecordingReady,
)
from sync.inbox import Apply, Told

OUTDATED_BY: dict[type, set[type]] = {
    CallEnded: {CallEnded},
    RecordingReady: {RecordingReady},
    RecordingLost: {RecordingLost, RecordingReady},
    CommunicationAdded: {CommunicationAdded},
    CustomerSaved: {CustomerSaved},
}
OF_THE_AUDIO = ("state", "object_key", "stored_utc", "lost_reason")  # of a recording, from later news


def event_of(row: RowMapping) -> Any | None:
    """The sync event of an entry that was applied."""
    if row["code"] or is_alias(row) or row["kind"] not in EVENT_TYPES:
        return None
    try:
        entry = unpack_entry(bytes_of(row))
        return read_event(entry) if entry.kind == row["kind"] else None
    except (EnvelopeError, msgspec.DecodeError):
        return None


def told_by(row: RowMapping, event: Any) -> Told:
    """The event as it was first applied."""
    return Told(Origin(row["box_id"], row["received_utc"]), event, row["epoch"], row["seq"])


def subject_of(event: Any) -> str:
    """The id of the call, recording, communication or customer that an event tells of; "" for others."""
    if isinstance(event, CustomerSaved):
        return event.customer_id
    own = getattr(event, "recording_id", None) or getattr(event, "communication_id", None)
    return str(own or getattr(event, "call_id", ""))


def write_anew(db: Connection, apply: Mapping[str, Apply], row: RowMapping, event: Any) -> None:
    """Write the rows that `event` tells of from all that was told of the same subject, in order."""
    subject = subject_of(event)
    calls, recordings, gaps = schema.calls, schema.recordings, schema.gaps
    if isinstance(event, CallEnded):
        db.execute(calls.delete().where(calls.c.id == subject))
    elif isinstance(event, CommunicationAdded):
        db.execute(communications.delete().where(communications.c.id == subject))
    elif isinstance(event, CustomerSaved):
        branch_customers.say_anew(db, subject)
    else:
        db.execute(recordings.delete().where(recordings.c.id == subject))
        db.execute(gaps.delete().where(gaps.c.recording_id == subject))
    for one, about in list(events_of(db, row["box_id"])):
        if subject_of(about) == subject:
            apply[one["kind"]](db, [told_by(one, about)])


def differences(db: Connection, row: RowMapping, event: Any) -> list[str]:
    """The columns that say otherwise than the entry in `row`; none if a later entry has written them."""
    if isinstance(event, CallEnded):
        wrong = _row_differs(db, schema.calls, event.call_id, _wanted_call(db, row, event))
    elif isinstance(event, RecordingReady):
        wrong = [*_ready_differs(db, row, event), *_gaps_differ(db, event)]
    elif isinstance(event, RecordingLost):
        wrong = _lost_differs(db, row, event)
    elif isinstance(event, CommunicationAdded):
        said = {name: getattr(event, name) for name in FACT} | {"box_id": row["box_id"]}
        wrong = _row_differs(db, communications, event.communication_id, said)
    elif isinstance(event, CustomerSaved):
        said = {"box_id": row["box_id"], "revision": event.revision, "said": branch_customers.said_of(event)}
        wrong = _row_differs(db, branch_customers.TABLE, event.customer_id, said)
    else:
        return []
    if not wrong:
        return []
    later = {
        type(one)
        for entry, one in events_of(db, row["box_id"])
        if entry["eid"] > row["eid"] and subject_of(one) == subject_of(event)
    }
    if later & OUTDATED_BY[type(event)]:
        return []
    return [name for name in wrong if name not in OF_THE_AUDIO] if RecordingLost in later else wrong


def _wanted_call(db: Connection, row: RowMapping, event: CallEnded) -> dict[str, object]:
    fields = {name: getattr(event, name) for name in CALL}
    (correction,) = clocks.corrections(db, [told_by(row, event)])
    own = {"box_id": row["box_id"], "received_utc": row["received_utc"]}
    *party, facet = found_by(event)
    facet |= facets.marks_of(db, [event.call_id])[event.call_id]
    own |= dict(zip(FOUND_BY, (*party, facet), strict=True))
    return fields | own | dict(zip(clocks.COLUMNS, correction, strict=True))


def _ready_differs(db: Connection, row: RowMapping, event: RecordingReady) -> list[str]:
    transfers = schema.inbox_tables.transfers
    done_utc = db.execute(
        select(transfers.c.done_utc).where(
            transfers.c.box_id == row["box_id"],
            transfers.c.recording_id == event.recording_id,
            transfers.c.sha256 == event.sha256,
            transfers.c.state == "stored",
        )
    ).scalar()
    state = "announced" if done_utc is None else "stored"
    key = None if done_utc is None else event.sha256
    audio = {"state": state, "object_key": key, "stored_utc": done_utc, "lost_reason": None}
    if deletions.deleted(db, [event.recording_id]):
        audio |= {"state": deletions.DELETED, "object_key": None}
    wanted = {name: getattr(event, name) for name in READY} | {"box_id": row["box_id"]} | audio
    return _row_differs(db, schema.recordings, event.recording_id, wanted)


def _gaps_differ(db: Connection, event: RecordingReady) -> list[str]:
    gaps = schema.gaps
    query = select(gaps).where(gaps.c.recording_id == event.recording_id)
    found = sorted(
        (gap["start_sample"], gap["length_samples"], gap["reason"]) for gap in db.execute(query).mappings()
    )
    return [] if found == sorted(dataclasses.astuple(gap) for gap in event.gaps) else ["gaps"]


def _lost_differs(db: Connection, row: RowMapping, event: RecordingLost) -> list[str]:
    table = schema.recordings
    found = db.execute(select(table).where(table.c.id == event.recording_id)).mappings().one_or_none()
    if found is not None and found["state"] in ("stored", deletions.DELETED):
        return []  # what is here stays here
    own = {"call_id": event.call_id, "box_id": row["box_id"], "lost_reason": event.reason}
    wanted: dict[str, object] = own | {"state": "lost", "object_key": None, "stored_utc": None}
    wrong = _row_differs(db, table, event.recording_id, wanted)
    announced = [
        name for name in READY if name != "call_id" and found is not None and found[name] is not None
    ]
    return wrong + (announced if announced and not _was_announced(db, row, event) else [])


def _was_announced(db: Connection, row: RowMapping, lost: RecordingLost) -> bool:
    events = (event for _, event in events_of(db, row["box_id"]))
    return any(
        isinstance(event, RecordingReady) and event.recording_id == lost.recording_id for event in events
    )


def _row_differs(db: Connection, table: Table, key: str, wanted: dict[str, object]) -> list[str]:
    found = db.execute(select(table).where(table.c.id == key)).mappings().one_or_none()
    if found is None:
        return ["the row is gone"]
    return [
        name for name, value in wanted.items() if found[name] != value or type(found[name]) is not type(value)
    ]


def clocks_differ(db: Connection, box_id: str) -> bool:
    """Whether a stretch in box_clocks is not as the box measured it, or is missing, or nobody measured it.

    A stretch that was open ends where the next begins, so any measured beginning may be an end.
    """
    measured = [
        (row["received_utc"], event)
        for row, event in events_of(db, box_id)
        if isinstance(event, ClockMeasured)
    ]
    begins = {(event.epoch, event.after_seq) for _, event in measured}
    told = {
        (event.epoch, event.after_seq, upto, event.offset_ms, event.error_ms, event.quality, received_utc)
        for received_utc, event in measured
        for upto in (event.upto_seq, *(seq for epoch, seq in begins if epoch == event.epoch))
    }
    table = schema.box_clocks
    rows = db.execute(select(table).where(table.c.box_id == box_id)).mappings().all()
    names = ("epoch", "after_seq", "upto_seq", "offset_ms", "error_ms", "quality", "received_utc")
    found = {tuple(row[name] for name in names) for row in rows}
    return not found <= told or {(row["epoch"], row["after_seq"]) for row in rows} != begins


def measured_anew(db: Connection, box_id: str) -> None:
    """Write the stretches of a box's clock, and the corrected times, from the entries that tell of them."""
    table = schema.box_clocks
    db.execute(table.delete().where(table.c.box_id == box_id))
    told = [told_by(row, event) for row, event in events_of(db, box_id) if isinstance(event, ClockMeasured)]
    clocks.clock_measured(db, told)


def events_of(db: Connection, box_id: str) -> Iterator[tuple[RowMapping, Any]]:
    """What a box has told, in the order in which it did."""
    inbox = schema.inbox_tables.inbox
    query = select(inbox).where(inbox.c.box_id == box_id, inbox.c.code.is_(None)).order_by(inbox.c.eid)
    for row in db.execute(query).mappings():
        if event := event_of(row):
            yield row, event
