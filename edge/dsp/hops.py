"""The front end all receivers share: samples of all lines cut into 10 ms hops, one matrix product per block.

Hops lie on a grid that starts with the first sample ever fed, not with the block, so what a receiver finds
does not depend on how the samples were cut. A line too quiet for any receiver is not measured at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.dsp.level import FULL_SCALE, amplitude
from edge.samples import Samples, check_block

HOP_MS = 10
PAST = 12  # hops before the new ones that every receiver can look back on
KEPT = 4 * PAST  # hops there is room for before the past is moved to the front again
RECENT, RECENT_PAST = 3, 2  # hops summed, and how many sums there are before the first new hop
HUM_FREE_HZ = 200.0  # from here on a frequency is measured without what DC, ringing and hum leak into it
QUIET = amplitude(-57.0) ** 2 / 2  # mean square of a hop; below it no receiver finds anything
HANGOVER = 20  # hops a line is still measured after its last loud one, so that what is open closes

Band = tuple[float, ...]
Rows = NDArray[np.intp]  # of the planes
Planes = NDArray[np.float32]  # (rows, hops, lines)


@dataclass(frozen=True, slots=True)
class Hops:
    """Some hops of all lines, in a row; `tones` and `power` begin PAST hops before the new ones.

    A plane holds one frequency or band of all hops and lines, so that a receiver asks about all of them at
    once. Planes are views that the next feed writes over; lines that were not measured are zero in them.
    """

    position: int  # of the first sample of the first new hop
    restarted: bool  # samples are missing before the first new hop
    count: int  # of new hops
    heard: NDArray[np.bool_]  # (lines,) was it loud enough to be measured?
    tones: NDArray[np.float32]  # (2, frequencies, PAST + count, lines): real and imaginary part
    power: Planes  # (frequencies + bands, PAST + count, lines); mean square
    recent: Planes  # `power` summed over the RECENT hops up to each; begins RECENT_PAST before the new ones
    total: NDArray[np.float32]  # (count, lines); mean square without DC, ringing and hum
    mean: NDArray[np.float32]  # (count, lines); of the samples, -1..1

    def __len__(self) -> int:
        return self.count

    def phasors(self, rows: Rows, columns: Rows, past: int) -> NDArray[np.complex64]:
        """Return (rows, past + count, columns) of some lines; |x|**2 is a sine's mean square."""
        parts = self.tones[:, rows, PAST - past :][..., columns]
        return np.asarray(parts[0] + np.complex64(1j) * parts[1])


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
        basis = np.concatenate([tones, binned], axis=1)[: self.hop // 2].T
        self._even, self._odd = (np.ascontiguousarray(part, np.float32) for part in (basis.real, basis.imag))
        member = np.array([[one in band for one in bins] for band in self.bands], np.float32)
        self._member = member.reshape(len(self.bands), len(bins))
        self._drift = np.ascontiguousarray(drift.T, np.float32)
        self._rest = np.zeros((0, lines), np.int16)
        self._position = 0
        self._restarted = True
        self._make_room(KEPT)
        self._forget()

    def rows(self, hz: Sequence[float]) -> Rows:
        """Return where these frequencies stand in `tones` and `power`; ValueError for one not measured."""
        return np.array([self.hz.index(one) for one in hz], np.intp)

    def band(self, band: Band) -> int:
        """Return where this band stands in `power`; ValueError for one not measured."""
        return len(self.hz) + self.bands.index(band)

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

    def _make_room(self, hops: int) -> None:
        self._tones = np.zeros((2, len(self.hz), PAST + hops, self.lines), np.float32)
        self._power = np.zeros((len(self.hz) + len(self.bands), PAST + hops, self.lines), np.float32)

    def _forget(self) -> None:
        self._end = PAST  # of the hops kept
        self._tones[:, :, :PAST], self._power[:, :PAST] = 0, 0
        self._silent = np.full(self.lines, HANGOVER, np.intp)  # hops since the last loud one

    def _measure(self, samples: Samples, count: int) -> Hops:
        cut = np.empty((self.hop, count, self.lines), np.float32)
        cut[...] = samples.reshape(count, self.hop, self.lines).transpose(1, 0, 2)
        flat = cut.reshape(self.hop, count * self.lines)
        drift = self._drift @ flat
        total = np.einsum("ij,ij->j", flat, flat) - np.einsum("ij,ij->j", drift, drift)
        total = np.maximum(total * (1 / (self.hop * FULL_SCALE**2)), 0).reshape(count, self.lines)
        mean = (drift[0] * (1 / (self._drift[0, 0] * self.hop * FULL_SCALE))).reshape(count, self.lines)
        heard = self._heard(total)
        span = self._spectra(cut, heard, count)
        power = self._power[:, span]
        first = PAST - RECENT_PAST
        recent = power[:, first:] + power[:, first - 1 : -1]
        recent += power[:, first - 2 : -2]
        tones = self._tones[:, :, span]
        return Hops(self._position, self._restarted, count, heard, tones, power, recent, total, mean)

    def _heard(self, total: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Which lines have a loud hop now, or had one lately?"""
        loud = total > QUIET
        any_loud = loud.any(axis=0)
        heard = any_loud | (self._silent < HANGOVER)
        if len(total):
            self._silent = np.where(any_loud, loud[::-1].argmax(axis=0), self._silent + len(total))
        return np.asarray(heard)

    def _spectra(self, cut: Planes, heard: NDArray[np.bool_], count: int) -> slice:
        """Measure the lines that are heard; return where they now stand, the past before them."""
        self._advance(count)
        new = slice(self._end, self._end + count)
        tones, power, first_band = self._tones[:, :, new], self._power[:, new], len(self.hz)
        planes = tones[0], tones[1], power[:first_band], power[first_band:]
        columns = heard.nonzero()[0]
        if 2 * len(columns) < self.lines:
            tones[...], power[...] = 0, 0
            measured = self._products(cut[:, :, columns]) if len(columns) else ()
            for plane, part in zip(planes, measured, strict=False):
                plane[..., columns] = part
        else:  # picking columns costs more than measuring the silent ones too
            if len(columns) < self.lines:
                cut *= heard
            for plane, part in zip(planes, self._products(cut), strict=True):
                plane[...] = part
        span = slice(self._end - PAST, self._end + count)
        self._end += count
        return span

    def _advance(self, count: int) -> None:
        """Move the past to the front when there is no room left behind it."""
        if self._end + count <= self._power.shape[1]:
            return
        tones, power = (
            kept[..., self._end - PAST : self._end, :].copy() for kept in (self._tones, self._power)
        )
        if PAST + count > self._power.shape[1]:
            self._make_room(count)
        self._tones[:, :, :PAST], self._power[:, :PAST] = tones, power
        self._end = PAST

    def _products(self, cut: Planes) -> tuple[Planes, Planes, Planes, Planes]:
        """Return real and imaginary parts and power of the tones, and power of the bands.

        A hop is taken about its middle: what is even in it meets cosines only, what is odd sines.
        """
        half, count, shape = self.hop // 2, len(self.hz), cut.shape[1:]
        first, mirrored = cut[:half].reshape(half, -1), cut[: half - 1 : -1].reshape(half, -1)
        even, odd = self._even @ (first + mirrored), self._odd @ (first - mirrored)
        power = np.square(even)
        power += np.square(odd)
        parts = even[:count], odd[:count], power[:count], self._member @ power[count:]
        real, imaginary, tones, bands = (part.reshape(len(part), *shape) for part in parts)
        return real, imaginary, tones, bands


def _basis(hz: Sequence[float], hop: int, rate_hz: int, drift: NDArray[np.float64]) -> NDArray[np.complex128]:
    turns = np.outer(np.arange(hop) - (hop - 1) / 2, hz) / rate_hz
    basis = np.exp(-2j * np.pi * turns) * np.sqrt(2) / hop
    high = np.array(hz) >= HUM_FREE_HZ
    basis[:, high] -= drift @ (drift.T @ basis[:, high])
    kept = np.abs((basis * np.exp(2j * np.pi * turns)).sum(axis=0)) / np.sqrt(2)
    return np.asarray(basis / kept / FULL_SCALE)  # made up for what a tone lost with the drift


def _drift(hop: int) -> NDArray[np.float64]:
    """Return orthonormal curves up to the third power, (hop, 4): DC and 50 Hz are no more in 10 ms."""
    curves = np.vander(np.linspace(-1, 1, hop), 4, increasing=True)
    return np.asarray(np.linalg.qr(curves)[0])
