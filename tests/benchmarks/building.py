"""Lets a benchmark build its large data sets without being in anybody's way, and say how far it is.

While it builds, it and its PostgreSQL come after everybody else for CPU and disk; while it measures, before.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import Engine, bindparam, text

from cloud.store.database import read
from tests.postgres import PostgresServer

LAST, FIRST = 10, -10  # nice
BULK = {  # nothing of it outlives the benchmark, and no checkpoint or vacuum runs into a measurement
    "shared_buffers": "1GB",
    "maintenance_work_mem": "512MB",
    "work_mem": "16MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "1h",
    "autovacuum": "off",
}


class Progress:
    """Lines on stderr: what was done, how long that took."""

    def __init__(self, of: str) -> None:
        self.of = of
        self.begun_s = self.last_s = time.perf_counter()

    def done(self, what: str) -> None:
        """Say that `what` is done."""
        now_s = time.perf_counter()
        sys.stderr.write(
            f"{self.of}: {what} ({now_s - self.last_s:.0f} s, {now_s - self.begun_s:.0f} s in all)\n"
        )
        self.last_s = now_s


@contextmanager
def giving_way(server: PostgresServer, engine: Engine) -> Iterator[None]:
    """Within, this process and whatever `server` starts run last."""
    with _at(server, engine, LAST, "3"):
        yield


@contextmanager
def foremost(server: PostgresServer, engine: Engine) -> Iterator[None]:
    """Within, they run first, if we are root: what else the machine does is not what is measured."""
    with _at(server, engine, FIRST, "2"):
        yield


@contextmanager
def _at(server: PostgresServer, engine: Engine, nice: int, disk_class: str) -> Iterator[None]:
    assert server.process is not None
    engine.dispose()  # a connection keeps the priority that the server had when it began
    ours, before = (os.getpid(), server.process.pid), os.getpriority(os.PRIO_PROCESS, 0)
    _give(ours, nice, disk_class)
    try:
        yield
    finally:
        engine.dispose()
        _give(ours, before, "2")


def _give(pids: tuple[int, ...], nice: int, disk_class: str) -> None:
    for pid in pids:
        with suppress(PermissionError):  # up is for root alone
            os.setpriority(os.PRIO_PROCESS, pid, nice)
        subprocess.run(["ionice", "-c", disk_class, "-p", str(pid)], check=False, capture_output=True)


def load() -> str:
    """How busy the machine is, to stand beside a figure."""
    return "load " + " ".join(f"{one:.1f}" for one in os.getloadavg()) + f" on {os.cpu_count()} cores"


@contextmanager
def indexes_after(engine: Engine, *tables: str) -> Iterator[None]:
    """Within, these tables have no index but their keys, and SQLite no journal; then all is as before."""
    with read(engine) as db:
        listed = _INDEXES[db.dialect.name].bindparams(bindparam("tables", list(tables), expanding=True))
        found = db.execute(listed).all()
    sqlite = engine.dialect.name == "sqlite"
    _run(engine, *(f"DROP INDEX {name}" for name, _ in found))
    if sqlite:  # of the one connection that is open
        _run(engine, "PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF")
    yield
    _run(engine, *(made.replace(" ON ONLY ", " ON ") for _, made in found))  # and on every part
    _run(engine, "ANALYZE" if sqlite else "VACUUM ANALYZE")
    engine.dispose()  # the next connection has head office's settings


def unlogged(engine: Engine, *tables: str) -> None:
    """PostgreSQL writes no log for these tables and their parts from now on."""
    for table in tables:
        parts = text(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent::regclass::text = :one"
        )
        with read(engine) as db:
            found = db.execute(parts, {"one": table}).scalars().all() or [table]
        _run(engine, *(f"ALTER TABLE {part} SET UNLOGGED" for part in found))


def _run(engine: Engine, *statements: str) -> None:
    """Each by itself, in no transaction."""
    connection: Any = engine.raw_connection()
    try:
        if engine.dialect.name == "postgresql":
            connection.driver_connection.autocommit = True
        for statement in statements:
            connection.cursor().execute(statement)
    finally:
        if engine.dialect.name == "postgresql":
            connection.driver_connection.autocommit = False
        connection.close()


_INDEXES = {
    "postgresql": text(
        "SELECT c.relname, pg_get_indexdef(c.oid) FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid"
        " JOIN pg_class t ON t.oid = i.indrelid WHERE t.relname IN :tables AND NOT i.indisprimary"
        " AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = c.oid) ORDER BY 1"
    ),
    "sqlite": text(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name IN :tables"
        " AND sql IS NOT NULL ORDER BY 1"
    ),
}
