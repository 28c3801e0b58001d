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

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.dsp.fsk import FskStandard
from edge.dsp.fsk_baseband import RATE_HZ, tone_sums
from edge.dsp.fsk_mark import MARK_WINDOW, MarkRun
from edge.dsp.fsk_places import CHARACTER, STEPS, Fit, Places

BAND_HZ = 2500  # of the analytic signal
NOISE_SPREAD = 0.35  # white noise spreads 0.2 over characters; speech more, and is no Gaussian
NOISE_FLOOR = 0.02  # of the signal: no burst is cleaner than its transmitter's edges
FIRST_BEFORE_BITS, FIRST_AFTER_BITS = 9, 9  # of where the mark run seems to end
MIN_TWIST_DB, MAX_TWIST_DB = 4.0, 14.0
ONES = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(axis=1).astype(np.float32)

Sums = NDArray[np.float32]  # (characters, 256)


@dataclass(frozen=True, slots=True)
class Characters:
    """For each character its place (samples at 24 kHz) and the log-likelihood of each byte, (n, 256)."""

    starts: NDArray[np.float64]
    likelihood: NDArray[np.float32]
    quality: float  # 0..1, how much of the energy the best bytes explain


class Lattice:
    """The byte sums of the burst after one mark run, at one bit rate.

    `loose`: every bit by itself, whatever its phase, for a clear burst in which samples were lost.
    Mark and space are weighed by their strength in the burst, as a matched filter does; a byte then pays for
    the energy it would have had.
    """

    def __init__(
        self,
        signal: NDArray[np.complex64],
        run: MarkRun,
        standard: FskStandard,
        baud: float = 1200.0,
        loose: bool = False,
    ) -> None:
        shift_hz = standard.space_hz - standard.mark_hz
        self._origin = max(0, run.end - MARK_WINDOW - 12 * RATE_HZ // 1200)
        self._bit = RATE_HZ / baud
        part = signal[self._origin :]
        self._power = np.concatenate([[0], np.cumsum(np.abs(part) ** 2, dtype=np.float64)])
        count = int((len(part) - 1) / self._bit * STEPS)
        times = np.asarray(np.arange(max(0, count)) * (self._bit / STEPS), np.float64)
        turn = 2 * np.pi * shift_hz / RATE_HZ
        mark = _at(tone_sums(part, run.hz), times)
        space = _at(tone_sums(part, run.hz + shift_hz), times)
        self._mark = (mark[STEPS:] - mark[:-STEPS]).astype(np.complex64)
        back = np.exp(1j * turn * times[:-STEPS])
        self._space = ((space[STEPS:] - space[:-STEPS]) * back).astype(np.complex64)
        self._turned = np.exp(-1j * turn * self._bit * np.arange(10)).astype(np.complex64)
        if loose:
            self._mark, self._space = (np.abs(one).astype(np.complex64) for one in (self._mark, self._space))
            self._turned = np.ones(10, np.complex64)
        self._end_of_mark = (run.end - MARK_WINDOW / 2 - self._origin) / self._bit * STEPS
        self._weigh(self._rough_twist_db())
        self._fit = self._fits()

    def characters(self, place: Callable[[Fit, Places], Places | None]) -> Characters | None:
        """Find the characters after the mark run by `comb` or `walk`; None if there is no room for any."""
        around = self._end_of_mark
        firsts = np.arange(max(STEPS, around - FIRST_BEFORE_BITS * STEPS), around + FIRST_AFTER_BITS * STEPS)
        places = place(self._fit, np.asarray(firsts, np.float64)) if len(self._fit) > firsts[-1] else None
        if places is None:
            return None
        places, sums = self._refined(places)
        if self._twist_db:
            self._weigh(self._twist_of(places, (sums / self._root).argmax(axis=1)))
            places, sums = self._refined(places)
        last = _last_character((sums / self._root).max(axis=1))
        starts = self._origin + places[: last + 1] * self._bit / STEPS
        return Characters(starts, *self._scaled(sums, places, last))

    def _rough_twist_db(self) -> float:
        """Estimate the twist from the strong windows of either tone, before any byte is known."""
        data = slice(int(self._end_of_mark) + STEPS, None)
        one, zero = np.abs(self._mark[data]), np.abs(self._space[data])
        if len(one) <= CHARACTER:
            return 0.0
        return 20 * float(np.log10(np.quantile(zero, 0.9) / max(1e-12, np.quantile(one, 0.9))))

    def _twist_of(self, places: Places, best: NDArray[np.intp]) -> float:
        """Measure the twist where the bits of the best bytes stand."""
        at = np.rint(places).astype(np.intp)[:, None] + np.arange(1, 9) * STEPS
        ones = (best[:, None] >> np.arange(8)) & 1 == 1
        mark, space = np.abs(self._mark[at][ones]), np.abs(self._space[at][~ones])
        if not len(mark) or not len(space):
            return self._twist_db
        return 20 * float(np.log10(np.median(space) / max(1e-12, float(np.median(mark)))))

    def _weigh(self, twist_db: float) -> None:
        """Weigh both tones by how strong they are; a small difference is not worth its own error."""
        twist_db = max(-MAX_TWIST_DB, min(MAX_TWIST_DB, twist_db)) if abs(twist_db) > MIN_TWIST_DB else 0.0
        one_gain, zero_gain = min(1.0, 10 ** (-twist_db / 20)), min(1.0, 10 ** (twist_db / 20))
        self._one, self._zero = self._mark * np.float32(one_gain), self._space * np.float32(zero_gain)
        self._one_gain, self._twist_db = one_gain, twist_db
        # bits of full strength in a byte with the stop bit before and after it, and the root used to compare
        self._strength = (ONES + 2) * np.float32(one_gain**2) + (9 - ONES) * np.float32(zero_gain**2)
        self._root = np.sqrt(self._strength / 11)

    def _powers(self, at: NDArray[np.intp]) -> Sums:
        """Return |S|**2 of all 256 bytes for characters starting at these grid points (>= STEPS); (n, 256).

        The halves of a character meet in the middle: |a + b|**2 = |a|**2 + |b|**2 + 2 Re(a b*).
        """
        early = (self._one[at - STEPS] + self._zero[at])[:, None]
        early, spaces = self._grown(early, at + STEPS, np.ones(1, np.intp))
        early = early * self._turned[spaces].conj()  # as seen from the first bit of the later half
        late, more = self._grown(np.zeros((len(at), 1), np.complex64), at + 5 * STEPS, np.zeros(1, np.intp))
        late = late + self._one[at + 9 * STEPS][:, None] * self._turned[more]
        one = np.ones(early.shape, np.float32)
        left = np.stack([2 * late.real, 2 * late.imag, _power(late), one], axis=2)
        right = np.stack([early.real, early.imag, one, _power(early)], axis=1)
        return np.asarray((left @ right).reshape(len(at), 256))

    def _grown(
        self, total: NDArray[np.complex64], at: NDArray[np.intp], spaces: NDArray[np.intp]
    ) -> tuple[NDArray[np.complex64], NDArray[np.intp]]:
        """Add four bits from `at` on, either way; return the sums, the last bit highest, and their spaces."""
        for bit in range(4):
            turned = self._turned[spaces][None, :]
            zero = total + self._zero[at + bit * STEPS][:, None] * turned
            one = total + self._one[at + bit * STEPS][:, None] * turned
            total = np.concatenate([zero, one], axis=1)
            spaces = np.concatenate([spaces + 1, spaces])
        return total, spaces

    def _sums(self, at: NDArray[np.intp]) -> Sums:
        return np.asarray(np.sqrt(np.maximum(self._powers(at), 0)), np.float32)

    def _fits(self) -> Fit:
        """How well the best byte fits at every grid point.

        Every other point is computed, the rest lie between.
        """
        count = max(0, len(self._one) - CHARACTER - STEPS)
        points = np.arange(STEPS, count, 2)
        best = np.zeros(count, np.float32)
        for part in np.array_split(points, max(1, len(points) // 512)):
            best[part] = np.sqrt((self._powers(part) * (1 / self._root**2)).max(axis=1))
        between = np.arange(STEPS + 1, count - 1, 2)
        best[between] = (best[between - 1] + best[between + 1]) / 2
        marks = np.zeros(len(self._one) + STEPS, np.complex128)
        marks[STEPS:] = np.cumsum(self._one) / STEPS / self._one_gain
        mark = np.abs(marks[11 * STEPS : 11 * STEPS + count] - marks[:count])
        return Fit(best, np.asarray(best - mark, np.float32), marks[STEPS : STEPS + count])

    def _refined(self, places: Places) -> tuple[Places, Sums]:
        """Shift all places together to where the bytes fit best, paying for their energy; add their sums."""
        best: tuple[float, Places, Sums] | None = None
        amplitude = 0.0
        for shift in (0, -3, -2, -1, 1, 2, 3):
            moved = places + shift
            moved = moved[(moved >= STEPS) & (moved < len(self._one) - CHARACTER)]
            sums = self._sums(np.rint(moved).astype(np.intp))
            amplitude = amplitude or float((sums / self._strength).max(axis=1).mean())
            fit = float((2 * sums - amplitude * self._strength).max(axis=1).sum())
            if best is None or fit > best[0]:
                best = fit, moved, sums
        assert best is not None
        return best[1], best[2]

    def _scaled(self, sums: Sums, places: Places, last: int) -> tuple[Sums, float]:
        """Turn |S| into log-likelihoods by the burst's own amplitude and noise; say how well it fits."""
        best = (sums[:last] / self._root).argmax(axis=1)
        strength = self._strength[best] * self._bit
        amplitude = float(np.mean(sums[np.arange(last), best] / strength))
        edges = np.rint(np.stack([places - STEPS, places + CHARACTER]) * self._bit / STEPS).astype(np.intp)
        edges = np.minimum(edges, len(self._power) - 1)[:, : last + 1]
        power = self._power[edges[1]] - self._power[edges[0]]
        signal = amplitude**2 * strength
        total = float(power[:last].mean())
        mean_noise = max(total - float(signal.mean()), NOISE_FLOOR * float(signal.mean()), 1e-12)
        # a click or a syllable hits some characters more than others: those must not be believed as much
        own_noise = power - (sums[: last + 1] / self._root).max(axis=1) ** 2 / (11 * self._bit)
        uneven = max(1.0, float(np.std(own_noise[:last])) / mean_noise / NOISE_SPREAD) ** 0.5
        noise = np.maximum(own_noise, mean_noise)[:, None] * uneven / (11 * self._bit) * RATE_HZ / BAND_HZ
        energy = amplitude**2 * self._bit * self._strength
        likelihood = (2 * amplitude * sums[: last + 1] - energy) / noise
        return np.asarray(likelihood, np.float32), min(1.0, float(signal.mean()) / max(total, 1e-12))


def _last_character(best: NDArray[np.float32]) -> int:
    """Return how many characters there are before the best bytes drop to what noise gives."""
    level = float(np.median(np.sort(best)[len(best) // 2 :]))
    return int(np.argmax(np.cumsum(best - 0.7 * level))) + 1


def _power(values: NDArray[np.complex64]) -> NDArray[np.float32]:
    return np.asarray(values.real**2 + values.imag**2)


def _at(sums: NDArray[np.complex128], times: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Read running sums at fractional sample times."""
    whole = np.minimum(times.astype(np.intp), len(sums) - 2)
    return np.asarray(sums[whole] + (times - whole) * (sums[whole + 1] - sums[whole]))
