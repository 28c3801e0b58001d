"""The firmware as a process of MicroPython's unix port: what the pins are comes as text, a line a tick.

    in    start CAUSE JOURNAL_ID MS                         the program begins, memory as it was
          tick MS BYTES_HEX|- COUNTS.. WAVES..              one number a line each
    out   BYTES_HEX|- SWITCHES KICKED FED              switches as bits; 1 if one-shot, watchdog got theirs

    micropython -m firmware.ports.unix.boot BOARD_ID LINES OFFSET GAIN

The virtual HAT talks to it; nothing here knows a clock, so it lives as fast as it is asked to.
"""

import sys
from binascii import hexlify, unhexlify

from firmware.linehat.app import App
from firmware.linehat.journal import SIZE


class Board:
    """What the firmware asks of a board's file of constants."""

    def __init__(self, name, lines, offset, gain) -> None:
        self.ID, self.LINES, self.OFFSET_COUNTS, self.GAIN_UV = name, lines, offset, gain


class Hal:
    """Pins that are what the last line of text said, and remember what was done to them."""

    def __init__(self, lines: int) -> None:
        self.ms, self.arrived, self.sent = 0, b"", b""
        self.levels, self.waves = [0] * (lines + 1), [0] * (lines + 1)
        self.switches, self.kicked, self.fed = 0, 0, 0

    def ticks(self):
        return self.ms & (1 << 30) - 1

    def counts(self, line):
        return self.levels[line]

    def half_waves(self, line):
        seen, self.waves[line] = self.waves[line], 0
        return seen

    def switch(self, line, on) -> None:
        self.switches = self.switches & ~(1 << line) | (1 << line if on else 0)

    def switch_is(self, line):
        return self.switches >> line & 1

    def led(self, line, colour) -> None:
        pass

    def kick(self) -> None:
        self.kicked = 1

    def feed(self) -> None:
        self.fed = 1

    def read(self):
        data, self.arrived = self.arrived, b""
        return data

    def write(self, data) -> None:
        self.sent += data


def run(board, lines, answer) -> None:
    """Obey `lines` until they end; `answer(text)` takes one line for each."""
    memory, hal, app = bytearray(SIZE), None, None
    for line in lines:
        words = line.split()
        if words[0] == "start":
            hal = Hal(board.LINES)
            hal.ms = int(words[3])
            app = App(hal, board, memory, int(words[2]), int(words[1]))
        else:
            hal.ms = int(words[1])
            hal.arrived += unhexlify(words[2]) if words[2] != "-" else b""
            numbers = [int(word) for word in words[3:]]
            hal.levels[1:] = numbers[: board.LINES]
            for number in range(board.LINES):
                hal.waves[number + 1] += numbers[board.LINES + number]
            app.step()
        sent = hexlify(hal.sent).decode() or "-"
        answer("%s %d %d %d\n" % (sent, hal.switches, hal.kicked, hal.fed))
        hal.sent, hal.kicked, hal.fed = b"", 0, 0


if __name__ == "__main__":
    name, *numbers = sys.argv[1:]
    run(Board(name, *[int(number) for number in numbers]), sys.stdin, sys.stdout.write)
