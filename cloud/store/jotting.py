"""Transactions that do not wait for the disk, for what may be lost: whoever has told it tells it again.

They are as whole as any other, and nothing that was committed before them is ever lost with them; a power cut
(no crash of ours, or of the database's) may take them, unless a later `write` made them durable as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine


@contextmanager
def jot(engine: Engine) -> Iterator[Connection]:
    """One transaction that may write: all of it is committed, or none, and soon on the disk."""
    with engine.connect() as connection:
        connection.execution_options(may_write=True)
        if engine.dialect.name == "postgresql":
            with connection.begin():
                connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
                yield connection
            return
        db = connection.connection.driver_connection
        _synchronous(db, "NORMAL")  # no part of a transaction
        try:
            with connection.begin():
                yield connection
        finally:
            _synchronous(db, "FULL")


def _synchronous(db: Any, wanted: str) -> None:
    db.execute(f"PRAGMA synchronous={wanted}")
