"""What can go wrong with a HAT, by name: on a line, at the card, at the microcontroller, on its cable.

A script says when (`[[faults]]`), or a line of text to `--orders` does while it runs:

    noise line=2 for_s=10 dbm0=-30          unplug for_s=3          board_hangs

    line    noise dbm0 | hum dbm0 | clipped gain_db | dead | parallel_phone volts | swapped other
    card    overrun | unplug | drift ppm
    board   board_hangs | board_resets | power_loss | garbage | cable_cut | mute

Faults of a line change its samples, its voltage, or both, as the two tables at `AUDIO` and `VOLTAGE` say.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from edge.dsp.level import amplitude

HUM_HZ = 50
HARMONICS = (1.0, 0.4, 0.25, 0.15)  # of mains hum, times its fundamental
FULL_SCALE = 32767

Block = NDArray[np.float32]  # (frames, lines)
Volts = list[float]

Kind = Literal[
    "noise", "hum", "clipped", "dead", "parallel_phone", "swapped",
    "overrun", "unplug", "drift",
    "board_hangs", "board_resets", "power_loss", "garbage", "cable_cut", "mute",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault and when; seconds of the card's time from position 0."""

    kind: Kind
    at_s: Annotated[float, Meta(ge=0)] = 0.0
    for_s: Annotated[float, Meta(ge=0)] = 5.0
    line: Annotated[int, Meta(ge=1, le=64)] = 1
    other: Annotated[int, Meta(ge=1, le=64)] = 2  # swapped: with whom
    dbm0: Annotated[float, Meta(ge=-70, le=3)] = -30.0  # noise, hum
    gain_db: Annotated[float, Meta(ge=0, le=60)] = 30.0  # clipped
    volts: Annotated[float, Meta(ge=0, le=75)] = 6.0  # parallel_phone
    ppm: Annotated[float, Meta(ge=-100_000, le=100_000)] = 100.0  # drift

    @property
    def end_s(self) -> float:
        """When it is over."""
        return self.at_s + self.for_s


def _noise(fault: Fault, block: Block, position: int, rate_hz: int) -> None:
    rng = np.random.default_rng([position, fault.line])
    deviation = FULL_SCALE * amplitude(fault.dbm0) / np.sqrt(2)
    block[:, fault.line - 1] += rng.normal(0, deviation, len(block)).astype(np.float32)


def _hum(fault: Fault, block: Block, position: int, rate_hz: int) -> None:
    turns = (position + np.arange(len(block))) % rate_hz * (HUM_HZ / rate_hz)
    wave = sum(part * np.sin(2 * np.pi * number * turns) for number, part in enumerate(HARMONICS, start=1))
    block[:, fault.line - 1] += (FULL_SCALE * amplitude(fault.dbm0) * wave).astype(np.float32)


def _clipped(fault: Fault, block: Block, position: int, rate_hz: int) -> None:
    gain = 10 ** (fault.gain_db / 20)
    block[:, fault.line - 1] = np.clip(block[:, fault.line - 1] * gain, -FULL_SCALE, FULL_SCALE)


def _dead(fault: Fault, block: Block, position: int, rate_hz: int) -> None:
    block[:, fault.line - 1] = 0


def _swapped(fault: Fault, block: Block, position: int, rate_hz: int) -> None:
    here, there = fault.line - 1, fault.other - 1
    block[:, [here, there]] = block[:, [there, here]]


AUDIO: dict[str, Callable[[Fault, Block, int, int], None]] = {
    "noise": _noise,
    "hum": _hum,
    "clipped": _clipped,
    "dead": _dead,
    "swapped": _swapped,
}


def _no_volts(fault: Fault, volts: Volts, half_waves: list[int]) -> None:
    volts[fault.line - 1], half_waves[fault.line - 1] = 0.0, 0


