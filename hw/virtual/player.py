"""A running virtual HAT: exchange, faults, sound card, microcontroller and cable, moved on together.

All of them go by the card's position; `step` does what is due and says when something is due again.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from itertools import groupby
from typing import TextIO

from hw.virtual.board import TICK_MS, Board
from hw.virtual.exchange import Exchange
from hw.virtual.faults import Fault, Faults
from hw.virtual.link import Link
from hw.virtual.ring import Ring
from hw.virtual.stage import ScriptedCall

LEAD_S = 0.6  # of real time that the audio is written ahead
CHUNK_S = 0.1
NOTHING_ARRIVES = {"cable_cut", "power_loss"}
NOTHING_IS_SENT = {"cable_cut", "power_loss", "mute"}


@dataclass(slots=True)
class Player:
    """One virtual HAT. `rings` are the card's capture and playback; `story` takes what truly happened."""

    exchange: Exchange
    rings: tuple[Ring, Ring]
    link: Link
    board: Board
    faults: Faults
    story: TextIO | None = None
    _lived: int = 0  # the microcontroller has lived up to this position
    _told: int = 0  # calls that ended by this position are in the story file
    _rng: random.Random = field(default_factory=lambda: random.Random(0))

    @property
    def ring(self) -> Ring:
        """What the box captures from; its position is the time of everything here."""
        return self.rings[0]

    def write_ahead(self) -> None:
        """Write audio until the lead is full."""
        ring = self.ring
        chunk = round(CHUNK_S * ring.rate_hz)
        lead = round(LEAD_S * ring.speed * ring.rate_hz)
        until = ring.position() + min(lead, ring.frames // 2 - chunk)
        while ring.written < until:
            audio = self.exchange.audio(ring.written, chunk)
            ring.write(ring.written, self.faults.on_audio(ring.written, audio))

    def step(self) -> float:
        """Do what is due; return the seconds until something is due again."""
        now = self.ring.position()
        self._turn_faults(now)
        self._live(now)
        if now - self._told >= self.ring.rate_hz:
            self.tell()
        self.write_ahead()
        due_ns = self.ring.time_ns(self._lived + self.exchange.window)
        return max(0, due_ns - time.monotonic_ns()) / 1e9

    def _turn_faults(self, now: int) -> None:
        began, ended = self.faults.turn(now)
        for fault in began:
            BEGINS.get(fault.kind, _nothing)(self, fault)
        for fault in ended:
            ENDS.get(fault.kind, _nothing)(self, fault)

    def _live(self, now: int) -> None:
        """Let the microcontroller live through the windows that are over, and carry its bytes."""
        windows = groupby(self.exchange.readings(self._lived, now), key=lambda reading: reading.position)
        for position, rows in windows:
            found = list(rows)
            volts = [reading.voltage_v for reading in found]
            half_waves = [reading.ring_half_waves for reading in found]
            self.faults.on_voltage(position, volts, half_waves)
            self.board.live(position * 1000 // self.ring.rate_hz, volts, half_waves)
            self._lived = position
        self._carry({fault.kind for fault in self.faults.active(now)})

    def _carry(self, faults: set[str]) -> None:
        arrived, sent = self.link.receive(), self.board.sent()
        if not faults & NOTHING_ARRIVES:
            self.board.receive(arrived)
        if "garbage" in faults:
            sent = self._rng.randbytes(len(sent))
        if not faults & NOTHING_IS_SENT:
            self.link.send(sent)

    def plugged(self, is_plugged: bool) -> None:
        """Pull the card, or plug it in."""
        for ring in self.rings:
            ring.set_gone(not is_plugged)

    def hasten(self, ppm: float) -> None:
        """Let the card's clock run faster than the Pi's by `ppm`, from now on."""
        for ring in self.rings:
            ring.set_speed(ring.speed * (1 + ppm / 1e6))

    def tell(self) -> None:
        """Write the calls that ended since the last time into the story file."""
        if self.story is None:
            return
        now = self.ring.position()
        for call in self.exchange.story(now):
            if call.end > self._told:
                self.story.write(json.dumps(asdict(call) | self._times_ns(call), ensure_ascii=False) + "\n")
        self.story.flush()
        self._told = now

    def _times_ns(self, call: ScriptedCall) -> dict[str, int | None]:
        """The call's positions as CLOCK_MONOTONIC times, for whoever measures delays."""
        positions = {name: getattr(call, name) for name in ("begin", "answered", "caller_id_end", "end")}
        return {f"{name}_ns": None if at is None else self.ring.time_ns(at) for name, at in positions.items()}


Turn = Callable[[Player, Fault], None]


def _nothing(player: Player, fault: Fault) -> None:
    """Faults of lines and cable are asked for where samples, volts and bytes pass."""


def _power_goes(player: Player, fault: Fault) -> None:
    player.board.power(False)
    player.plugged(False)


def _power_comes(player: Player, fault: Fault) -> None:
    player.board.power(True)
    player.plugged(True)


BEGINS: dict[str, Turn] = {
    "overrun": lambda player, fault: player.ring.overrun(),
    "unplug": lambda player, fault: player.plugged(False),
    "drift": lambda player, fault: player.hasten(fault.ppm),
    "board_hangs": lambda player, fault: player.board.hang(),
    "board_resets": lambda player, fault: player.board.reset(),
    "power_loss": _power_goes,
}
ENDS: dict[str, Turn] = {
    "unplug": lambda player, fault: player.plugged(True),
    "drift": lambda player, fault: player.hasten(-fault.ppm / (1 + fault.ppm / 1e6)),
    "power_loss": _power_comes,
}
WINDOW_MS = TICK_MS
