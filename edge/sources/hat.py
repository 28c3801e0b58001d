"""Line readings from the HAT's microcontroller over its serial port, put on the audio's time line.

The port is opened without waiting and read when it has something. A port that is missing, silent or talks
nonsense is a state (`trouble`), not an exception; it is opened again every second.
"""

from __future__ import annotations

import os
import select
import termios
import tty
from collections import deque
from dataclasses import dataclass, field
from statistics import median

from edge.samples import LineReading
from hw import wire

SILENT_AFTER_S = 3.0
RETRY_S = 1.0
LOOKS = 64  # clock comparisons the time fit rests on
READ_BYTES = 4096
MOST_BYTES = 1 << 16  # taken in one step, however much a broken sender piles up


@dataclass(slots=True)
class TimeFit:
    """Where the microcontroller's milliseconds lie among the samples.

    A frame arrives about one audio period after its time, and the newest sample is up to one period old, so
    the median of the differences is right to within half a period.
    """

    rate_hz: int
    _wraps: int = 0
    _last_ms: int = 0
    _offsets: deque[int] = field(default_factory=lambda: deque(maxlen=LOOKS))

    def look(self, mcu_ms: int, newest: int) -> None:
        """A frame stamped `mcu_ms` arrived when sample `newest` was the newest."""
        ms = self._unwrap(mcu_ms)
        self._offsets.append(newest - ms * self.rate_hz // 1000)

    def position(self, mcu_ms: int) -> int:
        """The sample taken at `mcu_ms`."""
        return self._unwrap(mcu_ms) * self.rate_hz // 1000 + round(median(self._offsets))

    def reset(self) -> None:
        """The microcontroller started again."""
        self._offsets.clear()
        self._wraps = self._last_ms = 0

    def _unwrap(self, mcu_ms: int) -> int:
        if mcu_ms + (1 << 31) < self._last_ms:
            self._wraps += 1
        self._last_ms = mcu_ms
        return mcu_ms + (self._wraps << 32)


@dataclass(slots=True)
class HatLink:
    """The link to one board. Call `step` often; it never waits."""

    port: str
    first_line: int  # box number of the board's line 1
    lines: int
    rate_hz: int
    trouble: str | None = "not opened yet"
    board: str | None = None
    _handle: int | None = None
    _deframer: wire.Deframer = field(default_factory=wire.Deframer)
    _fit: TimeFit = field(init=False)
    _heard_s: float = 0.0
    _retry_s: float = 0.0

    def __post_init__(self) -> None:
        self._fit = TimeFit(self.rate_hz)

    def step(self, now_s: float, newest: int) -> list[LineReading]:
        """Readings that came in; `newest` is the position of the newest sample, `now_s` monotonic."""
        if self._handle is None and now_s >= self._retry_s:
            self._open(now_s)
        readings = [
            reading
            for kind, _, body in self._deframer.feed(self._read(now_s))
            for reading in self._frame(kind, body, now_s, newest)
        ]
        if self._handle is not None and now_s - self._heard_s > SILENT_AFTER_S:
            self.trouble = f"{self.port}: nothing heard for {SILENT_AFTER_S:g} s"
        return readings

    def close(self) -> None:
        """Give the port back."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _open(self, now_s: float) -> None:
        self._retry_s = now_s + RETRY_S
        try:
            self._handle = os.open(self.port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            tty.setraw(self._handle)
            attributes = termios.tcgetattr(self._handle)
            attributes[4] = attributes[5] = termios.B460800
            termios.tcsetattr(self._handle, termios.TCSANOW, attributes)
        except (OSError, termios.error) as error:
            self.trouble = f"{self.port}: {error}"
            self.close()
            return
        self._heard_s = now_s
        self._deframer = wire.Deframer()
        self._fit.reset()

    def _read(self, now_s: float) -> bytes:
        data = b""
        while self._handle is not None and len(data) < MOST_BYTES:
            if not select.select([self._handle], [], [], 0)[0]:
                break
            try:
                piece = os.read(self._handle, READ_BYTES)
            except OSError as error:
                self._lose(now_s, str(error))
                break
            if not piece:
                self._lose(now_s, "closed at the other end")
            data += piece
        return data

    def _lose(self, now_s: float, reason: str) -> None:
        self.trouble = f"{self.port}: {reason}"
        self._retry_s = now_s + RETRY_S
        self.close()

    def _frame(self, kind: int, body: bytes, now_s: float, newest: int) -> list[LineReading]:
        try:
            if kind == wire.HELLO:
                self._hello(*wire.unpack_hello(body))
            elif kind == wire.READINGS:
                mcu_ms, first, rows = wire.unpack_readings(body)
                self._heard_s, self.trouble = now_s, None
                self._fit.look(mcu_ms, newest)
                return self._readings(self._fit.position(mcu_ms), first, rows)
        except wire.WireError:
            self._deframer.refused += 1
        return []

    def _hello(
        self, major: int, minor: int, lines: int, reset_cause: int, boot_count: int, board: str
    ) -> None:
        self.board = board
        self._fit.reset()

    def _readings(self, position: int, first: int, rows: list[tuple[float, int]]) -> list[LineReading]:
        """Rows for lines the board is not set up to have are left out."""
        return [
            LineReading(self.first_line + line - 1, position, voltage_v, half_waves)
            for line, (voltage_v, half_waves) in enumerate(rows, start=first)
            if 1 <= line <= self.lines
        ]
