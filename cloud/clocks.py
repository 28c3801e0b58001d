"""Times of calls by head office's clock, where the box's was off; what the box wrote stays as it is."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, bindparam, select

from cloud.store import schema, troubles
from sync.arriving import Origin
from sync.envelope import EnvelopeError, facts, unpack_entry
from sync.events import ClockMeasured
from sync.inbox import Told
from sync.moment import from_text, to_text
from sync.skew import corrected

STREAM = "evt"
ALARM_MS = 5_000


COLUMNS = ("corrected_utc", "clock_error_ms")  # of calls
_STRETCHES = (
    select(schema.box_clocks)
    .where(schema.box_clocks.c.box_id.in_(bindparam("boxes", expanding=True)))
    .order_by(schema.box_clocks.c.after_seq.desc())
)
Correction = tuple[str | None, int | None]


def clock_measured(db: Connection, told: Sequence[Told]) -> None:
    """Note stretches, and correct the calls in them that are here; those that come later find them noted."""
    for one in told:
        _measured(db, one.origin, one.event)


def _measured(db: Connection, origin: Origin, event: ClockMeasured) -> None:
    table = schema.box_clocks
    mine = (table.c.box_id == origin.box_id, table.c.epoch == event.epoch)
    db.execute(
        table.update()
        .where(*mine, table.c.upto_seq.is_(None), table.c.after_seq < event.after_seq)
        .values(upto_seq=event.after_seq)
    )
    db.execute(table.delete().where(*mine, table.c.after_seq == event.after_seq))
    row = {
        "box_id": origin.box_id,
        "epoch": event.epoch,
        "after_seq": event.after_seq,
        "upto_seq": event.upto_seq,
        "offset_ms": event.offset_ms,
        "error_ms": event.error_ms,
        "quality": event.quality,
        "received_utc": origin.received_utc,
    }
    db.execute(table.insert().values(row))
    _correct_calls(db, origin.box_id, event)
    if abs(event.offset_ms) > ALARM_MS and event.upto_seq is None:
        says = f"{-event.offset_ms / 1000:+.1f} s against head office's"
        troubles.begin(db, origin.box_id, "clock", says, origin.received_utc)
    else:
        troubles.end(db, origin.box_id, "clock", origin.received_utc)


def corrections(db: Connection, told: Sequence[Told]) -> list[Correction]:
    """COLUMNS of calls, from the stretches that their entries lie in."""
    boxes = sorted({one.origin.box_id for one in told})
    stretches = db.execute(_STRETCHES, {"boxes": boxes}).mappings().all()
    if not stretches:
        return [(None, None)] * len(told)
    return [
        _correction(stretches, one.origin.box_id, one.epoch, one.seq, one.event.started_utc) for one in told
    ]


def _correction(
    stretches: Sequence[RowMapping], box_id: str, epoch: str, seq: int, started_utc: str
) -> Correction:
    for row in stretches:
        upto = row["upto_seq"]
        mine = (row["box_id"], row["epoch"]) == (box_id, epoch)
        if mine and row["after_seq"] < seq and (upto is None or seq <= upto):
            return to_text(corrected(from_text(started_utc), row["offset_ms"])), row["error_ms"]
    return None, None


def _correct_calls(db: Connection, box_id: str, event: ClockMeasured) -> None:
    inbox, calls = schema.inbox_tables.inbox, schema.calls
    query = select(inbox.c.seq, inbox.c.body).where(
        inbox.c.box_id == box_id,
        inbox.c.epoch == event.epoch,
        inbox.c.stream == STREAM,
        inbox.c.seq > event.after_seq,
        inbox.c.kind == "call_ended",
    )
    if event.upto_seq is not None:
        query = query.where(inbox.c.seq <= event.upto_seq)
    clocks = schema.box_clocks
    noted = select(clocks).where(clocks.c.box_id == box_id).order_by(clocks.c.after_seq.desc())
    stretches = db.execute(noted).mappings().all()
    for seq, body in db.execute(query).all():
        try:
            data = facts(unpack_entry(bytes(body)))
        except EnvelopeError:
            continue
        values = _correction(stretches, box_id, event.epoch, seq, data["started_utc"])
        row = dict(zip(COLUMNS, values, strict=True))
        db.execute(calls.update().where(calls.c.id == data["call_id"]).values(row))
