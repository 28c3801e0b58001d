"""Random lives of a board and a box: phones, ringing, held lines, and all that can break at any point."""

from __future__ import annotations

import random

from tests.firmware.bench import BOARD
from tests.firmware.cable import Cable

Told = tuple[int, int, int, int]  # number, line, kind, data


def phone(cable: Cable, rng: random.Random) -> None:
    cable.bench.hal.volts[rng.randint(1, BOARD.LINES)] = rng.choice([48.0, 48.0, 8.0, 6.0, 0.0, -48.0])


def ring(cable: Cable, rng: random.Random) -> None:
    for _ in range(rng.randint(3, 30)):
        cable.bench.hal.waves[1] += 1
        cable.run(20)


def hold(cable: Cable, rng: random.Random) -> None:
    line = rng.randint(1, BOARD.LINES)
    cable.link.commands.hold(line)
    cable.bench.hal.volts[line] = 9.0


def release(cable: Cable, rng: random.Random) -> None:
    for line in sorted(cable.link.commands.held):
        cable.link.commands.release(line)
        cable.bench.hal.volts[line] = 48.0


def board_hangs(cable: Cable, rng: random.Random) -> None:
    cable.bench.stop()


def board_resets(cable: Cable, rng: random.Random) -> None:
    cable.bench.reset(cause=1)


def cable_cut(cable: Cable, rng: random.Random) -> None:
    cable.is_cut = not cable.is_cut


def box_stops(cable: Cable, rng: random.Random) -> None:
    cable.box_stopped = not cable.box_stopped


def box_restarts(cable: Cable, rng: random.Random) -> None:
    cable.restart_box()


def noise(cable: Cable, rng: random.Random) -> None:
    cable.noise = None if cable.noise else random.Random(rng.random())


ALL = (phone, phone, phone, ring, hold, hold, release, board_hangs, board_resets, cable_cut, box_stops,
       box_restarts, noise)  # fmt: skip


def live(seed: int) -> tuple[list[Told], list[Told], list[str]]:
    """Play one life; return events as the board numbered them, as the box kept them, and what was late."""
    rng = random.Random(seed)
    cable = Cable()
    for _ in range(rng.randint(4, 12)):
        rng.choice(ALL)(cable, rng)
        cable.run(rng.choice([3, 40, 200, 700, 1500, 2600]))
    cable.is_cut = cable.box_stopped = False
    cable.noise = None
    cable.run(6000)
    assert cable.bench.app, "the watchdog brings it back"
    journal = cable.bench.app._journal
    made = [journal.record(number) for number in range(1, journal.last + 1)]
    numbered = [(number, line, kind, data) for number, _, line, kind, data in made]
    return numbered, [(one.number, one.line, one.kind, one.data) for one in cable.kept], cable.late
