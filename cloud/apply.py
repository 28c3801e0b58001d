"""What each kind of sync event does to head office's tables; one line in APPLY per kind.

Each function takes a run of events of one kind, in the transaction that also notes their entries in the
inbox: all of them or, when it raises, none. Facts arrive in any order, the audio perhaps first, and each
function leaves what another has already written.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from operator import attrgetter, itemgetter
from typing import Any

from sqlalchemy import Connection, Table, bindparam, select

from cloud import clocks
from cloud.calls.facets import facet_of
from cloud.calls.numbers import LAST4, LAST8, party_of
from cloud.orders.receipts import order_answered
from cloud.store import branch_customers, communications, deletions, facets, happenings, schema
from cloud.store.order_tables import audio_deletions
from cloud.webhooks.kinds import CALL_ENDED, RECORDING_STORED
from sync import bulk
from sync.arriving import Origin
from sync.events import CallEnded, GapFact, RecordingReady
from sync.inbox import Apply, Told

Rows = Iterable[tuple[Any, ...]]

_ID = schema.recordings.c.id == bindparam("of")
_KNOWN_OF = select(  # its tombstone, its call
    select(audio_deletions.c.recording_id)
    .where(audio_deletions.c.recording_id == bindparam("of"))
    .scalar_subquery(),
    select(schema.recordings.c.call_id).where(_ID).scalar_subquery(),
)
_STORED = (
    schema.recordings.update()
    .where(
        _ID,
        schema.recordings.c.box_id == bindparam("of_box"),
        schema.recordings.c.sha256 == bindparam("of_sha256"),
    )
    .values(state="stored", object_key=bindparam("object_key"), stored_utc=bindparam("stored_utc"))
)


def _names(fact: type, *without: str) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(fact) if field.name not in without)


# Of a call, in its entry in the inbox and in no column yet.
IN_THE_INBOX = ("is_fax", "second_number", "second_name", "second_presentation", "marks")
# All other fields of a fact are the columns of its table, its own id apart.
CALL = _names(CallEnded, "call_id", *IN_THE_INBOX)
FOUND_BY = ("party", "last4", "last8", "facet")  # columns of calls made for searching
READY = _names(RecordingReady, "recording_id", "gaps")
GAP = _names(GapFact)
_call, _ready, _gap = attrgetter("call_id", *CALL), attrgetter("recording_id", *READY), attrgetter(*GAP)


def call_ended(db: Connection, told: Sequence[Told]) -> None:
    """The rows of calls."""
    corrections = clocks.corrections(db, told)
    searched = [found_by(one.event) for one in told]
    rows = [
        (*_call(one.event), one.origin.box_id, one.origin.received_utc, *corrected, *found)
        for one, corrected, found in zip(told, corrections, searched, strict=True)
    ]
    columns = ("id", *CALL, "box_id", "received_utc", *clocks.COLUMNS, *FOUND_BY)
    _upsert(db, schema.calls, columns, rows, new=True)
    facets.note(db, ((one.origin.box_id, found[-1]) for one, found in zip(told, searched, strict=True)))
    facets.refresh(db, facets.with_recordings(db, [one.event.call_id for one in told]))
    if told:
        happenings.note(db, CALL_ENDED, [one.event.call_id for one in told], told[0].origin.received_utc)


def recording_ready(db: Connection, told: Sequence[Told]) -> None:
    """The rows of recordings, `announced` until their audio is stored, and their gaps."""
    done_utc = _stored(db, told)
    gone = deletions.deleted(db, [one.event.recording_id for one in told])
    announced, stored, buried = [], [], []
    for one in told:
        row = (*_ready(one.event), one.origin.box_id)
        at_utc = done_utc.get((one.origin.box_id, one.event.recording_id, one.event.sha256))
        if one.event.recording_id in gone:
            buried.append((*row, None, deletions.DELETED, at_utc))
        elif at_utc is None:
            announced.append((*row, None, "announced"))
        else:
            stored.append((*row, None, "stored", one.event.sha256, at_utc))
    columns = ("id", *READY, "box_id", "lost_reason", "state")
    _upsert(db, schema.recordings, columns, announced)
    _upsert(db, schema.recordings, (*columns, "object_key", "stored_utc"), stored)
    _upsert(db, schema.recordings, (*columns, "stored_utc"), buried)
    gaps = ((one.event.recording_id, *_gap(gap)) for one in told for gap in one.event.gaps)
    _upsert(db, schema.gaps, ("recording_id", *GAP), gaps)
    if stored:
        happenings.note(db, RECORDING_STORED, [row[0] for row in stored], told[0].origin.received_utc)
    there = {row[0] for row in stored}
    facets.refresh(
        db, [one.event.call_id for one in told if one.event.gaps or one.event.recording_id in there]
    )


def recording_lost(db: Connection, told: Sequence[Told]) -> None:
    """The rows of recordings of which the box has no audio; audio that is stored here stays stored."""
    ids = [one.event.recording_id for one in told]
    states = bulk.select_in(db, schema.recordings, ("id", "state"), "id", ids)
    stored = {id_ for id_, state in states if state in ("stored", deletions.DELETED)}
    rows = (
        (one.event.recording_id, one.event.call_id, one.origin.box_id, "lost", one.event.reason)
        for one in told
        if one.event.recording_id not in stored
    )
    _upsert(db, schema.recordings, ("id", "call_id", "box_id", "state", "lost_reason"), rows)


def entry_erased(db: Connection, told: Sequence[Told]) -> None:
    """Nothing is left to be told here; the receipt of the order says the rest."""


APPLY: dict[str, Apply] = {
    "call_ended": call_ended,
    "recording_ready": recording_ready,
    "recording_lost": recording_lost,
    "clock_measured": clocks.clock_measured,
    "communication_added": communications.communication_added,
    "communication_cleared": communications.communication_cleared,
    "customer_saved": branch_customers.customer_saved,
    "order_answered": order_answered,
    "entry_erased": entry_erased,
}


def audio_stored(db: Connection, origin: Origin, recording_id: str, sha256: str, object_key: str) -> None:
    """The audio of a recording is in the object store; its row may come later."""
    deleted_id, call_id = db.execute(_KNOWN_OF, {"of": recording_id}).one()
    if deleted_id is not None:
        deletions.arrived_late(db, recording_id, object_key)
        return
    if call_id is None:
        return
    its = {"of": recording_id, "of_box": origin.box_id, "of_sha256": sha256}
    known = db.execute(_STORED, its | {"object_key": object_key, "stored_utc": origin.received_utc})
    if known.rowcount:
        happenings.note(db, RECORDING_STORED, [recording_id], origin.received_utc)
    facets.refresh(db, [call_id])


def found_by(call: CallEnded) -> tuple[str | None, str | None, str | None, int]:
    """What a call is searched by: the columns FOUND_BY."""
    party = party_of(call.direction, call.caller_number, call.dialled)
    facet = facet_of(call.direction, call.outcome, call.duration_ms)
    return (party, party[-LAST4:], party[-LAST8:], facet) if party else (None, None, None, facet)


def _stored(db: Connection, told: Sequence[Told]) -> dict[tuple[str, str, str], str]:
    """When the audio that was there before its row was stored, by box, recording and hash."""
    columns = ("box_id", "recording_id", "sha256", "state", "done_utc")
    ids = [one.event.recording_id for one in told]
    rows = bulk.select_in(db, schema.inbox_tables.transfers, columns, "recording_id", ids)
    return {(box, rid, sha256): done_utc for box, rid, sha256, state, done_utc in rows if state == "stored"}


def _upsert(db: Connection, table: Table, columns: tuple[str, ...], rows: Rows, *, new: bool = False) -> None:
    """Insert rows, or write them over those with their keys; ValueError if one of those is of another box."""
    own = "box_id" if "box_id" in columns else ""
    key_of = itemgetter(*(columns.index(column.name) for column in table.primary_key))
    latest = {key_of(row): row for row in rows}
    taken = bulk.upsert(db, table, columns, list(latest.values()), own, new=new)
    if taken != len(latest):
        raise ValueError(f"{table.name} {next(iter(latest.values()))[0]} belongs to another box")
