"""Customers as their branches keep them: the newest revision of each, and which of them was taken in.

Head office's own record of a customer is another row (`cloud.store.customers`), written by
`cloud.branch_customers`, which seals with keys that ingest does not have.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import Connection, RowMapping, bindparam, select, text

from cloud.store.customer_tables import branch_customers
from sync.events import CustomerSaved
from sync.inbox import Told

TABLE = branch_customers
_NEWEST = text(
    "INSERT INTO branch_customers"
    " (id, box_id, revision, said, received_utc, taken_revision, taken_said, fault) VALUES"
    " (:id, :box_id, :revision, :said, :received_utc, 0, '', '') ON CONFLICT (id) DO UPDATE SET"
    " revision = excluded.revision, said = excluded.said, received_utc = excluded.received_utc"
    " WHERE excluded.revision > branch_customers.revision AND excluded.box_id = branch_customers.box_id"
)


def customer_saved(db: Connection, told: Sequence[Told]) -> None:
    """The newest revision of each; ValueError if one of that id is another box's."""
    db.execute(_NEWEST, [_row(one) for one in told])
    owners = {one.event.customer_id: one.origin.box_id for one in told}
    query = select(TABLE.c.id, TABLE.c.box_id).where(TABLE.c.id.in_(list(owners)))
    for customer_id, box_id in db.execute(query):
        if box_id != owners[customer_id]:
            raise ValueError(f"customer {customer_id} belongs to another box")


def said_of(event: CustomerSaved) -> str:
    """What a row keeps of an event."""
    return json.dumps(asdict(event), ensure_ascii=False, sort_keys=True)


def waiting(db: Connection, box_id: str, limit: int) -> Sequence[RowMapping]:
    """Up to `limit` that are still to be taken in, of that box or of all (""), the earliest first."""
    query = select(TABLE).where(TABLE.c.revision > TABLE.c.taken_revision)
    if box_id:
        query = query.where(TABLE.c.box_id == box_id)
    return db.execute(query.order_by(TABLE.c.received_utc).limit(limit)).mappings().all()


def settle(db: Connection, row: RowMapping, now_utc: str, fault: str) -> None:
    """That revision was taken in, or cannot be (`fault`: a word of `cloud.customers.from_branch`)."""
    taken = {"taken_revision": row["revision"], "taken_utc": now_utc, "fault": fault}
    if not fault:
        taken["taken_said"] = row["said"]
    own = (TABLE.c.id == bindparam("own_id"), TABLE.c.revision >= row["revision"])
    db.execute(TABLE.update().where(*own).values(taken), {"own_id": row["id"]})


def state_of(db: Connection, customer_id: str) -> RowMapping | None:
    """Where a branch's customer stands (nothing of what it says); None: no branch has told of it."""
    query = select(TABLE.c.revision, TABLE.c.taken_revision, TABLE.c.taken_utc, TABLE.c.fault)
    return db.execute(query.where(TABLE.c.id == customer_id)).mappings().one_or_none()


def say_anew(db: Connection, customer_id: str) -> None:
    """Let whatever is told of it next count, whatever its revision; what was taken in stays known."""
    db.execute(TABLE.update().where(TABLE.c.id == customer_id).values(revision=0))


def _row(told: Told) -> dict[str, object]:
    one = told.event
    return {
        "id": one.customer_id,
        "box_id": told.origin.box_id,
        "revision": one.revision,
        "said": said_of(one),
        "received_utc": told.origin.received_utc,
    }
