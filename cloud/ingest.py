"""Head office's door for the boxes: what arrives by MQTT is committed, then acknowledged.

    broker -- Link --> EntriesDesk  batches  -> inbox + APPLY, one transaction     -> ack
                       Deferred     manifests, a few once the batches are taken    -> verdict
                       FilesDesk    chunks   -> temporary file -> object store     -> at, stored

One process serves all boxes unless there are several workers, which then share them by shard (cloud.shards).
A worker keeps nothing in memory but open uploads and what boxes will say again; it may be killed at any time.
"""

from __future__ import annotations

import gc
import logging
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import InterfaceError, OperationalError

from cloud.apply import APPLY
from cloud.arrivals import FilesDesk
from cloud.deferred import Deferred, may_wait
from cloud.entries import EntriesDesk, Message, Outgoing
from cloud.incoming import Incoming
from cloud.objects import Objects
from cloud.orders.dispatch import OrdersDesk
from cloud.reconcile import Reconciler
from cloud.shards import LEASE_S, Fenced, Leases, application_name
from cloud.store.database import open_engine
from cloud.store.partitions import keep_ahead
from cloud.store.schema import inbox_tables
from sync.heap import keep_heap
from sync.inbox import Inbox
from sync.keys import key_in
from sync.moment import to_text
from sync.order_signing import OrderKey
from sync.reach import Reach
from sync.reasons import LinkError
from sync.topics import TopicError, parse, shard_of
from sync.transport import Arrived, Link, LinkSettings, utc_now, wait

KEPT_BYTES = 32 << 20  # of freed memory: chunks of audio come and go
COLLECT_AFTER = 50_000  # objects that were made and not given back
PARTS_EVERY_S = 3600.0
WAIT_S = 0.2  # how soon a stop is noticed when nothing arrives
SEALERS = 2  # threads that do so
ANSWER_BYTES = 1_000_000  # of audio are answered at once: half of what may be on the way
CHUNKS = "/up/c"  # how their topics end
ANSWER_S = 0.004  # or what has come within this: each word costs all three of us more than it says

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class IngestSettings:
    """What ingest is told: database, store of recordings, and the broker with our certificate for it."""

    database_url: str
    objects: Objects
    incoming_folder: Path  # where recordings arrive
    host: str
    port: int
    ca_file: Path
    cert_file: Path
    key_file: Path
    witness_file: Path  # the key that countersigns closed manifests; made when missing
    worker: str = "1"
    lease_s: float = LEASE_S


