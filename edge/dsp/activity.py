"""Is anybody there? Voice-band energy against the line's own noise floor, and ringing leaking into the audio.

Used where there are no readings of the line voltage; also gives the level and the noise floor of each line.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.dsp.hops import HOP_MS, PAST, HopBank, Hops
from edge.dsp.level import amplitude

VOICE_HZ = tuple(float(hz) for hz in range(300, 3500, 100))
RING_HZ = (20.0, 25.0)
HUM_HZ = (50.0, 60.0)  # ten hops tell them from ringing
SLOT = 10  # hops: 100 ms
MIN_VOICE = amplitude(-48.0) ** 2 / 2
OVER_FLOOR = 10.0  # power, 10 dB
MIN_RING = amplitude(-45.0) ** 2 / 2
TONAL_HOPS = 3  # of a slot: where a tone begins or ends counts as tone
MIN_FLOOR = 1e-12
FLOOR_RISE = 1.02  # per slot: a louder line counts as floor after some 12 s


@dataclass(frozen=True, slots=True)
class Slots:
    """Some tenths of a second of all lines, in a row; arrays are (slots, lines)."""

    position: int  # of the first slot
    length: int  # of a slot, in samples
    active: NDArray[np.bool_]
    ringing: NDArray[np.bool_]
    tonal: NDArray[np.bool_]  # a tone of the exchange sounded for a good part of it


class ActivityMeter:
    """Sums hops into slots; hops come ten at a time, or fewer before samples are missing."""

    BANDS = (VOICE_HZ,)

    def __init__(self, lines: int, bank: HopBank) -> None:
        self._hop = bank.hop
        self._voice = bank.band(VOICE_HZ)
        turns = np.outer(np.arange(SLOT), RING_HZ + HUM_HZ) * HOP_MS / 1000
        blur = np.sinc(np.array(RING_HZ + HUM_HZ) * HOP_MS / 1000)  # of the mean over a hop
        deep = np.exp(-2j * np.pi * turns) * np.sqrt(2) / SLOT / blur
        self._deep = (deep - deep.mean(axis=0)).astype(np.complex64)  # DC, however much, is no ringing
        self._most = float((np.abs(self._deep[:, : len(RING_HZ)]) ** 2).sum(axis=0).max())  # of any mean
        self._floor: NDArray[np.float64] = np.full(lines, MIN_VOICE / OVER_FLOOR)
        self._over_floor = np.full(lines, OVER_FLOOR, np.float64)

    def listen(self, line: int, over_floor_db: float) -> None:
        """From now on a voice on `line` (from 1) is what lies so far above its noise floor."""
        self._over_floor[line - 1] = 10 ** (over_floor_db / 10)

    def take(self, hops: Hops, sounding: NDArray[np.bool_] | None = None) -> Slots:
        """Return the slots that are now whole (maybe none); `sounding`: hops of lines that carry a tone."""
        count, lines = len(hops) // SLOT, len(self._floor)
        total = _by_slot(hops.total, count)
        voice = _by_slot(hops.power[self._voice, PAST:], count)
        np.copyto(voice, total, where=~hops.heard)  # of a line too quiet to be measured: no more than that
        active = voice > np.maximum(MIN_VOICE, self._over_floor * self._floors(voice))
        ringing = self._ringing(hops.mean, total)
        tonal = np.zeros((count, lines), np.bool_)
        if sounding is not None and count:
            tonal = sounding[: count * SLOT].reshape(count, SLOT, lines).sum(axis=1) >= TONAL_HOPS
        return Slots(hops.position, SLOT * self._hop, active & ~ringing, ringing, tonal)

    def _floors(self, voice: NDArray[np.float32]) -> NDArray[np.float64]:
        """Follow the noise floor slot by slot: down at once, up slowly."""
        floors = np.empty(voice.shape, np.float64)
        for floor, now in zip(floors, voice, strict=True):
            np.minimum(now, self._floor * FLOOR_RISE, out=floor)
            self._floor = np.maximum(floor, MIN_FLOOR, out=floor)
        return floors

    def _ringing(self, mean: NDArray[np.float32], total: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Is 20 or 25 Hz strong, against hum too? `mean` by hop, `total` and the answer by slot."""
        if (
            not len(total)
            or self._most * float(_by_slot(np.square(mean), len(total)).max()) * SLOT < MIN_RING
        ):
            return np.zeros(total.shape, np.bool_)
        means = mean[: len(total) * SLOT].reshape(len(total), SLOT, -1).swapaxes(1, 2)
        deep = np.abs(means @ self._deep) ** 2
        ring, hum = deep[..., : len(RING_HZ)].max(axis=-1), deep[..., len(RING_HZ) :].max(axis=-1)
        return np.asarray((ring > MIN_RING) & (ring > 0.4 * total) & (ring > 2 * hum))


def _by_slot(values: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Return the mean of each slot; (hops, lines) -> (count, lines)."""
    return np.asarray(values[: count * SLOT].reshape(count, SLOT, -1).sum(axis=1) * np.float32(1 / SLOT))
