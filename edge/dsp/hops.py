"""The front end all receivers share: samples of all lines cut into 10 ms hops, one matrix product per block.

Hops lie on a grid that starts with the first sample ever fed, not with the block, so what a receiver finds
does not depend on how the samples were cut. A line too quiet for any receiver is not measured at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from edge.dsp.level import FULL_SCALE, amplitude
from edge.samples import Samples, check_block

HOP_MS = 10
PAST = 12  # hops before the new ones that every receiver can look back on
HUM_FREE_HZ = 200.0  # from here on a frequency is measured without what DC, ringing and hum leak into it
QUIET = amplitude(-59.0) ** 2 / 2  # mean square of a hop; below it no receiver finds anything
HANGOVER = 20  # hops a line is still measured after its last loud one, so that what is open closes

Band = tuple[float, ...]
Row = TypeVar("Row", np.complex64, np.float32)


@dataclass(frozen=True, slots=True)
class Hops:
    """Some hops of all lines, in a row; rows of `tones` and `bands` begin PAST hops before the new ones."""

    position: int  # of the first sample of the first new hop
    restarted: bool  # samples are missing before the first new hop
    heard: NDArray[np.intp]  # columns of the lines that were measured, ascending
    tones: NDArray[np.complex64]  # (PAST + hops, heard, frequencies); |x|**2 is a sine's mean square
    bands: NDArray[np.float32]  # (PAST + hops, heard, bands); mean square
    power: NDArray[np.float32]  # (hops, lines); mean square without DC, ringing and hum
    mean: NDArray[np.float32]  # (hops, lines); of the samples, -1..1

    def __len__(self) -> int:
        return len(self.power)


class HopBank:
    """Measures tones at `hz`, and the energy of `bands`, in every hop of every line.

    A band is a set of multiples of 100 Hz, which are orthogonal in a hop. Rates are multiples of 1000 Hz, the
    hop scales with them.
    """

    def __init__(self, lines: int, rate_hz: int, hz: Sequence[float], bands: Sequence[Band]) -> None:
        if rate_hz % 1000 or rate_hz < 8000:
            raise ValueError(f"a line rate is 8000 Hz or more and a multiple of 1000, got {rate_hz}")
        self.lines, self.rate_hz = lines, rate_hz
        self.hz, self.bands = tuple(dict.fromkeys(hz)), tuple(dict.fromkeys(bands))
        self.hop = rate_hz * HOP_MS // 1000
        bins = sorted({one for band in self.bands for one in band})
        drift = _drift(self.hop)
        tones, binned = _basis(self.hz, self.hop, rate_hz, drift), _basis(bins, self.hop, rate_hz, drift)
        pairs = np.ascontiguousarray(tones.astype(np.complex64)).view(np.float32)
        self._basis = np.concatenate([pairs, binned.real, binned.imag], axis=1, dtype=np.float32)
        member = np.array([[one in band for band in self.bands] for one in bins], np.float32)
        self._member = np.tile(member.reshape(len(bins), len(self.bands)), (2, 1))
        self._drift = drift.astype(np.float32)
        self._rest = np.zeros((0, lines), np.int16)
        self._position = 0
        self._restarted = True
        self._forget()

    def columns(self, hz: Sequence[float]) -> NDArray[np.intp]:
        """Return where these frequencies stand in `tones`; raises ValueError for one not measured."""
        return np.array([self.hz.index(one) for one in hz], np.intp)

    def feed(self, samples: Samples, position: int) -> Hops:
        """Take int16 (frames, lines) from `position` on; return the hops that are now whole (maybe none)."""
        check_block(samples, self.lines)
        if position != self._position + len(self._rest):
            self._rest, self._position = self._rest[:0], position
            self._restarted = True
            self._forget()
        joined = np.concatenate([self._rest, samples]) if len(self._rest) else samples
        count = len(joined) // self.hop
        self._rest = joined[count * self.hop :].copy()
        hops = self._measure(joined[: count * self.hop], count)
        self._position += count * self.hop
        self._restarted = self._restarted and count == 0
        return hops

    def _forget(self) -> None:
        self._past_tones = np.zeros((PAST, self.lines, len(self.hz)), np.complex64)
        self._past_bands = np.zeros((PAST, self.lines, len(self.bands)), np.float32)
        self._silent: NDArray[np.intp] = np.full(
            self.lines, HANGOVER, np.intp
        )  # hops since the last loud one

    def _measure(self, samples: Samples, count: int) -> Hops:
        cut = np.empty((count, self.lines, self.hop), np.float32)
        np.multiply(samples.reshape(count, self.hop, self.lines).transpose(0, 2, 1), 1 / FULL_SCALE, out=cut)
        flat = cut.reshape(count * self.lines, self.hop)
        drift = flat @ self._drift
        power = np.einsum("ij,ij->i", flat, flat) - np.einsum("ij,ij->i", drift, drift)
        power = np.maximum(power / self.hop, 0).reshape(count, self.lines)
        mean = drift[:, -1].reshape(count, self.lines) / (self._drift[0, -1] * self.hop)
        heard = self._heard(power)
        tones, bands = self._spectra(cut, heard)
        return Hops(self._position, self._restarted, heard, tones, bands, power, mean)

    def _heard(self, power: NDArray[np.float32]) -> NDArray[np.intp]:
        """Return the columns with a loud hop now, or lately."""
        loud = power > QUIET
        any_loud = loud.any(axis=0)
        heard = any_loud | (self._silent < HANGOVER)
        if len(power):
            self._silent = np.where(any_loud, loud[::-1].argmax(axis=0), self._silent + len(power))
        return np.flatnonzero(heard)

    def _spectra(
        self, cut: NDArray[np.float32], heard: NDArray[np.intp]
    ) -> tuple[NDArray[np.complex64], NDArray[np.float32]]:
        count, whole, width = len(cut), len(heard) == self.lines, 2 * len(self.hz)
        flat = (cut if whole else cut[:, heard]).reshape(count * len(heard), self.hop)
        product = flat @ self._basis
        tones = np.empty((PAST + count, len(heard), len(self.hz)), np.complex64)
        bands = np.empty((PAST + count, len(heard), len(self.bands)), np.float32)
        tones[:PAST] = self._past_tones if whole else self._past_tones[:, heard]
        bands[:PAST] = self._past_bands if whole else self._past_bands[:, heard]
        tones[PAST:].view(np.float32)[...] = product[:, :width].reshape(count, len(heard), width)
        binned = np.square(product[:, width:])
        np.matmul(binned, self._member, out=bands[PAST:].reshape(len(flat), len(self.bands)))
        if whole:
            self._past_tones, self._past_bands = tones[count:], bands[count:]
        elif count:
            self._past_tones, self._past_bands = (
                _spread(tones, self.lines, heard),
                _spread(bands, self.lines, heard),
            )
        return tones, bands


def _spread(rows: NDArray[Row], lines: int, heard: NDArray[np.intp]) -> NDArray[Row]:
    """Return the last PAST rows for all lines; those not heard have had silence."""
    past = np.zeros((PAST, lines, rows.shape[2]), rows.dtype)
    past[:, heard] = rows[-PAST:]
    return past


def _basis(hz: Sequence[float], hop: int, rate_hz: int, drift: NDArray[np.float64]) -> NDArray[np.complex128]:
    turns = np.outer(np.arange(hop), hz) / rate_hz
    basis = np.exp(-2j * np.pi * turns) * np.sqrt(2) / hop
    high = np.array(hz) >= HUM_FREE_HZ
    basis[:, high] -= drift @ (drift.T @ basis[:, high])
    kept = np.abs((basis * np.exp(2j * np.pi * turns)).sum(axis=0)) / np.sqrt(2)
    return np.asarray(basis / kept)  # made up for what a tone lost with the drift


def _drift(hop: int) -> NDArray[np.float64]:
    """Return orthonormal curves up to the third power, (hop, 4): DC and 50 Hz are no more in 10 ms."""
    curves = np.vander(np.linspace(-1, 1, hop), 4)[:, ::-1]
    return np.asarray(np.linalg.qr(curves)[0])[:, ::-1]
