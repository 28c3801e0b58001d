"""Seals what is sealed with an older key anew, a batch per transaction, so that it may stop at any point.

Which rows are still to do, the rows themselves say (`key_id`), so nothing is remembered between batches and a
run that was interrupted is simply run again. Tokens are made anew with the values they stand for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, Table, func, select

from cloud.customers.record import SENSITIVE
from cloud.field_keys import Keyring
from cloud.store import customer_tables as tables
from cloud.store import schema
from cloud.store.customer_imports import import_place
from cloud.store.customer_merges import merge_place
from cloud.store.customer_rows import TOKENS, place
from cloud.store.customer_writes import history_place
from cloud.store.database import read, write
from cloud.store.webhooks import secret_place

BATCH = 200

Reseal = Callable[[Connection, RowMapping, Keyring], dict[str, Any]]


def _customer(db: Connection, row: RowMapping, ring: Keyring) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in SENSITIVE:
        clear = ring.open(row[f"{name}_sealed"], place(row["id"], name))
        values[f"{name}_sealed"] = ring.seal(clear, place(row["id"], name))
        if name in TOKENS:
            values[f"{name}_token"] = ring.token(clear)
    numbers = tables.customer_numbers
    for one in db.execute(
        select(numbers.c.id, numbers.c.key).where(numbers.c.customer_id == row["id"])
    ).all():
        db.execute(numbers.update().where(numbers.c.id == one.id).values(token=ring.token(one.key)))
    return values


def _whole(place_of: Callable[[str], str], column: str = "sealed") -> Reseal:
    """How a row is done that has one sealed value, in `column`."""

    def reseal(_db: Connection, row: RowMapping, ring: Keyring) -> dict[str, Any]:
        where = place_of(row["id"])
        return {column: ring.seal(ring.open(row[column], where), where)}

    return reseal


SEALED: dict[Table, Reseal] = {  # every table with something sealed in it
    tables.customers: _customer,
    tables.customer_changes: _whole(history_place),
    tables.customer_merges: _whole(merge_place),
    tables.customer_imports: _whole(import_place),
    schema.webhooks.hooks: _whole(secret_place, "secret"),
}


def rows_left(engine: Engine, ring: Keyring) -> int:
    """How many rows are sealed with a key that is not the active one."""
    with read(engine) as db:
        counts = (
            db.execute(select(func.count()).where(table.c.key_id != ring.active.id)).scalar_one()
            for table in SEALED
        )
        return sum(counts)


def rotate_batch(engine: Engine, ring: Keyring, limit: int = BATCH) -> int:
    """Seal up to `limit` rows anew in one transaction; how many. 0: nothing is left. KeyFault."""
    for table, reseal in SEALED.items():
        with write(engine) as db:
            old = select(table).where(table.c.key_id != ring.active.id).limit(limit)
            rows = db.execute(old).mappings().all()
            for row in rows:
                values = reseal(db, row, ring) | {"key_id": ring.active.id}
                db.execute(table.update().where(table.c.id == row["id"]).values(values))
        if rows:
            return len(rows)
    return 0
