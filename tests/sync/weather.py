"""Both real ends, and between them a network, two disks and a clock that are made up.

The box is `EntriesEnd` and `ManifestsEnd` on a real outbox, head office is `EntriesDesk` and `Reconciler` on
a real inbox, on SQLite or PostgreSQL. Time passes when it is told to, so a whole day may take a second.
"""

from __future__ import annotations

import functools
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Column, Connection, Engine, Integer, MetaData, Table, Text, event, select, text

from cloud.apply import APPLY
from cloud.audit import Auditor
from cloud.entries import EntriesDesk
from cloud.objects import FolderObjects
from cloud.reconcile import Reconciler
from cloud.store import boxes, schema
from cloud.store.database import open_engine, read, write
from cloud.store.schema import inbox_tables
from edge.store.schema import open_store
from edge.syncer.entries import EntriesEnd
from edge.syncer.manifests import ManifestsEnd
from sync import db as sqlite_db
from sync import envelope, outbox
from sync.events import SyncEvent
from sync.inbox import Inbox, Told
from sync.keys import DeviceKey
from sync.moment import from_text, to_text
from sync.topics import parse
from sync.transport import Arrived
from tests.databases import new_sqlite
from tests.sync.station import AT, BOX
from tests.sync.torn import files_of, lay_out, torn

POISON_LINE = 666
CHECKPOINT_PAGES = 12  # so few that a checkpoint falls into many transactions
WITNESS_KEY = DeviceKey.new()
FEW_ROUNDS, MANY_ROUNDS = 5, 4000  # what was asked for comes in a few
USED = ("inbox", "inbox_streams", "quarantine", "transfers", "calls", "recordings", "gaps", "manifests",
        "presence", "box_troubles", "box_clocks", "usage", "boxes")  # fmt: skip

facts = Table(
    "facts", MetaData(), Column("id", Text, primary_key=True), Column("times", Integer, nullable=False)
)
COUNT = text("INSERT INTO facts VALUES (:id, 1) ON CONFLICT (id) DO UPDATE SET times = facts.times + 1")


class PowerCut(BaseException):
    """Head office's process ends here."""


@dataclass
class MadeUpLink:
    """What the ends need of a Link; what they send waits in `sent` for the weather."""

    sent: list[tuple[str, bytes]] = field(default_factory=list)
    room: int = 100
    max_packet: int = 300_000
    address: str = "nowhere:0"
    published: Callable[[str], None] = lambda topic: None

    def publish(self, topic: str, payload: bytes) -> None:
        self.published(topic)
        self.sent.append((topic, payload))


@functools.cache
def empty_box() -> dict[str, bytes]:
    """A branch database brought up to date, and its key."""
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "branch.db"
        open_store(database).close()
        (Path(folder) / "seal.key").write_bytes(DeviceKey.new().pem)
        return {path.name: path.read_bytes() for path in Path(folder).iterdir() if path.is_file()}


