"""The inbox: what head office has received from each box, and the one way anything gets in.

`Inbox.accept` takes a batch inside the caller's transaction: new entries are applied and noted, those seen
before are passed over by their eid, those that cannot be applied are set aside in `quarantine`, and tried
again when they come again. So an ack sent after the commit means "stored, or set aside where people see it";
no entry ever holds up its stream.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter
from typing import Any

import msgspec
from sqlalchemy import Connection, RowMapping, select

from sync import arriving, bulk
from sync.arriving import (
    Arrival,
    EntryKey,
    Origin,
    Seen,
    Stream,
    StreamKey,
    Taken,
    stream_key,
    widen,
)
from sync.envelope import KIND_VERSION, Batch, EnvelopeError, genesis, read_event, unpack_entry
from sync.events import EVENT_TYPES
from sync.ids import new_id
from sync.inbox_tables import InboxTables
from sync.messages import Refused
from sync.ranges import Ranges
from sync.session import Accepted

MAX_DETAIL = 500
CURABLE = ("unknown_kind", "not_as_agreed", "apply_failed")  # codes; a later version of ours may know better
MOST_TOLD = 200  # of what waits in quarantine, with a welcome
WAITING, RELEASED = "waiting", "released"  # states of what is in quarantine


class Told(msgspec.Struct, frozen=True, gc=False):
    """A sync event and where it came from."""

    origin: Origin
    event: Any  # of sync.events, or what has its fields (sync.entry_runs)
    epoch: str = ""  # of its entry, and its number
    seq: int = 0


# All events of a run or none: what raises is called again with fewer, and at last the culprit is set aside.
Apply = Callable[[Connection, Sequence[Told]], None]


@dataclass(frozen=True, slots=True)
class Inbox:
    """The inbox of one database: its tables, and what to do with each kind of sync event."""

    tables: InboxTables
    apply: Mapping[str, Apply]

    def accept(self, db: Connection, origin: Origin, batch: Batch) -> Accepted:
        """Take one batch in; see `accept_all`."""
        return self.accept_all(db, [(origin, batch)])[0]

    def accept_all(self, db: Connection, received: Sequence[tuple[Origin, Batch]]) -> list[Accepted]:
        """Take batches of any boxes in; nothing counts until the caller's transaction is committed.

        Raises what is not the batches' fault (database locked or full): then nothing may be acknowledged.
        """
        streams = self._streams(db, received)
        taken = [widen(streams, origin, batch) for origin, batch in received]
        arrivals = [arrival for one in taken for arrival in one.arrivals]
        seen = self._cured(db, arrivals, self._seen(db, arrivals))
        fresh = {arrival.key: arrival for arrival in arrivals if arrival.key not in seen}
        self._take(db, list(fresh.values()))
        moved = [arrival for arrival in arrivals if arrival.key in seen and seen[arrival.key].other(arrival)]
        self._note(db, [*fresh.values(), *self._moved(db, moved)])
        codes = {key: one.code for key, one in (seen | fresh).items() if one.code}
        unseen = len(fresh) == len(arrivals)
        accepted = []
        for one in taken:
            nacks = tuple((a.seq, codes[a.key]) for a in one.arrivals if a.key in codes) if codes else ()
            count = (
                len(one.arrivals) if unseen else sum(fresh.pop(a.key, None) is not None for a in one.arrivals)
            )
            accepted.append(self._join(db, streams[one.stream], one, nacks, count))
        self._save_streams(db, {one.stream: streams[one.stream] for one in taken if one.arrivals})
        return accepted

    def try_again(self, db: Connection, box_id: str, eid: str) -> tuple[str, str] | None:
        """Apply an entry that was set aside; None if that worked, else (code, detail)."""
        table = self.tables.inbox
        mine = (table.c.box_id == box_id, table.c.eid == eid)
        row = db.execute(select(table).where(*mine)).mappings().one_or_none()
        if row is None:
            return "not_here", "its entry is no longer in the inbox"
        try:
            entry = unpack_entry(bytes(row["body"]))
            if entry.kind not in self.apply or entry.kind not in EVENT_TYPES or entry.kv != KIND_VERSION:
                return "unknown_kind", f"kind {entry.kind} version {entry.kv} is not known here"
            event = read_event(entry)
            with db.begin_nested():
                told = Told(Origin(box_id, row["received_utc"]), event, row["epoch"], row["seq"])
                self.apply[entry.kind](db, [told])
        except (EnvelopeError, msgspec.DecodeError) as error:
            return "not_as_agreed", str(error)[:MAX_DETAIL]
        except Exception as error:
            if bulk.is_outage(error):
                raise
            return "apply_failed", f"{type(error).__name__}: {error}"[:MAX_DETAIL]
        db.execute(table.update().where(*mine).values(code=None))
        return None

    def standing(self, db: Connection, box_id: str, epoch: str) -> list[Accepted]:
        """What head office has of each stream of a box's epoch, and what of that waits in quarantine."""
        table, inbox, aside = self.tables.streams, self.tables.inbox.c, self.tables.quarantine.c
        query = select(table).where(table.c.box_id == box_id, table.c.epoch == epoch)
        waits = (
            select(inbox.stream, inbox.seq, aside.code)
            .where(aside.state == WAITING, aside.box_id == box_id, inbox.box_id == box_id)
            .where(inbox.eid == aside.eid, inbox.epoch == epoch, inbox.code.is_not(None))
            .order_by(inbox.seq.desc())
            .limit(MOST_TOLD)
        )
        nacks: dict[str, list[tuple[int, str]]] = {}
        for stream, seq, code in db.execute(waits):
            nacks.setdefault(stream, []).append((seq, code))
        return [
            replace(_accepted(row), nacks=tuple(nacks.get(row["stream"], ())))
            for row in db.execute(query).mappings()
        ]

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

    def _streams(self, db: Connection, received: Sequence[tuple[Origin, Batch]]) -> dict[StreamKey, Stream]:
        """The streams of these batches, held until the transaction ends."""
        table = self.tables.streams
        keys = sorted({stream_key(origin, batch) for origin, batch in received})
        rows = bulk.select_keys(db, table, tuple(table.columns.keys()), keys)
        streams = {key: Stream(0, (), genesis(*key[1:])) for key in keys}
        for box_id, epoch, stream, upto, head, ranges, broken_seq, broken_utc, _ in rows:
            streams[box_id, epoch, stream] = Stream(upto, _ranges(ranges), head, broken_seq, broken_utc)
        return streams

    def _seen(self, db: Connection, arrivals: Sequence[Arrival]) -> dict[EntryKey, Seen]:
        table, eids = self.tables.inbox, [arrival.eid for arrival in arrivals]
        rows = bulk.select_in(db, table, ("eid", "box_id", "code", "epoch", "seq"), "eid", eids)
        return {(eid, box_id): Seen(code, epoch, seq) for eid, box_id, code, epoch, seq in rows}

    def _cured(
        self, db: Connection, arrivals: Sequence[Arrival], seen: dict[EntryKey, Seen]
    ) -> dict[EntryKey, Seen]:
        """What waits in quarantine and comes again is tried again; it may be understood by now."""
        for one in arrivals:
            known = seen.get(one.key)
            if known is None or known.code not in CURABLE or known.other(one):
                continue
            table = self.tables.quarantine
            mine = (table.c.state == WAITING, table.c.box_id == one.origin.box_id, table.c.eid == one.eid)
            waits = db.execute(select(table.c.id).where(*mine)).first() is not None
            if waits and self.try_again(db, one.origin.box_id, one.eid) is None:
                settled = {"settled_utc": one.origin.received_utc, "settled_by": one.origin.box_id}
                db.execute(table.update().where(*mine).values(state=RELEASED, **settled))
                seen[one.key] = replace(known, code=None)
        return seen

    def _moved(self, db: Connection, arrivals: Sequence[Arrival]) -> list[Arrival]:
        """Entries that come under another number (a new epoch) were applied before; their number is taken."""
        moved = [
            msgspec.structs.replace(one, key=(f"{one.eid}~{one.batch.epoch}.{one.seq}", one.origin.box_id))
            for one in arrivals
        ]
        known = self._seen(db, moved) if moved else {}
        return list({one.key: one for one in moved if one.key not in known}.values())

    def _take(self, db: Connection, fresh: list[Arrival]) -> None:
        """Apply entries, or set them aside; either is undone only with the whole transaction.

        Streams do not wait for each other, so entries of one kind meet in long runs.
        """
        fresh.sort(key=attrgetter("batch.stream"))
        told = [
            arrival for arrival in fresh if arrival.event is not None or arriving.read(arrival, self.apply)
        ]
        for kind, run in groupby(told, key=attrgetter("kind")):
            if kind in self.apply:
                self._apply(db, kind, list(run))
            else:
                for arrival in run:
                    arriving.unknown(arrival)
        for arrival in fresh:
            if arrival.code:
                self.quarantine(
                    db,
                    arrival.origin,
                    "entry",
                    arrival.body,
                    arrival.code,
                    arrival.detail,
                    arrival.eid,
                    arrival.kind or None,
                )

    def _apply(self, db: Connection, kind: str, run: list[Arrival]) -> None:
        """Apply a run of entries of one kind, by halves if it fails: only the culprit is set aside."""
        try:
            with db.begin_nested():
                self.apply[kind](db, [Told(one.origin, one.event, one.batch.epoch, one.seq) for one in run])
        except Exception as error:  # the door: whatever one entry provokes must not stop its stream
            if bulk.is_outage(error):
                raise  # no fault of these entries
            if len(run) > 1:
                self._apply(db, kind, run[: len(run) // 2])
                self._apply(db, kind, run[len(run) // 2 :])
            else:
                culprit = run[0]
                culprit.code, culprit.detail = "apply_failed", f"{type(error).__name__}: {error}"

    def _note(self, db: Connection, fresh: list[Arrival]) -> None:
        rows = [
            (
                *arrival.key,
                arrival.batch.epoch,
                arrival.batch.stream,
                arrival.seq,
                arrival.kind,
                arrival.at,
                arrival.origin.received_utc,
                arrival.h,
                arrival.code,
                arrival.body,
            )
            for arrival in fresh
        ]
        bulk.insert(db, self.tables.inbox, tuple(self.tables.inbox.columns.keys()), rows)

    def _join(
        self, db: Connection, stream: Stream, one: Taken, nacks: tuple[tuple[int, str], ...], fresh: int
    ) -> Accepted:
        """Bring the head of a batch's stream forward, now that the batch is noted."""
        batch = one.batch
        broken = bool(one.arrivals) and not self._joins(db, stream.head, one)
        if one.upto != one.was_upto:
            last = batch.first + len(batch.entries) - 1
            stream.head = batch.head if one.upto == last else self._h_at(db, one, one.upto) or stream.head
        if broken and stream.broken_seq is None:
            stream.broken_seq, stream.broken_utc = batch.first, one.origin.received_utc
        stream.updated_utc = one.origin.received_utc
        return Accepted(batch.epoch, batch.stream, one.upto, stream.head, one.ranges, nacks, fresh, broken)

    def _joins(self, db: Connection, head: str, one: Taken) -> bool:
        """Whether the batch's chain goes on where the entry before it ended, as far as that has arrived."""
        first = one.batch.first
        before = head if first == one.was_upto + 1 else self._h_at(db, one, first - 1)
        return before is None or before == one.batch.prev

    def _h_at(self, db: Connection, one: Taken, seq: int) -> str | None:
        box_id, epoch, stream = one.stream
        if seq == 0:
            return genesis(epoch, stream)
        inbox = self.tables.inbox.c
        query = select(inbox.h).where(
            inbox.box_id == box_id, inbox.epoch == epoch, inbox.stream == stream, inbox.seq == seq
        )
        return db.execute(query.order_by(inbox.eid.desc()).limit(1)).scalar()

    def _save_streams(self, db: Connection, streams: Mapping[StreamKey, Stream]) -> None:
        rows = [
            (
                *key,
                stream.upto,
                stream.head,
                json.dumps(stream.ranges),
                stream.broken_seq,
                stream.broken_utc,
                stream.updated_utc,
            )
            for key, stream in streams.items()
        ]
        bulk.upsert(db, self.tables.streams, tuple(self.tables.streams.columns.keys()), rows)


def _accepted(row: RowMapping) -> Accepted:
    return Accepted(row["epoch"], row["stream"], row["upto"], row["head"], _ranges(row["ranges"]))


def _ranges(said: str) -> Ranges:
    return tuple((first, last) for first, last in json.loads(said))
