"""The firmware's whole program, without a clock or a pin of its own: `hal` brings both.

    hal   ticks() -> ms, wraps at 2**30     read() -> bytes that came in      write(bytes)
          counts(line) -> ADC, 0-65535      half_waves(line) -> since the last call
          switch(line, on)     switch_is(line) -> bool      led(line, colour)
          kick() the one-shot  feed() the watchdog

Call `step` as often as possible: it takes what came in, and every 10 ms samples all lines.
"""

import struct

from firmware.linehat.clock import SPAN_BITS, diff
from firmware.linehat.journal import Journal
from firmware.linehat.line import Line
from firmware.linehat.link import Link
from firmware.linehat.outputs import Outputs
from firmware.linehat.profile import AT_START, FIELDS, Profile, ProfileError, values_of
from hw import wire

TICK_MS = 10
BEAT_MS = 1000
READINGS_MS = 20
RAN_WELL_MS = 60000
HASTY_BOOTS = 3  # so many starts without running well: the lines are only watched
MAX_GAIN_UV = 16383  # so that counts times gain stays a small integer
LAST_COUNT = 65535


class App:
    """`board` is the board's constants (ID, LINES, OFFSET_COUNTS, GAIN_UV)."""

    def __init__(self, hal, board, memory, journal_id: int, reset_cause: int = 0) -> None:
        self._hal, self._count = hal, board.LINES
        self._journal = Journal(memory, journal_id)
        self.safe = self._journal.hasty >= HASTY_BOOTS
        self._now, self._wraps, self._due = hal.ticks(), 0, hal.ticks()
        self._uptime_ms = self._uptime_s = self._longest_ms = 0
        self._readings_ms, self._since_readings_ms, self._ticks = READINGS_MS, 0, 0
        self._offset = [board.OFFSET_COUNTS] * (self._count + 1)
        self._gain_uv = [board.GAIN_UV] * (self._count + 1)
        self._sum_cv, self._waves = [0] * (self._count + 1), [0] * (self._count + 1)
        self._counts = [0] * (self._count + 1)
        self.outputs = Outputs(hal, self._count, self._emit)
        profile = Profile(values_of(AT_START))
        self.lines = [Line(line, profile, self._emit) for line in range(1, self._count + 1)]
        self.link = Link(hal.write, board.ID, self._count, reset_cause, self._journal, self._commands())

    def step(self) -> None:
        """Everything that is due now."""
        self._advance()
        data = self._hal.read()
        if data:
            self.link.receive(data, self._mcu_ms(0))
        late_ms = diff(self._now, self._due)
        if late_ms >= 0:
            self._tick(late_ms + TICK_MS)
            self._due = self._now + TICK_MS & (1 << SPAN_BITS) - 1

    def _advance(self) -> None:
        now = self._hal.ticks()
        if now < self._now:
            self._wraps = self._wraps + 1 & 3
        self._now = now

    def _mcu_ms(self, ago_ms: int) -> int:
        return ((self._wraps << SPAN_BITS) + self._now - ago_ms) & 0xFFFFFFFF

    def _emit(self, line: int, kind: int, ago_ms: int, data: int) -> None:
        """Keep what happened, dated to the middle of the tick in which it must have happened."""
        self._journal.add(self._mcu_ms(ago_ms + TICK_MS // 2), line, kind, data)

    def _tick(self, dt_ms: int) -> None:
        self._hal.feed()
        self.sample(dt_ms)
        self.outputs.step(dt_ms)
        self._longest_ms = max(self._longest_ms, dt_ms)
        self._since_readings_ms += dt_ms
        if self._readings_ms and self._since_readings_ms >= self._readings_ms:
            self._send_readings()
        self._uptime_ms += dt_ms
        if self._uptime_ms >= BEAT_MS:
            self._beat()
        self.link.step(dt_ms)

    def sample(self, dt_ms: int) -> None:
        """Read every line once and move its state on; allocates nothing while nothing happens."""
        hal = self._hal
        for line in range(1, self._count + 1):
            counts = hal.counts(line)
            cv = (counts - self._offset[line]) * self._gain_uv[line] // 10000
            half_waves = hal.half_waves(line)
            self._counts[line] = counts
            self._sum_cv[line] += cv
            self._waves[line] += half_waves
            self.lines[line - 1].step(dt_ms, cv, half_waves, self.outputs.is_held(line))
        self._ticks += 1

    def _send_readings(self) -> None:
        rows = [(self._sum_cv[line] // self._ticks, self._waves[line]) for line in range(1, self._count + 1)]
        for first in range(0, self._count, wire.MAX_LINES_PER_READINGS):
            some = rows[first : first + wire.MAX_LINES_PER_READINGS]
            self.link.send(wire.READINGS, wire.pack_rows(self._mcu_ms(0), first + 1, some))
        for line in range(1, self._count + 1):
            self._sum_cv[line] = self._waves[line] = 0
        self._since_readings_ms = self._ticks = 0

    def _beat(self) -> None:
        self._uptime_ms -= BEAT_MS
        self._uptime_s += 1
        if self._uptime_s == RAN_WELL_MS // 1000:
            self._journal.ran_well()
        self.link.send(wire.BEAT, wire.pack_beat(self._mcu_ms(0), self._uptime_s, self.link.deframer.refused))

    def _commands(self):
        return {
            wire.HOOK: ("<BH", self._hook),
            wire.RELEASE: ("<B", self._release),
            wire.LED: ("<BB", self._led),
            wire.SET_PROFILE: ("<%dH" % len(FIELDS), self._set_profile),
            wire.LEVELS: ("<H", self._levels),
            wire.SELFTEST: ("<", self._selftest),
            wire.CALIBRATE: ("<BHH", self._calibrate),
        }

    def _has(self, line: int) -> bool:
        return 1 <= line <= self._count

    def _hook(self, line: int, lease_ms: int):
        if not self._has(line) or not 1 <= lease_ms <= wire.MAX_LEASE_MS:
            return wire.BAD_ARGUMENTS, b""
        if self.safe:
            return wire.REFUSED, b""
        self.outputs.hold(line, lease_ms)
        return wire.OK, b""

    def _release(self, line: int):
        if not self._has(line):
            return wire.BAD_ARGUMENTS, b""
        self.outputs.release(line)
        return wire.OK, b""

    def _led(self, line: int, colour: int):
        if not self._has(line) or colour not in wire.COLOURS:
            return wire.BAD_ARGUMENTS, b""
        self.outputs.led(line, colour)
        return wire.OK, b""

    def _set_profile(self, *values):
        try:
            profile = Profile(values)
        except ProfileError:
            return wire.BAD_ARGUMENTS, b""
        for line in self.lines:
            line.set_profile(profile)
        return wire.OK, b""

    def _levels(self, every_ms: int):
        if every_ms % TICK_MS or every_ms > 1000:
            return wire.BAD_ARGUMENTS, b""
        self._readings_ms = every_ms
        return wire.OK, b""

    def _selftest(self):
        railed = disobeys = 0
        for line in range(1, self._count + 1):
            if not 0 < self._counts[line] < LAST_COUNT:
                railed |= 1 << line - 1
            if bool(self._hal.switch_is(line)) != self.outputs.is_held(line):
                disobeys |= 1 << line - 1
        return wire.OK, struct.pack("<HHH", railed & 0xFFFF, disobeys & 0xFFFF, min(self._longest_ms, 65535))

    def _calibrate(self, line: int, offset: int, gain_uv: int):
        if not self._has(line) or not 1 <= gain_uv <= MAX_GAIN_UV:
            return wire.BAD_ARGUMENTS, b""
        self._offset[line], self._gain_uv[line] = offset, gain_uv
        return wire.OK, b""
