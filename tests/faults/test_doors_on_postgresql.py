"""Every door for every role on PostgreSQL; `make test` tries them all on SQLite, and two roles there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud.access.roles import ROLES
from tests.cloud.house import open_house
from tests.cloud.test_doors import plant, try_each_door
from tests.cloud.test_routes import NOBODY, try_each_route
from tests.databases import Emptied

pytestmark = pytest.mark.faults


@pytest.fixture
def url(emptied: Emptied) -> Iterator[str]:
    yield emptied.url
    emptied.empty()


@pytest.mark.parametrize("role", [NOBODY, *ROLES])
def test_each_route_lets_in_those_whose_role_has_its_right(
    tmp_path: Path, url: str, role: str | None
) -> None:
    house = open_house(tmp_path, url)
    try_each_route(house, role)
    house.parts.engine.dispose()


@pytest.mark.parametrize("role", [*ROLES, "somebody"])
def test_no_secret_leaves_and_every_read_is_one_audit_row(tmp_path: Path, url: str, role: str) -> None:
    planted = plant(tmp_path, url)
    try_each_door(planted, role)
    planted.house.parts.engine.dispose()
