"""One line's state from its voltage, tick by tick: what the line does, as numbered kinds of line events.

      |v|
       |----------- idle share     HIGH   on hook        (of the idle voltage, learnt while nothing moves)
       |                           between: it stays what it was
       |----------- off share      LOW    a loop: a phone, or the board itself
       |----------- dead           DEAD   no line, or an open loop (LOW again above `alive`)

    UNKNOWN --> LOST <--> IDLE <--> OFF_HOOK         IDLE --> RINGING <--> RING_GAP --> IDLE, OFF_HOOK
    any     --> TAKING --> HELD <--> HELD_PHONE --> LEAVING --> IDLE, OFF_HOOK

A level must last before it counts, and what is told carries how long ago it began. While ringing voltage
swings through all levels only its half-waves count. Nothing is allocated while nothing happens.
"""

from hw import wire

UNKNOWN, LOST, IDLE, RINGING, RING_GAP, OFF_HOOK, TAKING, HELD, HELD_PHONE, LEAVING = range(10)

DEAD, LOW, HIGH = range(3)
MOST_MS = 1 << 24  # times saturate here
LEARN_EVERY_MS = 100
LEARN_SHIFT = 6  # the idle voltage moves by 1/64 of the difference each time


class Line:
    """Call `step` every tick; `emit(line, kind, ago_ms, data)` is called for what became certain."""

    def __init__(self, number: int, profile, emit) -> None:
        self.number = number
        self.state = UNKNOWN
        self._emit = emit
        self._steps = (
            self._unknown, self._lost, self._idle, self._ringing, self._ring_gap, self._off_hook,
            self._taking, self._held, self._held_phone, self._leaving,
        )  # fmt: skip
        self._level, self._level_ms, self._before, self._before_ms = -1, 0, -1, 0
        self._state_ms = self._learn_ms = 0
        self._waves = self._wave_ms = self._quiet_ms = self._bursts = 0
        self._sign, self._other_sign_ms = 0, 0
        self._pulses = 0
        self._cv = self._held_cv = self._fallen_ms = 0
        self._faulty = False
        self.set_profile(profile)

    def set_profile(self, profile) -> None:
        """Go by other numbers from now on; what was learnt starts anew."""
        self._profile = profile
        self._idle_sum = profile.idle_cv << LEARN_SHIFT

    @property
    def idle_cv(self) -> int:
        """The line's voltage when idle, in 10 mV, as learnt."""
        return self._idle_sum >> LEARN_SHIFT

    def step(self, dt_ms: int, cv: int, half_waves: int, mine: bool) -> None:
        """One tick: `cv` = signed voltage in 10 mV, `mine` = the board's own hook switch is closed."""
        self._cv = size = cv if cv >= 0 else -cv
        self._state_ms = min(MOST_MS, self._state_ms + dt_ms)
        self._count_waves(dt_ms, half_waves)
        if mine and self.state < TAKING:
            self._enter(TAKING)
        self._ring(mine)
        changed = self._follow(dt_ms, size)
        self._polarity(dt_ms, cv, size)
        if not mine and TAKING <= self.state < LEAVING:
            self._let_go()
        self._steps[self.state](dt_ms, changed)

    def _enter(self, state: int) -> None:
        self.state, self._state_ms = state, 0
        self._pulses = self._fallen_ms = 0
        self._faulty = False

    def _tell(self, kind: int, ago_ms: int = 0, data: int = 0) -> None:
        self._emit(self.number, kind, ago_ms, data)

    def _count_waves(self, dt_ms: int, half_waves: int) -> None:
        if half_waves:
            if not self._waves:
                self._wave_ms = 0
            self._waves = min(MOST_MS, self._waves + half_waves)
            self._quiet_ms = 0
        elif self._waves:
            self._quiet_ms += dt_ms
        if self._waves:
            self._wave_ms = min(MOST_MS, self._wave_ms + dt_ms)

    def _ring(self, mine: bool) -> None:
        """Ringing starts with enough half-waves in a row and stops without any."""
        profile = self._profile
        if not self._waves:
            return
        if self._quiet_ms >= profile.ring_off_ms:
            if self.state == RINGING:
                self._stop_ringing(RING_GAP)
            self._waves = 0
        elif mine or self.state == RINGING:
            return
        elif self._waves >= profile.ring_half_waves and self._wave_ms - self._quiet_ms >= profile.ring_on_ms:
            self._start_ringing()

    def _start_ringing(self) -> None:
        if self.state == OFF_HOOK:
            self._tell(wire.ON_HOOK, self._wave_ms)
        if self.state == LOST:
            self._tell(wire.LINE_FOUND, self._wave_ms)
        if self.state != RING_GAP:
            self._bursts = 0
        self._bursts += 1
        self._tell(wire.RING_STARTED, self._wave_ms, self._bursts)
        self._enter(RINGING)

    def _stop_ringing(self, state: int) -> None:
        self._tell(wire.RING_STOPPED, self._quiet_ms, self._wave_ms - self._quiet_ms)
        self._waves = 0
        self._level, self._level_ms = HIGH, 0
        self._enter(state)

    def _follow(self, dt_ms: int, size: int) -> bool:
        """Keep the level and how long it has lasted; True when it has just changed."""
        if self.state == RINGING and (not self._quiet_ms or self._level_of(size) != LOW):
            self._level, self._level_ms = HIGH, 0
            return False
        level = self._level_of(size)
        if level == self._level:
            self._level_ms = min(MOST_MS, self._level_ms + dt_ms)
            return False
        self._before, self._before_ms = self._level, self._level_ms + dt_ms
        self._level, self._level_ms = level, 0
        return True

    def _level_of(self, size: int) -> int:
        profile, idle = self._profile, self._idle_sum >> LEARN_SHIFT
        if size < (profile.alive_cv if self._level == DEAD else profile.dead_cv):
            return DEAD
        if size < profile.off_cv and size * 100 < profile.off_share * idle:
            return LOW
        if size * 100 > profile.idle_share * idle:
            return HIGH
        if self._level > DEAD:
            return self._level
        return HIGH if size >= profile.idle_lowest_cv else LOW

    def _polarity(self, dt_ms: int, cv: int, size: int) -> None:
        if size < self._profile.reversal_cv or self._waves:
            return
        sign = 1 if cv > 0 else -1
        if not self._sign or sign == self._sign:
            self._sign, self._other_sign_ms = sign, 0
            return
        self._other_sign_ms += dt_ms
        if self._other_sign_ms > self._profile.reversal_ms:
            self._tell(wire.REVERSED, self._other_sign_ms - dt_ms, 1 if sign > 0 else 0)
            self._sign, self._other_sign_ms = sign, 0

    def _lasts(self, level: int, ms: int) -> bool:
        return self._level == level and self._level_ms >= ms

    def _unknown(self, dt_ms: int, changed: bool) -> None:
        if self._state_ms < self._profile.start_ms or self._level_ms < self._profile.off_ms or self._waves:
            return
        self._enter((LOST, OFF_HOOK, IDLE)[self._level])
        self._tell(wire.STATE_KNOWN, self._level_ms, self.state)

    def _lost(self, dt_ms: int, changed: bool) -> None:
        if self._level == DEAD or self._level_ms < self._profile.off_ms:
            return
        self._tell(wire.LINE_FOUND, self._level_ms)
        self._enter(IDLE)
        if self._level == LOW:
            self._lift(0)

    def _idle(self, dt_ms: int, changed: bool) -> None:
        profile = self._profile
        if self._lasts(LOW, profile.off_ms):
            self._lift(0)
        elif self._lasts(DEAD, profile.lost_ms):
            self._lose()
        elif self._lasts(HIGH, profile.settled_ms) and not self._waves:
            self._learn(dt_ms)

    def _lift(self, how: int) -> None:
        self._tell(wire.OFF_HOOK, self._level_ms, how)
        self._enter(OFF_HOOK)

    def _lose(self) -> None:
        self._tell(wire.LINE_LOST, self._level_ms)
        self._enter(LOST)

    def _learn(self, dt_ms: int) -> None:
        self._learn_ms += dt_ms
        if self._learn_ms < LEARN_EVERY_MS:
            return
        self._learn_ms = 0
        idle = self._idle_sum + self._cv - (self._idle_sum >> LEARN_SHIFT)
        lowest, highest = self._profile.idle_lowest_cv, self._profile.idle_highest_cv
        self._idle_sum = min(highest << LEARN_SHIFT, max(lowest << LEARN_SHIFT, idle))

    def _ringing(self, dt_ms: int, changed: bool) -> None:
        if self._lasts(LOW, self._profile.off_ringing_ms):
            low_ms = self._level_ms
            self._stop_ringing(OFF_HOOK)
            self._level, self._level_ms = LOW, low_ms
            self._tell(wire.OFF_HOOK, low_ms, 1)

    def _ring_gap(self, dt_ms: int, changed: bool) -> None:
        profile = self._profile
        if self._lasts(LOW, profile.off_ms):
            self._lift(1)
        elif self._lasts(DEAD, profile.lost_ms):
            self._lose()
        elif self._state_ms >= profile.ring_ended_ms and not self._waves:
            self._tell(wire.RING_ENDED, self._state_ms, self._bursts)
            self._enter(IDLE)

    def _off_hook(self, dt_ms: int, changed: bool) -> None:
        profile = self._profile
        if changed and self._level == LOW:
            self._closed_again(self._before, self._before_ms)
        elif self._lasts(HIGH, profile.flash_max_ms + profile.flash_margin_ms):
            self._tell(wire.ON_HOOK, self._level_ms)
            self._enter(IDLE)
        elif self._lasts(DEAD, profile.lost_ms):
            self._lose()
        elif self._pulses and self._lasts(LOW, profile.digit_ms):
            if self._pulses <= 10:
                self._tell(wire.DIGIT, self._level_ms, self._pulses % 10)
            self._pulses = 0

    def _closed_again(self, before: int, broken_ms: int) -> None:
        """The loop is back after a break: a pulse, a flash, or the far end's open loop."""
        profile = self._profile
        if before == HIGH and profile.break_min_ms <= broken_ms <= profile.break_max_ms:
            self._pulses += 1
        elif before == HIGH and profile.flash_min_ms <= broken_ms:
            self._tell(wire.FLASHED, broken_ms, broken_ms)
        elif before == DEAD and profile.open_min_ms <= broken_ms <= profile.open_max_ms:
            self._tell(wire.FAR_END_RELEASED, broken_ms, broken_ms)

    def _taking(self, dt_ms: int, changed: bool) -> None:
        if self._lasts(LOW, self._profile.held_ms) and self._state_ms >= self._profile.held_ms:
            self._tell(wire.HELD, self._state_ms, self._cv)
            self._enter(HELD)
            self._held_cv = self._cv
        elif self._state_ms >= self._profile.no_loop_ms:
            self._fault(wire.NO_LOOP)

    def _fault(self, code: int) -> None:
        if not self._faulty:
            self._tell(wire.FAULT, 0, code)
        self._faulty = True

    def _held(self, dt_ms: int, changed: bool) -> None:
        self._watch_loop(changed)
        fallen = self._level == LOW and self._has_fallen()
        self._fallen_ms = self._fallen_ms + dt_ms if fallen else 0
        if self._level == LOW and not fallen:
            self._held_cv += (self._cv - self._held_cv) // 16
        if self._fallen_ms >= self._profile.joined_ms:
            self._tell(wire.PHONE_JOINED, self._fallen_ms, self._held_cv - self._cv)
            self._enter(HELD_PHONE)

    def _has_fallen(self) -> bool:
        fall = self._held_cv - self._cv
        return fall >= self._profile.joined_cv and fall * 100 >= self._profile.joined_share * self._held_cv

    def _held_phone(self, dt_ms: int, changed: bool) -> None:
        self._watch_loop(changed)
        self._fallen_ms = 0 if self._has_fallen() else self._fallen_ms + dt_ms
        if self._fallen_ms >= self._profile.joined_ms:
            self._tell(wire.PHONE_LEFT, self._fallen_ms)
            self._enter(HELD)

    def _watch_loop(self, changed: bool) -> None:
        """While held: the far end opens the loop for a while, or the loop goes away."""
        if changed and self._level == LOW:
            self._closed_again(self._before, self._before_ms)
            self._faulty = False
        elif self._level == DEAD and self._level_ms > self._profile.open_max_ms:
            self._fault(wire.LOOP_GONE)

    def _let_go(self) -> None:
        self._tell(wire.RELEASED)
        self._enter(LEAVING)
        self._level_ms = 0

    def _leaving(self, dt_ms: int, changed: bool) -> None:
        if self._lasts(HIGH, self._profile.idle_ms):
            self._enter(IDLE)
        elif self._lasts(LOW, self._profile.off_ms):
            self._lift(2)
        elif self._lasts(DEAD, self._profile.lost_ms):
            self._lose()
