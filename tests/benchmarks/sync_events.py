"""Call records from outbox to head office beside plain MQTT: rate, CPU, bytes, memory, commits."""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from sync import db as sqlite_db
from sync import outbox
from sync.db import write
from sync.envelope import MAX_BATCH_ENTRIES, pack_batch
from sync.events import CallEnded
from sync.moment import to_text
from sync.transport import utc_now
from tests.benchmarks import sync_box
from tests.benchmarks.figures import Figure, percentile
from tests.benchmarks.sync_lab import (
    Flow,
    cheapest,
    cpu_s,
    plain_flow,
    rss_mb,
    running,
    station,
    until,
    usual,
)
from tests.sync import processes
from tests.sync.station import AT, BOX, Station, call_ended

EVENTS = 20_000
EVERY_S = 30.0  # between calls of a busy branch; those that end together began up to five minutes apart
EVENT_BYTES = 690  # what such a call record has as JSON, on the average
TURNS = 5  # of both in turn
COMMITS, BATCHES = 400, 100
HASH = "0" * 64
BACKLOG, TRUE = 1_000_000, 20_000


def measure() -> list[Figure]:
    """All of it."""
    return [*flows(), *size(), *commits(), memory()]


def flows() -> list[Figure]:
    """The same number of call records, plain and durable in turn: one that publishes, one that hears."""
    plain, ours = [], []
    for _ in range(TURNS):
        with station() as at:
            plain.append(plain_flow(at, EVENT_BYTES, EVENTS, 20))
            ours.append(durable_flow(at, EVENTS))
    return [
        Figure("call records a second, durable at both ends; against plain paho QoS 1",
               usual(ours), "1/s", usual(plain), ratio_target=3.0, at_least=True),
        Figure("CPU for a call record, box, broker and head office; against plain paho QoS 1",
               cheapest(ours) * 1e6, "us", cheapest(plain) * 1e6, ratio_target=0.3),
    ]  # fmt: skip


def records(count: int, seed: int = 1) -> list[CallEnded]:
    """Call records that differ as they do in a branch."""
    chance = random.Random(seed)
    now = utc_now()
    made = []
    for number in range(count):
        started = now - timedelta(seconds=EVERY_S * (count - number) + chance.uniform(0, 300))
        length_s = chance.expovariate(1 / 120)
        made.append(
            replace(
                call_ended(f"1{chance.randrange(3 * 10**9, 10**10 - 1)}"),
                line=chance.randrange(1, 9),
                direction=chance.choice(["in", "in", "out"]),
                caller_name=chance.choice(["", "", "王小明", "Nanjing Road", "李"]) or None,
                started_utc=to_text(started),
                answered_utc=to_text(started + timedelta(seconds=chance.uniform(2, 20))),
                ended_utc=to_text(started + timedelta(seconds=length_s)),
                duration_ms=round(length_s * 1000),
            )
        )
    return made


def durable_flow(at: Station, count: int) -> Flow:
    """A backlog drained by a real box into a real head office, from the first acknowledgement to the last."""
    assert at.mosquitto is not None
    at.office().close()  # registers the box
    box = at.box()
    fill(box.db, count)
    with running(processes.start("office", at)) as office, running(sync_box.start(at.box_settings)) as sender:
        pids = (office.pid, sender.pid, at.mosquitto.pid)
        begun_s = until(lambda: outbox.waiting(box.db).entries < count)
        first, begun_cpu_s = outbox.waiting(box.db).entries, cpu_s(*pids)
        ended_s = until(lambda: outbox.waiting(box.db).entries == 0)
        used_s = cpu_s(*pids) - begun_cpu_s
    box.close()
    return Flow(first, ended_s - begun_s, used_s)


def size() -> list[Figure]:
    """A full batch of call records against the same records as JSON."""
    db = sqlite_db.connect(":memory:")
    sqlite_db.migrate(db, outbox.migrations)
    with write(db):
        for record in records(MAX_BATCH_ENTRIES):
            outbox.put(db, record, AT)
    epoch = outbox.epoch_of(db)
    run = outbox.next_run(db, epoch, "evt", 0)
    bodies = [row.body for row in run]
    packed = pack_batch(BOX, epoch, "evt", 1, run[0].prev, run[-1].h, bodies)
    raw = sum(map(len, bodies))
    return [
        Figure("bytes of a call record on the line; against JSON", len(packed) / len(run), "B",
               raw / len(run), ratio_target=0.4),
    ]  # fmt: skip


