"""What arrived, before any table is asked: batches taken apart, and what each makes of its stream. Pure."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec.structs import replace

from sync import ranges as spans
from sync.entry_runs import read_run
from sync.envelope import KIND_VERSION, Batch, Entry, EnvelopeError, read_event, unpack_entry
from sync.events import EVENT_TYPES
from sync.ranges import Ranges

MAX_RANGES = 64  # runs of entries beyond a hole; a box sends at most a window of batches out of order

StreamKey = tuple[str, str, str]  # box, epoch, stream
EntryKey = tuple[str, str]  # eid, box


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a sync event came from, and when it arrived by head office's clock."""

    box_id: str
    received_utc: str


class Arrival(msgspec.Struct, gc=False):
    """One entry of a batch; a struct, because a busy ingest makes hundreds of thousands."""

    origin: Origin
    batch: Batch
    seq: int
    body: bytes
    h: str
    key: EntryKey
    kind: str = ""  # this and the next as the entry says
    at: str = ""
    event: Any = None  # what it tells, when that was read
    entry: Entry | None = None  # when it was not yet
    code: str | None = None  # why it is set aside
    detail: str = ""

    @property
    def eid(self) -> str:
        return self.key[0]


@dataclass(frozen=True, slots=True)
class Seen:
    """An entry that is here."""

    code: str | None
    epoch: str
    seq: int

    def other(self, arrival: Arrival) -> bool:
        """Whether it is here under another number."""
        return (self.epoch, self.seq) != (arrival.batch.epoch, arrival.seq)


@dataclass(slots=True)
class Stream:
    """A stream as it was, and as it becomes batch by batch."""

    upto: int
    ranges: Ranges
    head: str
    broken_seq: int | None = None
    broken_utc: str | None = None
    updated_utc: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """A batch and what it makes of its stream; without arrivals if it would leave too many holes."""

    stream: StreamKey
    origin: Origin
    batch: Batch
    was_upto: int
    upto: int
    ranges: Ranges
    arrivals: list[Arrival]


def stream_key(origin: Origin, batch: Batch) -> StreamKey:
    return origin.box_id, batch.epoch, batch.stream


def widen(streams: dict[StreamKey, Stream], origin: Origin, batch: Batch) -> Taken:
    """What a batch adds to its stream; nothing if that would leave too many holes."""
    key = stream_key(origin, batch)
    stream = streams[key]
    was_upto = stream.upto
    last = batch.first + len(batch.entries) - 1
    upto, ranges = spans.add(was_upto, stream.ranges, batch.first, last)
    if len(ranges) > MAX_RANGES:
        return Taken(key, origin, batch, was_upto, was_upto, stream.ranges, [])
    stream.upto, stream.ranges = upto, ranges
    return Taken(key, origin, batch, was_upto, upto, ranges, _arrivals(origin, batch))


def _arrivals(origin: Origin, batch: Batch) -> list[Arrival]:
    said = zip(batch.entries, batch.chain, strict=True)
    run, box_id = read_run(batch.entries, batch.first), origin.box_id
    if run is None:
        return [
            _arrival(origin, batch, seq, body, h) for seq, (body, h) in enumerate(said, start=batch.first)
        ]
    return [
        Arrival(origin, batch, one.seq, body, h, (one.eid, box_id), one.kind, one.at, one.data)
        for one, (body, h) in zip(run, said, strict=True)
    ]


def _arrival(origin: Origin, batch: Batch, seq: int, body: bytes, h: str) -> Arrival:
    """What one entry says of itself; one that says nothing usable is known by its chain value."""
    unusable = Arrival(origin, batch, seq, body, h, (h, origin.box_id))
    try:
        entry = unpack_entry(body)
    except EnvelopeError as error:
        return replace(unusable, code=error.code, detail=str(error))
    said = replace(unusable, kind=entry.kind, at=entry.at, entry=entry)
    if entry.seq != seq:
        return replace(said, code="wrong_seq", detail=f"entry {seq} of its batch says it is {entry.seq}")
    return replace(said, key=(entry.eid, origin.box_id))


def read(arrival: Arrival, kinds: Container[str]) -> bool:
    """Read what an entry of one of `kinds` tells; False if of none, or not as agreed: to be set aside."""
    entry = arrival.entry
    if entry is None or arrival.code:
        return False
    if entry.kind not in kinds or entry.kind not in EVENT_TYPES or entry.kv != KIND_VERSION:
        unknown(arrival)
        return False
    try:
        arrival.event = read_event(entry)
    except msgspec.DecodeError as error:
        arrival.code, arrival.detail = "not_as_agreed", str(error)
        return False
    return True


def unknown(arrival: Arrival) -> None:
    """Set an entry aside of which nobody here knows what to do with its kind."""
    kv = arrival.entry.kv if arrival.entry else KIND_VERSION
    arrival.code, arrival.detail = "unknown_kind", f"kind {arrival.kind} version {kv} is not known here"
