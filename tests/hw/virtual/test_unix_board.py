"""The firmware on MicroPython's unix port beside the same on CPython: byte for byte through a life."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from contextlib import closing

import pytest

from hw import wire
from hw.virtual.board import Board
from hw.virtual.unix_board import MICROPYTHON, UnixBoard

LINES = 3
pytestmark = pytest.mark.skipif(not MICROPYTHON.exists(), reason="MicroPython's unix port is not there")


@pytest.fixture
def boards() -> Iterator[tuple[Board, UnixBoard]]:
    with closing(UnixBoard(LINES)) as unix:
        yield Board(LINES), unix


def both(boards: tuple[Board, UnixBoard], until_ms: int, volts: list[float], waves: list[int]) -> bytes:
    """Let both live on; what they sent, which must be the same."""
    for board in boards:
        board.live(until_ms, volts, waves)
    one, other = (board.sent() for board in boards)
    assert one == other
    for line in range(1, LINES + 1):
        assert boards[0].closed(line) == boards[1].closed(line)
    return one


def test_byte_for_byte_through_a_life(boards: tuple[Board, UnixBoard]) -> None:
    rng = random.Random(3)
    sent, volts = b"", [48.0] * LINES
    for ms in range(20, 12_000, 20):
        if rng.random() < 0.03:
            volts[rng.randrange(LINES)] = rng.choice([48.0, 48.0, 8.0, 0.0, -48.0])
        if ms % 2000 == 0:
            hook = wire.pack_request(ms & 0xFFFF, wire.HOOK, struct.pack("<BH", 1 + ms // 2000 % LINES, 1500))
            for board in boards:
                board.receive(wire.pack(wire.ASK, 1) + wire.pack(wire.COMMAND, 2, hook) + b"\x00noise\x00")
        sent += both(boards, ms, volts, [1 if 3000 < ms < 4000 else 0, 0, 0])
    kinds = {kind for kind, _, _ in wire.Deframer().feed(sent)}
    assert kinds >= {wire.HELLO, wire.ABOUT, wire.READINGS, wire.BEAT, wire.REPLY}


def test_a_reset_a_hang_and_a_loss_of_power(boards: tuple[Board, UnixBoard]) -> None:
    still, idle = [0] * LINES, [48.0] * LINES
    both(boards, 1000, idle, still)
    for board in boards:
        board.reset()
    both(boards, 2000, idle, still)
    for board in boards:
        board.hang()
    both(boards, 4500, idle, still)
    for board in boards:
        board.receive(wire.pack(wire.ASK, 1))
    told = dict((kind, body) for kind, _, body in wire.Deframer().feed(both(boards, 4600, idle, still)))
    assert wire.unpack_hello(told[wire.HELLO])[3:5] == (3, 3), "by the watchdog, and nothing was forgotten"
    for board in boards:
        board.power(False)
    assert both(boards, 5000, idle, still) == b""
    for board in boards:
        board.power(True)
    assert both(boards, 5500, idle, still)
