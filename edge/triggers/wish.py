"""What a trigger says, and how it is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from edge.line.events import LineEvent


@dataclass(frozen=True, slots=True)
class Wish:
    """Audio is wanted from `position` on, or (`keep` False) only until there."""

    keep: bool
    position: int


class Trigger(Protocol):
    """One line's trigger."""

    def feed(self, event: LineEvent) -> Wish | None:
        """What `event` changes, if anything."""

    def tick(self, position: int) -> Wish | None:
        """What time alone changes."""
