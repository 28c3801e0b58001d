"""Is anybody there? Voice-band energy against the line's own noise floor, and ringing leaking into the audio.

Used where there are no readings of the line voltage; also gives the level and the noise floor of each line.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.dsp.hops import HOP_MS, HopBank, Hops
from edge.dsp.level import amplitude

VOICE_HZ = tuple(float(hz) for hz in range(300, 3500, 100))
RING_HZ = (20.0, 25.0)
HUM_HZ = (50.0, 60.0)  # ten hops tell them from ringing
ACTIVITY_HZ = VOICE_HZ + RING_HZ + HUM_HZ
SLOT = 10  # hops: 100 ms
MIN_VOICE = amplitude(-48.0) ** 2 / 2
OVER_FLOOR = 10.0  # power, 10 dB
MIN_RING = amplitude(-45.0) ** 2 / 2
FLOOR_RISE = 1.02  # per slot: a louder line counts as floor after some 12 s


@dataclass(frozen=True, slots=True)
class Slots:
    """Some tenths of a second of all lines, in a row; arrays are (slots, lines)."""

    position: int  # of the first slot
    length: int  # of a slot, in samples
    active: NDArray[np.bool_]
    ringing: NDArray[np.bool_]


class ActivityMeter:
    """Sums hops into slots; a slot belongs to the grid of hops, not to the block."""

    def __init__(self, lines: int, bank: HopBank) -> None:
        self._hop = bank.hop
        self._voice = bank.columns(VOICE_HZ)
        self._deep = bank.columns(RING_HZ + HUM_HZ)
        self._turn = np.array(RING_HZ + HUM_HZ) * HOP_MS / 1000
        self._kept: list[tuple[NDArray[np.float32], NDArray[np.complex64], NDArray[np.float32]]] = []
        self._position = 0
        self._floor = np.full(lines, MIN_VOICE / OVER_FLOOR, np.float64)

    def take(self, hops: Hops) -> Slots:
        """Return the slots that are now whole (maybe none)."""
        if hops.restarted:
            self._kept = []
        if not self._kept:
            self._position = hops.position
        phase = np.exp(-2j * np.pi * np.outer(np.arange(hops.index, hops.index + len(hops)), self._turn))
        voice = (np.abs(hops.spectra[:, :, self._voice]) ** 2).sum(axis=2)
        deep = hops.spectra[:, :, self._deep] * phase[:, None, :].astype(np.complex64)
        self._kept += zip(voice, deep, hops.power, strict=True)
        count = len(self._kept) // SLOT
        slots = [self._slot(self._kept[at * SLOT : (at + 1) * SLOT]) for at in range(count)]
        start, self._position = self._position, self._position + count * SLOT * self._hop
        self._kept = self._kept[count * SLOT :]
        lines = len(self._floor)
        active = np.array([slot[0] for slot in slots], np.bool_).reshape(count, lines)
        ringing = np.array([slot[1] for slot in slots], np.bool_).reshape(count, lines)
        return Slots(start, SLOT * self._hop, active, ringing)

    def _slot(
        self, hops: list[tuple[NDArray[np.float32], NDArray[np.complex64], NDArray[np.float32]]]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        voice = np.mean([one[0] for one in hops], axis=0)
        deep = np.abs(np.mean([one[1] for one in hops], axis=0)) ** 2
        ring, hum = deep[:, : len(RING_HZ)].max(axis=1), deep[:, len(RING_HZ) :].max(axis=1)
        total = np.mean([one[2] for one in hops], axis=0)
        ringing = (ring > MIN_RING) & (ring > 0.4 * total) & (ring > 2 * hum)
        self._floor = np.maximum(1e-12, np.minimum(voice, self._floor * FLOOR_RISE))
        active = (voice > MIN_VOICE) & (voice > OVER_FLOOR * self._floor) & ~ringing
        return np.asarray(active), np.asarray(ringing)