def commits() -> list[Figure]:
    """An entry and its fact in one transaction: one fdatasync, little more than that; and in batches."""
    with TemporaryDirectory(dir=Path.cwd() / "build") as folder:
        alone = fsyncs(Path(folder))
        db = sqlite_db.connect(Path(folder) / "outbox.db")
        sqlite_db.migrate(db, outbox.migrations)
        bare = sqlite_db.connect(Path(folder) / "bare.db")
        bare.execute("CREATE TABLE entries (stream, seq, eid, kind, at, body, prev, h, UNIQUE (stream, seq))")
        for one in (db, bare):
            one.execute("CREATE TABLE facts (id, body)")
        ours = timed(COMMITS, lambda: put(db, 1))
        batch_s = bare_s = 0.0
        for number in range(BATCHES):  # in turn, for the disk is not ours alone
            batch_s += sum(timed(1, lambda: put(db, 100)))
            bare_s += sum(timed(1, lambda number=number: put_bare(bare, 100, number)))
    return [
        Figure("outbox commit p50; against fdatasync", percentile(ours, 50) * 1000, "ms",
               percentile(alone, 50) * 1000, ratio_target=1.3),
        Figure("facts with their entries a second, 100 to a commit; against bare rows with one index",
               100 * BATCHES / batch_s, "1/s", 100 * BATCHES / bare_s, ratio_target=0.8, at_least=True),
    ]  # fmt: skip


def timed(count: int, work: Callable[[], None]) -> list[float]:
    """Seconds of each run."""
    took = []
    for _ in range(count):
        begun_s = time.perf_counter()
        work()
        took.append(time.perf_counter() - begun_s)
    return took


def fsyncs(folder: Path) -> list[float]:
    """Seconds of an append of 4 KB and its fdatasync."""
    with open(folder / "log", "wb", buffering=0) as file:

        def append() -> None:
            file.write(bytes(4096))
            os.fdatasync(file.fileno())

        return timed(COMMITS, append)


def put(db: sqlite3.Connection, count: int) -> None:
    """So many calls and their entries in one transaction."""
    with write(db):
        for _ in range(count):
            call = call_ended()
            db.execute("INSERT INTO facts VALUES (?, ?)", (call.call_id, bytes(EVENT_BYTES)))
            outbox.put(db, call, AT)


def put_bare(db: sqlite3.Connection, count: int, batch: int) -> None:
    """As many rows of that size, made without JSON, hash or chain."""
    with write(db):
        for number in range(count):
            call = call_ended()
            db.execute("INSERT INTO facts VALUES (?, ?)", (call.call_id, bytes(EVENT_BYTES)))
            row = (
                "evt",
                batch * count + number,
                call.call_id,
                "call_ended",
                AT,
                bytes(EVENT_BYTES),
                HASH,
                HASH,
            )
            db.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)


def memory() -> Figure:
    """A syncer with a million entries before it while it sends the first of them."""
    with station() as at:
        at.office().close()
        box = at.box()
        fill(box.db, TRUE)
        pad(box.db, BACKLOG - TRUE)
        with running(processes.start("office", at)), running(sync_box.start(at.box_settings)) as sender:
            until(lambda: outbox.waiting(box.db).entries <= BACKLOG - TRUE // 10, every_s=0.2)
            most = rss_mb(sender.pid)
        box.close()
    return Figure(f"memory of the box's syncer with {BACKLOG:,} entries waiting", most, "MB", target=60.0)


def pad(db: sqlite3.Connection, count: int) -> None:
    """Rows behind the true ones, as large as those; nobody comes to read them."""
    with write(db):
        db.execute(
            "INSERT INTO outbox (epoch, stream, seq, eid, kind, at_utc, body, prev, h)"
            " WITH RECURSIVE n (seq) AS (SELECT ? UNION ALL SELECT seq + 1 FROM n LIMIT ?)"
            " SELECT (SELECT epoch FROM outbox_streams LIMIT 1), 'evt', seq, printf('%032x', seq),"
            " 'call_ended', ?, zeroblob(?), printf('%064x', seq), printf('%064x', seq + 1) FROM n",
            (TRUE + 1, count, AT, EVENT_BYTES),
        )
        db.execute("UPDATE outbox_streams SET last_seq = last_seq + ? WHERE stream = 'evt'", (count,))


def fill(db: sqlite3.Connection, count: int) -> None:
    """A backlog, fast: no fsync while it is made."""
    db.execute("PRAGMA synchronous=OFF")
    at_utc = to_text(utc_now())
    for seed in range(count // 10_000):
        with write(db):
            for record in records(10_000, seed):
                outbox.put(db, record, at_utc)
    db.execute("PRAGMA synchronous=FULL")
