"""Sampling eight quiet lines takes no memory, so the chip's collector never stops it."""

# ruff: noqa: UP031

import gc

from firmware.linehat.app import App
from firmware.linehat.journal import SIZE
from tests.firmware.mp.check import check, done


class Board:
    ID = "bench"
    LINES = 8
    OFFSET_COUNTS = 32768
    GAIN_UV = 2550


class Hal:
    now = 0
    level = 32768 + 18824  # 48 V

    def ticks(self):
        return self.now

    def counts(self, line):
        return self.level

    def half_waves(self, line):
        return 0

    def switch(self, line, on):
        pass

    def led(self, line, colour):
        pass

    def read(self):
        return b""

    def write(self, data):
        pass


hal = Hal()
app = App(hal, Board, bytearray(SIZE), 7)
for _ in range(200):
    app.sample(10)
check("all lines idle", [line.state for line in app.lines] == [2] * 8)

if hasattr(gc, "mem_alloc"):
    for volts, level in ((48, hal.level), (8, 32768 + 3137)):
        hal.level = level
        for _ in range(100):
            app.sample(10)
        gc.collect()
        gc.disable()
        before = gc.mem_alloc()
        for _ in range(100):
            app.sample(10)
        after = gc.mem_alloc()
        gc.enable()
        check("%d V: %d bytes" % (volts, after - before), after - before < 32)
done()
