"""The audit trail at size: its first page under every filter, and what adding a row costs.

PostgreSQL makes the rows itself (their hashes are not real: nothing here verifies them). A time is that of
the first page of fifty, as the page asks for it. The baseline of a page is the same question without its
index; that of adding rows is the same rows inserted by as many connections, bare.
AUDIT_ROWS=200000 makes fewer, to try it.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Engine, text

from cloud.access.log import Action, Actor, Deed
from cloud.store import trail
from cloud.store.database import open_engine, read, write
from cloud.store.schema import trail as tables
from cloud.store.trail import TrailFilter
from sync.ids import new_id
from sync.moment import to_text
from tests.benchmarks.building import BULK, Progress, foremost, giving_way, indexes_after, load, unlogged
from tests.benchmarks.figures import Figure, percentile
from tests.postgres import PostgresServer

ROWS = int(os.environ.get("AUDIT_ROWS", "20000000"))
PART = 1_000_000  # rows made in one transaction
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
END = datetime(2026, 11, 22, tzinfo=UTC)
STEP_MS = 1500  # between rows: 20 million are a year
ROUNDS, PAIR_ROUNDS = 20, 3
THREADS, ADDED = 8, 150  # rows added by each
PAGE_MS = 200.0

# Row g of them: seq and time from g, people and objects by remainders from common to rare.
_MAKE = """
INSERT INTO access_log SELECT
  substr(h, 1, 8) || '-' || substr(h, 9, 4) || '-7' || lpad(to_hex(g % 4096), 3, '0') || '-8'
    || substr(m, 1, 3) || '-' || substr(m, 4, 12),
  to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'u' || g % 200, 'user ' || g % 200,
  'agent', 'national', 'session' || g / 400, '10.0.' || g % 200 || '.7', 'Mozilla/5.0', 'web',
  CASE WHEN g % 1000003 = 7 THEN 'break_glass' WHEN g % 5000 = 3 THEN 'export' WHEN g % 10 = 1 THEN 'play'
    WHEN g % 3 = 0 THEN 'search' ELSE 'view' END,
  CASE WHEN g % 40000 = 9 THEN 'branches' WHEN g % 10 = 1 THEN 'recordings' ELSE 'calls' END,
  CASE WHEN g % 3 = 0 THEN '' ELSE md5((g % 5000000)::text) END,
  'box-' || g % 1000, '[]', '{"direction":"in"}', '{}',
  CASE WHEN g % 20011 = 5 THEN 'judicial' WHEN g % 50 = 0 THEN 'complaint' ELSE 'service' END, '[]',
  CASE WHEN g % 30011 = 2 THEN 'refused' ELSE 'done' END, CASE WHEN g % 30011 = 2 THEN 'window' ELSE '' END,
  m, 1, g, 50, b || b || b || b, b || b, b || b
FROM (SELECT g, md5(g::text) AS m, uuid_send(md5(g::text)::uuid) AS b,
  to_timestamp((:end_ms - (:rows - g) * :step) / 1000.0) AS at,
  lpad(to_hex((:end_ms - (:rows - g) * :step)::bigint), 12, '0') AS h
  FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS g OFFSET 0) AS made
"""

CASES: dict[str, TrailFilter] = {
    "no filter": TrailFilter(),
    "a person": TrailFilter(actor_name="user 7"),
    "nobody": TrailFilter(actor_name="nobody"),
    "a common action": TrailFilter(action="view"),
    "a rare action": TrailFilter(action="break_glass"),
    "a kind": TrailFilter(kind="branches"),
    "an object": TrailFilter(object_id="eccbc87e4b5ce2fe28308fd9f2a7baf3"),
    "a branch": TrailFilter(box_id="box-77"),
    "a rare purpose": TrailFilter(purpose="judicial"),
    "what was refused": TrailFilter(result="refused"),
    "what a person never did": TrailFilter(actor_name="user 7", action="play"),
    "what nobody did at a branch": TrailFilter(box_id="box-77", action="play"),
    "a common action for a common reason it never had": TrailFilter(action="play", purpose="complaint"),
    "a month long ago": TrailFilter(
        from_utc=to_text(END - timedelta(days=60)), until_utc=to_text(END - timedelta(days=30))
    ),
}


def measure() -> list[Figure]:
    """Pages over ROWS rows, then rows added on PostgreSQL and on SQLite."""
    server = PostgresServer(BULK)
    server.start()
    try:
        engine = open_engine(server.url(server.make_database()))
        with giving_way(server, engine):
            make_rows(engine)
        with foremost(server, engine):
            found = page_figures(engine)
        engine.dispose()
    finally:
        server.stop()
    return [*found, *append_figures()]


def make_rows(engine: Engine) -> None:
    """ROWS rows, the filters' indexes built after them."""
    progress = Progress("audit trail")
    numbers = {"rows": ROWS, "step": STEP_MS, "end_ms": int(END.timestamp() * 1000)}
    unlogged(engine, tables.log.name)
    with indexes_after(engine, tables.log.name):
        for first in range(1, ROWS + 1, PART):
            last = min(ROWS, first + PART - 1)
            with write(engine) as db:
                db.execute(text(_ordered(_MAKE)), {**numbers, "first": first, "last": last})
            progress.done(f"{last:,} of {ROWS:,} rows")
    progress.done("indexes")


