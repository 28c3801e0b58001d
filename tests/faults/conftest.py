"""Long runs wait until they are asked for: `make faults` names their mark, `make test` does not."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "faults" not in (config.option.markexpr or ""):
        for item in items:
            if item.get_closest_marker("faults"):
                item.add_marker(pytest.mark.skip(reason="long: make faults"))
