"""Walks a chain of the audit trail and names every row that was removed, changed, inserted or moved; pure.

A chain is its signed stubs, then its rows: 1, 2, ... without a hole, each with the hash of the one before it.
Whoever changes a row and rewrites all after it, hashes included, is found by the anchors: heads of all
chains, signed hour by hour, of which a copy lies outside the database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sync.ids import first_id_at
from sync.moment import from_text

Row = Mapping[str, Any]
NEAR = 3  # places up and down at which a row that was moved is looked for
MOST_MOVED = 64  # so many rows that do not fit are tried in each other's places

GENESIS = bytes(32)
REMOVED, CHANGED, INSERTED, MOVED, REWRITTEN = "removed", "changed", "inserted", "moved", "rewritten"
UNSIGNED = "unsigned"  # an anchor or a stub


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was written."""

    what: str
    chain: int
    seq: int
    detail: str


@dataclass(frozen=True, slots=True)
class Stub:
    """What stands for the rows up to `last_seq` of a chain that were kept long enough."""

    chain: int
    last_seq: int
    last_hash: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain says it ends."""

    seq: int
    hash: bytes


@dataclass(slots=True)
class ChainCheck:
    """One chain, fed row by row; `anchored` holds the hashes that the anchors say its rows had."""

    chain: int
    hash_of: Callable[[Row], bytes]
    anchored: Mapping[int, bytes] = field(default_factory=dict)
    seq: int = 0
    hash: bytes = GENESIS
    _whole: bool = True  # whether the row before is itself as it was written
    _misfits: dict[int, Row] = field(default_factory=dict)  # not as written, and not found nearby
    _missing: set[int] = field(default_factory=set)  # first numbers of what is gone
    _claimed: set[int] = field(default_factory=set)  # places where rows were written that stand elsewhere
    _left: set[int] = field(default_factory=set)  # the places of rows that do not fit

    def run(self, stub: Stub | None, rows: Iterable[Row], head: Head | None) -> Iterator[Finding]:
        """Every finding of this chain; `rows` in the order of their numbers."""
        if stub is not None:
            yield from self._begin(stub)
        for row in rows:
            yield from self._look(row)
        yield from self._exchanged()
        for seq in sorted(self._claimed - self._left - self._missing):
            yield self._finding(INSERTED, seq, "another row was written here")
        yield from self._end(head)

    def _begin(self, stub: Stub) -> Iterator[Finding]:
        self.seq, self.hash = stub.last_seq, stub.last_hash
        if self.anchored.get(stub.last_seq, stub.last_hash) != stub.last_hash:
            yield self._finding(
                REWRITTEN, stub.last_seq, "the stub does not end in the row that was anchored"
            )

    def _look(self, row: Row) -> Iterator[Finding]:
        whole = self.hash_of(row) == row["hash"]
        yield from self._place(row, whole)
        if not whole:
            yield from self._misfit(row)
        elif row["id"][:13] != first_id_at(from_text(row["at_utc"]))[:13]:
            yield self._finding(CHANGED, row["seq"], f"row {row['id']} is not of the time it says")
        if whole and self.anchored.get(row["seq"], row["hash"]) != row["hash"]:
            yield self._finding(REWRITTEN, row["seq"], f"row {row['id']} is not the one that was anchored")
        self.seq, self.hash, self._whole = max(row["seq"], self.seq), row["hash"], whole

    def _place(self, row: Row, whole: bool) -> Iterator[Finding]:
        seq = row["seq"]
        if seq <= self.seq:
            yield self._finding(INSERTED, seq, f"row {row['id']} has a number that is taken")
        elif seq > self.seq + 1:
            self._missing.update(range(self.seq + 1, min(seq, self.seq + MOST_MOVED)))
            yield self._finding(REMOVED, self.seq + 1, f"{_rows(self.seq + 1, seq - 1)}, before {row['id']}")
        elif whole and self._whole and row["prev"] != self.hash:
            yield self._finding(
                CHANGED, self.seq, f"row {self.seq} is not the one that row {row['id']} was written after"
            )

    def _misfit(self, row: Row) -> Iterator[Finding]:
        """A row whose own hash does not hold: written under another number, or changed."""
        seq = row["seq"]
        self._left.add(seq)
        near = range(seq - NEAR, seq + NEAR + 1)
        place = self._written_as(row, near)
        if place is not None:
            yield self._moved(row, place)
        elif len(self._misfits) < MOST_MOVED:
            self._misfits[seq] = row
        else:
            yield self._finding(CHANGED, seq, f"row {row['id']} is not as it was written")

    def _exchanged(self) -> Iterator[Finding]:
        """Those that fit nowhere nearby, tried in each other's places and in those of rows that are gone."""
        places = sorted({*self._misfits, *self._missing})
        for seq, row in self._misfits.items():
            place = self._written_as(row, places)
            if place is None:
                yield self._finding(CHANGED, seq, f"row {row['id']} is not as it was written")
            else:
                yield self._moved(row, place)

    def _moved(self, row: Row, place: int) -> Finding:
        self._claimed.add(place)
        return self._finding(MOVED, row["seq"], f"row {row['id']} was written as row {place}")

    def _written_as(self, row: Row, places: Iterable[int]) -> int | None:
        return next((seq for seq in places if self.hash_of({**row, "seq": seq}) == row["hash"]), None)

    def _end(self, head: Head | None) -> Iterator[Finding]:
        if head is None:
            if self.seq:
                yield self._finding(INSERTED, self.seq, "there is no such chain")
            return
        if head.seq > self.seq:
            yield self._finding(REMOVED, self.seq + 1, _rows(self.seq + 1, head.seq))
        elif head.seq < self.seq:
            yield self._finding(INSERTED, head.seq + 1, f"the chain ends at row {head.seq}")
        elif head.hash != self.hash and self._whole:
            yield self._finding(CHANGED, self.seq, "the last row is not the one that was written last")
        last = max(self.anchored, default=0)
        if last > max(self.seq, head.seq):
            yield self._finding(REMOVED, self.seq + 1, f"{_rows(self.seq + 1, last)}; the last was anchored")

    def _finding(self, what: str, seq: int, detail: str) -> Finding:
        return Finding(what, self.chain, seq, detail)


def _rows(first: int, last: int) -> str:
    return f"row {last} is gone" if first == last else f"rows {first} to {last} are gone"
