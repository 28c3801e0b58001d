"""Hypothesis without a clock: how long an example takes depends on who else uses the machine."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("branchline", deadline=None)
settings.load_profile("branchline")
