"""Caller-ID bursts of any make: who is calling, the bytes, and a modem with every fault a real one has.

The bits of one message, 1200 a second, bit 1 = mark; `stop` may be a fraction, marks may follow it:

    | 0 1 0 1 ... | 1 1 1 ... | 0 b0 .. b7 stop 1 1 | 0 b0 .. b7 stop | ... | 1 1
      seizure       mark        a byte, LSB first, stuffed marks
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tests.signals.line import RATE_HZ, Rng, Signal, peak

LETTERS = np.array(list("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))


@dataclass(frozen=True, slots=True)
class Who:
    """What a message says; empty strings for what it leaves out."""

    date_time: str  # MMDDhhmm
    number: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Modem:
    """How a sender keys its bits; ranges are drawn from once a message, `stuffed` once a byte."""

    mark_hz: float = 1200.0
    space_hz: float = 2200.0
    baud: float = 1200.0
    level_dbm0: float = -13.5
    seizure_bits: int = 300
    mark_bits: int = 180
    stop_bits: tuple[float, float] = (1.0, 1.0)
    stuffed: tuple[int, int] = (0, 0)
    end_marks: float = 2.0
    twist_db: float = 0.0  # space over mark; the stronger one has `level_dbm0`
    second_harmonic_db: float | None = None  # against the fundamental
    snapped: bool = False  # bits change on samples only, as in cheap software


BELL202 = Modem()
V23 = Modem(mark_hz=1300.0, space_hz=2100.0)


def somebody(rng: Rng) -> Who:
    """Return a caller: MDMF takes 31 to 43 bytes for them."""
    month, day = rng.integers(1, 13), rng.integers(1, 29)
    date_time = f"{month:02}{day:02}{rng.integers(24):02}{rng.integers(60):02}"
    number = "0" + "".join(map(str, rng.integers(0, 10, rng.integers(6, 12))))
    first, second = (rng.integers(2, 7), rng.integers(3, 8))
    name = "".join(rng.choice(LETTERS, first)) + " " + "".join(rng.choice(LETTERS, second))
    return Who(date_time, number, name)


def closed(kind: int, body: bytes) -> bytes:
    """Return the message: type, length, body, and the byte that makes the sum 0 modulo 256."""
    opened = bytes([kind, len(body)]) + body
    return opened + bytes([-sum(opened) % 256])


def parameters(*pairs: tuple[int, str]) -> bytes:
    """Return type, length, value of each."""
    return b"".join(bytes([kind, len(value)]) + value.encode("ascii") for kind, value in pairs)


def mdmf(who: Who, first: bytes = b"") -> bytes:
    """Return the message with time, number and name, `first` before them."""
    fields = ((0x01, who.date_time), (0x02, who.number), (0x07, who.name))
    return closed(0x80, first + parameters(*[field for field in fields if field[1]]))


def sdmf(who: Who) -> bytes:
    """Return the older message: time and number."""
    return closed(0x04, (who.date_time + who.number).encode("ascii"))


def burst(message: bytes, modem: Modem, rng: Rng) -> Signal:
    """Return the message as that modem sends it."""
    bits, lengths = _bits(message, modem, rng)
    edges = np.concatenate([[0.0], np.cumsum(lengths)]) * RATE_HZ / modem.baud
    if modem.snapped:
        edges = np.rint(edges)
    hz = np.where(bits == 1, modem.mark_hz, modem.space_hz)
    turns = np.concatenate([[0.0], np.cumsum(hz * np.diff(edges) / RATE_HZ)])
    times = np.arange(int(edges[-1]))
    phase = 2 * np.pi * (np.interp(times, edges, turns) + rng.uniform())
    sound = np.sin(phase)
    if modem.second_harmonic_db is not None:
        sound += 10 ** (modem.second_harmonic_db / 20) * np.sin(2 * phase + 1.0)
    which = bits[np.searchsorted(edges, times, side="right") - 1]
    weaker = 10 ** (-abs(modem.twist_db) / 20)
    mark, space = (weaker, 1.0) if modem.twist_db > 0 else (1.0, weaker)
    return peak(modem.level_dbm0) * np.where(which == 1, mark, space) * sound


def _bits(message: bytes, modem: Modem, rng: Rng) -> tuple[np.ndarray, np.ndarray]:
    """Return the bits on the line and how many bit times each lasts."""
    stop = rng.uniform(*modem.stop_bits)
    bits = [at % 2 for at in range(modem.seizure_bits)]
    lengths = [1.0] * modem.seizure_bits
    bits, lengths = [*bits, 1], [*lengths, float(modem.mark_bits)]
    for byte in message:
        bits += [0, *((byte >> at) & 1 for at in range(8)), 1]
        lengths += [1.0] * 9 + [stop + int(rng.integers(modem.stuffed[0], modem.stuffed[1] + 1))]
    return np.array([*bits, 1]), np.array([*lengths, modem.end_marks])
