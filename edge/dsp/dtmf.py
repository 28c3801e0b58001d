"""DTMF keys of all lines at once, and their transmitter (ITU-T Q.23, Q.24).

             1209   1336   1477   1633 Hz
    697 Hz     1      2      3      A
    770 Hz     4      5      6      B
    852 Hz     7      8      9      C
    941 Hz     *      0      #      D

A key is three hops (30 ms) in a row in which one low and one high tone hold their frequency and strength and
most of the energy between 600 and 1700 Hz, with nothing like speech below. Its length is measured by how much
of each hop the tones fill.

    limit                     accepted         refused
    level per tone            -45 .. 0 dBm0    -55 dBm0
    high over low (twist)     -8 .. +4 dB      -14, +12 dB
    frequency                 +-1.5 %          +-3.5 %
    length                    40 ms            23 ms
    pause between two keys    20 ms
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge.dsp.hops import HOP_MS, RECENT_PAST, HopBank, Hops
from edge.dsp.level import amplitude
from edge.samples import Samples

LOW_HZ = (697.0, 770.0, 852.0, 941.0)
HIGH_HZ = (1209.0, 1336.0, 1477.0, 1633.0)
KEYS = ("123A", "456B", "789C", "*0#D")
DIGITS = "".join(KEYS)

BAND_HZ = tuple(float(hz) for hz in range(600, 1800, 100))  # what a key must dominate; no hum, no dial tone
LOW_BAND_HZ = (200.0, 300.0, 400.0, 500.0)  # where speech is strongest and a key has nothing
HIGH_BAND_HZ = tuple(float(hz) for hz in range(1800, 3500, 100))
WINDOW = 3  # hops
MIN_TONE = amplitude(-50.0) ** 2 / 2
MIN_TWIST, MAX_TWIST = 10 ** (-11 / 10), 10 ** (8 / 10)
MIN_SHARE = 0.72  # of the pair in the energy of the band
MAX_LOW = 0.08  # of the pair: what may lie in the low band, unless noise or a dial tone explains it
NOISE_LOW = 0.8  # of what lies above the band: white noise has 4/17
NOISE_BAND = 0.25  # of the same: what white noise at least leaves in the band beside the pair
STEADY_HOPS, MIN_LOW_STEADY = 12, 0.4  # a dial tone does not change,
MAX_STEADY = 6.0  # is not that much stronger than the pair,
MAX_BEFORE = 0.1  # and was there when the pair was not
MAX_DEVIATION = 0.021  # of the frequency
MIN_COHERENCE = 0.75
MIN_STEADY = 0.26  # weakest hop against strongest, as power
MIN_TONE_MS = 32.0
HELD = 0.5  # a hop filled less than this ends a key


def digit_pair(digit: str) -> tuple[float, float]:
    """Return (low, high) in Hz; raises ValueError for what is not a DTMF key."""
    if len(digit) != 1 or digit not in DIGITS:
        raise ValueError(f"a DTMF key is one of {DIGITS}, got {digit!r}")
    row, column = divmod(DIGITS.index(digit), 4)
    return LOW_HZ[row], HIGH_HZ[column]


def dtmf_signal(
    digits: str,
    rate_hz: int = 8000,
    tone_ms: float = 70,
    gap_ms: float = 70,
    level_dbm0: float = -10.0,
    twist_db: float = 0.0,
) -> NDArray[np.float32]:
    """Return the keys one after the other, each followed by its gap; float32 in -1..1, shape (n,).

    `level_dbm0` is that of the low tone; `twist_db` lifts the high one over it.
    """
    times_s = np.arange(round(tone_ms * rate_hz / 1000)) / rate_hz
    gap = np.zeros(round(gap_ms * rate_hz / 1000))
    peaks = amplitude(level_dbm0), amplitude(level_dbm0 + twist_db)
    pieces = [np.zeros(0)]
    for digit in digits:
        low, high = (2 * np.pi * hz * times_s for hz in digit_pair(digit))
        pieces += [peaks[0] * np.sin(low) + peaks[1] * np.sin(high), gap]
    return np.concatenate(pieces).astype(np.float32)


@dataclass(frozen=True, slots=True)
class KeyFound:
    """A key was held on `line` from `start` to `end` (positions)."""

    line: int
    start: int
    end: int
    digit: str


@dataclass(slots=True)
class _Held:
    """A key being held: how much of each hop its tones fill, from two hops before it was recognised."""

    key: int
    start_hop: int
    strength: float
    filled: list[float] = field(default_factory=list)


class DtmfReceiver:
    """Finds keys in blocks of any length; a key is reported when it ends."""

    HZ = LOW_HZ + HIGH_HZ
    BANDS = (BAND_HZ, LOW_BAND_HZ, HIGH_BAND_HZ)

    def __init__(self, lines: int, rate_hz: int, bank: HopBank | None = None) -> None:
        self._bank = bank or HopBank(lines, rate_hz, self.HZ, self.BANDS)
        self._tones = self._bank.rows(self.HZ)
        self._rows = np.array([*self._tones, *map(self._bank.band, self.BANDS)], np.intp)
        self._held: dict[int, _Held] = {}
        self._last: dict[int, KeyFound] = {}  # column -> its last key

    def feed(self, samples: Samples, position: int) -> list[KeyFound]:
        """Take int16 (frames, lines) from `position` on; return the keys that ended."""
        return self.take(self._bank.feed(samples, position))

    def take(self, hops: Hops) -> list[KeyFound]:
        """The same on hops measured by a bank shared with other receivers."""
        if hops.restarted and len(hops):
            self._held.clear()
            self._last.clear()
        if not len(hops) or not hops.heard.any():
            return []
        recent = hops.recent[self._rows, RECENT_PAST:]
        paired = _paired(recent)
        columns = np.nonzero(paired.any(axis=0))[0]
        if len(columns):
            energy = hops.power[self._rows[len(self.HZ) :]][..., columns]
            paired[:, columns] = _alone(paired[:, columns], recent[..., columns], energy)
        columns = np.array(sorted({*columns[paired[:, columns].any(axis=0)].tolist(), *self._held}), np.intp)
        if not len(columns):
            return []
        tones = hops.phasors(self._tones, columns, WINDOW)
        strength = tones.real**2 + tones.imag**2
        keys = _keys(tones, strength, paired[:, columns])
        found: list[KeyFound] = []
        first = hops.position - WINDOW * self._bank.hop
        for at in range(len(columns)):
            found += self._follow(int(columns[at]), keys[:, at], strength[..., at].T, first)
        return sorted(found, key=lambda key: key.end)

    def _follow(
        self, column: int, keys: NDArray[np.int8], strength: NDArray[np.float32], first: int
    ) -> list[KeyFound]:
        """Walk the new hops of one line: open a key, follow how its tones fill the hops, close it."""
        hop = self._bank.hop
        found: list[KeyFound] = []
        for at, key in enumerate(keys, WINDOW):
            held = self._held.get(column)
            if held is not None:
                held.filled.append(_filled(strength[at], held))
                if held.filled[-1] >= HELD and key in (-1, held.key):
                    continue
                found += self._close(column, held)
            if key >= 0:
                core = strength[at - WINDOW + 1 : at + 1]
                start = first + (at - WINDOW) * hop
                held = _Held(int(key), start, float(_weaker(core, int(key)).mean()))
                held.filled = [_filled(one, held) for one in strength[at - WINDOW : at + 1]]
                self._held[column] = held
        return found

    def _close(self, column: int, held: _Held) -> list[KeyFound]:
        del self._held[column]
        hop = self._bank.hop
        length = sum(held.filled)
        if length * HOP_MS < MIN_TONE_MS:
            return []
        start = held.start_hop + round((1 - held.filled[0]) * hop)
        found = KeyFound(column + 1, start, start + round(length * hop), DIGITS[held.key])
        last = self._last.get(column)
        self._last[column] = found
        if last is not None and last.digit == found.digit and last.start < start < last.end + hop:
            return []  # an echo made the key dip: it is the same still
        return [found]


def _weaker(strength: NDArray[np.float32], key: int) -> NDArray[np.float32]:
    """The weaker tone of a key, relative to nothing: what the key stands or falls with; (..., 8) -> (...)."""
    row, column = divmod(key, 4)
    return np.minimum(strength[..., row], strength[..., 4 + column])


def _filled(strength: NDArray[np.float32], held: _Held) -> float:
    return min(1.0, float(np.sqrt(_weaker(strength, held.key) / held.strength)))


def _paired(recent: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Do two tones fill the last three hops of their band? (8 tones + 3 bands, hops, lines)"""
    low, high = recent[:4].max(axis=0), recent[4:8].max(axis=0)
    good = low + high > MIN_SHARE * recent[8]
    good &= np.minimum(low, high) > WINDOW * MIN_TONE
    good &= high > MIN_TWIST * low
    good &= high < MAX_TWIST * low
    return np.asarray(good)


