"""The virtual card's plug-in, for what ALSA makes of a board's configuration."""

from tests.hw.virtual.conftest import plugin

__all__ = ["plugin"]
