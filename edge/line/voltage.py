"""From readings of one line's voltage to line events: the sure way of knowing what the line does.

      |v|                       idle voltage learned: median of the last settled readings
       |----------------- high        on hook       (leaves high below 55 % and 20 V)
       |                              hysteresis: the level stays what it was
       |----------------- low         off hook      (leaves low above 72 %)
       |----------------- dead        below 3 V, until above 5 V

A level must last before it counts; line events carry the position where it began. Ringing voltage swings
through all of these, so while it rings only ring half-waves count.

    high after low    a dial pulse: DigitKeyed, once the digit is over (edge/line/pulses.py)
                      flash_min .. flash_max: HookFlashed
                      longer than flash_max + margin: OnHook, dated back
    dead after low    for open_loop_s and more, then low again: LoopOpened; for lost_s: LineLost
"""

from __future__ import annotations

from collections import deque
from statistics import median

from edge.line.events import (
    HookFlashed,
    LineEvent,
    LineFound,
    LineLost,
    LoopOpened,
    OffHook,
    OnHook,
    PolarityReversed,
    RingStarted,
    RingStopped,
)
from edge.line.profile import LineProfile
from edge.line.pulses import PulseDigits
from edge.samples import LineReading

HIGH, LOW, DEAD = "high", "low", "dead"
UNKNOWN, ON_HOOK, OFF_HOOK, LOST = "unknown", "on_hook", "off_hook", "lost"
LEARNED_READINGS = 32
SETTLED_S = 1.0
MIN_POLARITY_V = 5.0
CALM_READINGS = 7  # of a line on which nothing moves; then one is looked at in full, and learned from


