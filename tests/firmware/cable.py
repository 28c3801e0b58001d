"""A board on the bench and a HatLink, joined by a cable that can be cut, in virtual time.

The box's store is a list and a mark, written together; a box that starts again finds both.
"""

from __future__ import annotations

import random

from edge.sources.hat import HatLink
from edge.sources.hat_events import EventMark, HatEvent
from edge.sources.hat_port import Port
from tests.firmware.bench import BOARD, Bench

RATE_HZ = 8000
PERIOD = 160  # samples
BOX_STEP_MS = 20
WATCHDOG_MS = 2000
ALLOWED_MS = 2300  # by then every hook switch must be at rest


class CablePort(Port):
    """The box's end of the cable: always there, and what is written while it is cut is gone."""

    cable: Cable

    def open(self) -> None:
        self._handle = -1

    def close(self) -> None:
        self._handle = None

    def read(self) -> bytes:
        data, self.cable.to_box = bytes(self.cable.to_box), bytearray()
        return data

    def write(self, data: bytes) -> bool:
        self.cable.to_board += data
        return True


class Cable:
    """Both ends; `run` turns time on and looks at the hook switches all the while."""

    def __init__(self) -> None:
        self.bench = Bench()
        self.bench.hal.volts[1:] = [48.0] * BOARD.LINES
        self.to_box, self.to_board = bytearray(), bytearray()
        self.kept: list[HatEvent] = []
        self.mark: EventMark | None = None
        self.is_cut = False
        self.noise: random.Random | None = None
        self.box_stopped = False
        self.wanted_ms = [-ALLOWED_MS] * (
            BOARD.LINES + 1
        )  # when the box last asked for the line, and was heard
        self.late: list[str] = []
        self.link = self._new_link()

    def keep(self, events: list[HatEvent], mark: EventMark) -> bool:
        self.kept += events
        self.mark = mark
        return True

    def restart_box(self) -> None:
        """The box's process dies and starts again with what it had stored."""
        self.link.close()
        self.link = self._new_link()

    def _new_link(self) -> HatLink:
        return HatLink("cable", 1, BOARD.LINES, RATE_HZ, self.mark, self.keep, make_port=self._plug)

    def _plug(self, path: str) -> Port:
        port = CablePort(path)
        port.cable = self
        return port

    def run(self, ms: int) -> None:
        for _ in range(ms):
            self.bench.run(1)
            self._watchdog()
            self._carry()
            if self.bench.ms % BOX_STEP_MS == 0 and not self.box_stopped:
                self._box_step()
            self._look_at_switches()

    def _box_step(self) -> None:
        newest = self.bench.ms * RATE_HZ // 1000 // PERIOD * PERIOD
        self.link.step(self.bench.ms / 1000, newest)
        for line in self.link.commands.held:
            if not self.is_cut:
                self.wanted_ms[line] = self.bench.ms

    def _watchdog(self) -> None:
        if self.bench.board_ms() - self.bench.hal.fed_ms >= WATCHDOG_MS:
            self.bench.reset(cause=3)

    def _carry(self) -> None:
        hal = self.bench.hal
        to_box, hal.to_box = bytes(hal.to_box), bytearray()
        to_board, self.to_board = bytes(self.to_board), bytearray()
        if self.is_cut:
            return
        self.to_box += self._harmed(to_box)
        if self.bench.app:
            hal.to_board += self._harmed(to_board)

    def _harmed(self, data: bytes) -> bytes:
        if not self.noise or not data or self.noise.random() > 0.2:
            return data
        harmed = bytearray(data)
        harmed[self.noise.randrange(len(harmed))] ^= self.noise.randrange(1, 256)
        return bytes(harmed)

    def _look_at_switches(self) -> None:
        for line in range(1, BOARD.LINES + 1):
            ago_ms = self.bench.ms - self.wanted_ms[line]
            if self.bench.hal.closed(line) and ago_ms > ALLOWED_MS:
                self.late.append(f"line {line} still held {ago_ms} ms after the box last asked")