def _somebody_listens(fault: Fault, volts: Volts, half_waves: list[int]) -> None:
    at = fault.line - 1
    volts[at] = float(np.copysign(min(abs(volts[at]), fault.volts), volts[at]))


def _swap(fault: Fault, volts: Volts, half_waves: list[int]) -> None:
    here, there = fault.line - 1, fault.other - 1
    volts[here], volts[there] = volts[there], volts[here]
    half_waves[here], half_waves[there] = half_waves[there], half_waves[here]


VOLTAGE: dict[str, Callable[[Fault, Volts, list[int]], None]] = {
    "dead": _no_volts,
    "parallel_phone": _somebody_listens,
    "swapped": _swap,
}


class Faults:
    """All faults of one HAT, those of the script and those that were ordered since."""

    def __init__(self, faults: tuple[Fault, ...], lines: int, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._lines = lines
        self._turned_s = -1.0
        self.all: list[Fault] = list(faults)
        for fault in faults:
            check(fault, lines)

    def order(self, fault: Fault) -> None:
        """One more; raises ValueError if the HAT has no such line."""
        check(fault, self._lines)
        self.all.append(fault)

    def on_audio(self, position: int, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        """What the codec hears instead of `samples` (frames, lines) that begin at `position`."""
        spans = [(fault, *self._within(fault, position, len(samples))) for fault in self.all]
        heard = samples.astype(np.float32)
        for fault, begin, end in spans:
            if begin >= end or fault.kind not in AUDIO:
                continue
            AUDIO[fault.kind](fault, heard[begin:end], position + begin, self._rate_hz)
        return np.clip(heard, -FULL_SCALE - 1, FULL_SCALE).astype(np.int16)

    def on_voltage(self, position: int, volts: Volts, half_waves: list[int]) -> None:
        """What the converter reads instead, in place."""
        for fault in self.active(position):
            if fault.kind in VOLTAGE:
                VOLTAGE[fault.kind](fault, volts, half_waves)

    def active(self, position: int) -> list[Fault]:
        """Those that hold at `position`."""
        at_s = position / self._rate_hz
        return [fault for fault in self.all if fault.at_s <= at_s < fault.end_s]

    def turn(self, position: int) -> tuple[list[Fault], list[Fault]]:
        """Those that began and those that ended since the last call, which was at an earlier position."""
        now_s, before_s = position / self._rate_hz, self._turned_s
        self._turned_s = now_s
        began = [fault for fault in self.all if before_s < fault.at_s <= now_s]
        return began, [fault for fault in self.all if before_s < fault.end_s <= now_s]

    def _within(self, fault: Fault, position: int, frames: int) -> tuple[int, int]:
        begin, end = round(fault.at_s * self._rate_hz), round(fault.end_s * self._rate_hz)
        return max(0, begin - position), min(frames, end - position)


def check(fault: Fault, lines: int) -> None:
    """Raise ValueError for a line that the HAT does not have."""
    for line in (fault.line, *([fault.other] if fault.kind == "swapped" else [])):
        if (fault.kind in AUDIO or fault.kind in VOLTAGE) and line > lines:
            raise ValueError(f"fault {fault.kind}: wanted a line of 1-{lines}, got {line}")


def read_order(text: str, now_s: float) -> Fault:
    """A fault from a line of text, beginning at `now_s`; raises ValueError saying what is wrong."""
    kind, *settings = text.split() or [""]
    table: dict[str, object] = {"kind": kind, "at_s": now_s}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise ValueError(f"fault: wanted name=value after {kind}, got {setting!r}")
        table[name] = value
    unknown = table.keys() - Fault.__dataclass_fields__.keys()
    if unknown:
        known = ", ".join(Fault.__dataclass_fields__)
        raise ValueError(f"fault: no setting {min(unknown)!r}; there are {known}")
    try:
        return msgspec.convert(table, Fault, strict=False)
    except msgspec.ValidationError as error:
        raise ValueError(f"fault: {error}") from None