def _alone(
    paired: NDArray[np.bool_], recent: NDArray[np.float32], energy: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Where there is a pair, is what lies beside it explained by noise or a dial tone? (hops, lines)

    `energy` (in the band, below it, above it) begins PAST hops before the new ones.
    """
    pair = recent[:4].max(axis=0) + recent[4:8].max(axis=0)
    total, below, above = recent[8:]
    noise = (below < NOISE_LOW * above) & (total - pair > NOISE_BAND * above)
    explained = paired & ((below < MAX_LOW * pair) | noise)
    rest = paired & ~explained & (below < MAX_STEADY * pair)
    if rest.any():
        explained |= rest & _over_dial_tone(energy, len(pair))
    return np.asarray(explained)


def _keys(
    tones: NDArray[np.complex64], strength: NDArray[np.float32], good: NDArray[np.bool_]
) -> NDArray[np.int8]:
    """Return the key 0-15 each line holds steadily in the three hops up to each new hop, or -1."""
    keys = np.full(good.shape, -1, np.int8)
    at, column = np.nonzero(good)
    if len(at):
        hops = at + np.arange(1, WINDOW + 1)[:, None]
        windows = tones[:, hops, column].swapaxes(0, 1)  # (window, 8, places)
        power = strength[:, hops, column].sum(axis=1) * np.float32(1 / WINDOW)
        low, high = power[:4].argmax(axis=0), power[4:].argmax(axis=0) + 4
        steady = _steady(windows, power, low) & _steady(windows, power, high)
        keys[at, column] = np.where(steady, low * 4 + high - 4, -1)
    return keys


def _over_dial_tone(energy: NDArray[np.float32], count: int) -> NDArray[np.bool_]:
    """Has the energy below the band been the same for 120 ms, while that of the pair has not?"""
    rows = np.stack([energy[:2, 1 + back : 1 + back + count] for back in range(STEADY_HOPS)])
    lowest, highest = rows.min(axis=0), rows.max(axis=0)
    return np.asarray((lowest[1] > MIN_LOW_STEADY * highest[1]) & (lowest[0] < MAX_BEFORE * highest[0]))


def _steady(
    windows: NDArray[np.complex64], power: NDArray[np.float32], chosen: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """Does the chosen tone of each place hold frequency, phase and strength over the window?"""
    places = np.arange(len(chosen))
    picked = windows[:, chosen, places]
    powers = picked.real**2 + picked.imag**2
    turned = (picked[1:] * picked[:-1].conj()).mean(axis=0)
    nominal_hz = np.array(LOW_HZ + HIGH_HZ)[chosen]
    off = np.angle(turned * np.exp(-2j * np.pi * nominal_hz * (HOP_MS / 1000)))
    steady = powers.min(axis=0) > MIN_STEADY * powers.max(axis=0)
    steady &= np.abs(off) < 2 * np.pi * HOP_MS / 1000 * MAX_DEVIATION * nominal_hz
    return np.asarray(steady & (np.abs(turned) > MIN_COHERENCE * power[chosen, places]))
