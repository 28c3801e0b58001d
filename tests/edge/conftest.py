"""A real broker for a file's tests, and for each test a box and a head office of its own at it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sync.station import Box, Office, Station, until


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    """A mosquitto with TLS and an authority."""
    station = Station(tmp_path_factory.mktemp("broker"))
    station.start_broker()
    yield station
    station.kill_broker()


@pytest.fixture
def station(broker: Station, tmp_path: Path) -> Station:
    """Fresh databases and certificates of the shared authority, at the shared broker."""
    (tmp_path / "pki").symlink_to(broker.pki)
    return Station(tmp_path, broker.port)


@pytest.fixture
def box(station: Station) -> Iterator[Box]:
    """A box that has not said anything yet."""
    box = station.box()
    yield box
    box.close()


@pytest.fixture
def office(station: Station) -> Iterator[Office]:
    """A head office that listens."""
    office = station.office()
    until(lambda: office.ingest.ready, office)
    yield office
    office.close()
