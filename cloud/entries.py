"""Head office's end of the events connections: batches into the inbox, acks out after the commit."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine, select

from cloud.reconcile import Reconciler
from cloud.store import allowed, presences, troubles
from cloud.store.database import write
from cloud.store.schema import boxes
from sync import topics
from sync.bulk import is_outage
from sync.envelope import Batch, EnvelopeError
from sync.inbox import Inbox, Origin
from sync.messages import AnyMessage, Hello, Refused, pack
from sync.session import (
    FULL_CREDIT,
    OVER_QUOTA,
    UNKNOWN_BOX,
    ack_of,
    next_credit,
    read_up,
    reference,
    welcome_of,
)
from sync.topics import Topic

log = logging.getLogger(__name__)

PRESENCE, MANIFESTS = "b", "m"
QUIET = (PRESENCE, MANIFESTS)  # channels whose messages are not answered by an ack

Message = tuple[Topic, bytes]
Outgoing = tuple[str, bytes]  # topic, payload


@dataclass(slots=True)
class EntriesDesk:
    """Takes what boxes say on their events connections."""

    engine: Engine
    inbox: Inbox
    reconciler: Reconciler | None = None
    clock_s: Callable[[], float] = time.monotonic
    _credit: int = field(default=FULL_CREDIT)

    def handle(self, incoming: list[Message], now_utc: str) -> list[Outgoing]:
        """Take messages in one transaction; what to answer, now that it is committed."""
        begun_s = self.clock_s()
        try:
            with write(self.engine) as db:
                answers = [
                    one for topic, payload in incoming for one in self._answer(db, topic, payload, now_utc)
                ]
        except Exception as error:  # the door: one message must not stop the others
            if is_outage(error):
                raise  # no message's fault
            if len(incoming) > 1:
                return [answer for message in incoming for answer in self.handle([message], now_utc)]
            return [self._failed(*incoming[0], now_utc, error)]
        self._credit = next_credit(self._credit, self.clock_s() - begun_s)
        return answers

    def _failed(self, topic: Topic, payload: bytes, now_utc: str, error: Exception) -> Outgoing:
        """Set a message aside that we stumble over; the fault is ours, its entries will come singly."""
        log.error("a message of box %s could not be taken", topic.box_id, exc_info=error)
        detail = f"{type(error).__name__}: {error}"[:500]
        refused = Refused(ref=reference(payload), code="failed", detail=detail)
        with write(self.engine) as db:
            self.inbox.set_aside(db, Origin(topic.box_id, now_utc), topic.channel, payload, refused)
        return topics.build(topic.box_id, "dn", "a"), pack(refused)

    def _answer(self, db: Connection, topic: Topic, payload: bytes, now_utc: str) -> list[Outgoing]:
        origin = Origin(topic.box_id, now_utc)
        if topic.channel in QUIET and _seen(db, origin):
            answers = self._aside(db, origin, topic.channel, payload)
        else:
            answers = [("a", pack(self._take(db, origin, topic, payload)))]
        return [(topics.build(topic.box_id, "dn", channel), answer) for channel, answer in answers]

    def _aside(self, db: Connection, origin: Origin, channel: str, payload: bytes) -> list[tuple[str, bytes]]:
        """Manifests and presence: what is said beside the entries."""
        try:
            if channel == PRESENCE:
                presences.note(db, origin, payload)
                return []
            if self.reconciler is None or allowed.held_back(db, origin.box_id):
                return []
            return self.reconciler.answer(db, origin, payload)
        except EnvelopeError as error:
            refused = Refused(ref=reference(payload), code=error.code, detail=str(error)[:500])
            self.inbox.set_aside(db, origin, channel, payload, refused)
            return [("a", pack(refused))]

    def _take(self, db: Connection, origin: Origin, topic: Topic, payload: bytes) -> AnyMessage:
        if not _seen(db, origin):
            return Refused(ref=reference(payload), code=UNKNOWN_BOX)
        refusal = allowed.refusal(db, origin.box_id, origin.received_utc)
        if refusal is not None:
            return Refused(ref=reference(payload), code=refusal)
        said = read_up(topic, payload)
        if isinstance(said, Hello):
            troubles.end(db, origin.box_id, OVER_QUOTA, origin.received_utc)
            standing = self.inbox.standing(db, origin.box_id, said.epoch)
            return welcome_of(said, standing, self._credit, origin.received_utc)
        if isinstance(said, Batch):
            allowed.count(db, origin.box_id, origin.received_utc, len(payload), len(said.entries))
            return ack_of(self.inbox.accept(db, origin, said), self._credit, origin.received_utc)
        self.inbox.set_aside(db, origin, topic.channel, payload, said)
        return said


def _seen(db: Connection, origin: Origin) -> bool:
    """Note that a box was heard of; False if it is not registered."""
    query = select(boxes.c.first_seen_utc).where(boxes.c.id == origin.box_id)
    row = db.execute(query).one_or_none()
    if row is None:
        return False
    seen = {"last_seen_utc": origin.received_utc, "first_seen_utc": row[0] or origin.received_utc}
    db.execute(boxes.update().where(boxes.c.id == origin.box_id).values(seen))
    return True