class World:
    """Both ends, the messages between them, and the time."""

    def __init__(self, url: str = "") -> None:
        shm = Path("/dev/shm")
        self.folder = Path(tempfile.mkdtemp(dir=shm if shm.is_dir() else None, prefix="branchline-world-"))
        self.branch = self.folder / "branch.db"
        for name, content in empty_box().items():
            (self.folder / name).write_bytes(content)
        (self.folder / "seal.key").chmod(0o600)
        self.office = None if url.startswith("postgresql") else self.folder / "head-office.db"
        self.url = new_sqlite(self.office) if self.office else url
        self.now_s = 1000.0
        self.lag_s = 0.0  # how long head office takes to commit
        self.delivered = self.repeated = 0
        self.rotten: set[str] = set()  # eids of rows that were damaged at the box
        self.reconciles = True  # whether hours are closed
        self.dies_at = 0  # facts until head office's process ends
        self.open_box()
        self.open_office()
        self._empty()

    # -- the ends

    @property
    def now(self) -> datetime:
        return from_text(AT) + timedelta(seconds=self.now_s - 1000)

    @property
    def now_utc(self) -> str:
        return to_text(self.now)

    def open_box(self) -> None:
        self.db: sqlite3.Connection = sqlite_db.connect(self.branch)
        self.db.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
        self.start_box()

    def start_box(self) -> None:
        self.link = MadeUpLink(published=self._within_credit)
        self.down: list[tuple[str, bytes]] = []
        self.box = EntriesEnd(BOX, self.db, self.link)  # type: ignore[arg-type]
        self.manifests = ManifestsEnd(BOX, self.db, self.link, self.box.again)  # type: ignore[arg-type]
        self.up = False

    def open_office(self) -> None:
        self.engine: Engine = open_engine(self.url)
        if self.office:
            event.listen(self.engine, "connect", _checkpoint_often)
            self.engine.dispose()
        self.start_office()

    def start_office(self) -> None:
        apply = {kind: functools.partial(self._apply, kind) for kind in APPLY}
        objects = FolderObjects(self.folder / "objects")
        self.reconciler = Reconciler(Inbox(inbox_tables, apply), objects, WITNESS_KEY)
        self.desk = EntriesDesk(
            self.engine, self.reconciler.inbox, self.reconciler, clock_s=self._office_clock
        )

    def _empty(self) -> None:
        with write(self.engine) as db:
            facts.create(db, checkfirst=True)
            for table in ("facts", *USED):
                db.execute(text(f"DELETE FROM {table}"))
            boxes.register(db, BOX, "Nanjing Road")

    def _office_clock(self) -> float:
        self._ticks = not self._ticks
        return self.now_s + (0.0 if self._ticks else self.lag_s)

    def _apply(self, kind: str, db: Connection, told: Sequence[Told]) -> None:
        """What head office does, and in the same transaction a count of it. Poison fails after that."""
        APPLY[kind](db, told)
        for one in (one.event for one in told):
            db.execute(COUNT, {"id": getattr(one, "recording_id", None) or one.call_id})
            self.dies_at -= 1
            if self.dies_at == 0:
                raise PowerCut
            if kind == "call_ended" and one.line == POISON_LINE:
                raise ValueError("poison")

    def _within_credit(self, topic: str) -> None:
        sender = self.box._sender
        if topic.endswith("/e"):
            assert len(sender._flights) <= min(sender.window, sender.credit)

    # -- what happens

    def put(self, *events: SyncEvent) -> None:
        with sqlite_db.write(self.db):
            for one in events:
                outbox.put(self.db, one, self.now_utc)
        self.box.woken()

    def step(self) -> None:
        self.box.step(self.up, self.now_s, self.now)
        if self.box.marked:
            self.box.marked = False
            self.manifests.woken()
        if not self.reconciles:
            return
        self.manifests.step(self.box.welcome and self.up, self.now_s, self.now_utc)

    def deliver_up(self, at: int = 0, *, answers_arrive: bool = True) -> None:
        topic, payload = self.link.sent.pop(at)
        self.delivered += 1
        self._ticks = False
        answers = self.desk.handle([(parse(topic), payload)], self.now_utc)
        if answers_arrive:
            self.down += answers

    def deliver_down(self, at: int = 0) -> None:
        topic, payload = self.down.pop(at)
        end = self.box if parse(topic).channel == "a" else self.manifests
        end.take(Arrived(topic, payload, 0))

    def repeat(self, queue: list[tuple[str, bytes]], at: int) -> None:
        self.repeated += 1
        queue.append(queue[at])

    def cut(self) -> None:
        self.up = False
        self.link.sent.clear()
        self.down.clear()
        self.step()

    # -- power cuts

    def box_loses_power(self, work: Callable[[], None], choice: random.Random) -> None:
        """In the midst of `work`."""
        before = files_of(self.branch)
        work()
        after = files_of(self.branch)
        self.db.close()
        lay_out(self.branch, torn(self.branch, before, after, choice))
        self.open_box()

    def office_loses_power(self, at: int, choice: random.Random) -> None:
        """While it takes a message; nobody hears its answer."""
        if self.office is None:
            self.dies_at = choice.randint(1, 60)
            with suppress(PowerCut):
                self.deliver_up(at, answers_arrive=False)
            self.dies_at = 0
        else:
            before = files_of(self.office)
            self.deliver_up(at, answers_arrive=False)
            after = files_of(self.office)
            self.engine.dispose()
            lay_out(self.office, torn(self.office, before, after, choice))
        self.open_office_again()

    def open_office_again(self) -> None:
        self.engine.dispose()
        self.start_office()

    # -- good weather

    def clear_up(self) -> None:
        """Good weather until the box owes nothing, every hour is closed, and an audit finds nothing."""
        self.lag_s = 0.0
        for _ in range(8):
            self.cut()  # what an audit has found the box hears when it is next in contact
            self.up = True
            self._until(lambda: outbox.waiting(self.db).entries == 0)
            if not self.reconciles:
                return
            self.now_s += 3700.0
            self._until(self.all_closed)
            faults = list(Auditor(self.reconciler).run(self.engine, self.now_utc))
            if not faults and not self._rotten():
                return
        raise AssertionError(f"damage is not mended: {faults or self.rotten}")

    # -- damage

    def harm_box(self, choice: random.Random) -> str | None:
        """A bit of an entry that head office has; its eid."""
        query = "SELECT rowid, eid, body FROM outbox WHERE state = 'acked' ORDER BY eid"
        rows = [row for row in self.db.execute(query).fetchall() if row["eid"] in self.arrived()]
        if not rows:
            return None
        rowid, eid, body = choice.choice(rows)
        with sqlite_db.write(self.db):
            self.db.execute("UPDATE outbox SET body = ? WHERE rowid = ?", (_flipped(body, choice), rowid))
        self.rotten.add(eid)
        return str(eid)

    def harm_office(self, choice: random.Random, spared: set[str]) -> str | None:
        """An entry is altered or gone, or its row is; its eid."""
        inbox, calls = inbox_tables.inbox, schema.calls
        with write(self.engine) as db:
            rows = [row for row in db.execute(select(inbox).order_by(inbox.c.eid)).mappings()]
            rows = [row for row in rows if row["eid"] not in spared and row["kind"] == "call_ended"]
            if not rows:
                return None
            row = choice.choice(rows)
            mine, what = inbox.c.eid == row["eid"], choice.choice(["altered", "gone", "row"])
            if what == "gone":
                db.execute(inbox.delete().where(mine))
            elif what == "altered":
                db.execute(inbox.update().where(mine).values(body=_flipped(bytes(row["body"]), choice)))
            else:
                call_id = envelope.facts(envelope.unpack_entry(bytes(row["body"])))["call_id"]
                db.execute(calls.update().where(calls.c.id == call_id).values(line=7))
        return str(row["eid"])

    # -- what both databases say

    def owed_to(self) -> dict[str, str]:
        return dict(self.db.execute("SELECT eid, state FROM outbox").fetchall())

    def inbox(self) -> list[tuple[str, str, str, int, str | None]]:
        table = inbox_tables.inbox
        query = select(table.c.eid, table.c.epoch, table.c.stream, table.c.seq, table.c.code)
        with read(self.engine) as db:
            return [(row[0], row[1], row[2], row[3], row[4]) for row in db.execute(query)]

    def arrived(self) -> set[str]:
        return {eid for eid, *_ in self.inbox()}

    def streams(self) -> dict[tuple[str, str], tuple[int, int | None]]:
        table = inbox_tables.streams
        with read(self.engine) as db:
            rows = db.execute(select(table)).mappings().all()
        return {(row["epoch"], row["stream"]): (row["upto"], row["broken_seq"]) for row in rows}

    def facts(self) -> dict[str, int]:
        """How often each fact was applied."""
        with read(self.engine) as db:
            return {row.id: row.times for row in db.execute(select(facts))}

    def _rotten(self) -> bool:
        """Whether a damaged row of the box is not mended yet."""
        query = "SELECT seq, eid, at_utc, body, prev, h FROM outbox WHERE eid = ?"
        rows = [self.db.execute(query, (eid,)).fetchone() for eid in self.rotten]
        return not all(row is not None and outbox.EntryRow(*row).whole for row in rows)

    def _until(self, done: Callable[[], bool]) -> None:
        for number in range(MANY_ROUNDS):
            self.step()
            while self.link.sent:
                if self.delivered % 20 == 0:
                    self.repeat(self.link.sent, 0)  # one in twenty comes twice in the best of weathers
                self.deliver_up()
            while self.down:
                self.deliver_down()
            if done() and number >= FEW_ROUNDS:
                return
            self.now_s += 0.5
        raise AssertionError(f"still owed: {outbox.waiting(self.db)}, {self.manifest_states()}")

    def all_closed(self) -> bool:
        mine, theirs = self.manifest_states()
        return set(mine) <= {"closed"} and mine == theirs and outbox.waiting(self.db).entries == 0

    def manifest_states(self) -> tuple[list[str], list[str]]:
        mine = [state for (state,) in self.db.execute("SELECT state FROM manifests ORDER BY epoch, n")]
        table = schema.manifests
        with read(self.engine) as db:
            theirs = db.execute(select(table.c.state).order_by(table.c.epoch, table.c.n)).scalars().all()
        return mine, list(theirs)

    def close(self) -> None:
        self.db.close()
        with write(self.engine) as db:
            facts.drop(db, checkfirst=True)  # the database is others' next
        self.engine.dispose()
        shutil.rmtree(self.folder)


def _flipped(body: bytes, choice: random.Random) -> bytes:
    at = choice.randrange(8 * len(body))
    return body[: at // 8] + bytes([body[at // 8] ^ 1 << at % 8]) + body[at // 8 + 1 :]


def _checkpoint_often(db: sqlite3.Connection, _record: object) -> None:
    db.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
