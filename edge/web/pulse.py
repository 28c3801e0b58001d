"""Whether the recorder lives, seen from outside: the position of its ring moves on, or it does not."""

from __future__ import annotations

from pathlib import Path

from edge.ring import RingError, RingReader

LOOK_EVERY_S = 1.0
STILL_S = 3.0


class Pulse:
    """Watches the rings' positions. Whoever asks says what time it is."""

    def __init__(self, rings: tuple[Path, ...]) -> None:
        self._rings = rings
        self._positions: dict[Path, int] = {}
        self._moved_s: dict[Path, float] = {}
        self._looked_s = float("-inf")
        self._beats = True

    def beats(self, now_s: float) -> bool:
        """False when a ring is missing or has stood still for STILL_S; True when there is none to watch."""
        if now_s - self._looked_s >= LOOK_EVERY_S:
            self._looked_s = now_s
            self._beats = all([self._moves(path, now_s) for path in self._rings])
        return self._beats

    def _moves(self, path: Path, now_s: float) -> bool:
        try:
            position = RingReader.open(path).position
        except RingError:
            return False
        if position != self._positions.get(path):
            self._positions[path], self._moved_s[path] = position, now_s
        return now_s - self._moved_s[path] < STILL_S
