"""The emulator's lane is slow: `make firmware-emulated` names its mark, `make test` does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from types import ModuleType

import pytest

from tests.firmware.emulated.board import EmulatedBoard


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "emulated" not in (config.option.markexpr or ""):
        for item in items:
            if item.get_closest_marker("emulated"):
                item.add_marker(pytest.mark.skip(reason="slow: make firmware-emulated"))


@pytest.fixture
def power_on(tmp_path: Path) -> Iterator[Callable[[ModuleType], EmulatedBoard]]:
    """Start the image of a board; every one of them is ended after the test."""
    with ExitStack() as stack:
        yield lambda board: stack.enter_context(closing(EmulatedBoard(board, tmp_path)))
