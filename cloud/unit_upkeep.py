"""`admin unit`: the organisation's units, and who and which box belongs to which."""

from __future__ import annotations

import argparse
import sys

from sqlalchemy import Connection

from cloud.access.units import NATIONAL, TIERS, Unit
from cloud.admin import LONGEST_NAME, AdminError, open_database
from cloud.config import Settings
from cloud.store import boxes, people, units
from cloud.store.database import write


def add_parsers(things: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The commands below `admin`."""
    unit = things.add_parser("unit", help="the organisation").add_subparsers(
        required=True, metavar="add | place"
    )
    add = unit.add_parser("add", help="add a province, a city or a branch office")
    add.add_argument("id")
    add.add_argument("--name", required=True)
    add.add_argument("--tier", required=True, choices=[tier for tier in TIERS if tier != NATIONAL])
    add.add_argument("--parent", default=NATIONAL, help="id of the unit above; else the root")
    add.set_defaults(run=add_unit)
    place = unit.add_parser("place", help="say who or which box belongs to a unit")
    place.add_argument("unit", help="id of the unit; 'national' for the whole country")
    what = place.add_mutually_exclusive_group(required=True)
    what.add_argument("--user", help="a person's name")
    what.add_argument("--box", help="a box's id")
    place.set_defaults(run=place_in_unit)


def add_unit(settings: Settings, asked: argparse.Namespace) -> None:
    """Add a unit below another one."""
    if not 0 < len(asked.name) <= LONGEST_NAME or not asked.name.isprintable():
        raise AdminError(f"a unit's name has 1 to {LONGEST_NAME} printable characters, got {asked.name!r}")
    with write(open_database(settings)) as connection:
        if asked.id in units.read_units(connection).by_id:
            raise AdminError(f"there is a unit {asked.id!r} already")
        try:
            units.add_unit(connection, Unit(asked.id, asked.name, asked.tier, asked.parent))
        except ValueError as fault:
            raise AdminError(str(fault)) from fault
    sys.stdout.write(f"unit {asked.id} ({asked.name}) added below {asked.parent}\n")


def place_in_unit(settings: Settings, asked: argparse.Namespace) -> None:
    """Put a person or a box into a unit."""
    with write(open_database(settings)) as connection:
        if asked.unit not in units.read_units(connection).by_id:
            raise AdminError(f"there is no unit {asked.unit!r}")
        if asked.user is not None:
            _place_user(connection, asked.user, asked.unit)
        else:
            _place_box(connection, asked.box, asked.unit)
    sys.stdout.write(f"{asked.user or asked.box} belongs to {asked.unit}\n")


def _place_user(connection: Connection, name: str, unit_id: str) -> None:
    user = people.find_user(connection, name)
    if user is None:
        raise AdminError(f"there is no user {name!r}")
    units.place_user(connection, user["id"], unit_id)


def _place_box(connection: Connection, box_id: str, unit_id: str) -> None:
    if box_id not in {row["id"] for row in boxes.list_boxes(connection)}:
        raise AdminError(f"there is no box {box_id!r}")
    units.place_box(connection, box_id, unit_id)
