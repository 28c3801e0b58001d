"""The seconds before an answer, in which caller ID comes: kept beside the call, so that it can be read again.

           10 s              7 s after the first ring, the answer, or the end: the first of them
    |------------- first ring -------|
    begin                            end         decided: a second after the answer, at the end of the call,
                                                 after half a minute of ringing; the ring holds it until then

Kept whether the caller ID was read, refused or never seen. There is no speech in it. The numbers that are
never recorded come first: nothing is written before the caller is known, or cannot be known any more.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from edge.call import Action, BeginCall, Call, EndCall, KeepOnHook, UpdateCall
from edge.keeping import CALLER_WAIT_S, KeepRules

BEFORE_RING_S = 10.0  # CallRules.caller_before_ring_s: a message may come so long before its ring
AFTER_RING_S = 7.0  # one ring, the longest pause, and a second ring that began
LONGEST_WAIT_S = 30.0  # after the first ring


@dataclass(slots=True)
class OnHookKeeping:
    """Follows one line's calls by what was done about them."""

    rate_hz: int
    _call: Call | None = None  # rings, or was just answered; nothing decided yet

    def follow(self, actions: Iterable[Action], position: int, rules: KeepRules) -> list[Action]:
        """What to keep after `actions`, now that it is `position`."""
        kept: list[Action] = []
        for action in actions:
            if isinstance(action, BeginCall):
                self._call = action.call if action.call.direction == "in" else None
            elif isinstance(action, UpdateCall) and self._call is not None:
                self._call = action.call
            elif isinstance(action, EndCall) and self._call is not None:
                self._call = action.call
                kept += self._decide(rules)
        if self._call is not None and position >= self._due(self._call):
            kept += self._decide(rules)
        return kept

    def _due(self, call: Call) -> int:
        latest = call.started + round(LONGEST_WAIT_S * self.rate_hz)
        if call.answered is None:
            return latest
        return min(latest, call.answered + round(CALLER_WAIT_S * self.rate_hz))

    def _decide(self, rules: KeepRules) -> list[Action]:
        call, self._call = self._call, None
        if call is None or not rules.record:
            return []
        if call.caller is not None and call.caller.number is not None and rules.never.has(call.caller.number):
            return []
        ends = [call.started + round(AFTER_RING_S * self.rate_hz)]
        ends += [] if call.answered is None else [call.answered]
        return [KeepOnHook(call, call.started - round(BEFORE_RING_S * self.rate_hz), min(ends))]
