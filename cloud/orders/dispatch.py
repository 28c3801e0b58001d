"""Sends orders to boxes and hears which they have: the part of ingest that speaks on channels `c` and `r`.

An order is sent until the box says that it has it: at once when it is given, then more and more patiently,
and at once again when the box is next heard of. Who has just started asks a box how far it is before it gives
a number: its own database may be a backup that does not know the last ones.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine, RowMapping

from cloud.shards import Leases
from cloud.store import orders, troubles
from cloud.store.database import read, write
from sync import topics
from sync.arriving import Origin
from sync.order_signing import OrderKey
from sync.orders import Order, Place, Where, pack, unpack_taken
from sync.topics import shard_of

LOOK_EVERY_S = 0.5
FIRST_S, SLOWEST_S = 2.0, 300.0  # until an order is sent again
REFUSED_ORDER = "order_refused"  # kind of trouble
log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Patience:
    """When to try again, and whether the box has said how far it is since this process serves it."""

    due_s: float = 0.0
    tries: int = 0
    is_known: bool = False


@dataclass(slots=True)
class OrdersDesk:
    """What ingest has to do with orders."""

    engine: Engine
    key: OrderKey
    leases: Leases | None = None
    _next_s: float = 0.0
    _patience: dict[str, _Patience] = field(default_factory=dict)

    def step(self, now_s: float, now_utc: str) -> list[tuple[str, bytes]]:
        """What to send now: topic and payload."""
        if now_s < self._next_s:
            return []
        self._next_s = now_s + LOOK_EVERY_S
        with read(self.engine) as db:
            owing = [box_id for box_id in orders.owing(db) if self._serves(box_id)]
        due = [box_id for box_id in owing if self._waits(box_id).due_s <= now_s]
        if not due:
            return []
        for box_id in due:
            waits = self._waits(box_id)
            waits.due_s = now_s + min(SLOWEST_S, FIRST_S * 2.0 ** min(waits.tries, 20))
            waits.tries += 1
        with write(self.engine) as db:
            if self.leases is not None:
                self.leases.fence(db, {shard_of(box_id) for box_id in due})
            return [
                (topics.build(box_id, "dn", "c"), payload)
                for box_id in due
                for payload in self._payloads(db, box_id, now_utc)
            ]

    def _payloads(self, db: Connection, box_id: str, now_utc: str) -> list[bytes]:
        if not self._waits(box_id).is_known:
            return [pack(Where())]
        sent = orders.to_send(db, box_id, now_utc)
        return [pack(self.key.sign(order_of(row, after))) for row, after in sent]

    def _waits(self, box_id: str) -> _Patience:
        return self._patience.setdefault(box_id, _Patience())

    def heard(self, db: Connection, origin: Origin, payload: bytes) -> None:
        """A box says which orders it has; OrderError for what is no such message."""
        taken = unpack_taken(payload)
        codes = [(n, code) for n, code in taken.refused if code != Place.KNOWN]
        for n, code in codes:
            if code == Place.NUMBER_TAKEN:
                orders.number_anew(db, origin.box_id, n)
            else:
                orders.note_code(db, origin.box_id, n, code)
        orders.heard(db, origin.box_id, taken.upto, origin.received_utc)
        faults = [code for _, code in codes if code != Place.NUMBER_TAKEN]
        self._tell(db, origin, faults)
        waits = self._waits(origin.box_id)
        waits.is_known = True
        if not faults:  # it is there: what is left goes now
            waits.due_s, waits.tries = 0.0, 0

    def _tell(self, db: Connection, origin: Origin, codes: list[str]) -> None:
        if codes:
            said = ", ".join(sorted(set(codes)))
            troubles.begin(db, origin.box_id, REFUSED_ORDER, said, origin.received_utc)
        else:
            troubles.end(db, origin.box_id, REFUSED_ORDER, origin.received_utc)

    def _serves(self, box_id: str) -> bool:
        return self.leases is None or shard_of(box_id) in self.leases.held


def order_of(row: RowMapping, after: int) -> Order:
    """The order as the box gets it."""
    return Order(
        box=row["box_id"],
        n=row["n"],
        after=after,
        id=row["id"],
        kind=row["kind"],
        call_id=row["call_id"],
        days=json.loads(row["days"]),
        reason=row["reason"],
        by=row["by_name"],
        approved_by=row["decided_by"],
        at=row["decided_utc"] or row["ordered_utc"],
    )
