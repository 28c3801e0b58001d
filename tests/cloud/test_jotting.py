"""Transactions that do not wait for the disk: as whole as any other, and the next one waits again."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, Engine, event, select

from cloud.store.database import read, write
from cloud.store.jotting import jot
from cloud.store.schema import ingest_workers
from tests.sync.station import AT

ASK = {"sqlite": "PRAGMA synchronous", "postgresql": "SHOW synchronous_commit"}
WAITS = {"sqlite": 2, "postgresql": "on"}
DOES_NOT_WAIT = {"sqlite": 1, "postgresql": "off"}


@pytest.fixture
def careful(engine: Engine) -> Engine:
    """A database that waits for the disk, as PostgreSQL does unless told otherwise."""
    engine.dispose()
    if engine.dialect.name == "postgresql":
        event.listen(engine, "connect", lambda db, _record: db.execute("SET synchronous_commit = on"))
    return engine


def how(db: Connection) -> object:
    return db.exec_driver_sql(ASK[db.dialect.name]).scalar_one()


def jot_it(engine: Engine, name: str, fault: type[Exception] | None = None) -> object:
    with jot(engine) as db:
        db.execute(ingest_workers.insert().values(worker=name, until_utc=AT))
        if fault is not None:
            raise fault
        return how(db)


def names(engine: Engine) -> list[str]:
    with read(engine) as db:
        return list(db.execute(select(ingest_workers.c.worker)).scalars())


def test_the_disk_is_waited_for_by_all_others(careful: Engine) -> None:
    kind = careful.dialect.name
    assert jot_it(careful, "first") == DOES_NOT_WAIT[kind]
    with write(careful) as db:
        assert how(db) == WAITS[kind]
    with pytest.raises(KeyError):
        jot_it(careful, "second", KeyError)
    with write(careful) as db:
        assert how(db) == WAITS[kind]
    assert names(careful) == ["first"]
