"""Sheets of customers taken in: looked at first, added whole or not at all, undone if it was a mistake.

    checked --(no fault, confirmed)--> adding --> done --> undone
       |                                 | nothing heard of it for STALE_AFTER
       +-- faults: stays                 +-------------------------> undone

Rows go in by batches, so that ingest never waits long for an import; what a process that ended meanwhile left
half added is taken out again (`undo_stale`). The sheet is kept sealed, and only until it is taken in.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import TypeVar

from sqlalchemy import Connection, Engine, RowMapping, select

from cloud.field_keys import Keyring
from cloud.store.customer_tables import customer_changes, customer_imports, customers
from cloud.store.customer_writes import New, Stamp, add_customers
from cloud.store.database import write
from sync.ids import new_id
from sync.moment import to_text

T = TypeVar("T")

BATCH = 1000
STALE_AFTER = timedelta(minutes=10)


def import_place(import_id: str) -> str:
    """Where a sheet is sealed."""
    return f"customer_imports/{import_id}/file"


def keep_sheet(
    db: Connection, ring: Keyring, user_id: str, box_id: str | None, sheet: bytes, row_count: int, at_utc: str
) -> str:
    """Keep a sheet until it is confirmed; the user's earlier ones are dropped. Its id."""
    import_id = new_id()
    mine = customer_imports.c.user_id == user_id
    db.execute(customer_imports.update().where(mine).values(sealed=None))
    text = base64.b64encode(sheet).decode()
    db.execute(
        customer_imports.insert().values(
            id=import_id,
            user_id=user_id,
            box_id=box_id,
            state="checked",
            sealed=ring.seal(text, import_place(import_id)),
            key_id=ring.active.id,
            row_count=row_count,
            at_utc=at_utc,
        )
    )
    return import_id


def find_import(db: Connection, user_id: str, import_id: str) -> RowMapping | None:
    """A user's own import."""
    statement = select(customer_imports).where(
        customer_imports.c.id == import_id, customer_imports.c.user_id == user_id
    )
    return db.execute(statement).mappings().one_or_none()


def last_done(db: Connection, user_id: str) -> RowMapping | None:
    """The user's last import that is not undone."""
    statement = select(customer_imports).where(
        customer_imports.c.user_id == user_id, customer_imports.c.state == "done"
    )
    return db.execute(statement.order_by(customer_imports.c.id.desc()).limit(1)).mappings().one_or_none()


def sheet_of(row: RowMapping, ring: Keyring) -> bytes | None:
    """The sheet as it came, while it is kept; KeyFault."""
    if row["sealed"] is None:
        return None
    return base64.b64decode(ring.open(row["sealed"], import_place(row["id"])))


def known_ids(db: Connection, ids: Sequence[str]) -> set[str]:
    """Those of these ids that a customer has, deleted ones included."""
    found: set[str] = set()
    for some in _batches(ids, 500):
        found |= set(db.execute(select(customers.c.id).where(customers.c.id.in_(some))).scalars())
    return found


def add_all(
    engine: Engine,
    ring: Keyring,
    import_id: str,
    many: Sequence[New],
    by: Stamp,
    now: datetime,
    batch: int = BATCH,
) -> bool:
    """Add every customer; False when this import has been confirmed already.

    If one fails, what came before it is taken out again and the error goes on to the caller.
    """
    if not _step(engine, import_id, "checked", "adding", to_text(now)):
        return False
    try:
        for some in _batches(many, batch):
            with write(engine) as db:
                add_customers(db, ring, some, by, import_id)
    except BaseException:
        undo(engine, import_id)
        raise
    return _step(engine, import_id, "adding", "done", to_text(now))


def undo(engine: Engine, import_id: str) -> tuple[int, int]:
    """Take out what an import added, but for customers changed since: (taken out, left)."""
    removed = 0
    while True:
        with write(engine) as db:
            chosen = (
                select(customers.c.id)
                .where(customers.c.import_id == import_id, customers.c.version == 1)
                .limit(BATCH)
            )
            ids = list(db.execute(chosen).scalars())
            db.execute(customers.delete().where(customers.c.id.in_(ids)))
            db.execute(customer_changes.delete().where(customer_changes.c.customer_id.in_(ids)))
        removed += len(ids)
        if len(ids) < BATCH:
            break
    with write(engine) as db:
        this = customer_imports.update().where(customer_imports.c.id == import_id)
        db.execute(this.values(state="undone", sealed=None))
        left = db.execute(select(customers.c.id).where(customers.c.import_id == import_id)).all()
    return removed, len(left)


def undo_stale(engine: Engine, now: datetime) -> None:
    """Take out what imports had added whose process ended in the middle of them."""
    with write(engine) as db:
        begun = select(customer_imports.c.id).where(
            customer_imports.c.state == "adding", customer_imports.c.at_utc < to_text(now - STALE_AFTER)
        )
        stale = list(db.execute(begun).scalars())
    for import_id in stale:
        undo(engine, import_id)


def _step(engine: Engine, import_id: str, before: str, after: str, at_utc: str) -> bool:
    values = {"state": after, "at_utc": at_utc} | ({"sealed": None} if after == "done" else {})
    this = customer_imports.update().where(
        customer_imports.c.id == import_id, customer_imports.c.state == before
    )
    with write(engine) as db:
        return db.execute(this.values(values)).rowcount == 1


def _batches(many: Sequence[T], size: int) -> Iterator[list[T]]:
    remaining = iter(many)
    while some := list(islice(remaining, size)):
        yield some
