"""Opens head office's database the same way for every process, and brings its tables up to date.

On SQLite: WAL, full durability, and BEGIN IMMEDIATE for every transaction that may write, because a deferred
one that reads first cannot be promoted when another process wrote in between. PostgreSQL needs none of it.
"""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError, IntegrityError, NoSuchModuleError

from sync.db import WAL_BYTES

BUSY_TIMEOUT_S = 10.0
MIGRATIONS = Path(__file__).with_name("migrations")
_POSTGRESQL_LOCK = 0x6272_6C6E  # any number; the same in every process
# A thousand calls touch more pages than fit SQLite's 2 MB: each was then written and read again many times in
# one transaction. Savepoints keep what they may have to undo in memory, and a checkpoint is worth its fsyncs.
_ROOM = ("cache_size=-32000", "temp_store=MEMORY", "wal_autocheckpoint=2000")
_PAGE_BYTES = 8192  # of a new database: five call records to a page instead of two
_READING: dict[str, dict[str, Any]] = {
    "sqlite": {},
    "postgresql": {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
}


class DatabaseUnusable(RuntimeError):
    """The database cannot be opened; the message says why, without the address (it may hold a password)."""


def open_engine(url: str, application: str = "branchline") -> Engine:
    """Connect to the database at `url` and migrate it; several processes may start at the same time.

    PostgreSQL knows its sessions by the name of the `application`. Raises DatabaseUnusable when it cannot be
    opened.
    """
    try:
        engine = _engine(url, application)
        migrate(engine)
    except (ImportError, NoSuchModuleError) as error:
        raise DatabaseUnusable(f"the driver for this database is not installed: {error}") from error
    except DatabaseError as error:
        raise DatabaseUnusable(f"the database cannot be used: {error.orig}") from error
    return engine


@contextmanager
def write(engine: Engine) -> Iterator[Connection]:
    """One transaction that may write: all of it is committed, or none."""
    with _transaction(engine, {"may_write": True}) as connection:
        yield connection


@contextmanager
def read(engine: Engine) -> Iterator[Connection]:
    """One transaction that only reads: it sees one state of the database from its first statement on."""
    with _transaction(engine, _READING[engine.dialect.name]) as connection:
        yield connection


@contextmanager
def _transaction(engine: Engine, options: dict[str, Any]) -> Iterator[Connection]:
    """With options of the connection: an engine that has them is made anew each time."""
    with engine.connect() as connection:
        connection.execution_options(**options)
        with connection.begin():
            yield connection


@contextmanager
def in_order(connection: Connection) -> Iterator[None]:
    """Within, PostgreSQL walks indexes in their order and sorts nothing that an index has sorted.

    It expects the same few rows of each key, so it would read and sort all rows of one that has a hundred
    thousand.
    """
    if connection.dialect.name != "postgresql":
        yield
        return
    connection.exec_driver_sql("SET LOCAL enable_sort = off")
    yield
    connection.exec_driver_sql("SET LOCAL enable_sort = on")


def mended_indexes(engine: Engine) -> list[str]:
    """What SQLite says is wrong with its file, at most 20 things; its indexes are then made from the rows.

    PostgreSQL has page checksums for this, and its rows are always read from the table itself.
    """
    if engine.dialect.name != "sqlite":
        return []
    with read(engine) as connection:
        says = connection.exec_driver_sql("PRAGMA integrity_check(20)").scalars().all()
    if says == ["ok"]:
        return []
    with suppress(IntegrityError), write(engine) as connection:  # two rows may now claim one key
        connection.exec_driver_sql("REINDEX")
    return [str(one) for one in says]


def migrate(engine: Engine) -> None:
    """Apply the migrations that are missing, under a lock that only one process can hold."""
    scripts = _scripts()
    newest = scripts.get_current_head()
    with read(engine) as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    if found == newest:
        return
    if found is not None and found not in {script.revision for script in scripts.walk_revisions()}:
        raise DatabaseUnusable(
            f"the database was left by a newer version (revision {found}); install that one"
        )
    with write(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _POSTGRESQL_LOCK})
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


@functools.cache
def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _engine(url: str, application: str) -> Engine:
    if make_url(url).get_backend_name() != "sqlite":
        engine = create_engine(url, pool_pre_ping=True, connect_args={"application_name": application})
        event.listen(engine, "connect", _open_postgresql)
        return engine
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S})
    event.listen(engine, "connect", open_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def open_sqlite(db: sqlite3.Connection, _record: Any) -> None:
    """Set a connection of the driver up as all of ours are."""
    db.isolation_level = None  # the driver's own implicit transactions are off: `begin` below is the only way
    limit = f"journal_size_limit={WAL_BYTES}"  # what a long reader has made it grow beyond is given back
    page = f"page_size={_PAGE_BYTES}"
    for pragma in (page, "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", limit, *_ROOM):
        db.execute(f"PRAGMA {pragma}")


def _open_postgresql(db: Any, _record: Any) -> None:
    from psycopg.types.string import StrDumper  # only where there is a PostgreSQL to talk to

    class TextDumper(StrDumper):
        """PostgreSQL has no NUL in texts; one that a telephone line brings is shown as what it is."""

        def dump(self, obj: str) -> Any:
            return super().dump(obj.replace("\0", "\ufffd") if "\0" in obj else obj)

    db.adapters.register_dumper(str, TextDumper)
    db.execute("SET jit = off")  # compiling a statement over all months takes seconds, running it no time
    db.commit()


def _begin_sqlite(connection: Connection) -> None:
    may_write = connection.get_execution_options().get("may_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if may_write else "BEGIN")
