"""The built image on an emulated RP2040: volts and edges in, bytes and pins out.

Every millisecond is the emulator's own; `run` returns when the emulated chip has lived that long.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import ModuleType

from hw import wire
from hw.uf2 import unwrap

ROOT = Path(__file__).parents[3]
BOOT_ROM = ROOT / "build/micropython/bootrom.bin"
ONE_SHOT_MS = 300  # as firmware/ports/cpython/hal.py: how long the switches' supply outlives the last kick
FIRST_ADC_PIN = 26
STEP_MS = 10


def image_of(board: ModuleType) -> Path:
    """Where `make firmware-emulated` puts the board's image."""
    return ROOT / f"build/firmware/{board.ID}.uf2"


class EmulatedBoard:
    """One chip with its line voltages; lines count from 1."""

    def __init__(self, board: ModuleType, folder: Path) -> None:
        flash = folder / f"{board.ID}.bin"
        flash.write_bytes(unwrap(image_of(board).read_bytes()))
        self.board = board
        self.volts = [0.0] + [48.0] * board.LINES
        self.ring_hz = [0.0] * (board.LINES + 1)
        self.to_board = bytearray()
        self.ms = 0.0
        self.resets = 0
        self.pins: list[tuple[float, int, int]] = []  # every change of an output
        self._edge_ms = [0.0] * (board.LINES + 1)
        self._hang = False
        self._seq = 0
        self.deframer = wire.Deframer()
        settings = {
            "adc": board.ADC,
            "lines": board.LINES,
            "channels": [
                board.MCU_PINS.get(f"line {n}", FIRST_ADC_PIN) - FIRST_ADC_PIN for n in self._lines()
            ],
            "select": board.MCU_PINS.get("adc select"),
            "ring_pins": board.RING_PINS,
            "outputs": [*board.HOOK_PINS, board.MCU_PINS["one-shot"]],
        }
        script = Path(__file__).with_name("board.mjs")
        self._node = subprocess.Popen(
            ["node", str(script), str(flash), str(BOOT_ROM), json.dumps(settings)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip

    def _lines(self) -> range:
        return range(1, self.board.LINES + 1)

    def close(self) -> None:
        """End the emulator."""
        self._node.communicate(timeout=30)

    def send(self, kind: int, body: bytes = b"") -> None:
        """A frame from the box."""
        self._seq += 1
        self.to_board += wire.pack(kind, self._seq, body)

    def hang(self) -> None:
        """The program hangs until the watchdog bites."""
        self._hang = True

    def run(self, ms: int) -> bytes:
        """Live on for `ms` (tens of them); return what the board sent."""
        return b"".join(self._step() for _ in range(ms // STEP_MS))

    def heard(self, ms: int) -> list[tuple[int, bytes]]:
        """Live on, return the frames that came as (kind, body)."""
        return [(kind, body) for kind, _, body in self.deframer.feed(self.run(ms))]

    def closed(self, line: int) -> bool:
        """Whether the line's contact is closed: its pin is high and the one-shot still holds the supply."""
        pin, one_shot = self.board.HOOK_PINS[line - 1], self.board.MCU_PINS["one-shot"]
        states = [value for _, number, value in self.pins if number == pin]
        kicks = [ms for ms, number, value in self.pins if number == one_shot and value]
        return bool(states and states[-1] and kicks and self.ms - kicks[-1] < ONE_SHOT_MS)

    def _step(self) -> bytes:
        order = {
            "run_ms": STEP_MS,
            "counts": [self._counts(line) for line in self._lines()],
            "edges": [edge for line in self._lines() for edge in self._edges(line)],
            "bytes": bytes(self.to_board).hex(),
            "hang": self._hang,
        }
        self.to_board.clear()
        self._hang = False
        assert self._node.stdin and self._node.stdout
        self._node.stdin.write(json.dumps(order) + "\n")
        self._node.stdin.flush()
        told = json.loads(self._node.stdout.readline())
        self.ms, self.resets = told["ms"], told["resets"]
        self.pins += [tuple(change) for change in told["pins"]]
        return bytes.fromhex(told["bytes"])

    def _counts(self, line: int) -> int:
        counts = self.board.OFFSET_COUNTS + round(self.volts[line] * 1e6 / self.board.GAIN_UV)
        return max(0, min(65535, counts))

    def _edges(self, line: int) -> list[tuple[int, float]]:
        """The comparator's edges within the next step: two a period of the ringing voltage."""
        if not self.ring_hz[line]:
            self._edge_ms[line] = self.ms
            return []
        edges = []
        while self._edge_ms[line] < self.ms + STEP_MS:
            edges.append((line, max(0.0, self._edge_ms[line] - self.ms)))
            self._edge_ms[line] += 500 / self.ring_hz[line]
        return edges
