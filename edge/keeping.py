"""Which part of a call is kept: the trigger's wish, the button, the schedule, the numbers never recorded.

One `LineKeeping` stands beside each line's `LineCalls`. A recording that may turn out to be of a number that
is never recorded is not begun before that is known; the ring holds its first seconds meanwhile, so nothing of
an allowed call is lost and no sample of the other reaches the disk.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from edge.call import Action, Call, LineState, StartRecording, StopRecording
from edge.line.events import DigitKeyed, HookFlashed, LineEvent, RecordAsked
from edge.numbers import NumberList
from edge.schedule import Schedule
from edge.triggers import TRIGGERS
from edge.triggers.wish import Trigger, Wish

CALLER_WAIT_S = 1.0  # how long after the answer a caller ID may still be on its way
SPLIT_LATE_S = 2.5  # longer than a hang-up or a dead line takes to be certain
SECOND_WAIT_S = 4.0  # how long after a hook flash, or the last digit after it, a second number may still come


@dataclass(frozen=True, slots=True)
class KeepRules:
    """What is set for one line."""

    record: bool = True
    trigger: str = "voltage"
    hold_s: float = 5.0
    pre_roll_s: float = 5.0
    longest_part_s: float = 0.0  # a recording is split after this; 0 = never
    schedule: Schedule = field(default_factory=Schedule)
    never: NumberList = field(default_factory=NumberList)


@dataclass(slots=True)
class LineKeeping:
    """Decides for one line; feed it after `LineCalls`, with what that said."""

    rate_hz: int
    rules: KeepRules
    local_time: Callable[[int], datetime]  # of a position
    _trigger: Trigger = field(init=False)
    _call: Call | None = None
    _wanted_from: int | None = None
    _part_from: int | None = None  # start of the recording that runs
    _by_hand: bool = False
    _flashed: int | None = None  # since when it may be a second call that nobody may keep
    _digit: int = 0  # position of its last digit

    def __post_init__(self) -> None:
        self._trigger = TRIGGERS[self.rules.trigger](self.rate_hz, self.rules.hold_s)

    def change(self, rules: KeepRules) -> None:
        """Follow other rules from the next call on; none goes on now."""
        self.rules = rules
        self._trigger = TRIGGERS[rules.trigger](self.rate_hz, rules.hold_s)

    def feed(self, event: LineEvent, call: Call | None, state: LineState) -> list[Action]:
        """What to do after `event`, given the call that goes on now."""
        self._follow(call)
        actions = self._doubt(event)
        if isinstance(event, RecordAsked):
            self._by_hand = event.on
            wish: Wish | None = Wish(event.on, event.position)
        else:
            wish = self._trigger.feed(event)
        return actions + self._act(wish, event.position, state)

    def tick(self, position: int, call: Call | None, state: LineState) -> list[Action]:
        """What to do because it is `position` now."""
        self._follow(call)
        return self._act(self._trigger.tick(position), position, state)

    def finish(self, ended: Call) -> list[Action]:
        """What to do just before `ended` ends: no digit and no caller ID comes any more, all is decided."""
        if self._call is None or self._call.id != ended.id or self._part_from is not None:
            return []
        self._call = ended
        if self._wanted_from is None or not self._is_wanted() or self._is_never(ended):
            return []
        if ended.direction == "in" and ended.caller is None and not self._waited(ended, ended.ended or 0):
            return []  # too short to know who it was
        return self._start(self._wanted_from)

    def _follow(self, call: Call | None) -> None:
        if call is None or (self._call is not None and call.id != self._call.id):
            self._wanted_from = self._part_from = self._flashed = None
            self._by_hand = False
        self._call = call

    def _doubt(self, event: LineEvent) -> list[Action]:
        """After a hook flash it may be somebody else: nothing is kept until it is certain who."""
        if isinstance(event, DigitKeyed):
            self._digit = event.position
        if not isinstance(event, HookFlashed) or self._call is None or not self.rules.never.patterns:
            return []
        if self._wanted_from is None:
            return []
        self._flashed = event.position
        if self._part_from is None:
            return []
        self._wanted_from = event.position
        return self._stop(event.position)

    def _act(self, wish: Wish | None, position: int, state: LineState) -> list[Action]:
        if self._call is None:
            return []
        actions: list[Action] = []
        if wish is not None and wish.keep and self._wanted_from is None:
            self._wanted_from = wish.position
        elif wish is not None and not wish.keep and not self._by_hand:
            actions += self._stop(wish.position)
            self._wanted_from = None
        if self._part_from is not None and self._is_never(self._call):
            return actions + self._stop(position)  # a later reading of the caller is the surer one
        if self._wanted_from is not None and self._part_from is None and self._may_keep(position, state):
            actions += self._start(self._wanted_from)
        return actions + self._split(position)

    def _start(self, position: int) -> list[Action]:
        assert self._call is not None
        self._part_from = position
        goes_on = self._flashed is not None and self._flashed == position
        return [StartRecording(self._call, position, 0.0 if goes_on else self.rules.pre_roll_s)]

    def _stop(self, position: int) -> list[Action]:
        if self._part_from is None or self._call is None:
            return []
        self._part_from = None
        return [StopRecording(self._call, position)]

    def _split(self, position: int) -> list[Action]:
        """The next part begins with the very sample the last one ended before.

        It is begun late, from the ring: a hang-up is known only when it has lasted, and leaves no empty part.
        """
        longest = round(self.rules.longest_part_s * self.rate_hz)
        late = longest + round(SPLIT_LATE_S * self.rate_hz)
        actions: list[Action] = []
        while longest and self._part_from is not None and position - self._part_from >= late:
            end = self._part_from + longest
            assert self._call is not None
            actions += [StopRecording(self._call, end), StartRecording(self._call, end)]
            self._part_from = end
        return actions

    def _may_keep(self, position: int, state: LineState) -> bool:
        if self._call is None or not self._is_wanted():
            return False
        return not self.rules.never.patterns or self._number_allows(self._call, position, state)

    def _is_wanted(self) -> bool:
        if self._wanted_from is None or not self.rules.record:
            return False
        return self._by_hand or self.rules.schedule.is_on(self.local_time(self._wanted_from))

    def _number_allows(self, call: Call, position: int, state: LineState) -> bool:
        """Whether it is certain that the other party is not on the list."""
        if self._is_never(call) or not self._second_is_certain(call, position):
            return False
        if call.direction == "in":
            if call.caller is not None and call.caller.number is not None:
                return True
            return call.answered is not None and self._waited(call, position)
        return state is not LineState.DIALLING or not self.rules.never.may_become(call.dialled)

    def _waited(self, call: Call, position: int) -> bool:
        """Whether a caller ID would have come by now."""
        since = call.answered if call.answered is not None else call.started
        return position - since >= CALLER_WAIT_S * self.rate_hz

    def _is_never(self, call: Call) -> bool:
        """Whether somebody in the call is on the list, as far as is known."""
        never = self.rules.never
        number = call.caller.number if call.caller is not None else None
        if never.has(number if call.direction == "in" else call.dialled):
            return True
        waits = call.second_caller.number if call.second_caller is not None else None
        return self._flashed is not None and (never.has(call.second_dialled) or never.has(waits))

    def _second_is_certain(self, call: Call, position: int) -> bool:
        if self._flashed is None or call.second_caller is not None:
            return True
        if call.second_dialled and not self.rules.never.may_become(call.second_dialled):
            return True
        return position - max(self._flashed, self._digit) >= SECOND_WAIT_S * self.rate_hz
