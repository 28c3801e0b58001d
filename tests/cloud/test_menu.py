"""Every page of the menu stands in one area; an area leads somewhere its reader may go."""

from __future__ import annotations

from itertools import chain

import pytest

from cloud.access.roles import ROLES, Right, rights_of
from cloud.web.app import ROUTES
from cloud.web.menu import AREAS, MENU, areas_of
from tests.cloud.verdicts import person


def test_each_page_stands_in_one_area_and_asks_for_the_right_of_its_route() -> None:
    placed = list(chain.from_iterable(AREAS.values()))
    assert sorted(placed) == sorted(MENU)
    assert {path: right for path, (_, right) in MENU.items()} == {
        path: ROUTES[f"GET {path}"].needs for path in MENU
    }


@pytest.mark.parametrize("role", ROLES)
def test_a_role_sees_what_it_may_open_and_nothing_else(role: str) -> None:
    seen = {path for area in areas_of(person(role), "/") for path in area.pages}
    assert seen == {path for path, (_, right) in MENU.items() if right in rights_of(role)}


@pytest.mark.parametrize(
    ("here", "area", "path"),
    [
        ("/", "Work bench", "/"),
        ("/?x=1", "Work bench", "/"),
        ("/calls", "Calls", "/calls"),
        ("/calls?line=1", "Calls", "/calls"),
        ("/calls/0192", "Calls", "/calls"),
        ("/orders/retention", "Calls", "/orders"),
        ("/applications/new?kind=calls", "Permissions", "/applications"),
        ("/callsigns", None, ""),
        ("/purpose", None, ""),
    ],
)
def test_the_area_that_is_open(here: str, area: str | None, path: str) -> None:
    current = [one for one in areas_of(person("manager"), here) if one.current]
    assert [(one.name, one.current) for one in current] == ([(area, path)] if area else [])


def test_nobody_sees_no_menu_and_an_area_leads_to_its_first_allowed_page() -> None:
    assert areas_of(None, "/") == ()
    agent = {area.name: area.path for area in areas_of(person("agent"), "/")}
    assert Right.SETTLE_REPORTS not in rights_of("agent") and agent["Calls"] == "/calls"
