"""A head office with customers, and browsers that send its forms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from httpx import Response
from starlette.testclient import TestClient

from cloud.customers.record import Record
from cloud.store import customers as store
from cloud.store import serving
from cloud.store.database import read, write
from cloud.store.schema import users
from tests.cloud.customers.people import add
from tests.cloud.house import House, open_house
from tests.databases import new_sqlite


@dataclass
class Counter:
    """Somebody at a browser."""

    house: House
    client: TestClient

    def get(self, path: str) -> Response:
        """A page."""
        return self.client.get(path)

    def post(self, path: str, form: dict[str, Any] | None = None, **more: Any) -> Response:
        """A form of ours, sent."""
        token = {"csrf_token": self.house.csrf_token(self.client)}
        return self.client.post(path, data=token | (form or {}), **more)


@dataclass
class Firm:
    """A head office and its customers."""

    house: House

    def add(self, one: Record, box_id: str | None = None) -> str:
        """A customer; its id."""
        return add(self.house.parts.engine, one, box_id, self.house.parts.ring)

    def counter(self, role: str) -> Counter:
        """A browser of somebody of that role."""
        return Counter(self.house, self.house.visitor(role))

    def row(self, customer_id: str) -> Any:
        """The row of a customer that is not deleted."""
        with read(self.house.parts.engine) as db:
            return store.find_customer(db, customer_id, None)

    def serve(self, customer_id: str, role: str) -> None:
        """Let the user of that role serve a customer."""
        with write(self.house.parts.engine) as db:
            user_id = db.execute(users.select().where(users.c.role == role)).mappings().one()["id"]
            serving.hand_over(db, [customer_id], user_id)


@pytest.fixture
def firm(tmp_path: Path) -> Iterator[Firm]:
    """An empty head office with one branch; what differs between databases the tests of the store show."""
    house = open_house(tmp_path, new_sqlite(tmp_path / "ho.db"))
    house.add_box("box-01", "昆明")
    yield Firm(house)
    house.parts.engine.dispose()
