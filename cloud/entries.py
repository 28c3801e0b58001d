"""Head office's end of the events connections: batches into the inbox, acks out after the commit."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection, Engine, text

from cloud.orders.dispatch import OrdersDesk
from cloud.reconcile import Reconciler
from cloud.shards import Fenced, Leases
from cloud.store import allowed, presences, troubles
from cloud.store.database import write
from sync import topics
from sync.arriving import Origin
from sync.bulk import is_outage
from sync.envelope import Batch, EnvelopeError
from sync.inbox import Inbox
from sync.messages import AnyMessage, Hello, Refused, pack
from sync.orders import OrderError
from sync.session import (
    FULL_CREDIT,
    HELD_BACK,
    OVER_QUOTA,
    UNKNOWN_BOX,
    Accepted,
    ack_of,
    next_credit,
    read_up,
    reference,
    share,
    welcome_of,
)
from sync.topics import Topic, shard_of

log = logging.getLogger(__name__)

PRESENCE, MANIFESTS, ORDERS = "b", "m", "r"
QUIET = (PRESENCE, MANIFESTS, ORDERS)  # channels whose messages are not answered by an ack
NO_TRACE = (UNKNOWN_BOX, HELD_BACK, OVER_QUOTA)  # refused unread: nothing of it is kept

MOST_NACKS = 200  # in one ack

Message = tuple[Topic, bytes]
Outgoing = tuple[str, bytes]  # topic, payload
Said = Batch | Hello | Refused | None


@dataclass(slots=True)
class EntriesDesk:
    """Takes what boxes say on their events connections."""

    engine: Engine
    inbox: Inbox
    reconciler: Reconciler | None = None
    leases: Leases | None = None  # None: nobody else serves any box
    clock_s: Callable[[], float] = time.monotonic
    orders: OrdersDesk | None = None
    _credit: int = field(default=FULL_CREDIT)

    def handle(self, incoming: list[Message], now_utc: str) -> list[Outgoing]:
        """Take messages in one transaction; what to answer, now that it is committed."""
        begun_s = self.clock_s()
        try:
            with write(self.engine) as db:
                if self.leases is not None:
                    self.leases.fence(db, {shard_of(topic.box_id) for topic, _ in incoming})
                answers = self._answers(db, incoming, now_utc)
        except Fenced:
            raise
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

    def _answers(self, db: Connection, incoming: list[Message], now_utc: str) -> list[Outgoing]:
        """All batches together, then the rest, which may ask about them."""
        refusals = _refusals(db, {topic.box_id for topic, _ in incoming}, now_utc)
        said = [_said(topic, payload, refusals) for topic, payload in incoming]
        accepted = self._accept(db, incoming, said, now_utc)
        credit = share(self._credit, len(refusals))
        answers: list[Outgoing] = []
        for (topic, payload), one in zip(incoming, said, strict=True):
            origin = Origin(topic.box_id, now_utc)
            if isinstance(one, Batch):
                told = [("a", pack(ack_of(taken, credit, now_utc))) for taken in next(accepted)]
            elif one is None:
                told = self._aside(db, origin, topic.channel, payload)
            else:
                told = [("a", pack(self._take(db, origin, topic, payload, one, credit)))]
            answers += [(topics.build(topic.box_id, "dn", channel), answer) for channel, answer in told]
        return answers

    def _accept(
        self, db: Connection, incoming: list[Message], said: list[Said], now_utc: str
    ) -> Iterator[list[Accepted]]:
        """Take the batches in, and count them, before anything else; what to acknowledge after each."""
        received: list[tuple[Origin, Batch]] = []
        sent: dict[str, tuple[int, int]] = {}  # bytes, entries
        for (topic, payload), one in zip(incoming, said, strict=True):
            if isinstance(one, Batch):
                size, entries = sent.get(topic.box_id, (0, 0))
                sent[topic.box_id] = size + len(payload), entries + len(one.entries)
                received.append((Origin(topic.box_id, now_utc), one))
        allowed.count_all(db, now_utc, sent)
        accepted = self.inbox.accept_all(db, received) if received else []
        return _acks([(origin.box_id, one) for (origin, _), one in zip(received, accepted, strict=True)])

    def _aside(self, db: Connection, origin: Origin, channel: str, payload: bytes) -> list[tuple[str, bytes]]:
        """Manifests and presence: what is said beside the entries."""
        try:
            if channel == PRESENCE:
                presences.note(db, origin, payload)
                return []
            if allowed.held_back(db, origin.box_id):
                return []
            if channel == ORDERS:
                if self.orders is not None:
                    self.orders.heard(db, origin, payload)
                return []
            return self.reconciler.answer(db, origin, payload) if self.reconciler else []
        except (EnvelopeError, OrderError) as error:
            refused = Refused(ref=reference(payload), code=error.code, detail=str(error)[:500])
            self.inbox.set_aside(db, origin, channel, payload, refused)
            return [("a", pack(refused))]

    def _take(
        self, db: Connection, origin: Origin, topic: Topic, payload: bytes, said: Hello | Refused, credit: int
    ) -> AnyMessage:
        if isinstance(said, Hello):
            troubles.end(db, origin.box_id, OVER_QUOTA, origin.received_utc)
            standing = self.inbox.standing(db, origin.box_id, said.epoch)
            return welcome_of(said, standing, credit, origin.received_utc)
        if said.code not in NO_TRACE:
            self.inbox.set_aside(db, origin, topic.channel, payload, said)
        return said


def _acks(accepted: list[tuple[str, Accepted]]) -> Iterator[list[Accepted]]:
    """After each batch what to acknowledge: all of its stream at once, after the last that came with it."""
    whole: dict[tuple[str, str, str], tuple[int, Accepted]] = {}  # of a stream: after which batch, what
    acks: list[list[Accepted]] = [[] for _ in accepted]
    for number, (box_id, one) in enumerate(accepted):
        key = (box_id, one.epoch, one.stream)
        before, earlier = whole.get(key, (number, None))
        nacks = (earlier.nacks if earlier else ()) + one.nacks
        if len(nacks) > MOST_NACKS and earlier:
            acks[before].append(earlier)
            nacks = one.nacks
        whole[key] = (number, replace(one, nacks=nacks))
    for number, one in whole.values():
        acks[number].append(one)
    return iter(acks)


def _said(topic: Topic, payload: bytes, refusals: Mapping[str, str | None]) -> Said:
    """What a message is, or why it is refused unread; None for what is said beside the entries."""
    refusal = refusals.get(topic.box_id, UNKNOWN_BOX)
    if topic.channel in QUIET and refusal != UNKNOWN_BOX:
        return None
    if refusal is not None:
        return Refused(ref=reference(payload), code=refusal)
    return read_up(topic, payload)


_SEEN = text(
    "UPDATE boxes SET last_seen_utc = :now_utc, first_seen_utc = coalesce(first_seen_utc, :now_utc)"
    " WHERE id = :box_id"
)


def _refusals(db: Connection, box_ids: set[str], now_utc: str) -> dict[str, str | None]:
    """Note that registered boxes were heard of; why nothing is taken from each of them now, if so."""
    refusals = allowed.refusals(db, sorted(box_ids), now_utc)
    if refusals:
        db.execute(_SEEN, [{"box_id": box_id, "now_utc": now_utc} for box_id in sorted(refusals)])
    return refusals
