"""A whole installation on the loopback for tests: authority, mosquitto with TLS, head office, one box.

Box and head office are the real ones, stepped in turn by `until`; as processes they are started by
`tests.sync.processes`.
"""

from __future__ import annotations

import hashlib
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Engine, select

from cloud import broker, pki
from cloud.apply import APPLY
from cloud.arrivals import FilesDesk
from cloud.entries import EntriesDesk
from cloud.incoming import Incoming
from cloud.ingest import Ingest, IngestSettings
from cloud.objects import FolderObjects
from cloud.orders.dispatch import OrdersDesk
from cloud.reconcile import Reconciler
from cloud.shards import Leases
from cloud.store import boxes, schema
from cloud.store.database import open_engine, read, write
from edge.store.schema import open_store
from edge.syncer import Syncer, SyncSettings
from sync import db as sqlite_db
from sync import outbox
from sync.events import CallEnded, RecordingReady, SyncEvent
from sync.ids import new_id
from sync.inbox import Inbox
from sync.keys import key_in
from sync.order_signing import OrderKey
from sync.transport import Link, LinkSettings, utc_now, wait
from tests.fakes import AtOnce

BOX = "branch-1"
AT = "2026-11-22T04:05:06.789Z"
PATIENCE_S = 60.0
LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """A TCP port nothing listens on now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def days(count: int = 30) -> pki.Validity:
    """A certificate's life from now."""
    return pki.Validity.days(datetime.now(UTC), count)


def call_ended(number: str = "13800138000") -> CallEnded:
    """A call as the recorder tells of it."""
    return CallEnded(
        call_id=new_id(),
        line=1,
        line_name="Front desk",
        direction="in",
        outcome="answered",
        started_utc=AT,
        ended_utc=AT,
        duration_ms=12_000,
        caller_number=number,
    )


def recording_ready(recording_id: str, call_id: str, data: bytes) -> RecordingReady:
    """A finished recording as the recorder tells of it."""
    return RecordingReady(
        recording_id=recording_id,
        call_id=call_id,
        started_utc=AT,
        rate_hz=8000,
        samples=96_000,
        codec="flac",
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
    )