class VoltageWatcher:
    """Follows one line; `state` is unknown until the first readings have settled."""

    def __init__(self, line: int, rate_hz: int, profile: LineProfile) -> None:
        self.state = UNKNOWN
        self.ringing = False
        self.idle_v = profile.idle_v
        self._line, self._rate_hz, self._profile = line, rate_hz, profile
        self._level, self._level_since = "", 0
        self._first: int | None = None
        self._learned: deque[float] = deque(maxlen=LEARNED_READINGS)
        self._ring_readings: deque[tuple[int, int]] = deque()
        self._ring_since = self._ring_last = 0
        self._quiet_since = 0  # since when nothing has moved, for learning
        self._sign, self._new_sign_since = 0, -1
        self._pulses = PulseDigits(line, rate_hz)
        self._broken_since = -1  # since when the level is high while off hook
        self._open_since = -1  # since when there is no voltage while off hook
        self._calm_v, self._calm_left = (1.0, -1.0), 0  # what says nothing new, and how often it is believed

    def feed(self, reading: LineReading) -> list[LineEvent]:
        """Take the next reading of this line; return what it makes certain."""
        if self._calm_left and not reading.ring_half_waves:
            lowest, highest = self._calm_v
            if lowest < reading.voltage_v < highest:
                self._calm_left -= 1
                return []
        found = self._follow(reading)
        self._calm_left = 0 if found or not self._calm(reading) else CALM_READINGS
        return found

    def _calm(self, reading: LineReading) -> bool:
        """Has nothing moved for a while? Then readings like this one need no second look."""
        if self.state not in (ON_HOOK, OFF_HOOK) or self.ringing or self._ring_readings:
            return False
        if self._new_sign_since >= 0 or not self._lasted(self._quiet_since, reading.position, SETTLED_S):
            return False
        profile = self._profile
        low = self._off_hook_v()
        if self.state == ON_HOOK and self._level == HIGH:
            lowest, highest = max(low, MIN_POLARITY_V), float("inf")
        elif self.state == OFF_HOOK and self._level == LOW:
            lowest, highest = max(profile.lost_v, MIN_POLARITY_V), low  # above it a pulse may begin
        else:
            return False
        self._calm_v = (lowest, highest) if reading.voltage_v > 0 else (-highest, -lowest)
        return lowest < abs(reading.voltage_v) < highest

    def _follow(self, reading: LineReading) -> list[LineEvent]:
        if self._first is None:
            self._first = self._quiet_since = reading.position
        found = self._ring(reading)
        if self.ringing:
            found += self._answered(reading)
            return found
        self._follow_level(abs(reading.voltage_v), reading.position)
        if self.state == OFF_HOOK and self._profile.pulse_dialling:
            found += self._pulses.feed(reading, self.idle_v)
        found += self._polarity(reading)
        found += self._hook(reading)
        self._learn(reading)
        return found

    def _lasted(self, since: int, now: int, hold_s: float) -> bool:
        return now - since >= hold_s * self._rate_hz

    def _follow_level(self, volts: float, position: int) -> None:
        level = self._level_of(volts)
        if level != self._level:
            self._level, self._level_since = level, position
            self._quiet_since = position

    def _off_hook_v(self) -> float:
        profile = self._profile
        learned = min(profile.off_hook_share * self.idle_v, profile.off_hook_highest_v)
        return profile.off_hook_below_v or learned

    def change(self, profile: LineProfile) -> None:
        """Go by other times and voltages; what was learned of the line stays."""
        self._profile, self._calm_left = profile, 0

    def _level_of(self, volts: float) -> str:
        profile = self._profile
        if volts < (profile.found_v if self._level == DEAD else profile.lost_v):
            return DEAD
        if volts < self._off_hook_v():
            return LOW
        if volts > profile.on_hook_share * self.idle_v:
            return HIGH
        return self._level if self._level in (HIGH, LOW) else self._level_of_first(volts)

    def _level_of_first(self, volts: float) -> str:
        """Nothing is known yet: a line of 19 V and more is idle, whatever its feed."""
        return HIGH if volts >= self._profile.idle_lowest_v else LOW

    def _ring(self, reading: LineReading) -> list[LineEvent]:
        """Ringing starts with enough half-waves in a row and stops without any."""
        profile, now = self._profile, reading.position
        if reading.ring_half_waves:
            if not self._ring_readings:
                self._ring_since = now
            self._ring_last = now
            self._ring_readings.append((now, reading.ring_half_waves))
        if self._ring_readings and self._lasted(self._ring_last, now, profile.ring_off_s):
            self._ring_readings.clear()
            if self.ringing:
                self.ringing = False
                self._level_since = self._quiet_since = now
                return [RingStopped(self._line, self._ring_last)]
        if self.ringing or not self._ring_readings:
            return []
        enough = sum(count for _, count in self._ring_readings) >= profile.ring_half_waves
        if not enough or not self._lasted(self._ring_since, now, profile.ring_on_s):
            return []
        self.ringing = True
        found: list[LineEvent] = [LineFound(self._line, self._ring_since)] if self.state == LOST else []
        found += [OnHook(self._line, self._ring_since)] if self.state in (OFF_HOOK, LOST) else []
        self.state = ON_HOOK
        return [*found, RingStarted(self._line, self._ring_since)]

    def _answered(self, reading: LineReading) -> list[LineEvent]:
        """While it rings only a clear and lasting low level without half-waves is an answer."""
        low = not reading.ring_half_waves and self._level_of(abs(reading.voltage_v)) == LOW
        if not low:
            self._level = HIGH
            return []
        if self._level != LOW:
            self._level, self._level_since = LOW, reading.position
        if not self._lasted(self._level_since, reading.position, self._profile.off_hook_ringing_s):
            return []
        self.ringing, self.state = False, OFF_HOOK
        self._ring_readings.clear()
        return [RingStopped(self._line, self._ring_last), OffHook(self._line, self._level_since)]

    def _polarity(self, reading: LineReading) -> list[LineEvent]:
        if abs(reading.voltage_v) < MIN_POLARITY_V or self._ring_readings:
            return []
        sign = 1 if reading.voltage_v > 0 else -1
        if self._sign in (0, sign):
            self._sign, self._new_sign_since = sign, -1
            return []
        if self._new_sign_since < 0:
            self._new_sign_since = reading.position
        if not self._lasted(self._new_sign_since, reading.position, self._profile.reversal_s):
            return []
        self._sign = sign
        position, self._new_sign_since = self._new_sign_since, -1
        return [PolarityReversed(self._line, position)]

    def _hook(self, reading: LineReading) -> list[LineEvent]:
        now, since = reading.position, self._level_since
        if self.state == UNKNOWN:
            return self._first_state(now)
        if self._level == DEAD:
            if self.state == OFF_HOOK:
                self._open_since = since
            lost = self.state != LOST and self._lasted(since, now, self._profile.lost_s)
            return self._enter(LOST, [LineLost(self._line, since)]) if lost else []
        if self.state == LOST:
            return self._found_again(now)
        if self.state == ON_HOOK:
            lifted = self._level == LOW and self._lasted(since, now, self._profile.off_hook_s)
            return self._enter(OFF_HOOK, [OffHook(self._line, since)]) if lifted else []
        return self._break(now)

    def _first_state(self, now: int) -> list[LineEvent]:
        assert self._first is not None
        if not self._lasted(self._first, now, self._profile.start_s) or not self._lasted(
            self._level_since, now, self._profile.off_hook_s
        ):
            return []
        if self._level == DEAD:
            return self._enter(LOST, [LineLost(self._line, self._level_since)])
        if self._level == LOW:
            return self._enter(OFF_HOOK, [OffHook(self._line, self._level_since)])
        return self._enter(ON_HOOK, [])

    def _found_again(self, now: int) -> list[LineEvent]:
        if not self._lasted(self._level_since, now, self._profile.off_hook_s):
            return []
        found: list[LineEvent] = [LineFound(self._line, self._level_since)]
        if self._level == LOW:
            return self._enter(OFF_HOOK, [*found, OffHook(self._line, self._level_since)])
        return self._enter(ON_HOOK, [*found, OnHook(self._line, self._level_since)])

    def _break(self, now: int) -> list[LineEvent]:
        """Off hook: how long has the level been high?"""
        profile = self._profile
        opened, self._open_since = self._open_since, -1
        if (
            opened >= 0
            and self._level == LOW
            and self._lasted(opened, self._level_since, profile.open_loop_s)
        ):
            return [LoopOpened(self._line, opened, self._level_since)]
        if self._level == HIGH:
            over = self._lasted(self._level_since, now, profile.flash_max_s + profile.flash_margin_s)
            self._broken_since = self._level_since
            return self._enter(ON_HOOK, [OnHook(self._line, self._level_since)]) if over else []
        broken, self._broken_since = self._broken_since, -1
        if self._level != LOW or broken < 0 or self._pulses.was_pulse:
            return []
        lasted = self._lasted(broken, self._level_since, profile.flash_min_s)
        return [HookFlashed(self._line, broken)] if lasted else []

    def _enter(self, state: str, found: list[LineEvent]) -> list[LineEvent]:
        self.state, self._broken_since, self._open_since = state, -1, -1
        self._pulses.forget()
        return found

    def _learn(self, reading: LineReading) -> None:
        """The idle voltage follows the line, but only while nothing moves."""
        settled = self._lasted(self._quiet_since, reading.position, SETTLED_S)
        if self._level != HIGH or self.state not in (ON_HOOK, UNKNOWN) or self._ring_readings:
            return
        if not settled and self.state == ON_HOOK:
            return
        self._learned.append(abs(reading.voltage_v))
        if len(self._learned) >= LEARNED_READINGS // 4:
            lowest, highest = self._profile.idle_lowest_v, self._profile.idle_highest_v
            self.idle_v = min(highest, max(lowest, median(self._learned)))
