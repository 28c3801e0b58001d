"""The organisation in the database: its units, and the unit of each box."""

from __future__ import annotations

from sqlalchemy import Connection, select

from cloud.access.units import Unit, Units
from cloud.store.access_tables import org_units
from cloud.store.schema import boxes, users


def read_units(connection: Connection) -> Units:
    """The organisation as it is now."""
    units = [Unit(**row) for row in connection.execute(select(org_units)).mappings()]
    of_box = connection.execute(select(boxes.c.id, boxes.c.unit_id))
    return Units.of(units, {box_id: unit_id for box_id, unit_id in of_box})


def add_unit(connection: Connection, unit: Unit) -> None:
    """Add a unit; ValueError when it does not fit where it is to stand."""
    fault = read_units(connection).fault(unit)
    if fault:
        raise ValueError(fault)
    connection.execute(
        org_units.insert().values(id=unit.id, name=unit.name, tier=unit.tier, parent=unit.parent)
    )


def place_box(connection: Connection, box_id: str, unit_id: str) -> None:
    """Say which unit a box belongs to."""
    connection.execute(boxes.update().where(boxes.c.id == box_id).values(unit_id=unit_id))


def place_user(connection: Connection, user_id: str, unit_id: str) -> None:
    """Say which unit somebody belongs to."""
    connection.execute(users.update().where(users.c.id == user_id).values(unit_id=unit_id))
