"""The sync service of a box: outbox and recordings go up, how that stands goes to the health table.

It is one loop around two connections: entries on the first, audio on the second, so that a call record never
waits for a recording. Everything it knows is in the database; it may be killed at any time.

    database --data_version--> EntriesEnd -- sync.session.Sender    -- Link <box>
                               FilesEnd   -- sync.chunks.FileSender -- Link <box>.b
"""

from __future__ import annotations

import logging
import random
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from edge.store.health import tell_trouble
from edge.store.schema import open_store
from edge.syncer.allowance import Allowance, CapAt
from edge.syncer.early import EarlyAudio
from edge.syncer.entries import EntriesEnd
from edge.syncer.files import FilesEnd
from edge.syncer.manifests import ManifestsEnd
from edge.syncer.orders import OrdersEnd
from edge.syncer.presence import PresenceEnd, boot_id
from sync import topics
from sync.budget import Month, Share
from sync.chunks import MAX_CHUNK, MIN_CHUNK
from sync.db import data_version, write
from sync.heap import keep_heap
from sync.moment import to_text
from sync.reach import Reach
from sync.transport import Link, LinkSettings, utc_now, wait

POLL_S = 0.04  # how soon a new outbox entry is noticed
DATABASE_PAUSE_S = 1.0
HEAD_OFFICE = "head_office"
UPLOAD = "upload"

log = logging.getLogger(__name__)


def no_cap(_local: datetime) -> float:
    """Uploads take what the line gives."""
    return 0.0


@dataclass(frozen=True, slots=True)
class SyncSettings:
    """What the syncer is told: who it is, where its data is, where head office's broker is."""

    box_id: str
    database: Path
    recordings_dir: Path
    host: str
    port: int
    ca_file: Path
    cert_file: Path
    key_file: Path
    bulk_cert_file: Path
    bulk_key_file: Path
    min_chunk_bytes: int = MIN_CHUNK
    max_chunk_bytes: int = MAX_CHUNK
    cap_at: CapAt = no_cap
    zone: tzinfo = UTC
    month_bytes: int = 0  # for uploads; 0 = no limit
    oldest_share: float = 0.3
    turn_s: float = 10.0  # of one recording while others wait
    boot: str = ""  # what this machine is called since it was switched on; empty: as the kernel says
    early_margin_s: float | None = 15.0  # audio kept back while a call goes on; None: none of it is sent


