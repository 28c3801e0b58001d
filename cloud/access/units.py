"""The organisation: units of four tiers below one root, and which branches somebody of a unit sees.

A person sees the branches of their own unit and of every unit below it, never those beside or above.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sync.locale import marked

NATIONAL = "national"  # the root's id: always there, in no table

TIERS: dict[str, str] = {  # from the top down; tier -> its name
    "national": marked("National"),
    "province": marked("Province"),
    "city": marked("City"),
    "branch": marked("Branch office"),
}


@dataclass(frozen=True, slots=True)
class Unit:
    """A part of the organisation."""

    id: str
    name: str
    tier: str  # a key of TIERS
    parent: str  # id of a unit of a higher tier; "" for the root


ROOT = Unit(NATIONAL, "", "national", "")


@dataclass(frozen=True, slots=True)
class Units:
    """All units, and the unit each box belongs to. Made by `Units.of`."""

    by_id: Mapping[str, Unit]
    unit_of_box: Mapping[str, str]

    @classmethod
    def of(cls, units: Iterable[Unit] = (), unit_of_box: Mapping[str, str] | None = None) -> Units:
        """The organisation of these units; the root is added, and no other unit takes its place."""
        return cls({unit.id: unit for unit in (*units, ROOT)}, unit_of_box or {})

    def boxes_seen_from(self, unit_id: str) -> frozenset[str] | None:
        """The boxes that people of a unit see; None: all. Of a unit nobody knows: none."""
        if unit_id == NATIONAL:
            return None
        if unit_id not in self.by_id:
            return frozenset()
        return frozenset(box for box, unit in self.unit_of_box.items() if self.is_within(unit, unit_id))

    def is_within(self, unit_id: str, above: str) -> bool:
        """Whether a unit is `above` itself or stands somewhere below it."""
        seen: set[str] = set()
        while unit_id in self.by_id and unit_id not in seen:
            if unit_id == above:
                return True
            seen.add(unit_id)  # rows that name each other as parents end here
            unit_id = self.by_id[unit_id].parent
        return False

    def fault(self, unit: Unit) -> str | None:
        """Why `unit` cannot be added (a marked sentence); None: it can."""
        tiers = list(TIERS)
        if unit.tier not in TIERS or unit.id in ("", NATIONAL):
            return marked("A unit needs a tier: province, city or branch.")
        if unit.parent not in self.by_id:
            return marked("The unit above is not known.")
        if tiers.index(self.by_id[unit.parent].tier) >= tiers.index(unit.tier):
            return marked("A unit stands below one of a higher tier.")
        return None
