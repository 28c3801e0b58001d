"""Communications (沟通记录) that branches wrote down: kept as they come, found by customer or number."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from operator import attrgetter

from sqlalchemy import Connection, RowMapping, func, or_, select

from cloud.store.customer_tables import communications
from cloud.store.customers import Boxes
from cloud.store.schema import boxes
from sync import bulk
from sync.events import CommunicationAdded
from sync.inbox import Told
from sync.phone import read_number

FACT = tuple(one.name for one in dataclasses.fields(CommunicationAdded) if one.name != "communication_id")
COLUMNS = ("id", *FACT, "number_key", "box_id", "received_utc")
_values = attrgetter("communication_id", *FACT)


def communication_added(db: Connection, told: Sequence[Told]) -> None:
    """The rows of communications; ValueError if one of that id is another box's."""
    rows = {
        one.event.communication_id: (
            *_values(one.event), _key(one.event.number), one.origin.box_id, one.origin.received_utc
        )
        for one in told
    }  # fmt: skip
    if bulk.upsert(db, communications, COLUMNS, list(rows.values()), "box_id") != len(rows):
        raise ValueError(f"communication {next(iter(rows))} belongs to another box")


def communication_cleared(db: Connection, told: Sequence[Told]) -> None:
    """Note which were taken out of the branch's lists; one that was never told of is nobody's loss."""
    for one in told:
        own = (
            communications.c.id == one.event.communication_id,
            communications.c.box_id == one.origin.box_id,
        )
        db.execute(communications.update().where(*own).values(cleared_utc=one.event.cleared_utc))


def communications_of(
    db: Connection, customer_ids: Sequence[str], keys: Sequence[str], box_ids: Boxes, limit: int = 100
) -> Sequence[RowMapping]:
    """What was said with customers of these ids, or over these numbers, last first."""
    branch = func.coalesce(boxes.c.name, communications.c.box_id).label("branch")
    within = [] if box_ids is None else [communications.c.box_id.in_(box_ids)]
    about = or_(communications.c.customer_id.in_(customer_ids), communications.c.number_key.in_(keys))
    statement = (
        select(communications, branch)
        .outerjoin(boxes, boxes.c.id == communications.c.box_id)
        .where(communications.c.cleared_utc.is_(None), about, *within)
        .order_by(communications.c.at_utc.desc(), communications.c.id.desc())
    )
    return db.execute(statement.limit(limit)).mappings().all()


def _key(said: str) -> str:
    keys = read_number(said).keys
    return keys[0] if keys else ""
