"""The box's side of channels `c` and `r`: takes orders, says which it has, and has them carried out.

An order is acknowledged after its commit and not before; what is refused is named with its code. A receipt
goes the way of all entries, through the outbox.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from edge.store import orders
from edge.syncer.deeds import carry_out
from sync import topics
from sync.db import write
from sync.moment import to_text
from sync.order_signing import checked
from sync.orders import (
    MOST_REFUSED,
    NOT_READ,
    Order,
    OrderError,
    Place,
    Signed,
    Taken,
    Where,
    pack,
    place_of,
    unpack_down,
)
from sync.transport import Arrived, Link

SAY_AGAIN_S = 600.0  # how far orders have come, in case what was said was lost
TRY_AGAIN_S = 10.0  # what could not be carried out
log = logging.getLogger(__name__)


@dataclass(slots=True)
class OrdersEnd:
    """Takes orders and carries them out. `step` never sleeps."""

    box_id: str
    db: sqlite3.Connection
    link: Link
    authority_file: Path
    recordings_dir: Path
    answered: Callable[[], None]  # told when there are receipts in the outbox
    _inbox: list[Arrived] = field(default_factory=list)
    _said: bool = False  # on this connection
    _say_at_s: float = 0.0
    _may_act: bool = True
    _act_at_s: float = 0.0

    def woken(self) -> None:
        """A call may be over or a hold lifted: what waits may be possible now."""
        self._may_act = True

    def take(self, arrived: Arrived) -> None:
        """Keep an order until `step`."""
        self._inbox.append(arrived)

    def step(self, welcome: bool, now_s: float, now: datetime) -> None:
        """Take what has arrived, say how far that is, carry out what can be."""
        arrived = self._inbox[:MOST_REFUSED]
        refused = [one for message in arrived if (one := self._taken(message, now)) is not None]
        del self._inbox[: len(arrived)]
        if not welcome:
            self._said = False
        elif arrived or not self._said or now_s >= self._say_at_s:
            self._say(tuple(refused), now_s)
        if self._may_act or arrived or now_s >= self._act_at_s:
            self._act(now_s, now)

    def _say(self, refused: tuple[tuple[int, str], ...], now_s: float) -> None:
        taken = Taken(upto=orders.upto(self.db), refused=refused)
        self.link.publish(topics.build(self.box_id, "up", "r"), pack(taken))
        self._said, self._say_at_s = True, now_s + SAY_AGAIN_S

    def _taken(self, arrived: Arrived, now: datetime) -> tuple[int, str] | None:
        """Commit one order; (number, code) if it was not taken."""
        try:
            signed = unpack_down(arrived.payload)
            if isinstance(signed, Where):
                return None  # answered with the rest
            order = checked(signed, self.authority_file.read_bytes(), now)
        except OrderError as error:
            log.warning("an order was refused: %s", error)
            return NOT_READ, error.code
        with write(self.db):
            place = self._placed(order, signed, to_text(now))
        return None if place in (Place.NEXT, Place.EARLY) else (order.n, place.value)

    def _placed(self, order: Order, signed: Signed, now_utc: str) -> Place:
        upto = orders.upto(self.db)
        place = place_of(order, self.box_id, upto, orders.is_known(self.db, order.id))
        if place is Place.NEXT:
            orders.take(self.db, order, signed, now_utc)
        elif place is Place.KNOWN and order.after <= upto < order.n:
            orders.reach(self.db, order.n)
            orders.answer_again(self.db, order.id, now_utc)
            self.answered()
        return place

    def _act(self, now_s: float, now: datetime) -> None:
        self._may_act, self._act_at_s = False, now_s + TRY_AGAIN_S
        try:
            if carry_out(self.db, self.recordings_dir, to_text(now)):
                self.answered()
        except OSError as error:  # tried again; until then head office sees the order as not done
            log.warning("what was ordered cannot be done now: %s", error)
