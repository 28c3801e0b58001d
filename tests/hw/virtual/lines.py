"""Small scripts and the measuring of what they make: levels, voltages, and a receiver for Bell 202."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.dsp.level import level_dbm0
from hw.virtual.exchange import Exchange
from hw.virtual.script import Script, parse_script
from tests.hw.virtual.conftest import murmur

RATE_HZ = 8000
CALLERS = """
[callers.wang]
number = "02155500147"
name = "王芳"
[callers.old]
number = "057155500119"
sends = "bell202-sdmf"
[callers.keys]
number = "13955500126"
sends = "dtmf"
[callers.private]
presentation = "withheld"
[callers.early]
number = "02155500101"
place = "before-ring"
[callers.late_keys]
presentation = "unavailable"
sends = "dtmf"
place = "after-first-ring"
"""


def script_of(*steps: str, head: str = "", line: str = "") -> Script:
    rows = "".join(f"  {{ {step} }},\n" for step in steps)
    return parse_script(f"{head}\n{CALLERS}\n[[lines]]\n{line}\nsteps = [\n{rows}]\n")


def exchange_of(*steps: str, head: str = "", line: str = "", **options: Any) -> Exchange:
    return Exchange(script_of(*steps, head=head, line=line), speak=murmur, **options)


def frames(seconds: float) -> int:
    return round(seconds * RATE_HZ)


def level(samples: NDArray[np.int16]) -> float:
    return level_dbm0(float(np.mean((samples / 32768.0) ** 2)))


def voltages(exchange: Exchange, until_s: float) -> dict[int, float]:
    """{end of window in ms: volts} of line 1."""
    return {
        reading.position * 1000 // RATE_HZ: reading.voltage_v
        for reading in exchange.readings(0, frames(until_s))
        if reading.line == 1
    }


ANSWERED = (
    'do = "wait", s = 1',
    'do = "ring", bursts = 2, caller = "wang"',
    'do = "pick_up", after_s = 1',
    'do = "say", who = "staff", text = "twenty characters!!!"',  # murmurs for a second
    'do = "say", who = "far", s = 2, after_s = 0.5',
    'do = "keys", who = "far", digits = "12", after_s = 0',
    'do = "hang_up", who = "far", staff_after_s = 2',
)


def bits_of(heard: NDArray[np.int16], end: int) -> list[int]:
    """A plain Bell 202 receiver: for every bit time before `end`, is 1200 or 2200 Hz stronger?"""
    bit = RATE_HZ / 1200
    found = []
    for number in range(int(1.2 * 1200), 0, -1):
        at = end - round(number * bit)
        part = heard[at : at + round(bit)] / 32768.0
        turns = 2j * np.pi * np.arange(len(part)) / RATE_HZ
        power = [abs(np.sum(part * np.exp(-turns * hz))) for hz in (2200, 1200)]
        found.append(int(power[1] > power[0]))
    return found


def bytes_of(bits: list[int]) -> bytes:
    """Start bit, eight bits with the lowest first, stop bit; after at least 100 bits of mark."""
    at = "".join(map(str, bits)).index("1" * 100)
    found = bytearray()
    while at < len(bits) - 9:
        if bits[at] == 0 and bits[at + 9] == 1:
            found.append(sum(bits[at + 1 + place] << place for place in range(8)))
            at += 10
        else:
            at += 1
    return bytes(found)


def signal_span(heard: NDArray[np.int16], first_s: float, last_s: float) -> tuple[float, float]:
    """Where between two times something louder than -40 dBm0 is, in seconds."""
    blocks = np.arange(frames(first_s), frames(last_s), 80)
    loud = [at for at in blocks if level(heard[at : at + 80]) > -40]
    return loud[0] / RATE_HZ, (loud[-1] + 80) / RATE_HZ
