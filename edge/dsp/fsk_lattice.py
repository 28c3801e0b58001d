"""How likely is each byte at each place of a noisy burst: whole characters matched at once, not bit by bit.

FSK keeps its phase. Seen from the mark frequency a mark does not turn and each space turns by the same angle,
so the ten bits of a character add up coherently for the right byte and for no other:

    stop  start   b0   b1  ...   b7   stop
     z1     z0     z_b0 z_b1 ..  z_b7   z1        |S(byte)| = | sum of z turned back by the spaces so far |

All 256 sums for a start time come out of one binary tree of additions, for all start times on a grid of an
eighth of a bit at once. A comb of equal steps then finds where the characters stand: their first start and
their pitch, which is rarely a whole number of bits. What they mean is judged elsewhere (callerid/likely.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.dsp.fsk import FskStandard
from edge.dsp.fsk_baseband import RATE_HZ, tone_sums

STEPS = 8  # grid points per bit
MARK_HZ = tuple(range(1150, 1375, 25))
MARK_WINDOW = RATE_HZ // 100  # 10 ms
MIN_MARK_PURITY = 0.3
MIN_MARK_S, LONGEST_MARK_S = 0.022, 0.5
BAND_HZ = 2500  # of the analytic signal
NOISE_FLOOR = 0.02  # of the signal: no burst is cleaner than its transmitter's edges
CHARACTER = 10 * STEPS
SHORTEST_PITCH, LONGEST_PITCH = 9.75 * STEPS, 12.25 * STEPS
PITCH_STEP = 0.05
FIRST_WITHIN_BITS = 3


@dataclass(frozen=True, slots=True)
class MarkRun:
    """A run of mark tone: where it ends, its frequency, its amplitude and the noise in it (per sample)."""

    start: int
    end: int
    hz: float
    amplitude: float
    noise: float


@dataclass(frozen=True, slots=True)
class Characters:
    """For each character its place (samples at 24 kHz) and the log-likelihood of each byte, (n, 256)."""

    starts: NDArray[np.float64]
    likelihood: NDArray[np.float32]
    quality: float  # 0..1, how much of the energy the best bytes explain


def mark_runs(signal: NDArray[np.complex64]) -> list[MarkRun]:
    """Return the runs of mark tone in the burst, the longest first."""
    if len(signal) < 2 * MARK_WINDOW:
        return []
    energy = np.concatenate([[0], np.cumsum(np.abs(signal) ** 2, dtype=np.float64)])
    window_energy = energy[MARK_WINDOW:] - energy[:-MARK_WINDOW] + 1e-12
    purity = np.zeros(len(window_energy))
    for hz in MARK_HZ:
        sums = tone_sums(signal, hz)
        share = np.abs(sums[MARK_WINDOW:] - sums[:-MARK_WINDOW]) ** 2 / (MARK_WINDOW * window_energy)
        purity = np.maximum(purity, share)
    pure = np.concatenate([[False], purity > MIN_MARK_PURITY, [False]])
    edges = np.flatnonzero(np.diff(pure.astype(np.int8)))
    runs = [(int(a), int(b) + MARK_WINDOW) for a, b in edges.reshape(-1, 2) if b - a > 0]
    runs = [run for run in runs if run[1] - run[0] >= MIN_MARK_S * RATE_HZ]
    return [_mark_run(signal, *run) for run in sorted(runs, key=lambda run: run[0] - run[1])]


def _mark_run(signal: NDArray[np.complex64], start: int, end: int) -> MarkRun:
    """Measure a run on its middle, where neither neighbour reaches."""
    margin = min(MARK_WINDOW // 3, (end - start) // 4)
    middle = signal[start + margin : end - margin]
    length = 4 * RATE_HZ
    spectrum = np.abs(np.fft.fft(middle, length))
    low, high = 4 * MARK_HZ[0] - 60, 4 * MARK_HZ[-1] + 60
    hz = (low + int(np.argmax(spectrum[low:high]))) / 4
    amplitude = float(spectrum[low:high].max()) / len(middle)
    noise = max(0.0, float(np.mean(np.abs(middle) ** 2)) - amplitude**2)
    return MarkRun(start, end, hz, amplitude, noise)


class Lattice:
    """The byte sums of the burst after one mark run, at one bit rate."""

    def __init__(
        self, signal: NDArray[np.complex64], run: MarkRun, standard: FskStandard, baud: float = 1200.0
    ) -> None:
        shift_hz = standard.space_hz - standard.mark_hz
        self._origin = max(0, run.end - MARK_WINDOW - 12 * RATE_HZ // 1200)
        self._bit = RATE_HZ / baud
        self._run = run
        part = signal[self._origin :]
        self._energy = np.concatenate([[0], np.cumsum(np.abs(part) ** 2, dtype=np.float64)])
        count = int((len(part) - 1) / self._bit * STEPS)
        times = np.asarray(np.arange(max(0, count)) * (self._bit / STEPS), np.float64)
        turn = 2 * np.pi * shift_hz / RATE_HZ
        mark = _at(tone_sums(part, run.hz), times)
        space = _at(tone_sums(part, run.hz + shift_hz), times)
        self._one = (mark[STEPS:] - mark[:-STEPS]).astype(np.complex64)
        back = np.exp(1j * turn * times[:-STEPS])
        self._zero = ((space[STEPS:] - space[:-STEPS]) * back).astype(np.complex64)
        spaces = np.arange(10)
        self._turned = np.exp(-1j * turn * self._bit * spaces).astype(np.complex64)

    @property
    def places(self) -> int:
        """How many grid points can hold a whole character and the stop bit before it."""
        return max(0, len(self._one) - CHARACTER)

    def sums(self, at: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return |S| of all 256 bytes for characters starting at these grid points (>= STEPS); (n, 256)."""
        total = (self._one[at - STEPS] + self._zero[at])[:, None]
        spaces = np.ones(1, np.intp)
        for bit in range(1, 9):
            place = at + bit * STEPS
            turned = self._turned[spaces][None, :]
            zero = total + self._zero[place][:, None] * turned
            one = total + self._one[place][:, None] * turned
            total = np.concatenate([zero, one], axis=1)
            spaces = np.concatenate([spaces + 1, spaces])
        total += self._one[at + 9 * STEPS][:, None] * self._turned[spaces][None, :]
        return np.asarray(np.abs(total), np.float32)

    def characters(self) -> Characters | None:
        """Find the characters after the mark run, equally spaced; None if there is no room for any."""
        best = self._best_sums()
        comb = self._comb(best)
        if comb is None:
            return None
        first, pitch = comb
        count = int((len(best) - 1 - first) / pitch) + 1
        places = np.asarray(first + pitch * np.arange(count), np.float64)
        sums = self.sums(np.rint(places).astype(np.intp))
        starts = self._origin + places * self._bit / STEPS
        last = _last_character(sums.max(axis=1))
        return Characters(starts[: last + 1], *self._scaled(sums, places, last))

    def _best_sums(self) -> NDArray[np.float32]:
        """How much better than a mark the best byte fits, at every grid point.

        Every other point is computed, the rest lie between.
        """
        points = np.arange(STEPS, self.places, 2)
        best = np.zeros(max(0, self.places), np.float32)
        for part in np.array_split(points, max(1, len(points) // 512)):
            best[part] = self.sums(part).max(axis=1)
        between = np.arange(STEPS + 1, self.places - 1, 2)
        best[between] = (best[between - 1] + best[between + 1]) / 2
        marks = np.concatenate([np.zeros(STEPS), np.cumsum(self._one)])[: len(best) + 11 * STEPS] / STEPS
        return np.asarray(
            best[: len(marks) - 11 * STEPS] - np.abs(marks[11 * STEPS :] - marks[: -11 * STEPS])
        )

    def _comb(self, best: NDArray[np.float32]) -> tuple[float, float] | None:
        """Return (first, pitch) in grid points with the highest mean."""
        around = (self._run.end - MARK_WINDOW / 2 - self._origin) / self._bit * STEPS
        firsts = np.arange(
            max(STEPS, around - FIRST_WITHIN_BITS * STEPS - MARK_WINDOW / self._bit * STEPS / 2),
            around + (FIRST_WITHIN_BITS + 6) * STEPS,
        )
        pitches = np.arange(SHORTEST_PITCH, LONGEST_PITCH, PITCH_STEP)
        last = len(best) - 1.0
        count = int((last - around - 4 * STEPS) / LONGEST_PITCH)
        if count < 4:
            return None
        total = np.zeros((len(firsts), len(pitches)))
        used = np.zeros_like(total)
        for character in range(int((last - around) / SHORTEST_PITCH) + 1):
            places = firsts[:, None] + pitches[None, :] * character
            inside = places < last - CHARACTER + STEPS
            points = np.minimum(np.rint(places), len(best) - 1).astype(np.intp)
            total += best[points] * inside
            used += inside
        mean = total / np.maximum(used, 1)
        row, column = np.unravel_index(int(np.argmax(mean)), mean.shape)
        return float(firsts[row]), float(pitches[column])

    def _scaled(
        self, sums: NDArray[np.float32], places: NDArray[np.float64], last: int
    ) -> tuple[NDArray[np.float32], float]:
        """Turn |S| into log-likelihoods by the burst's own amplitude and noise; say how well it fits."""
        samples = 11 * self._bit
        amplitude = float(np.mean(sums[:last].max(axis=1))) / samples
        edges = np.rint(np.stack([places - STEPS, places + CHARACTER]) * self._bit / STEPS).astype(np.intp)
        edges = np.minimum(edges, len(self._energy) - 1)
        power = float(np.mean(self._energy[edges[1][:last]] - self._energy[edges[0][:last]])) / samples
        noise = max(power - amplitude**2, NOISE_FLOOR * amplitude**2, 1e-12)
        per_sample = noise * RATE_HZ / BAND_HZ
        quality = amplitude**2 / max(power, 1e-12)
        return sums[: last + 1] * np.float32(2 * amplitude / per_sample), min(1.0, quality)


def _last_character(best: NDArray[np.float32]) -> int:
    """Return how many characters there are before the best bytes drop to what noise gives."""
    level = float(np.median(np.sort(best)[len(best) // 2 :]))
    return int(np.argmax(np.cumsum(best - 0.7 * level))) + 1


def _at(sums: NDArray[np.complex128], times: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Read running sums at fractional sample times."""
    whole = np.minimum(times.astype(np.intp), len(sums) - 2)
    return np.asarray(sums[whole] + (times - whole) * (sums[whole + 1] - sums[whole]))
