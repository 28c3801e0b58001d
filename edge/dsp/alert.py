"""The alert for a phone, of all lines at once, and its transmitter: two tones that do not meet by chance.

    off hook   CAS    2130 + 2750 Hz, 80 ms     another caller waits; the phone answers with the key D or A
    on hook    DT-AS  the same, 100 ms          caller ID follows          (EN 300 659-1, -2; GR-30-CORE)

Voices come near it for a hop or two, so both tones must hold frequency and strength and fill the telephone
band for as long as the alert lasts.

    limit                     accepted          refused
    level per tone            -38 .. 0 dBm0     -50 dBm0
    twist                     +-6 dB            +-12 dB
    frequency                 +-0.5 %           +-2.5 %
    length                    70 .. 115 ms      40, 160 ms
    noise                     12 dB below it
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge.dsp.hops import HOP_MS, PAST, HopBank, Hops
from edge.dsp.level import amplitude
from edge.samples import Samples

HZ = (2130.0, 2750.0)
BAND_HZ = tuple(float(hz) for hz in range(300, 3500, 100))
CAS_MS, DT_AS_MS = 80.0, 100.0
MIN_TONE = amplitude(-43.0) ** 2 / 2
MAX_TWIST = 10 ** (8 / 10)
MIN_SHARE = 0.75  # of the pair in the energy of the band
MIN_MS, MAX_MS = 55.0, 135.0
MAX_DEVIATION = 0.013  # of the frequency
MIN_STEADY = 0.4  # weakest whole hop against strongest, as power
LEAST_HOPS, MOST_HOPS = 4, 14


@dataclass(frozen=True, slots=True)
class AlertFound:
    """An alert on `line` from `start` to `end` (positions)."""

    line: int
    start: int
    end: int


@dataclass(slots=True)
class _Held:
    """Hops of one line that are mostly the pair: both tones, hop by hop, and where the first one begins."""

    start: int
    tones: list[NDArray[np.complex64]] = field(default_factory=list)


def alert_signal(
    duration_ms: float = CAS_MS,
    rate_hz: int = 8000,
    level_dbm0: float = -15.0,
    twist_db: float = 0.0,
    scale: float = 1.0,
) -> NDArray[np.float32]:
    """Return one alert, float32 in -1..1, shape (n,); `level_dbm0` is that of the lower tone."""
    times_s = np.arange(round(duration_ms * rate_hz / 1000)) / rate_hz
    peaks = amplitude(level_dbm0), amplitude(level_dbm0 + twist_db)
    parts = [peak * np.sin(2 * np.pi * hz * scale * times_s) for peak, hz in zip(peaks, HZ, strict=True)]
    return np.asarray(sum(parts, np.zeros_like(times_s)), np.float32)


class AlertReceiver:
    """Finds alerts in blocks of any length; one is reported when it has ended."""

    HZ = HZ
    BANDS = (BAND_HZ,)

    def __init__(self, lines: int, rate_hz: int, bank: HopBank | None = None) -> None:
        self._bank = bank or HopBank(lines, rate_hz, self.HZ, self.BANDS)
        self._rows = self._bank.rows(HZ)
        self._band = self._bank.band(BAND_HZ)
        self._held: dict[int, _Held] = {}

    def feed(self, samples: Samples, position: int) -> list[AlertFound]:
        """Take int16 (frames, lines) from `position` on; return the alerts that ended."""
        return self.take(self._bank.feed(samples, position))

    def take(self, hops: Hops) -> list[AlertFound]:
        """The same on hops measured by a bank shared with other receivers."""
        if hops.restarted and len(hops):
            self._held.clear()
        if not len(hops) or not (self._held or hops.heard.any()):
            return []
        low, high = hops.power[self._rows, PAST - 1 :]
        good = low + high > MIN_SHARE * hops.power[self._band, PAST - 1 :]
        if not self._held and not good.any():
            return []
        good &= (np.minimum(low, high) > MIN_TONE) & (low < MAX_TWIST * high) & (high < MAX_TWIST * low)
        columns = np.array(sorted({*np.nonzero(good[1:].any(axis=0))[0].tolist(), *self._held}), np.intp)
        if not len(columns):
            return []
        tones = hops.phasors(self._rows, columns, 1)
        found: list[AlertFound] = []
        for at, column in enumerate(columns.tolist()):
            found += self._follow(column, tones[..., at].T, good[:, column], hops.position)
        return sorted(found, key=lambda one: one.end)

    def _follow(
        self, column: int, tones: NDArray[np.complex64], good: NDArray[np.bool_], position: int
    ) -> list[AlertFound]:
        """Gather good hops in a row with the one before and the one after, which the alert fills in part."""
        found: list[AlertFound] = []
        for at in range(1, len(good)):
            held = self._held.get(column)
            if good[at]:
                if held is None:
                    before = position + (at - 2) * self._bank.hop
                    held = self._held[column] = _Held(before, [tones[at - 1]])
                held.tones.append(tones[at])
                del held.tones[MOST_HOPS + 4 :]  # too long already
            elif held is not None:
                del self._held[column]
                held.tones.append(tones[at])
                found += self._judge(column, held)
        return found

    def _judge(self, column: int, held: _Held) -> list[AlertFound]:
        tones = np.array(held.tones)
        if not LEAST_HOPS <= len(tones) <= MOST_HOPS + 2:
            return []
        whole = tones[2:-2]
        if not len(whole) or not _steady(whole):
            return []
        size = np.abs(tones).min(axis=1) / np.median(np.abs(whole).min(axis=1))
        filled = np.minimum(1.0, size)
        length_ms = float(filled.sum()) * HOP_MS
        if not MIN_MS <= length_ms <= MAX_MS:
            return []
        start = held.start + round((1 - float(filled[0])) * self._bank.hop)
        return [AlertFound(column + 1, start, start + round(length_ms / HOP_MS * self._bank.hop))]


def _steady(tones: NDArray[np.complex64]) -> bool:
    """Do both tones hold frequency and strength over these hops? (hops, 2)"""
    power = (tones.real**2 + tones.imag**2).min(axis=1)
    if power.min() < MIN_STEADY * power.max():
        return False
    if len(tones) < 2:
        return True
    turned = (tones[1:] * tones[:-1].conj()).mean(axis=0)
    off = np.angle(turned * np.exp(-2j * np.pi * np.array(HZ) * HOP_MS / 1000))
    return bool((np.abs(off) < 2 * np.pi * HOP_MS / 1000 * MAX_DEVIATION * np.array(HZ)).all())
