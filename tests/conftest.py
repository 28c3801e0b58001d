"""For every test: hypothesis without a clock, and the longest stories first.

How long an example takes depends on who else uses the machine, so no test fails for it. The stories of whole
worlds mostly wait; begun first, they wait beside everything else.
"""

from __future__ import annotations

import pytest
from hypothesis import settings

settings.register_profile("branchline", deadline=None)
settings.load_profile("branchline")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Groups (a group runs in one process, in order) before the rest."""
    items.sort(key=lambda item: item.get_closest_marker("xdist_group") is None)