class Later(Executor):
    """An executor that does the work when told to."""

    def __init__(self) -> None:
        self.jobs: list[tuple[Future[Any], Callable[[], Any]]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """See Executor."""
        future: Future[Any] = Future()
        self.jobs.append((future, lambda: fn(*args, **kwargs)))
        return future

    def work(self) -> None:
        """Do what was submitted."""
        jobs, self.jobs = self.jobs, []
        for future, job in jobs:
            try:
                future.set_result(job())
            except Exception as error:
                future.set_exception(error)


@dataclass
class Station:
    """Folders, certificates, broker and both ends."""

    folder: Path
    port: int = field(default_factory=free_port)
    max_packet_bytes: int = broker.MAX_PACKET_BYTES
    database_url: str = ""  # of head office; empty: SQLite in the folder
    server_validity: pki.Validity = field(default_factory=lambda: days())
    bind: str = LOOPBACK
    mosquitto: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        """What both ends call the broker."""
        return "localhost" if self.bind == LOOPBACK else self.bind

    def __post_init__(self) -> None:
        self.pki = self.folder / "pki"
        pki.make_ca(self.pki, days())
        pki.make_server(self.pki, [self.host], self.server_validity)
        pki.make_head_office(self.pki, days())
        pki.make_box(self.pki, BOX, days())
        self.recordings = self.folder / "recordings"
        self.recordings.mkdir(exist_ok=True)

    # broker

    def start_broker(self) -> None:
        """Start mosquitto and wait until it listens."""
        settings = broker.BrokerSettings(
            self.folder / "broker",
            self.port,
            self.pki / "ca.pem",
            pki.pair_of(self.pki, "server"),
            max_packet_bytes=self.max_packet_bytes,
            bind=self.bind,
        )
        self.mosquitto = broker.start(broker.write_config(settings))
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            with socket.socket() as sock:
                if sock.connect_ex((self.bind, self.port)) == 0:
                    return
            wait([], 0.02)
        raise AssertionError("mosquitto does not listen")

    def kill_broker(self) -> None:
        """End mosquitto the hard way."""
        if self.mosquitto is not None:
            self.mosquitto.kill()
            self.mosquitto.wait()
            self.mosquitto = None

    # box

    @property
    def box_settings(self) -> SyncSettings:
        """What the box is told."""
        events, bulk = (pki.pair_of(self.pki, name) for name in (BOX, BOX + ".b"))
        return SyncSettings(
            box_id=BOX,
            database=self.folder / "branch.db",
            recordings_dir=self.recordings,
            host=self.host,
            port=self.port,
            ca_file=self.pki / "ca.pem",
            cert_file=events.cert,
            key_file=events.key,
            bulk_cert_file=bulk.cert,
            bulk_key_file=bulk.key,
        )

    def box(self, **changes: Any) -> Box:
        """The box, connected to nothing yet."""
        settings = replace(self.box_settings, **changes)
        return Box(settings, open_store(settings.database))

    # head office

    @property
    def office_settings(self) -> IngestSettings:
        """What ingest is told."""
        pair = pki.pair_of(self.pki, "head-office")
        return IngestSettings(
            self.database_url or f"sqlite:///{self.folder / 'head-office.db'}",
            FolderObjects(self.folder / "objects"),
            self.folder / "objects" / "incoming",
            self.host,
            self.port,
            self.pki / "ca.pem",
            pair.cert,
            pair.key,
            self.folder / "witness.key",
        )

    def office(
        self,
        *,
        registered: bool = True,
        link_of: Callable[[LinkSettings], Link] = Link,
        works: Executor | None = None,
    ) -> Office:
        """Head office, connected to nothing yet."""
        settings = self.office_settings
        office = Office(settings, open_engine(settings.database_url), link_of, works or AtOnce())
        if registered:
            with write(office.engine) as db:
                boxes.register(db, BOX, "Nanjing Road")
        return office


@dataclass
class Box:
    """A box's syncer and its database, and what the recorder would do to it."""

    settings: SyncSettings
    db: sqlite3.Connection

    def __post_init__(self) -> None:
        self.syncer = Syncer(self.settings, open_store(self.settings.database), chance=lambda: 0.0)

    def step(self) -> None:
        """One turn of its loop."""
        self.syncer.step(time.monotonic(), utc_now())

    def cut(self) -> None:
        """Its connections end."""
        self.syncer.cut()

    def put(self, *events: SyncEvent) -> None:
        """Save sync events as the recorder does."""
        with sqlite_db.write(self.db):
            for event in events:
                outbox.put(self.db, event, AT)

    def record(self, data: bytes) -> tuple[CallEnded, RecordingReady]:
        """A call with a recording of these bytes, saved as the recorder does."""
        call = call_ended()
        ready = recording_ready(new_id(), call.call_id, data)
        file = f"{ready.recording_id}.flac"
        (self.settings.recordings_dir / file).write_bytes(data)
        with sqlite_db.write(self.db):
            outbox.put(self.db, call, AT)
            outbox.put(self.db, ready, AT)
            outbox.put_file(self.db, ready.recording_id, file, ready.size_bytes, ready.sha256)
        return call, ready

    @property
    def owes(self) -> int:
        """Entries and files head office has not confirmed."""
        waiting = outbox.waiting(self.db)
        return waiting.entries + waiting.files

    def troubles(self, part: str = "head_office") -> list[str]:
        """What the health table says is wrong now."""
        rows = self.db.execute("SELECT detail FROM health WHERE part = ? AND until_utc IS NULL", (part,))
        return [detail for (detail,) in rows]

    def close(self) -> None:
        """End it as a power cut would."""
        self.syncer.close()
        self.db.close()


@dataclass
class Office:
    """Ingest and its database."""

    settings: IngestSettings
    engine: Engine
    link_of: Callable[[LinkSettings], Link] = Link
    works: Executor = field(default_factory=AtOnce)

    def __post_init__(self) -> None:
        settings = self.settings
        link = self.link_of(
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
        self.objects = settings.objects
        inbox = Inbox(schema.inbox_tables, APPLY)
        self.reconciler = reconciler = Reconciler(inbox, self.objects, key_in(settings.witness_file))
        leases = Leases(self.engine, settings.worker, settings.lease_s)
        incoming = Incoming(settings.incoming_folder)
        key = OrderKey.read(settings.cert_file, settings.key_file)
        self.orders = OrdersDesk(self.engine, key, leases)
        self.ingest = Ingest(
            link,
            EntriesDesk(self.engine, inbox, reconciler, leases, orders=self.orders),
            FilesDesk(self.engine, self.objects, incoming, self.works, leases),
            chance=lambda: 0.0,
            leases=leases,
            orders=self.orders,
        )
        self.link = link

    def step(self) -> None:
        """One turn of its loop."""
        self.ingest.step(time.monotonic(), utc_now())

    def cut(self) -> None:
        """Its connection ends."""
        self.link.close()

    def rows(self, table: str) -> list[dict[str, object]]:
        """All rows of a table."""
        with read(self.engine) as db:
            return [dict(row) for row in db.execute(select(schema.metadata.tables[table])).mappings()]

    def audio(self, sha256: str) -> bytes:
        """A stored recording."""
        size = self.objects.size(sha256)
        assert size is not None
        return b"".join(self.objects.read(sha256, 0, size))

    def close(self) -> None:
        """End it as a power cut would."""
        self.link.close()
        self.engine.dispose()


class Steps(Protocol):
    """A box, an office, or what stands in for one."""

    def step(self) -> None:
        """One turn of its loop."""


def until(done: Callable[[], bool], *ends: Steps, within_s: float = PATIENCE_S) -> float:
    """Step `ends` in turn until `done`; the seconds it took."""
    begun_s = time.monotonic()
    while time.monotonic() - begun_s < within_s:
        for end in ends:
            end.step()
        if done():
            return time.monotonic() - begun_s
        wait([], 0.002)
    raise AssertionError(f"not within {within_s} s")
