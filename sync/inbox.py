"""The inbox: what head office has received from each box, and the one way anything gets in.

`Inbox.accept` takes a batch inside the caller's transaction: new entries are applied and noted, those seen
before are passed over by their eid, those that cannot be applied are set aside in `quarantine`. So an ack
sent after the commit means "stored, or set aside where people see it"; no entry ever holds up its stream.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    RowMapping,
    Table,
    Text,
    select,
)
from sqlalchemy.exc import InterfaceError, OperationalError

from sync import ranges as spans
from sync.envelope import KIND_VERSION, Batch, Entry, EnvelopeError, chained, genesis, unpack_entry
from sync.events import EVENT_TYPES
from sync.ids import new_id
from sync.messages import Refused
from sync.ranges import Ranges
from sync.session import Accepted

MAX_RANGES = 64  # runs of entries beyond a hole; a box sends at most a window of batches out of order
MAX_DETAIL = 500


@dataclass(frozen=True, slots=True)
class InboxTables:
    """The tables of this module, made for one MetaData."""

    streams: Table
    inbox: Table
    quarantine: Table
    transfers: Table


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a sync event came from, and when it arrived by head office's clock."""

    box_id: str
    received_utc: str


Apply = Callable[[Connection, Origin, Any], None]


def add_tables(metadata: MetaData) -> InboxTables:
    """Define the inbox tables in `metadata`."""
    streams = Table(
        "inbox_streams",
        metadata,
        Column("box_id", Text, primary_key=True),
        Column("epoch", Text, primary_key=True),  # another one after the box's database was made anew
        Column("stream", Text, primary_key=True),
        Column("upto", BigInteger, nullable=False),  # every entry up to here is in
        Column("head", Text, nullable=False),  # chain value after upto
        Column("ranges", Text, nullable=False),  # JSON [[first, last], ...] beyond a hole
        Column("broken_seq", BigInteger),  # first entry whose chain value did not join
        Column("broken_utc", Text),
        Column("updated_utc", Text, nullable=False),
    )
    inbox = Table(
        "inbox",
        metadata,
        Column("box_id", Text, primary_key=True),
        Column("eid", Text, primary_key=True),  # UUIDv7: the key that makes a repeat harmless
        Column("epoch", Text, nullable=False),
        Column("stream", Text, nullable=False),
        Column("seq", BigInteger, nullable=False),
        Column("kind", Text, nullable=False),
        Column("at_utc", Text, nullable=False),  # the box's clock
        Column("received_utc", Text, nullable=False),
        Column("h", Text, nullable=False),
        Column("code", Text),  # why it is in quarantine; None: applied
        Column("body", LargeBinary, nullable=False),  # as sent, unknown fields included
        Index("inbox_by_seq", "box_id", "epoch", "stream", "seq"),
    )
    return InboxTables(streams, inbox, _quarantine(metadata), _transfers(metadata))


def _quarantine(metadata: MetaData) -> Table:
    return Table(
        "quarantine",
        metadata,
        Column("id", Text, primary_key=True),
        Column("box_id", Text, nullable=False),
        Column("topic", Text, nullable=False),  # stream, or the message's topic if it was not a batch
        Column("eid", Text),
        Column("kind", Text),
        Column("code", Text, nullable=False),
        Column("detail", Text, nullable=False),
        Column("body", LargeBinary, nullable=False),
        Column("received_utc", Text, nullable=False),
        Column("state", Text, nullable=False, server_default="waiting"),  # waiting | released | dismissed
        Column("settled_utc", Text),
        Column("settled_by", Text),
        Column("reason", Text),  # why it was dismissed
        Index("quarantine_by_box", "box_id", "received_utc"),
        Index("quarantine_waiting", "state", "box_id"),
    )


def _transfers(metadata: MetaData) -> Table:
    return Table(
        "transfers",
        metadata,
        Column("box_id", Text, primary_key=True),
        Column("recording_id", Text, primary_key=True),
        Column("size_bytes", BigInteger, nullable=False),
        Column("sha256", Text, nullable=False),
        Column("state", Text, nullable=False),  # growing (no size, no hash yet) | open | stored | refused
        Column("failures", Integer, nullable=False),  # times the whole file did not match its hash
        Column("opened_utc", Text, nullable=False),
        Column("done_utc", Text),
    )


@dataclass(slots=True)
class _Arrival:
    seq: int
    body: bytes
    h: str
    eid: str
    entry: Entry | None
    code: str | None = None  # why it is set aside
    detail: str = ""
    moved: bool = False  # it was here before, under another number


