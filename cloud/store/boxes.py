"""The boxes head office knows: registered by a person, seen by ingest, listed on the page."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, func, select

from cloud.store.schema import boxes, calls, recordings


def register(connection: Connection, box_id: str, name: str) -> None:
    """Add a box that has not been heard of yet, or give a known one its name."""
    known = connection.execute(select(boxes.c.id).where(boxes.c.id == box_id)).first()
    if known:
        connection.execute(boxes.update().where(boxes.c.id == box_id).values(name=name))
    else:
        connection.execute(boxes.insert().values(id=box_id, name=name))


def list_boxes(connection: Connection) -> Sequence[RowMapping]:
    """Id and name of every box, by name, then by id."""
    query = select(boxes.c.id, boxes.c.name).order_by(boxes.c.name, boxes.c.id)
    return connection.execute(query).mappings().all()


def list_branches(connection: Connection, today_utc: str) -> Sequence[RowMapping]:
    """Every box with its calls since `today_utc` and its recordings whose audio has not arrived, by name."""
    today = (
        select(calls.c.box_id, func.count().label("n"))
        .where(calls.c.started_utc >= today_utc)
        .group_by(calls.c.box_id)
        .subquery()
    )
    waiting = (
        select(recordings.c.box_id, func.count().label("n"))
        .where(recordings.c.state == "announced")
        .group_by(recordings.c.box_id)
        .subquery()
    )
    statement = (
        select(
            boxes,
            func.coalesce(today.c.n, 0).label("calls_today"),
            func.coalesce(waiting.c.n, 0).label("recordings_waiting"),
        )
        .outerjoin(today, today.c.box_id == boxes.c.id)
        .outerjoin(waiting, waiting.c.box_id == boxes.c.id)
        .order_by(boxes.c.name, boxes.c.id)
    )
    return connection.execute(statement).mappings().all()
