"""What only the board itself knows of its lines, as line events: that it holds one, and who joins meanwhile.

Everything else the box finds in the readings; a board's word for the same thing would come twice.
"""

from __future__ import annotations

from collections.abc import Callable

from edge.line.events import LineEvent, LineHeld, PhoneJoined
from hw import wire

# kind on the wire -> line event
SEEN: dict[int, Callable[[int, int], LineEvent]] = {
    wire.HELD: LineHeld,
    wire.PHONE_JOINED: PhoneJoined,
}


def board_event(kind: int, line: int, position: int | None) -> LineEvent | None:
    """The line event for what the board saw, or None; without a position nobody knows when it was."""
    make = SEEN.get(kind)
    return make(line, position) if make is not None and position is not None else None