class Ingest:
    """The link to the broker and the two desks behind it. `step` never sleeps."""

    def __init__(
        self,
        link: Link,
        entries: EntriesDesk,
        files: FilesDesk,
        chance: Callable[[], float] = random.random,
        leases: Leases | None = None,
        orders: OrdersDesk | None = None,
    ) -> None:
        self._orders = orders
        self._leases = leases
        self._reach = Reach(link, chance)
        self._entries = entries
        self._files = files
        self._deferred = Deferred()
        self._chunks: list[Arrived] = []  # taken, and not yet answered or acknowledged to the broker
        self._answer_by_s = 0.0
        self._told = "not reached yet"

    @property
    def ready(self) -> bool:
        """Whether boxes can reach us now."""
        return self._reach.link.up

    @property
    def wait_s(self) -> float:
        """How long nothing but a message can make anything happen."""
        if self._deferred and self.ready:
            return 0.0
        return ANSWER_S if self._chunks else WAIT_S

    def step(self, now_s: float, now: datetime) -> None:
        """Take what has arrived and answer it."""
        link = self._reach.link
        self._renew(now_s)
        arrived = self._reach.step(now_s, now)
        if link.up:
            self._reach.well()
        self._tell(self._reach.failure or ("reached" if link.up else self._told))
        self._answer(lambda: self._handle(arrived, to_text(now)) + self._ordered(now_s, to_text(now)))
        self._acknowledge(arrived, now_s)
        link.flush()
        if self._deferred and link.up:  # by now the batches are acknowledged
            self._answer(lambda: self._entries.handle(self._deferred.take(), to_text(now)))
            link.flush()

    def _acknowledge(self, arrived: list[Arrived], now_s: float) -> None:
        """Tell the broker what was taken, and the boxes how far files are; of chunks, a few at a time."""
        if not self._reach.link.up:
            self._chunks.clear()  # no longer the connection they came by
            return
        if not self._chunks:
            self._answer_by_s = now_s + ANSWER_S
        self._chunks += arrived
        few = sum(len(one.payload) for one in self._chunks) < ANSWER_BYTES
        if few and now_s < self._answer_by_s and all(one.topic.endswith(CHUNKS) for one in arrived):
            return
        self._answer(self._files.moved, certain=False)
        for message in self._chunks:
            self._reach.link.done(message)
        self._chunks.clear()

    def _answer(self, work: Callable[[], list[Outgoing]], *, certain: bool = True) -> None:
        """Do it, and send what there is to answer."""
        try:
            for topic, payload in work():
                self._reach.link.publish(topic, payload, at_once=False, certain=certain)
        except (OperationalError, InterfaceError) as error:  # locked, full or gone: the boxes send again
            log.warning("the database cannot be used now: %s", error)
            self._deferred.keep(())  # it may ask about batches that were not taken
        except Fenced as error:  # paused for too long: another worker has these boxes, they send again
            log.warning("%s", error)
            self._serve()
        except LinkError as error:  # the boxes ask again
            log.warning("answers could not be sent: %s", error)

    def _ordered(self, now_s: float, now_utc: str) -> list[Outgoing]:
        return self._orders.step(now_s, now_utc) if self._orders is not None and self.ready else []

    def _renew(self, now_s: float) -> None:
        try:
            if self._leases is not None and self._leases.step(now_s):
                self._serve()
        except (OperationalError, InterfaceError) as error:  # the fence holds meanwhile
            log.warning("leases could not be renewed: %s", error)

    def _serve(self) -> None:
        """Listen to the shards that are held."""
        assert self._leases is not None
        self._reach.link.listen(f"x/1/{shard}/+/up/#" for shard in self._leases.held)
        self._files.forget_all_but(self._leases.held)
        self._deferred.keep(self._leases.held)

    def _handle(self, arrived: list[Arrived], now_utc: str) -> list[Outgoing]:
        entries: list[Message] = []
        files: list[Message] = []
        for message in arrived:
            try:
                topic = parse(message.topic)
            except TopicError as error:
                log.warning("refused: %s", error)
                continue
            if self._leases is not None and shard_of(topic.box_id) not in self._leases.held:
                continue  # on its way when the shard was given up
            if may_wait(topic):
                self._deferred.put((topic, message.payload))
            else:
                (files if topic.bulk else entries).append((topic, message.payload))
        answers = self._entries.handle(entries, now_utc) if entries else []
        return answers + self._files.handle(files, now_utc)

    def _tell(self, state: str) -> None:
        """Say once how it stands with the broker, not every time."""
        if state != self._told:
            self._told = state
            log.info("broker: %s", state)


@dataclass(slots=True)
class Parts:
    """Keeps the monthly parts of the big tables made ahead."""

    engine: Engine
    _next_s: float = 0.0

    def step(self, now_s: float, now: datetime) -> None:
        """Make what is missing, each hour."""
        if now_s < self._next_s:
            return
        self._next_s = now_s + PARTS_EVERY_S
        try:
            for name in keep_ahead(self.engine, now):
                log.info("made %s", name)
        except (OperationalError, InterfaceError) as error:  # busy or gone: next hour; rows wait in _rest
            log.warning("monthly parts could not be made now: %s", error)


def collect_seldom() -> None:
    """Look for cycles less often: what a batch makes is gone after it, without one."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)


def run(settings: IngestSettings, stop: threading.Event) -> None:
    """Serve the boxes until `stop` is set."""
    keep_heap(KEPT_BYTES)
    collect_seldom()
    engine = open_engine(settings.database_url, application_name(settings.worker))
    leases = Leases(engine, settings.worker, settings.lease_s)
    link = Link(
        LinkSettings(
            settings.host,
            settings.port,
            settings.ca_file,
            settings.cert_file,
            settings.key_file,
            (),
            manual_ack=True,
        )
    )
    inbox = Inbox(inbox_tables, APPLY)
    reconciler = Reconciler(inbox, settings.objects, key_in(settings.witness_file))
    works = ThreadPoolExecutor(SEALERS, "sealer")
    files = FilesDesk(engine, settings.objects, Incoming(settings.incoming_folder), works, leases)
    orders = OrdersDesk(engine, OrderKey.read(settings.cert_file, settings.key_file), leases)
    entries = EntriesDesk(engine, inbox, reconciler, leases, orders=orders)
    ingest = Ingest(link, entries, files, leases=leases, orders=orders)
    parts = Parts(engine)
    try:
        while not stop.is_set():
            parts.step(time.monotonic(), utc_now())
            ingest.step(time.monotonic(), utc_now())
            wait([link], ingest.wait_s, [files.bell])
        leases.give_up()
    finally:
        works.shutdown(cancel_futures=True)
        link.close()
        engine.dispose()
