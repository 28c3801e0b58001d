"""Where characters stand: combs on grids made by hand, with samples lost and marks stuffed; their sums."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.dsp.fsk import BELL202, fsk_signal
from edge.dsp.fsk_baseband import analytic
from edge.dsp.fsk_lattice import Lattice
from edge.dsp.fsk_mark import mark_hz, mark_runs, rough_hz
from edge.dsp.fsk_places import CHARACTER, MOST_BENT, STEPS, Fit, bent, comb, earlier, walk
from edge.dsp.level import to_int16

COUNT = 12
FIRSTS = np.arange(40.0, 170.0)


def fitted(starts: NDArray[np.float64], length: int = 2400) -> Fit:
    """A grid on which a character fits best exactly at `starts`, within a bit of them less."""
    away = np.abs(np.arange(length)[:, None] - starts).min(axis=1)
    byte = np.maximum(0.1, 1 - away / STEPS).astype(np.float32)
    return Fit(byte, byte - np.float32(0.1), np.zeros(length, np.complex128))


@pytest.mark.parametrize("pitch", [9.8 * STEPS, 10.0 * STEPS, 11.85 * STEPS])
def test_a_comb_finds_start_and_pitch(pitch: float) -> None:
    starts = 100 + pitch * np.arange(COUNT)
    found = comb(fitted(starts, int(starts[-1]) + CHARACTER), FIRSTS)
    assert found is not None
    assert np.abs(found[: COUNT - 1] - starts[: COUNT - 1]).max() <= 1


@pytest.mark.parametrize(("pitch", "fits"), [(9.76, True), (9.5, False), (12.2, True), (12.5, False)])
def test_a_comb_has_a_shortest_and_a_longest_pitch(pitch: float, fits: bool) -> None:
    starts = 100 + pitch * STEPS * np.arange(COUNT)
    found = comb(fitted(starts, int(starts[-1]) + CHARACTER), FIRSTS)
    assert found is not None
    close = np.abs(found[: COUNT - 1] - starts[: COUNT - 1]).max() <= 2
    assert close == fits


def test_the_comb_is_looked_for_once() -> None:
    fit = fitted(100 + 80.0 * np.arange(COUNT))
    assert comb(fit, FIRSTS) is comb(fit, FIRSTS)


def test_earlier_begins_one_character_before() -> None:
    fit = fitted(100 + 80.0 * np.arange(COUNT))
    even, sooner = comb(fit, FIRSTS), earlier(fit, FIRSTS)
    assert even is not None and sooner is not None
    assert np.array_equal(sooner[1:], even) and sooner[0] == 2 * even[0] - even[1]


def test_earlier_needs_room() -> None:
    assert earlier(fitted(45 + 80.0 * np.arange(COUNT)), FIRSTS) is None


@pytest.mark.parametrize(("lost", "followed"), [(3, True), (MOST_BENT, True), (2 * MOST_BENT + 8, False)])
def test_bent_follows_what_was_lost_on_the_way(lost: int, followed: bool) -> None:
    starts = 100 + 80.0 * np.arange(COUNT)
    starts[COUNT // 2 :] -= lost
    fit = fitted(starts)
    fit.even = 100 + 80.0 * np.arange(COUNT)
    found = bent(fit, FIRSTS)
    assert found is not None
    assert (np.abs(found - starts).max() <= 1) == followed


def test_bent_leaves_an_even_comb_alone() -> None:
    fit = fitted(100 + 80.0 * np.arange(COUNT), 100 + 80 * COUNT)
    assert np.array_equal(np.asarray(bent(fit, FIRSTS)), np.asarray(comb(fit, FIRSTS)))


def test_a_walk_steps_over_pauses() -> None:
    gaps = np.array([0, 10, 3, 0, 7, 9, 1, 5, 0, 2, 4]) * STEPS
    starts = np.concatenate([[100.0], 100 + np.cumsum(80.0 + gaps)])
    fit = fitted(starts, int(starts[-1]) + 60)
    marked = np.ones(len(fit)) / STEPS  # a pause is a mark as strong as a character
    for start in starts.astype(int):
        marked[start : start + CHARACTER] = 0
    fit = Fit(fit.byte, fit.over_mark, np.cumsum(marked).astype(np.complex128))
    found = walk(fit, FIRSTS)
    assert found is not None and np.abs(found - starts).max() <= 1


@pytest.mark.parametrize("place", [comb, earlier, bent, walk])
def test_a_grid_too_short_for_a_message_has_no_places(place: object) -> None:
    assert place(fitted(np.array([50.0]), 250), FIRSTS) is None  # type: ignore[operator]


def burst(message: bytes = bytes(range(30, 60))) -> NDArray[np.int16]:
    return to_int16(fsk_signal(message))


def test_all_sums_of_a_character_are_those_of_its_bits() -> None:
    signal = analytic(burst(), 8000)
    lattice = Lattice(signal, mark_runs(signal)[0], BELL202)
    at = np.array([30, 111, 300])
    sums = lattice._sums(at)
    for byte in (0x00, 0x01, 0x80, 0x5A, 0xFF):
        for row, point in enumerate(at.tolist()):
            spaces, total = 1, lattice._one[point - STEPS] + lattice._zero[point]
            for bit in range(8):
                chosen = lattice._one if byte >> bit & 1 else lattice._zero
                total = total + chosen[point + (bit + 1) * STEPS] * lattice._turned[spaces]
                spaces += not byte >> bit & 1
            total = total + lattice._one[point + 9 * STEPS] * lattice._turned[spaces]
            assert sums[row, byte] == pytest.approx(abs(total), rel=1e-3, abs=1e-3 * float(sums.max()))


def test_a_loose_lattice_minds_a_turned_phase_less() -> None:
    message = bytes(range(30, 60))
    sound = burst(message)
    misread = {False: 0, True: 0}
    for cut in range(4200, 4270, 5):  # all over a character in the middle
        signal = analytic(np.concatenate([sound[:cut], -sound[cut:]]), 8000)
        for loose in misread:
            found = Lattice(signal, mark_runs(signal)[0], BELL202, loose=loose).characters(comb)
            assert found is not None
            best = found.likelihood.argmax(axis=1)
            misread[loose] += int((np.diff(best[2:-2]) != 1).any())  # the bytes count upwards
    assert misread[True] < misread[False]


@pytest.mark.parametrize("hz", [1165.0, 1200.25, 1303.5, 1350.0])
def test_the_mark_is_measured(hz: float) -> None:
    tone = np.exp(2j * np.pi * hz / 24000 * np.arange(3600)).astype(np.complex64)
    assert mark_hz(tone) == pytest.approx(hz, abs=0.3)
    assert rough_hz(tone) == pytest.approx(hz, abs=1.0)
