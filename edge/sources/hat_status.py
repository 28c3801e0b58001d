"""What a check or a page shows of one board and the link to it.

Edge doctor and the pages read this and nothing else of the link.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class HatStatus:
    """One board, now."""

    port: str
    trouble: str | None
    board: str | None
    lines: int | None  # that the board says it has
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


def write_status(path: Path, status: HatStatus) -> None:
    """Lay the status where a doctor finds it, whole or not at all; `path` is in memory, so no disk wears."""
    half_made = path.with_name(f".{path.name}.new")
    half_made.write_text(json.dumps(asdict(status)), encoding="utf-8")
    half_made.replace(path)


def read_status(path: Path) -> HatStatus | None:
    """The status that lies at `path`; None if none does, or none that this program knows."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        return HatStatus(
            **{**fields, "held": tuple(fields["held"]), "voltages_v": tuple(fields["voltages_v"])}
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None
