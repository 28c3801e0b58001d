"""Commands to the board: numbered, sent again until answered, given up in the end; leases renewed in time.

A command sets and never toggles, so sending it twice does no harm.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from dataclasses import dataclass, field

from hw import wire

AGAIN_S = 0.1
TRIES = 3
RENEW_S = 0.5
OUTCOMES_KEPT = 64
NO_ANSWER = "no answer"


@dataclass(slots=True)
class _Sent:
    body: bytes
    tries: int = 0
    due_s: float = 0.0


@dataclass(slots=True)
class Commands:
    """What is asked of the board; lines are the board's own, from 1."""

    unanswered: int = 0
    held: set[int] = field(default_factory=set)
    _last: int = 0
    _open: dict[int, _Sent] = field(default_factory=dict)
    _outcomes: OrderedDict[int, str] = field(default_factory=OrderedDict)
    _renew_s: float = 0.0

    def number(self) -> int:
        """The next request number."""
        self._last = self._last % 0xFFFF + 1
        return self._last

    def ask(self, command: int, arguments: bytes = b"") -> int:
        """Queue a command; return its request number."""
        request = self.number()
        self._open[request] = _Sent(wire.pack_request(request, command, arguments))
        return request

    def outcome(self, request: int) -> str | None:
        """None while it is open, then one of wire.CODES' words or NO_ANSWER."""
        return self._outcomes.get(request)

    def hold(self, line: int) -> None:
        """Keep the line's hook switch closed from now on."""
        self.held.add(line)
        self._renew_s = 0.0

    def release(self, line: int) -> None:
        """Open it."""
        self.held.discard(line)
        self.ask(wire.RELEASE, bytes((line,)))

    def due(self, now_s: float) -> list[bytes]:
        """Bodies of COMMAND to send now."""
        if self.held and now_s >= self._renew_s:
            self._renew_s = now_s + RENEW_S
            for line in sorted(self.held):
                self.ask(wire.HOOK, struct.pack("<BH", line, wire.MAX_LEASE_MS))
        bodies = []
        for request, sent in list(self._open.items()):
            if now_s < sent.due_s:
                continue
            if sent.tries == TRIES:
                self.unanswered += 1
                self._close(request, NO_ANSWER)
                continue
            sent.tries, sent.due_s = sent.tries + 1, now_s + AGAIN_S
            bodies.append(sent.body)
        return bodies

    def replied(self, request: int, code: int) -> None:
        """The board answered."""
        if request in self._open:
            self._close(request, wire.CODES.get(code, f"code {code}"))

    def drop(self, reason: str) -> None:
        """The board is not there, or not to be commanded: nothing is kept for later, no line held."""
        self.held.clear()
        for request in list(self._open):
            self._close(request, reason)

    def _close(self, request: int, outcome: str) -> None:
        del self._open[request]
        self._outcomes[request] = outcome
        while len(self._outcomes) > OUTCOMES_KEPT:
            self._outcomes.popitem(last=False)
