"""Faults of card, board and cable on a running virtual HAT: what the box's end of each sees."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from hw import wire
from hw.virtual.board import Board
from hw.virtual.exchange import Exchange
from hw.virtual.faults import Fault, Faults
from hw.virtual.link import Link
from hw.virtual.player import BEGINS, ENDS, WINDOW_MS, Player
from hw.virtual.ring import Ring
from hw.virtual.script import parse_script

QUIET = '[[lines]]\nsteps = [{ do = "wait", s = 600 }]\n'
SPEED = 10.0
RATE_HZ = 8000


class Box:
    """The box's end of the cable, while the HAT is being moved on."""

    def __init__(self, player: Player, port: Path) -> None:
        self.player = player
        self.handle = os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self.deframer = wire.Deframer()

    def until(self, card_s: float, *, ask: bool = False) -> tuple[set[int], int]:
        """Live on to a time of the card; the kinds of frame that came, and how many bytes."""
        kinds: set[int] = set()
        came = 0
        while self.player.ring.position() < card_s * RATE_HZ:
            self.player.step()
            if ask:
                os.write(self.handle, wire.pack(wire.ASK, 1))
            if select.select([self.handle], [], [], 0.005)[0]:
                data = os.read(self.handle, 1 << 16)
                came += len(data)
                kinds |= {kind for kind, _, _ in self.deframer.feed(data)}
        return kinds, came


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


def hat(stack: ExitStack, folder: Path, *faults: Fault) -> Box:
    """A HAT with one quiet line, ten times as fast as time."""
    rings = []
    for end in ("cap", "play"):
        ring = Ring.create(
            Path(f"/dev/shm/vhat-test-{os.getpid()}-{folder.name[-8:]}-{end}"), RATE_HZ, 1, 240_000, SPEED
        )
        stack.callback(ring.close)
        stack.callback(ring.remove)
        rings.append(ring)
    exchange = Exchange(parse_script(QUIET), 1, RATE_HZ, window_ms=WINDOW_MS)
    link = stack.enter_context(closing(Link(folder / "port")))
    player = Player(exchange, (rings[0], rings[1]), link, Board(1), Faults(faults, 1, RATE_HZ))
    box = Box(player, folder / "port")
    stack.callback(os.close, box.handle)
    return box


def test_without_a_fault_everything_passes(stack: ExitStack, tmp_path: Path) -> None:
    kinds, _ = hat(stack, tmp_path).until(4.0, ask=True)
    assert kinds >= {wire.HELLO, wire.ABOUT, wire.READINGS, wire.BEAT}


# kind of fault: (frames come through while it lasts, bytes come at all)
CABLE = {
    "cable_cut": (False, False),
    "mute": (False, False),
    "power_loss": (False, False),
    "garbage": (False, True),
}


@pytest.mark.parametrize("kind", CABLE)
def test_faults_of_the_cable_pass_and_go(stack: ExitStack, tmp_path: Path, kind: str) -> None:
    box = hat(stack, tmp_path, Fault(kind, at_s=2.0, for_s=3.0))
    assert wire.READINGS in box.until(1.9)[0]
    box.until(2.4)
    kinds, came = box.until(4.8)
    assert (bool(kinds), bool(came)) == CABLE[kind]
    assert wire.READINGS in box.until(9.0)[0], "it is over"


def test_a_hung_board_is_silent_until_its_watchdog_bites(stack: ExitStack, tmp_path: Path) -> None:
    box = hat(stack, tmp_path, Fault("board_hangs", at_s=2.0))
    box.until(2.4)
    assert box.until(3.8)[0] == set()
    assert wire.READINGS in box.until(8.0)[0]


def test_the_card_goes_and_comes_back(stack: ExitStack, tmp_path: Path) -> None:
    box = hat(stack, tmp_path, Fault("unplug", at_s=1.0, for_s=2.0))
    gone = []
    for at_s in (0.5, 2.0, 5.0):
        box.until(at_s)
        gone.append([bool(ring._get("gone")) for ring in box.player.rings])
    assert gone == [[False, False], [True, True], [False, False]]


def test_the_cards_clock_drifts_and_is_right_again(stack: ExitStack, tmp_path: Path) -> None:
    box = hat(stack, tmp_path, Fault("drift", at_s=1.0, for_s=2.0, ppm=50_000))
    speeds = []
    for at_s in (0.5, 2.0, 5.0):
        box.until(at_s)
        speeds.append(box.player.ring.speed)
    assert speeds == [pytest.approx(SPEED), pytest.approx(SPEED * 1.05), pytest.approx(SPEED)]


def test_an_overrun_is_one(stack: ExitStack, tmp_path: Path) -> None:
    box = hat(stack, tmp_path, Fault("overrun", at_s=1.0, for_s=0.0))
    box.until(3.0)
    assert box.player.ring._get("overruns") == 1


def test_what_begins_and_lasts_also_ends() -> None:
    assert ENDS.keys() <= BEGINS.keys()
    assert BEGINS.keys() - ENDS.keys() == {"overrun", "board_hangs", "board_resets"}
