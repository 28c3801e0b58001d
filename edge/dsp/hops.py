"""The front end all receivers share: samples of all lines cut into 10 ms hops, one matrix product per block.

Hops lie on a grid that starts with the first sample ever fed, not with the block, so what a receiver finds
does not depend on how the samples were cut. Neighbouring hops add up to longer windows at no cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.dsp.level import FULL_SCALE
from edge.samples import Samples, check_block

HOP_MS = 10
HUM_FREE_HZ = 200.0  # from here on a frequency is measured without what DC, ringing and hum leak into it


@dataclass(frozen=True, slots=True)
class Hops:
    """Some hops of all lines, in a row."""

    position: int  # of the first sample of the first hop
    index: int  # of the first hop since the start or the last jump
    restarted: bool  # samples are missing before the first hop
    spectra: NDArray[np.complex64]  # (hops, lines, frequencies); |x|**2 is the mean square of a sine there
    power: NDArray[np.float32]  # (hops, lines); mean square without DC, ringing and hum

    def __len__(self) -> int:
        return len(self.power)


class HopBank:
    """Measures `hz` in every hop of every line; rates are multiples of 1000 Hz, the hop scales with them."""

    def __init__(self, lines: int, rate_hz: int, hz: Sequence[float]) -> None:
        if rate_hz % 1000 or rate_hz < 8000:
            raise ValueError(f"a line rate is 8000 Hz or more and a multiple of 1000, got {rate_hz}")
        self.lines, self.rate_hz, self.hz = lines, rate_hz, tuple(hz)
        self.hop = rate_hz * HOP_MS // 1000
        turns = np.outer(np.arange(self.hop), self.hz) / rate_hz
        basis = np.exp(-2j * np.pi * turns) * np.sqrt(2) / self.hop / FULL_SCALE
        drift = _drift(self.hop)
        high = np.array(self.hz) >= HUM_FREE_HZ
        basis[:, high] -= drift @ (drift.T @ basis[:, high])
        heard = np.abs((basis * np.exp(2j * np.pi * turns)).sum(axis=0)) * FULL_SCALE / np.sqrt(2)
        basis /= heard  # what a tone lost with the drift
        columns = np.ascontiguousarray(basis.astype(np.complex64)).view(np.float32)
        self._basis = np.concatenate([columns, drift.astype(np.float32)], axis=1)
        self._rest = np.zeros((0, lines), np.int16)
        self._position = 0
        self._index = 0
        self._restarted = True

    def columns(self, hz: Sequence[float]) -> NDArray[np.intp]:
        """Return where these frequencies stand in `spectra`; raises ValueError for one not measured."""
        return np.array([self.hz.index(one) for one in hz], np.intp)

    def feed(self, samples: Samples, position: int) -> Hops:
        """Take int16 (frames, lines) from `position` on; return the hops that are now whole (maybe none)."""
        check_block(samples, self.lines)
        if position != self._position + len(self._rest):
            self._rest, self._position, self._index = self._rest[:0], position, 0
            self._restarted = True
        joined = np.concatenate([self._rest, samples]) if len(self._rest) else samples
        count = len(joined) // self.hop
        self._rest = joined[count * self.hop :].copy()
        hops = self._measure(joined[: count * self.hop], count)
        self._position += count * self.hop
        self._index += count
        self._restarted = self._restarted and count == 0
        return hops

    def _measure(self, samples: Samples, count: int) -> Hops:
        cut = samples.reshape(count, self.hop, self.lines).transpose(0, 2, 1).astype(np.float32, order="C")
        flat = cut.reshape(count * self.lines, self.hop)
        product = flat @ self._basis
        columns = 2 * len(self.hz)
        spectra = np.ascontiguousarray(product[:, :columns]).view(np.complex64)
        spectra = spectra.reshape(count, self.lines, len(self.hz))
        power = np.einsum("ij,ij->i", flat, flat) - (product[:, columns:] ** 2).sum(axis=1)
        power /= self.hop
        power = np.maximum(power, 0).reshape(count, self.lines) / np.float32(FULL_SCALE**2)
        return Hops(self._position, self._index, self._restarted, spectra, power)


def _drift(hop: int) -> NDArray[np.float64]:
    """Return orthonormal curves up to the third power, (hop, 4): DC and 50 Hz are no more in 10 ms."""
    curves = np.vander(np.linspace(-1, 1, hop), 4)
    return np.asarray(np.linalg.qr(curves)[0])
