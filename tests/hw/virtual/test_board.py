"""The virtual microcontroller: the firmware's own program, its resets, its watchdog, its memory."""

from __future__ import annotations

import struct

import pytest

from hw import wire
from hw.virtual.board import BY_PIN, BY_WATCHDOG, POWERED, WATCHDOG_MS, Board

LINES = 2
IDLE, LOOP = [48.0, 48.0], [8.0, 48.0]
STILL = [0] * LINES


class Bench:
    """A board and what it has said."""

    def __init__(self) -> None:
        self.board = Board(LINES)
        self.deframer = wire.Deframer()
        self.ms = 0

    def live(
        self, ms: int, volts: list[float] = IDLE, half_waves: list[int] = STILL
    ) -> list[tuple[int, bytes]]:
        self.ms += ms
        self.board.live(self.ms, volts, half_waves)
        return [(kind, body) for kind, _, body in self.deframer.feed(self.board.sent())]

    def send(self, kind: int, body: bytes = b"") -> None:
        self.board.receive(wire.pack(kind, 1, body))

    def about(
        self,
    ) -> tuple[tuple[int, int, int, int, int, str], tuple[int, int, int, int, tuple[int, int, int]]]:
        self.send(wire.ASK)
        told = dict(self.live(20))
        return wire.unpack_hello(told[wire.HELLO]), wire.unpack_about(told[wire.ABOUT])


def kinds(frames: list[tuple[int, bytes]]) -> list[int]:
    return [wire.unpack_event(body)[3] for kind, body in frames if kind == wire.EVENT]


def test_it_greets_when_asked_and_reads_its_lines() -> None:
    bench = Bench()
    hello, about = bench.about()
    assert hello == (wire.MAJOR, wire.MINOR, LINES, POWERED, 1, "virtual-hat")
    assert about[1:4] == (1, 0, 0)
    rows = [wire.unpack_readings(body) for kind, body in bench.live(100) if kind == wire.READINGS]
    assert [ms for ms, _, _ in rows] == [30, 50, 70, 90, 110]
    assert rows[-1][2] == [(pytest.approx(48.0, abs=0.02), 0)] * LINES


def test_half_waves_are_counted_once() -> None:
    bench = Bench()
    frames = bench.live(20, IDLE, [3, 0]) + bench.live(20)
    rows = [wire.unpack_readings(body)[2] for kind, body in frames if kind == wire.READINGS]
    assert [[waves for _, waves in row] for row in rows] == [[3, 0], [0, 0]]


def test_more_lines_than_a_frame_holds_take_several() -> None:
    board = Board(64)
    board.live(20, [48.0] * 64, [0] * 64)
    frames = wire.Deframer().feed(board.sent())
    parts = [wire.unpack_readings(body)[1:] for kind, _, body in frames if kind == wire.READINGS]
    assert [(first, len(rows)) for first, rows in parts] == [(1, 38), (39, 26)]


def test_a_phone_is_told_and_told_again_after_a_reset() -> None:
    bench = Bench()
    journal = bench.about()[1][0]
    bench.live(1000)
    bench.live(500, LOOP)
    bench.board.reset()
    hello, about = bench.about()
    assert hello[3:5] == (BY_PIN, 2) and about[0] == journal, "the journal outlives a reset"
    bench.send(wire.ACK, wire.pack_ack(wire.MAJOR, journal, 0))
    assert wire.OFF_HOOK in kinds(bench.live(100, LOOP))


def test_a_hung_program_falls_silent_lets_go_and_is_started_again() -> None:
    bench = Bench()
    journal = bench.about()[1][0]
    bench.send(wire.ACK, wire.pack_ack(wire.MAJOR, journal, 0))
    bench.send(wire.COMMAND, wire.pack_request(1, wire.HOOK, struct.pack("<BH", 1, 2000)))
    bench.live(100)
    assert bench.board.closed(1)
    bench.board.hang()
    assert bench.live(300) == [] and not bench.board.closed(1)
    bench.live(WATCHDOG_MS)
    assert bench.about()[0][3] == BY_WATCHDOG


def test_power_takes_everything_with_it() -> None:
    bench = Bench()
    journal = bench.about()[1][0]
    bench.live(1000)
    bench.board.power(False)
    assert bench.live(500) == [] and not bench.board.closed(1)
    bench.board.power(True)
    hello, about = bench.about()
    assert hello[3:5] == (POWERED, 1) and about[0] != journal and about[1:3] == (1, 0)