@dataclass(frozen=True, slots=True)
class Inbox:
    """The inbox of one database: its tables, and what to do with each kind of sync event."""

    tables: InboxTables
    apply: Mapping[str, Apply]

    def accept(self, db: Connection, origin: Origin, batch: Batch) -> Accepted:
        """Take `batch` in; nothing counts until the caller's transaction is committed.

        Raises what is not the batch's fault (database locked or full): then nothing may be acknowledged.
        """
        was = self._stream(db, origin, batch)
        last = batch.first + len(batch.entries) - 1
        upto, ranges = spans.add(was.upto, was.ranges, batch.first, last)
        if len(ranges) > MAX_RANGES:
            return Accepted(batch.epoch, batch.stream, was.upto, was.head, was.ranges)
        arrivals = _arrivals(batch)
        seen = self._seen(db, origin, batch, arrivals)
        fresh = list({arrival.eid: arrival for arrival in arrivals if arrival.eid not in seen}.values())
        for arrival in fresh:
            self._take(db, origin, arrival)
        self._note(db, origin, batch, fresh)
        self._note_moved(db, origin, batch, [one for one in arrivals if one.eid in seen])
        codes = seen | {arrival.eid: arrival.code for arrival in fresh}
        nacks = tuple((arrival.seq, code) for arrival in arrivals if (code := codes[arrival.eid]))
        broken = not self._joins(db, origin, batch, was)
        head = was.head if upto == was.upto else self._h_at(db, origin, batch, upto) or was.head
        accepted = Accepted(batch.epoch, batch.stream, upto, head, ranges, nacks, len(fresh), broken)
        self._save_stream(db, origin, batch, was, accepted)
        return accepted

    def standing(self, db: Connection, box_id: str, epoch: str) -> list[Accepted]:
        """What head office has of each stream of a box's epoch."""
        table = self.tables.streams
        query = select(table).where(table.c.box_id == box_id, table.c.epoch == epoch)
        return [_accepted(row) for row in db.execute(query).mappings()]

    def set_aside(self, db: Connection, origin: Origin, channel: str, body: bytes, why: Refused) -> None:
        """Keep a message that could not be read, once: its hash is its name."""
        table = self.tables.quarantine
        query = select(table.c.id).where(table.c.box_id == origin.box_id, table.c.eid == why.ref)
        if db.execute(query).first() is None:
            self.quarantine(db, origin, channel, body, why.code, why.detail, why.ref)

    def quarantine(
        self,
        db: Connection,
        origin: Origin,
        topic: str,
        body: bytes,
        code: str,
        detail: str,
        eid: str | None = None,
        kind: str | None = None,
    ) -> None:
        """Set bytes aside with the reason, for people to see and for a later version to take up."""
        row = {
            "id": new_id(),
            "box_id": origin.box_id,
            "topic": topic,
            "eid": eid,
            "kind": kind,
            "code": code,
            "detail": detail[:MAX_DETAIL],
            "body": body,
            "received_utc": origin.received_utc,
        }
        db.execute(self.tables.quarantine.insert(), row)

    def _stream(self, db: Connection, origin: Origin, batch: Batch) -> _Stream:
        table = self.tables.streams
        query = select(table).where(*_is_stream(table, origin, batch))
        row = db.execute(query).mappings().one_or_none()
        if row is None:
            return _Stream(0, (), genesis(batch.epoch, batch.stream), exists=False, broken=False)
        return _Stream(
            row["upto"], _ranges(row), row["head"], exists=True, broken=row["broken_seq"] is not None
        )

    def _seen(
        self, db: Connection, origin: Origin, batch: Batch, arrivals: list[_Arrival]
    ) -> dict[str, str | None]:
        """The entries that are here, with their codes; marks those that come under another number."""
        table = self.tables.inbox
        query = select(table.c.eid, table.c.code, table.c.epoch, table.c.seq).where(
            table.c.box_id == origin.box_id, table.c.eid.in_([arrival.eid for arrival in arrivals])
        )
        rows = {row.eid: row for row in db.execute(query)}
        for arrival in arrivals:
            row = rows.get(arrival.eid)
            arrival.moved = row is not None and (row.epoch, row.seq) != (batch.epoch, arrival.seq)
        return {eid: row.code for eid, row in rows.items()}

    def _note_moved(self, db: Connection, origin: Origin, batch: Batch, seen: list[_Arrival]) -> None:
        """An entry that comes under another number (a new epoch) was applied before; its number is taken."""
        moved = [replace(one, eid=f"{one.eid}~{batch.epoch}.{one.seq}") for one in seen if one.moved]
        known = self._seen(db, origin, batch, moved) if moved else {}
        self._note(db, origin, batch, [one for one in moved if one.eid not in known])

    def _take(self, db: Connection, origin: Origin, arrival: _Arrival) -> None:
        """Apply one entry, or set it aside; either is undone only with the whole transaction."""
        if arrival.entry and not arrival.code:
            self._apply(db, origin, arrival, arrival.entry)
        if arrival.code:
            kind = arrival.entry.kind if arrival.entry else None
            self.quarantine(
                db, origin, "entry", arrival.body, arrival.code, arrival.detail, arrival.eid, kind
            )

    def _apply(self, db: Connection, origin: Origin, arrival: _Arrival, entry: Entry) -> None:
        if entry.kind not in self.apply or entry.kind not in EVENT_TYPES or entry.kv != KIND_VERSION:
            arrival.code = "unknown_kind"
            arrival.detail = f"kind {entry.kind} version {entry.kv} is not known here"
            return
        try:
            event: Any = msgspec.convert(entry.data, EVENT_TYPES[entry.kind][0])
            with db.begin_nested():
                self.apply[entry.kind](db, origin, event)
        except (OperationalError, InterfaceError):
            raise  # the database is locked, full or gone: no fault of this entry
        except msgspec.ValidationError as error:
            arrival.code, arrival.detail = "not_as_agreed", str(error)
        except Exception as error:  # the door: whatever one entry provokes must not stop its stream
            arrival.code, arrival.detail = "apply_failed", f"{type(error).__name__}: {error}"

    def _note(self, db: Connection, origin: Origin, batch: Batch, fresh: list[_Arrival]) -> None:
        rows = [
            {
                "box_id": origin.box_id,
                "eid": arrival.eid,
                "epoch": batch.epoch,
                "stream": batch.stream,
                "seq": arrival.seq,
                "kind": arrival.entry.kind if arrival.entry else "",
                "at_utc": arrival.entry.at if arrival.entry else "",
                "received_utc": origin.received_utc,
                "h": arrival.h,
                "code": arrival.code,
                "body": arrival.body,
            }
            for arrival in fresh
        ]
        if rows:
            db.execute(self.tables.inbox.insert(), rows)

    def _h_at(self, db: Connection, origin: Origin, batch: Batch, seq: int) -> str | None:
        if seq == 0:
            return genesis(batch.epoch, batch.stream)
        table = self.tables.inbox
        query = select(table.c.h).where(*_is_stream(table, origin, batch), table.c.seq == seq)
        return db.execute(query.order_by(table.c.eid.desc()).limit(1)).scalar()

    def _joins(self, db: Connection, origin: Origin, batch: Batch, was: _Stream) -> bool:
        """Whether the batch's chain goes on where the entry before it ended, as far as that has arrived."""
        before = was.head if batch.first == was.upto + 1 else self._h_at(db, origin, batch, batch.first - 1)
        return before is None or before == batch.prev

    def _save_stream(self, db: Connection, origin: Origin, batch: Batch, was: _Stream, now: Accepted) -> None:
        table = self.tables.streams
        values: dict[str, Any] = {
            "upto": now.upto,
            "head": now.head,
            "ranges": json.dumps(now.ranges),
            "updated_utc": origin.received_utc,
        }
        if now.broken and not was.broken:
            values |= {"broken_seq": batch.first, "broken_utc": origin.received_utc}
        if was.exists:
            db.execute(table.update().where(*_is_stream(table, origin, batch)).values(values))
        else:
            key = {"box_id": origin.box_id, "epoch": batch.epoch, "stream": batch.stream}
            db.execute(table.insert(), key | values)


