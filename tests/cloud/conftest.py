"""Fixtures of head office's tests; what holds for one database holds for the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from cloud.store.database import open_engine
from tests.cloud.house import House, open_house


@pytest.fixture
def house(tmp_path: Path, database_url: str) -> Iterator[House]:
    """An empty head office."""
    house = open_house(tmp_path, database_url)
    yield house
    house.parts.engine.dispose()


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An empty database."""
    engine = open_engine(database_url)
    yield engine
    engine.dispose()
