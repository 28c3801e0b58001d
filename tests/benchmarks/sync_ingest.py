"""What ingest costs beside bare inserts of the same rows into the same tables, on both databases.

Ingest does everything from the packed batch to the packed ack: inflate, hash chain, decode, look for repeats,
apply, note, commit. The baseline has the rows ready and only inserts them: COPY on PostgreSQL, executemany on
SQLite; both fully durable, MESSAGES batches of a hundred per transaction, keys that grow with time.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Engine

from cloud.apply import APPLY, CALL, FOUND_BY, found_by
from cloud.entries import EntriesDesk
from cloud.ingest import collect_seldom
from cloud.shards import Leases
from cloud.store import boxes
from cloud.store.database import open_engine, open_sqlite, write
from cloud.store.partitions import keep_ahead
from cloud.store.schema import inbox_tables, shard_leases
from sync import bulk
from sync.envelope import chained, entry_bytes, genesis, pack_batch
from sync.ids import new_id
from sync.inbox import Inbox
from sync.topics import SHARDS, Topic, shard_of
from sync.transport import utc_now
from tests.benchmarks.figures import Figure
from tests.postgres import PostgresServer
from tests.sync.station import AT, call_ended

BATCH = 100
MESSAGES = 10  # batches per transaction
BOXES = 64
EVENTS = 12_800  # of a run
RUNS = 5
WORKERS = 4
EPOCH = "0123456789abcdef"
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "shared_buffers": "256MB"}
CALL_COLUMNS = ("id", *CALL, "box_id", "received_utc", *FOUND_BY)
INBOX_COLUMNS = (
    "eid", "box_id", "epoch", "stream", "seq", "kind", "at_utc", "received_utc", "h", "code", "body",
)  # fmt: skip
Packed = tuple[str, bytes]  # box, payload
Rows = list[tuple[Any, ...]]


def measure() -> list[Figure]:
    """Rates and CPU on SQLite and on PostgreSQL."""
    collect_seldom()
    server = PostgresServer(DURABLE)
    server.start()
    try:
        return sqlite_figures() + postgresql_figures(server) + workers_figures(server)
    finally:
        server.stop()


def made(epoch: str = EPOCH, events: int = EVENTS) -> tuple[list[Packed], Rows, Rows]:
    """Batches of BOXES boxes in turn, and the rows they become in calls and inbox."""
    heads = {f"box-{number}": (0, genesis(epoch, "evt")) for number in range(BOXES)}
    packed: list[Packed] = []
    calls: Rows = []
    inbox: Rows = []
    chance = random.Random(1)
    for number in range(events // BATCH):
        box_id = f"box-{number % BOXES}"
        seq, prev = heads[box_id]
        h, bodies = prev, []
        for at in range(seq + 1, seq + BATCH + 1):
            event, eid = call_ended(f"138{chance.randrange(10**8):08d}"), new_id()
            body = entry_bytes(event, eid, AT, at)
            h = chained(h, body)
            bodies.append(body)
            fields = (getattr(event, name) for name in ("call_id", *CALL))
            calls.append((*fields, box_id, AT, *found_by(event)))
            inbox.append((eid, box_id, epoch, "evt", at, "call_ended", AT, AT, h, None, body))
        packed.append((box_id, pack_batch(box_id, epoch, "evt", seq + 1, prev, h, bodies)))
        heads[box_id] = (seq + BATCH, h)
    return packed, calls, inbox


def ingest(engine: Engine, packed: list[Packed], leases: Leases | None = None) -> None:
    """What an ingest worker does with what arrives."""
    desk = EntriesDesk(engine, Inbox(inbox_tables, APPLY), leases=leases)
    for some in chunks(packed, MESSAGES):
        answers = desk.handle([(Topic(box, False, "up", "e"), payload) for box, payload in some], AT)
        assert len(answers) == len(some)


def register(engine: Engine) -> None:
    with write(engine) as db:
        for number in range(BOXES):
            boxes.register(db, f"box-{number}", "x")


def sqlite_figures() -> list[Figure]:
    """One ingest process on SQLite against executemany."""

    def ours(folder: Path) -> Callable[[], None]:
        engine, (packed, _, _) = open_engine(f"sqlite:///{folder}/ours.db"), made()
        register(engine)
        return lambda: ingest(engine, packed)

    def bare(folder: Path) -> Callable[[], None]:
        open_engine(f"sqlite:///{folder}/bare.db").dispose()
        db, (_, calls, inbox) = sqlite3.connect(folder / "bare.db", isolation_level=None), made()
        open_sqlite(db, None)
        statements = [insert("calls", CALL_COLUMNS), insert("inbox", INBOX_COLUMNS)]

        def run() -> None:
            for pair in zip(chunks(calls, BATCH * MESSAGES), chunks(inbox, BATCH * MESSAGES), strict=True):
                db.execute("BEGIN IMMEDIATE")
                for statement, rows in zip(statements, pair, strict=True):
                    db.executemany(statement, rows)
                db.execute("COMMIT")

        return run

    ours_s, bare_s = best(ours, bare)
    return [
        Figure("ingest on SQLite; against bare batch insert", EVENTS / ours_s, "events/s", EVENTS / bare_s,
               ratio_target=0.8, at_least=True),
    ]  # fmt: skip


def postgresql_figures(server: PostgresServer) -> list[Figure]:
    """One ingest process on PostgreSQL against COPY."""

    def ours(_folder: Path) -> Callable[[], None]:
        engine, (packed, _, _) = fresh(server), made()
        return lambda: ingest(engine, packed)

    def bare(_folder: Path) -> Callable[[], None]:
        engine, (_, calls, inbox) = fresh(server), made()

        def run() -> None:
            for pair in zip(chunks(calls, BATCH * MESSAGES), chunks(inbox, BATCH * MESSAGES), strict=True):
                with write(engine) as db:
                    cursor: Any = db.connection.cursor()
                    copy(cursor, "calls", CALL_COLUMNS, pair[0])
                    copy(cursor, "inbox", INBOX_COLUMNS, pair[1])

        return run

    ours_s, bare_s = best(ours, bare)
    return [
        Figure("ingest on PostgreSQL; against raw COPY", EVENTS / ours_s, "events/s", EVENTS / bare_s,
               ratio_target=0.5, at_least=True),
    ]  # fmt: skip


def workers_figures(server: PostgresServer) -> list[Figure]:
    """CPU of all workers and of the server, per event: four against one, and against four that share nothing.

    Four programs and their sessions on few cores take each other's caches; that much the last have in common.
    """
    costs_us = [
        (_cost_us(server, 1), _cost_us(server, 1, WORKERS), _cost_us(server, WORKERS)) for _ in range(RUNS)
    ]
    alone_us, apart_us, together_us = (min(cost_us) for cost_us in zip(*costs_us, strict=True))
    return [
        Figure("CPU per event with four workers; against one",
               together_us, "us", alone_us, ratio_target=1.15),
        Figure("CPU per event with four workers; against four, each with a database of its own",
               together_us, "us", apart_us, ratio_target=1.15),
    ]  # fmt: skip


def _cost_us(server: PostgresServer, count: int, databases: int = 1) -> float:
    """CPU of `count` workers for each of so many databases, all at once, for an event."""
    urls = [_shared(server, count) for _ in range(databases)]
    events = EVENTS * count  # as many for each: a worker's first moments cost more
    packed, _, _ = made(events=events)
    before_s = server_cpu_s(server)
    with ProcessPoolExecutor(count * databases, multiprocessing.get_context("spawn")) as pool:
        runs: list[Future[float]] = [
            pool.submit(work, url, str(number), packed, count) for url in urls for number in range(count)
        ]
        spent_s = sum(run.result() for run in runs)
    return (spent_s + server_cpu_s(server) - before_s) / (events * databases) * 1e6


def _shared(server: PostgresServer, count: int) -> str:
    """A database whose shards so many workers share."""
    engine = fresh(server)
    with write(engine) as db:
        rows = [(shard, str(shard % count), 1, "9") for shard in range(SHARDS)]
        bulk.insert(db, shard_leases, ("shard", "worker", "term", "until_utc"), rows)
    engine.dispose()
    return engine.url.render_as_string(hide_password=False)


def work(url: str, name: str, packed: list[Packed], count: int) -> float:
    """An ingest worker that shares with others; CPU seconds of its work."""
    collect_seldom()
    engine = open_engine(url)
    mine = [one for one in packed if shard_of(one[0]) % count == int(name)]
    leases = Leases(engine, name, held=dict.fromkeys(range(int(name), SHARDS, count), 1))
    began_s = time.process_time()
    ingest(engine, mine, leases)
    return time.process_time() - began_s


def server_cpu_s(server: PostgresServer) -> float:
    """CPU seconds of the server: itself, what it runs, what it has run."""
    assert server.process is not None
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if path.parent.name == str(server.process.pid):
            ticks += sum(map(int, fields[11:15]))
        elif fields[1] == str(server.process.pid):
            ticks += sum(map(int, fields[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def fresh(server: PostgresServer) -> Engine:
    engine = open_engine(server.url(server.make_database()))
    keep_ahead(engine, utc_now())
    register(engine)
    return engine


def best(*sides: Callable[[Path], Callable[[], None]]) -> list[float]:
    """Wall seconds of the quickest of RUNS runs of each side, in turn, each on a database of its own."""
    times_s: list[list[float]] = [[] for _ in sides]
    for _ in range(RUNS):
        for prepare, taken_s in zip(sides, times_s, strict=True):
            with TemporaryDirectory() as folder:
                run = prepare(Path(folder))
                began_s = time.perf_counter()
                run()
                taken_s.append(time.perf_counter() - began_s)
    return [min(taken_s) for taken_s in times_s]


def insert(table: str, columns: tuple[str, ...]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"


def copy(cursor: Any, table: str, columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
    with cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as pipe:
        for row in rows:
            pipe.write_row(row)


def chunks(items: list[Any], size: int) -> Iterator[list[Any]]:
    for at in range(0, len(items), size):
        yield items[at : at + size]
