"""Keeps one connection to the broker up: when to try again, and why it failed last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sync.reasons import LinkError
from sync.session import SLOWEST_S, reconnect_s
from sync.transport import Arrived, Link

NOBODY_THERE = ("connection_refused", "unreachable", "timeout", "name_unknown")
NOBODY_S = 4.0  # a question nobody hears costs nobody anything


@dataclass(slots=True)
class Reach:
    """A link and its attempts."""

    link: Link
    chance: Callable[[], float]
    failure: str = ""  # why the last attempt failed, in plain words; "" if it did not
    _code: str = ""  # of that failure: the same one again is not told in other words
    _attempt: int = 0
    _next_s: float = 0.0  # when to try again

    def step(self, now_s: float, now: datetime) -> list[Arrived]:
        """Connect when it is time, do what the socket is ready for; what arrived."""
        try:
            if not self.link.connecting:
                if now_s < self._next_s:
                    return []
                self.link.connect(now)
            return self.link.step()
        except LinkError as error:
            # A connection that ends is tried once more before it counts as trouble.
            if error.code != self._code and (error.code != "closed" or self._attempt > 0):
                self.failure, self._code = str(error), error.code
            slowest_s = NOBODY_S if error.code in NOBODY_THERE else SLOWEST_S
            self._next_s = now_s + reconnect_s(self._attempt, self.chance(), slowest_s)
            self._attempt += 1
            return []

    def well(self) -> None:
        """What runs on the link works: the next failure is a first one."""
        self._attempt = 0
        self.failure = self._code = ""