@dataclass(frozen=True, slots=True)
class _Stream:
    upto: int
    ranges: Ranges
    head: str
    exists: bool
    broken: bool


def _is_stream(table: Table, origin: Origin, batch: Batch) -> tuple[ColumnElement[bool], ...]:
    return (
        table.c.box_id == origin.box_id,
        table.c.epoch == batch.epoch,
        table.c.stream == batch.stream,
    )


def _accepted(row: RowMapping) -> Accepted:
    return Accepted(row["epoch"], row["stream"], row["upto"], row["head"], _ranges(row))


def _ranges(row: RowMapping) -> Ranges:
    return tuple((first, last) for first, last in json.loads(row["ranges"]))


def _arrivals(batch: Batch) -> list[_Arrival]:
    h = batch.prev
    arrivals = []
    for seq, raw in enumerate(batch.entries, start=batch.first):
        body = bytes(raw)
        h = chained(h, body)
        arrivals.append(_arrival(seq, body, h))
    return arrivals


def _arrival(seq: int, body: bytes, h: str) -> _Arrival:
    """What one entry says of itself; one that says nothing usable is known by its chain value."""
    try:
        entry = unpack_entry(body)
    except EnvelopeError as error:
        return _Arrival(seq, body, h, h, None, error.code, str(error))
    if entry.seq != seq:
        return _Arrival(
            seq, body, h, h, entry, "wrong_seq", f"entry {seq} of its batch says it is {entry.seq}"
        )
    return _Arrival(seq, body, h, entry.eid, entry)
