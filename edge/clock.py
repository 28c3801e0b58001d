"""Time for the box: monotonic seconds for lengths, UTC for people, and how far UTC can be trusted."""

from __future__ import annotations

import subprocess
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What everything that needs the time is given; tests give one they move themselves."""

    def monotonic_s(self) -> float:
        """Seconds that never jump."""

    def utc(self) -> datetime:
        """The time of day, with its zone."""

    def quality(self) -> str:
        """`ntp` (disciplined), `unsynced`, or `unknown` (nobody could be asked)."""


class SystemClock:
    """The box's own clocks."""

    def monotonic_s(self) -> float:
        """CLOCK_MONOTONIC."""
        return time.monotonic()

    def utc(self) -> datetime:
        """The system's wall clock."""
        return datetime.now(UTC)

    def quality(self) -> str:
        """What systemd's time service says of it."""
        try:
            answer = subprocess.run(
                ["timedatectl", "show", "--property=NTPSynchronized", "--value"],
                capture_output=True, text=True, timeout=2, check=False,
            ).stdout.strip()  # fmt: skip
        except (OSError, subprocess.TimeoutExpired):
            return "unknown"
        return {"yes": "ntp", "no": "unsynced"}.get(answer, "unknown")