class Syncer:
    """Both connections and what travels on them. `step` never sleeps; `wait` does, on the sockets."""

    def __init__(
        self, settings: SyncSettings, db: sqlite3.Connection, chance: Callable[[], float] = random.random
    ) -> None:
        self._db = db
        self._seen = -1  # data_version
        self._counted = 0  # bytes of entries the allowance knows of
        entries_link = _link(settings, settings.cert_file, settings.key_file, bulk=False)
        files_link = _link(settings, settings.bulk_cert_file, settings.bulk_key_file, bulk=True)
        self._entries_reach = Reach(entries_link, chance)
        self._files_reach = Reach(files_link, chance)
        self.entries = EntriesEnd(settings.box_id, db, entries_link)
        self._allowance = Allowance(db, settings.zone, settings.cap_at, Month(settings.month_bytes))
        early = None
        if settings.early_margin_s is not None:
            early = EarlyAudio(db, settings.recordings_dir, settings.early_margin_s)
        self.files = FilesEnd(settings, db, files_link, self._allowance, early, Share(settings.oldest_share))
        self.manifests = ManifestsEnd(settings.box_id, db, entries_link, self._owed_again)
        self.orders = OrdersEnd(
            settings.box_id,
            db,
            entries_link,
            settings.ca_file,
            settings.recordings_dir,
            self.entries.woken,
        )
        self._ends: dict[str, EntriesEnd | OrdersEnd] = {
            "a": self.entries,
            "c": self.orders,
        }  # who takes what arrives on a channel
        boot = settings.boot or boot_id()
        self.presence = PresenceEnd(settings.box_id, db, entries_link, boot, settings.database.parent)
        self._troubles: dict[str, str | None] = {HEAD_OFFICE: None, UPLOAD: None}

    def step(self, now_s: float, now: datetime) -> None:
        """Everything there is to do now: notice new rows, connect, read, send, note how it stands."""
        self._notice()
        self._allowance.step(now_s, now)
        published = self._entries_reach.link.published_bytes
        self._allowance.spend(published - self._counted, now_s)
        self._counted = published
        for arrived in self._entries_reach.step(now_s, now):
            self._ends.get(arrived.topic[-1], self.manifests).take(arrived)
        self.entries.step(self._entries_reach.link.up, now_s, now)
        if self.entries.welcome:
            self._entries_reach.well()
        if self.entries.welcome or self._files_reach.link.up:  # no audio for whom head office does not know
            for arrived in self._files_reach.step(now_s, now):
                self.files.take(arrived, now_s)
            if self._files_reach.link.up:
                self._files_reach.well()
        self.files.step(self._files_reach.link.up, now_s)
        self._reconcile(self.entries.welcome and self._entries_reach.link.up, now_s, now)
        self._note(HEAD_OFFICE, self._entries_reach.failure or self.entries.failure, now)
        self._note(UPLOAD, self._files_reach.failure or self.files.failure, now)

    @property
    def files_published(self) -> int:
        """Bytes of MQTT packets the bulk connection has sent."""
        return self._files_reach.link.published_bytes

    def cut(self) -> None:
        """Lose both connections, as a broker that goes away does."""
        self._entries_reach.link.close()
        self._files_reach.link.close()

    def wait(self, timeout_s: float) -> None:
        """Sleep until a socket is ready, at most `timeout_s`; not at all while there is more to send."""
        busy = self.files.busy or self.entries.busy
        wait([self._entries_reach.link, self._files_reach.link], 0.0 if busy else timeout_s)

    def close(self) -> None:
        """End both connections."""
        self.presence.close()
        self.cut()
        self.files.close()

    def _notice(self) -> None:
        version = data_version(self._db)
        if version != self._seen:
            self._seen = version
            self.entries.woken()
            self.files.woken()
            self._allowance.woken()
            self.manifests.woken()
            self.orders.woken()

    def _reconcile(self, welcome: bool, now_s: float, now: datetime) -> None:
        if self.entries.marked:
            self.entries.marked = False
            self.manifests.woken()
        self.manifests.step(welcome, now_s, to_text(now), clear=self.entries.idle)
        self.orders.step(welcome, now_s, now)
        self.presence.step(welcome, now_s, now)
        exchanged, self.entries.exchanged = self.entries.exchanged, None
        if exchanged is not None and self.presence.exchanged(*exchanged):
            self.entries.woken()

    def _owed_again(self) -> None:
        self.entries.again()
        self.files.woken()

    def _note(self, part: str, failure: str | None, now: datetime) -> None:
        """One open health row while there is trouble; "" is well, None not known yet."""
        if failure is None or failure == self._troubles[part]:
            return
        with write(self._db):
            tell_trouble(self._db, part, failure, to_text(now))
        self._troubles[part] = failure
        log.info("%s: %s", part, failure or "well")


def run(settings: SyncSettings, stop: threading.Event) -> None:
    """Sync until `stop` is set. A database that cannot be written now is tried again later."""
    keep_heap()
    db = open_store(settings.database)
    syncer = Syncer(settings, db)
    try:
        while not stop.is_set():
            try:
                syncer.step(time.monotonic(), utc_now())
                syncer.wait(POLL_S)
            except sqlite3.OperationalError as error:  # locked for long, or the disk is full
                log.warning("the branch database cannot be used now: %s", error)
                stop.wait(DATABASE_PAUSE_S)
    finally:
        syncer.close()
        db.close()


def _link(settings: SyncSettings, cert_file: Path, key_file: Path, *, bulk: bool) -> Link:
    channels = ("a",) if bulk else ("a", "m", "e", "c")
    answers = tuple(topics.build(settings.box_id, "dn", channel, bulk=bulk) for channel in channels)
    return Link(LinkSettings(settings.host, settings.port, settings.ca_file, cert_file, key_file, answers))
