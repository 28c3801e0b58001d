"""A board on the bench: the firmware's own program on the CPython port, time and volts turned by hand."""

from __future__ import annotations

import random
from types import SimpleNamespace

from firmware.linehat.app import App
from firmware.linehat.journal import SIZE
from firmware.ports.cpython.hal import Hal
from hw import wire

BOARD = SimpleNamespace(ID="bench", LINES=2, OFFSET_COUNTS=32768, GAIN_UV=2550)


class Bench:
    """A board with memory that outlives a reset, and the box's end of its cable."""

    def __init__(self, start_ms: int = 0, board: SimpleNamespace = BOARD) -> None:
        self.ms = start_ms
        self.boot_ms = 0  # the board's own clock starts anew with each start
        self.board = board
        self.memory = bytearray(SIZE)
        self.rng = random.Random(1)
        self.app: App | None = None
        self.deframer = wire.Deframer()
        self._seq = 0
        self._start(0)

    def reset(self, cause: int = 0) -> None:
        """Pins fall to rest, the program starts again; what the cable held is gone."""
        volts, self.boot_ms = self.hal.volts, self.ms
        self._start(cause)
        self.hal.volts = volts

    def board_ms(self) -> int:
        """The board's clock."""
        return self.ms - self.boot_ms

    def _start(self, cause: int) -> None:
        self.hal = Hal(self.board_ms, self.board.LINES, self.board.OFFSET_COUNTS, self.board.GAIN_UV)
        self.app = App(self.hal, self.board, self.memory, self.rng.getrandbits(32), cause)

    def stop(self) -> None:
        """The program hangs: nothing is sampled, kicked or answered any more."""
        self.app = None

    def run(self, ms: int) -> None:
        """Turn time on, one millisecond at a time."""
        for _ in range(ms):
            self.ms += 1
            if self.app:
                self.app.step()

    def send(self, kind: int, body: bytes = b"") -> None:
        """A frame from the box."""
        self._seq += 1
        self.hal.to_board += wire.pack(kind, self._seq, body)

    def heard(self) -> list[tuple[int, bytes]]:
        """Frames from the board since the last time."""
        data, self.hal.to_box = bytes(self.hal.to_box), bytearray()
        return [(kind, body) for kind, _, body in self.deframer.feed(data)]

    def acknowledge(self, number: int, major: int = wire.MAJOR) -> None:
        """ACK up to `number` of the board's journal."""
        assert self.app
        self.send(wire.ACK, wire.pack_ack(major, self.app._journal.id, number))

    def command(self, command: int, arguments: bytes = b"", request: int = 1) -> tuple[int, bytes]:
        """Send a command, return the code and result of its reply."""
        self.send(wire.COMMAND, wire.pack_request(request, command, arguments))
        self.heard()
        self.run(1)
        ((number, code, result),) = [wire.unpack_request(b) for kind, b in self.heard() if kind == wire.REPLY]
        assert number == request
        return code, result
