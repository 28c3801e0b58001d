"""The link to one board: its readings and events on the audio's time line, its versions, commands to it.

A port that is missing, silent or talks nonsense is a state (`trouble`), not an exception; it is opened again
every second. Today the readings drive the line; the board's own events are kept alongside.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from edge.samples import LineReading
from edge.sources.hat_commands import Commands
from edge.sources.hat_events import EventInbox, EventMark, HatEvent
from edge.sources.hat_fit import TimeFit
from edge.sources.hat_port import Port, PortError
from edge.sources.hat_status import HatStatus
from hw import wire

SILENT_AFTER_S = 3.0
RETRY_S = 1.0
ASK_S = 1.0
ACK_S = 1.0  # said again: a board whose greeting was lost learns that it is heard
TIME_S = 0.2
EVENTS_KEPT = 256

Keep = Callable[[list[HatEvent], EventMark], bool]


@dataclass(slots=True)
class HatLink:
    """The link to one board. Call `step` often; it never waits.

    `keep(events, mark)` is called before the board is told that it may forget them; False: not kept.
    A box that saves the mark with what the events caused, and starts with it again, takes each once.
    """

    port: str
    first_line: int  # box number of the board's line 1
    lines: int
    rate_hz: int
    mark: EventMark | None = None
    keep: Keep | None = None
    setup: tuple[tuple[int, bytes], ...] = ()  # commands for a board that has just started
    make_port: Callable[[str], Port] = Port
    trouble: str | None = "not opened yet"
    board: str | None = None
    events: deque[HatEvent] = field(default_factory=lambda: deque(maxlen=EVENTS_KEPT))
    commands: Commands = field(default_factory=Commands)
    _port: Port = field(init=False)
    _deframer: wire.Deframer = field(default_factory=wire.Deframer)
    _inbox: EventInbox = field(init=False)
    _fit: TimeFit = field(init=False)
    _earlier_fit: TimeFit | None = None
    _earlier: int = 0  # number of the last event before the board's latest start
    _before_earlier: int = 0
    _versions: tuple[int, int] | None = None
    _firmware: str | None = None
    _lines_there: int | None = None
    _is_met: bool = False  # ABOUT has come since HELLO
    _seq_out: int = 0
    _seq_in: int | None = None
    _times: dict[int, int] = field(default_factory=dict)  # request of TIME -> newest sample when it was sent
    _newest: int = 0
    _volts: list[float | None] = field(init=False)
    _fresh: list[HatEvent] = field(default_factory=list)
    _ack_due: bool = False
    _heard_s: float = 0.0
    _retry_s: float = 0.0
    _ask_s: float = 0.0
    _time_s: float = 0.0
    _ack_s: float = 0.0
    _boots: int = 0
    _reset_cause: int = 0
    _starts: int = 0
    _opened: int = 0
    _refused_there: int = 0
    _missed: int = 0
    _taken: int = 0

    def __post_init__(self) -> None:
        self._port = self.make_port(self.port)
        self._fit = TimeFit(self.rate_hz)
        self._inbox = EventInbox(self.mark)
        self._volts = [None] * self.lines

    def step(self, now_s: float, newest: int) -> list[LineReading]:
        """Readings that came in; `newest` is the position of the newest sample, `now_s` monotonic."""
        if not self._port.is_open and now_s >= self._retry_s:
            self._open(now_s)
        readings = [
            reading
            for kind, seq, body in self._deframer.feed(self._read(now_s))
            for reading in self._frame(kind, seq, body, now_s, newest)
        ]
        if self._port.is_open:
            self._answer(now_s, newest)
            if now_s - self._heard_s > SILENT_AFTER_S:
                self.trouble = f"{self.port}: nothing heard for {SILENT_AFTER_S:g} s"
        self._newest = newest
        return readings

    def close(self) -> None:
        """Give the port back."""
        self._port.close()

    def status(self) -> HatStatus:
        """How the board and the link to it are."""
        return HatStatus(
            port=self.port,
            trouble=self.trouble,
            board=self.board,
            lines=self._lines_there,
            protocol=".".join(map(str, self._versions)) if self._versions else None,
            firmware=self._firmware,
            boots=self._boots,
            reset_cause=self._reset_cause,
            starts_seen=self._starts,
            times_opened=self._opened,
            refused=self._deframer.refused,
            refused_there=self._refused_there,
            missed=self._missed,
            unanswered=self.commands.unanswered,
            events=self._taken,
            events_lost=self._inbox.lost,
            journals_forgotten=self._inbox.forgotten,
            held=tuple(sorted(self.commands.held)),
            voltages_v=tuple(self._volts),
        )

    def _open(self, now_s: float) -> None:
        self._retry_s = now_s + RETRY_S
        try:
            self._port.open()
        except PortError as error:
            self.trouble = f"{self.port}: {error}"
            return
        refused, self._deframer = self._deframer.refused, wire.Deframer()
        self._deframer.refused = refused
        self._opened += 1
        self._heard_s, self._ask_s = now_s, now_s
        self._seq_in = None
        self._start_anew()

    def _start_anew(self) -> None:
        """The board, or the way to it, has begun again."""
        if self._fit.is_known:
            self._earlier_fit, self._fit = self._fit, TimeFit(self.rate_hz)
        self._times.clear()
        self._is_met = False
        self.commands.drop("the board started again")

    def _read(self, now_s: float) -> bytes:
        try:
            return self._port.read()
        except PortError as error:
            self.trouble = f"{self.port}: {error}"
            self._retry_s = now_s + RETRY_S
            self.commands.drop(str(error))
            return b""

    def _frame(self, kind: int, seq: int, body: bytes, now_s: float, newest: int) -> list[LineReading]:
        if self._seq_in is not None:
            self._missed += (seq - self._seq_in - 1) % 256
        self._seq_in = seq
        try:
            if kind == wire.READINGS:
                return self._readings(body, now_s, newest)
            if kind in _TAKE:
                _TAKE[kind](self, body)
        except wire.WireError:
            self._deframer.refused += 1
        return []

    def _readings(self, body: bytes, now_s: float, newest: int) -> list[LineReading]:
        """By the board's own lines; rows for lines it is not set up to have are left out."""
        mcu_ms, first, rows = wire.unpack_readings(body)
        self._heard_s, self.trouble = now_s, self._strange()
        if self._fit.is_before(mcu_ms):
            self._start_anew()
        self._fit.look(mcu_ms, newest)
        position = self._fit.position(mcu_ms)
        found = []
        for line, (voltage_v, half_waves) in enumerate(rows, start=first):
            if 1 <= line <= self.lines:
                self._volts[line - 1] = voltage_v
                found.append(LineReading(line, position, voltage_v, half_waves))
        return found

    def _strange(self) -> str | None:
        if self._versions is None or self._versions[0] == wire.MAJOR:
            return None
        theirs, ours = ".".join(map(str, self._versions)), f"{wire.MAJOR}.{wire.MINOR}"
        return f"{self.port}: the board speaks protocol {theirs}, this box {ours}: only its readings are used"

    def _hello(self, body: bytes) -> None:
        (major, minor, self._lines_there, self._reset_cause, self._boots, self.board) = wire.unpack_hello(
            body
        )
        self._versions = (major, minor)
        self._starts += 1
        self._start_anew()

    def _about(self, body: bytes) -> None:
        journal, first, last, earlier, firmware = wire.unpack_about(body)
        if self._strange():
            return
        if self._inbox.mark and self._inbox.mark.journal != journal:
            self._earlier = 0
        if earlier != self._earlier:
            self._before_earlier, self._earlier = self._earlier, earlier
        self._inbox.about(journal, first, last)
        self._firmware = ".".join(map(str, firmware))
        self._ack_due = True
        if not self._is_met:
            self._is_met = True
            for command, arguments in self.setup:
                self.commands.ask(command, arguments)

    def _event(self, body: bytes) -> None:
        number, mcu_ms, line, kind, data = wire.unpack_event(body)
        if not self._is_met or (number > self._earlier and not self._fit.is_known):
            return  # it comes again, and then its place among the samples is known
        self._ack_due = True
        if not self._inbox.take(number):
            return
        self._taken += 1
        self._fresh.append(
            HatEvent(number, self.first_line + line - 1, self._position(number, mcu_ms), kind, data)
        )

    def _position(self, number: int, mcu_ms: int) -> int | None:
        if number > self._earlier:
            return self._fit.position(mcu_ms)
        if number > self._before_earlier and self._earlier_fit is not None:
            return self._earlier_fit.position(mcu_ms)
        return None

    def _event_lost(self, body: bytes) -> None:
        first, last = wire.unpack_event_lost(body)
        if self._is_met:
            self._inbox.skip(first, last)
            self._ack_due = True

    def _reply(self, body: bytes) -> None:
        request, code, result = wire.unpack_request(body)
        newest = self._times.pop(request, None)
        if newest is None:
            self.commands.replied(request, code)
        elif code == wire.OK and len(result) == 8:
            self._fit.answered(struct.unpack("<II", result)[1], newest)

    def _beat(self, body: bytes) -> None:
        _, _, self._refused_there = wire.unpack_beat(body)

    def _answer(self, now_s: float, newest: int) -> None:
        """Keep what came, say so, and send what is due."""
        if self._inbox.mark is not None and (self._ack_due or (self._is_met and now_s >= self._ack_s)):
            self._ack_s = now_s + ACK_S
            self._keep(self._inbox.mark)
        if not self._is_met:
            knows_ask = self._versions is None or self._versions >= (wire.MAJOR, 1)
            if knows_ask and now_s >= self._ask_s and not self._strange():
                self._ask_s = now_s + ASK_S
                self._send(wire.ASK, b"")
            return
        for body in self.commands.due(now_s):
            self._send(wire.COMMAND, body)
        if now_s >= self._time_s and newest != self._newest:  # a fresh sample makes the best comparison
            self._time_s = now_s + TIME_S
            self._ask_time(newest)

    def _keep(self, mark: EventMark) -> None:
        if self.keep and (self._fresh or mark != self.mark) and not self.keep(self._fresh, mark):
            return
        self.events.extend(self._fresh)
        self._fresh = []
        self.mark, self._ack_due = mark, False
        self._send(wire.ACK, wire.pack_ack(wire.MAJOR, mark.journal, mark.number))

    def _ask_time(self, newest: int) -> None:
        request = self.commands.number()
        self._times = dict(list(self._times.items())[-7:])  # answers that never came are forgotten
        self._times[request] = newest
        self._send(wire.COMMAND, wire.pack_request(request, wire.TIME, bytes(4)))

    def _send(self, kind: int, body: bytes) -> None:
        self._seq_out = (self._seq_out + 1) % 256
        self._port.write(wire.pack(kind, self._seq_out, body))


_TAKE: dict[int, Callable[[HatLink, bytes], None]] = {
    wire.HELLO: HatLink._hello,
    wire.BEAT: HatLink._beat,
    wire.ABOUT: HatLink._about,
    wire.EVENT: HatLink._event,
    wire.EVENT_LOST: HatLink._event_lost,
    wire.REPLY: HatLink._reply,
}
