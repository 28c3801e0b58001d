"""Fixtures of the page's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cloud.house import House, open_house


@pytest.fixture
def house(tmp_path: Path) -> House:
    """An empty head office."""
    return open_house(tmp_path)
