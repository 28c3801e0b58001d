"""The board's end of the serial link: greets, sends events until they are acknowledged, obeys commands.

Events go back to the last acknowledged one when the box is silent for half a second, so a lost frame, a lost
acknowledgement and a box that starts again are the same case. No event is sent before the box has said ACK.
"""

import struct

from hw import wire

WINDOW = 8  # events on the way at a time
AGAIN_MS = 500
FIRMWARE = (0, 1, 0)


class Link:
    """`write(bytes)` sends; `commands` = {command: (layout of its arguments, function -> (code, result))}."""

    def __init__(self, write, board: str, lines: int, reset_cause: int, journal, commands) -> None:
        self.deframer = wire.Deframer()
        self.obeys = False  # the box speaks the same major, as its last ACK said
        self._write, self._journal, self._commands = write, journal, commands
        self._hello = wire.pack_hello(board, lines, reset_cause, journal.boots, wire.MAJOR, wire.MINOR)
        self._seq = 0
        self._greeted = False
        self._acked = self._sent = journal.first - 1
        self._waited_ms = 0
        self._earlier = journal.last
        self.greet()

    def greet(self) -> None:
        """Say who is here; nothing more until the box says what it has."""
        journal = self._journal
        self._greeted = False
        self.send(wire.HELLO, self._hello)
        self.send(
            wire.ABOUT, wire.pack_about(journal.id, journal.first, journal.last, self._earlier, FIRMWARE)
        )

    def send(self, kind: int, body: bytes) -> None:
        """Send one frame."""
        self._seq = (self._seq + 1) & 0xFF
        self._write(wire.pack(kind, self._seq, body))

    def receive(self, data: bytes, mcu_ms: int) -> None:
        """Take what came in; never raises."""
        for kind, _, body in self.deframer.feed(data):
            try:
                self._take(kind, body, mcu_ms)
            except wire.WireError:
                self.deframer.refused += 1

    def step(self, dt_ms: int) -> None:
        """Send what is due of the journal."""
        if not self._greeted:
            return
        if self._acked < self._sent:
            self._waited_ms += dt_ms
            if self._waited_ms >= AGAIN_MS:
                self._sent, self._waited_ms = self._acked, 0
        while self._sent < self._journal.last and self._sent - self._acked < WINDOW:
            self._send_next()

    def _send_next(self) -> None:
        journal, number = self._journal, self._sent + 1
        if number < journal.first:
            self._lost(number, journal.first - 1)
            return
        record = journal.record(number)
        if record is None:
            self._lost(number, number)
            return
        self.send(wire.EVENT, wire.pack_event(*record))
        self._sent = number

    def _lost(self, first: int, last: int) -> None:
        self.send(wire.EVENT_LOST, wire.pack_event_lost(first, last))
        self._sent = last

    def _take(self, kind: int, body: bytes, mcu_ms: int) -> None:
        if kind == wire.ASK:
            self.greet()
        elif kind == wire.ACK:
            self._acknowledged(*wire.unpack_ack(body))
        elif kind == wire.COMMAND:
            request, command, arguments = wire.unpack_request(body)
            code, result = self._obey(command, arguments, mcu_ms)
            self.send(wire.REPLY, wire.pack_request(request, code, result))

    def _acknowledged(self, major: int, journal: int, number: int) -> None:
        self.obeys = major == wire.MAJOR
        if not self.obeys:
            return
        if journal != self._journal.id:
            self.greet()
            return
        number = min(number, self._journal.last)
        if not self._greeted:
            self._greeted = True
            self._acked = self._sent = number
        elif number > self._acked:
            self._acked = number
            self._sent = max(self._sent, number)
        else:
            return
        self._waited_ms = 0

    def _obey(self, command: int, arguments: bytes, mcu_ms: int):
        if not self.obeys:
            return wire.REFUSED, b""
        if command == wire.TIME:
            if len(arguments) != 4:
                return wire.BAD_ARGUMENTS, b""
            return wire.OK, arguments + struct.pack("<I", mcu_ms)
        if command not in self._commands:
            return wire.UNKNOWN_COMMAND, b""
        layout, function = self._commands[command]
        if len(arguments) != struct.calcsize(layout):
            return wire.BAD_ARGUMENTS, b""
        return function(*struct.unpack(layout, arguments))
