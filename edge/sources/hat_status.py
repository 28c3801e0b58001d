"""What a check or a page shows of one board and the link to it.

Edge doctor and the pages read this and nothing else of the link.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HatStatus:
    """One board, now."""

    port: str
    trouble: str | None
    board: str | None
    protocol: str | None  # major.minor of the link, as the board says
    firmware: str | None
    boots: int
    reset_cause: int
    starts_seen: int  # HELLOs: 1 means that it never started again
    times_opened: int
    refused: int  # frames from the board that were not whole
    refused_there: int  # frames from the box, as the board counts
    missed: int  # frames whose numbers never came
    unanswered: int  # commands
    events: int
    events_lost: int
    journals_forgotten: int
    held: tuple[int, ...]
    voltages_v: tuple[float | None, ...]  # last reading of lines 1..n