def _ordered(statement: str) -> str:
    """The statement with its columns named: those of a migrated table stand in another order."""
    names = (
        "id, at_utc, actor_id, actor_name, role, unit_id, session, address, user_agent, channel, action,"
        " kind, object_id, box_id, fields, query, changes, purpose, grants, result, reason, trace_id, chain,"
        " seq, row_count, ids, prev, hash"
    )
    return statement.replace("INSERT INTO access_log SELECT", f"INSERT INTO access_log ({names}) SELECT")


def page_figures(engine: Engine) -> list[Figure]:
    """The first page under each filter and under each pair of them."""
    rows = f"{ROWS:,} rows"
    sys.stderr.write(f"first pages: {load()}\n")
    found = [
        Figure(f"first page over {rows}, {name}, p95", _p95(engine, wanted, ROUNDS), "ms", target=PAGE_MS)
        for name, wanted in CASES.items()
    ]
    pairs = [
        _both(*pair) for pair in combinations([one for name, one in CASES.items() if name != "nobody"], 2)
    ]
    slowest = max(_pair_p95(engine, wanted) for wanted in pairs if wanted)
    found.append(
        Figure(f"first page over {rows}, slowest pair of filters, p95", slowest, "ms", target=PAGE_MS)
    )
    rare = CASES["what a person never did"]
    with_index, bare = _p95(engine, rare, ROUNDS), _without_index(engine, rare)
    name = f"first page over {rows}, what a person never did, beside no index of persons"
    return [*found, Figure(name, with_index, "ms", baseline=bare, ratio_target=1.0)]


def _both(one: TrailFilter, other: TrailFilter) -> TrailFilter | None:
    """Both at once; None when they ask for the same column."""
    mine = {name: getattr(one, name) for name in TrailFilter.__dataclass_fields__ if getattr(one, name)}
    theirs = {name: getattr(other, name) for name in TrailFilter.__dataclass_fields__ if getattr(other, name)}
    return None if mine.keys() & theirs.keys() else replace(one, **theirs)


def _p95(engine: Engine, wanted: TrailFilter, rounds: int) -> float:
    return percentile([_page_ms(engine, wanted) for _ in range(rounds)], 95)


def _pair_p95(engine: Engine, wanted: TrailFilter) -> float:
    """After few looks; after as many as for one filter when those are not well within the target."""
    few_ms = _p95(engine, wanted, PAIR_ROUNDS)
    return few_ms if few_ms < PAGE_MS / 2 else _p95(engine, wanted, ROUNDS)


def _page_ms(engine: Engine, wanted: TrailFilter) -> float:
    begin = time.perf_counter()
    with read(engine) as db:
        trail.list_rows(db, wanted, None, 51)
    return (time.perf_counter() - begin) * 1000


def _without_index(engine: Engine, wanted: TrailFilter) -> float:
    """One page found by reading on from the newest row, as the key alone allows."""
    dropped = next(one for one in tables.log.indexes if one.name == "access_log_by_actor")
    with write(engine) as db:
        dropped.drop(db)
    return _page_ms(engine, wanted)


def append_figures() -> list[Figure]:
    """Rows added by THREADS at once, each in a durable transaction of its own."""
    server = PostgresServer(DURABLE)
    server.start()
    try:
        engine = open_engine(server.url(server.make_database()))
        bare = _rate(lambda: _bare(engine))
        chained = _rate(lambda: _append(engine))
        engine.dispose()
    finally:
        server.stop()
    with TemporaryDirectory() as folder:
        engine = open_engine(f"sqlite:///{Path(folder) / 'trail.db'}")
        on_sqlite = [_seconds(lambda: _append(engine)) * 1000 for _ in range(ADDED)]
        engine.dispose()
    name = f"rows added by {THREADS} at once on PostgreSQL, beside bare inserts"
    return [
        Figure(name, chained, "rows/s", baseline=round(bare, 1), ratio_target=0.3, at_least=True),
        Figure("one row added on SQLite, p95", percentile(on_sqlite, 95), "ms", target=50.0),
    ]


def _append(engine: Engine) -> None:
    actor = Actor("u1", "wang", "agent", "national", "s1", "10.0.0.9", "Mozilla/5.0", "web", new_id())
    ids = tuple(new_id() for _ in range(50))
    deed = Deed(actor=actor, action=Action.VIEW, kind="calls", purpose="service", row_count=50, ids=ids)
    with write(engine) as db:
        trail.append(db, deed, to_text(datetime.now(UTC)))


def _bare(engine: Engine) -> None:
    """The same columns, without chain and lock."""
    row = {
        one.name: {str: "x", int: 1, bytes: b"x" * 900}[one.type.python_type] for one in tables.log.columns
    }
    number = int.from_bytes(os.urandom(6))
    with write(engine) as db:
        db.execute(tables.log.insert(), row | {"id": new_id(), "chain": 99, "seq": number})


def _rate(add: Callable[[], None]) -> float:
    def run() -> None:
        for _ in range(ADDED):
            add()

    threads = [threading.Thread(target=run) for _ in range(THREADS)]

    def all_of_them() -> None:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return THREADS * ADDED / _seconds(all_of_them)


def _seconds(run: Callable[[], None]) -> float:
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin
