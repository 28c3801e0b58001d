"""What the syncer may not load before somebody is on the phone: it runs for years beside the recorder."""

from __future__ import annotations

import subprocess
import sys

import pytest

LOADED = "import edge.__main__, edge.services, edge.syncer, sys; print('\\n'.join(sys.modules))"


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    """The modules of a syncer that has just started."""
    return set(
        subprocess.run(
            [sys.executable, "-c", LOADED], capture_output=True, text=True, check=True
        ).stdout.split()
    )


@pytest.mark.parametrize("heavy", ["numpy", "soundfile", "soxr", "sqlalchemy", "asyncio", "bottle", "jinja2"])
def test_the_syncer_starts_without(loaded: set[str], heavy: str) -> None:
    assert "edge.syncer.loop" in loaded
    assert heavy not in loaded
