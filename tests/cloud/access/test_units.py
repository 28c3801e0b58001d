"""The organisation: who sees which branches, and which units can be added where."""

from __future__ import annotations

import pytest

from cloud.access.units import NATIONAL, Unit, Units
from tests.cloud.verdicts import YUNNAN


@pytest.mark.parametrize(
    ("unit", "boxes"),
    [
        (NATIONAL, None),
        ("yn", {"box-km", "box-dl", "box-01"}),
        ("km", {"box-km"}),
        ("gd", {"box-gz"}),
        ("closed long ago", set()),
        ("", set()),
    ],
)
def test_a_unit_sees_its_own_branches_and_those_below(unit: str, boxes: set[str] | None) -> None:
    assert YUNNAN.boxes_seen_from(unit) == boxes


def test_a_box_of_a_unit_nobody_knows_is_seen_from_the_top_only() -> None:
    units = Units.of([Unit("yn", "云南省", "province", NATIONAL)], {"box": "gone"})
    assert units.boxes_seen_from("yn") == set() and units.boxes_seen_from(NATIONAL) is None


def test_units_that_name_each_other_as_parents_do_no_harm() -> None:
    units = Units.of([Unit("a", "A", "city", "b"), Unit("b", "B", "city", "a")], {"box": "a"})
    assert not units.is_within("a", NATIONAL)
    assert units.boxes_seen_from("b") == {"box"}


def test_no_row_takes_the_place_of_the_root() -> None:
    units = Units.of([Unit(NATIONAL, "mine", "branch", "yn")], {"box": NATIONAL})
    assert units.by_id[NATIONAL].parent == ""


@pytest.mark.parametrize(
    ("unit", "fits"),
    [
        (Unit("sc", "四川省", "province", NATIONAL), True),
        (Unit("lj", "丽江市", "city", "yn"), True),
        (Unit("shop", "翠湖营业厅", "branch", "km"), True),
        (Unit("shop", "直属营业厅", "branch", NATIONAL), True),
        (Unit("x", "X", "province", "yn"), False),
        (Unit("x", "X", "city", "km"), False),
        (Unit("x", "X", "city", "nowhere"), False),
        (Unit("x", "X", "county", "yn"), False),
        (Unit("", "X", "city", "yn"), False),
        (Unit(NATIONAL, "X", "city", "yn"), False),
    ],
)
def test_where_a_unit_can_stand(unit: Unit, fits: bool) -> None:
    assert (YUNNAN.fault(unit) is None) is fits
