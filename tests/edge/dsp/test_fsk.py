"""The transmitter against its standard, and each stage of the receiver on what it sends."""

from __future__ import annotations

import numpy as np
import pytest

from edge.dsp.fsk import BELL202, V23, FskStandard, byte_bits, fsk_signal
from edge.dsp.fsk_baseband import RATE_HZ as WIDE_HZ
from edge.dsp.fsk_baseband import analytic
from edge.dsp.fsk_lattice import Lattice
from edge.dsp.fsk_mark import mark_hz, mark_runs
from edge.dsp.fsk_places import comb, walk
from edge.dsp.fsk_uart import BIT, MARK_HZ, PIECE, SPACE_HZ, read_characters, soft_bits
from edge.dsp.level import amplitude, level_dbm0, to_int16
from tests.edge.signals import noisy, silence

MESSAGE = bytes(range(0x20, 0x48))
POWER = amplitude(-13.5) ** 2 / 2


def test_bits_go_out_least_significant_first() -> None:
    assert byte_bits(b"\x01\x80").tolist() == [[1, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 1]]


@pytest.mark.parametrize("rate_hz", [8000, 16000, 48000])
@pytest.mark.parametrize("standard", [BELL202, V23])
def test_length_level_and_continuity(standard: FskStandard, rate_hz: int) -> None:
    signal = fsk_signal(MESSAGE, standard, rate_hz)
    bits = 300 + 180 + 10 * len(MESSAGE) + 2
    assert abs(len(signal) - bits * rate_hz / standard.baud) <= 1
    assert abs(level_dbm0(float((signal**2).mean())) + 13.5) < 0.1
    steepest = 2 * np.pi * standard.space_hz / rate_hz * amplitude(-13.5)
    assert np.abs(np.diff(signal)).max() <= steepest * 1.001


def test_phase_runs_on_over_every_bit_edge() -> None:
    signal = analytic(to_int16(fsk_signal(MESSAGE, rate_hz=48000)[::6]), 8000)
    turn = np.angle(signal[1:] * signal[:-1].conj()) * WIDE_HZ / (2 * np.pi)
    middle = turn[2000:-500]
    assert middle.min() > 900 and middle.max() < 2650  # a jump of the phase would leave this band


def test_stop_bits_may_be_fractions() -> None:
    short, long = fsk_signal(MESSAGE), fsk_signal(MESSAGE, stop_bits=1.75)
    assert abs(len(long) - len(short) - 0.75 * len(MESSAGE) * 8000 / 1200) <= 1


def burst(standard: FskStandard = BELL202, snr_db: float | None = None, **more: float) -> np.ndarray:
    signal = np.concatenate([silence(0.05), fsk_signal(MESSAGE, standard, **more), silence(0.1)])
    return to_int16(signal if snr_db is None else noisy(signal, snr_db, POWER))


@pytest.mark.parametrize("standard", [BELL202, V23])
@pytest.mark.parametrize("stop_bits", [1, 1.75, 2, 9.5])
def test_soft_uart_reads_a_clean_burst(standard: FskStandard, stop_bits: float) -> None:
    read = read_characters(analytic(burst(standard, stop_bits=stop_bits), 8000))
    assert read[0].message[: len(MESSAGE)] == MESSAGE
    assert min(read[0].margins[: len(MESSAGE)]) > 0.4
    assert abs(mark_hz(read[0].mark) - standard.mark_hz) < 12


@pytest.mark.parametrize("standard", [BELL202, V23])
def test_mark_run_is_found_and_measured(standard: FskStandard) -> None:
    run = mark_runs(analytic(burst(standard, snr_db=0), 8000))[0]
    assert abs(run.hz - standard.mark_hz) < 3
    assert abs(run.end / WIDE_HZ - (0.05 + 480 / 1200)) < 0.012


@pytest.mark.parametrize("offset", [-0.03, 0.03])
def test_mark_run_is_found_off_its_frequency(offset: float) -> None:
    standard = FskStandard("off", 1200 * (1 + offset), 2200, 1200)
    run = mark_runs(analytic(burst(standard), 8000))[0]
    assert abs(run.hz - standard.mark_hz) < 2


def test_no_mark_run_in_noise_or_silence() -> None:
    assert mark_runs(analytic(to_int16(silence(1)), 8000)) == []
    assert mark_runs(analytic(to_int16(noisy(silence(2), 0, 0.01)), 8000)) == []


@pytest.mark.parametrize("standard", [BELL202, V23])
@pytest.mark.parametrize("stop_bits", [1, 1.75, 2])
@pytest.mark.parametrize("snr_db", [25, 4])
def test_lattice_finds_places_and_bytes(standard: FskStandard, stop_bits: float, snr_db: float) -> None:
    signal = analytic(burst(standard, snr_db, stop_bits=stop_bits), 8000)
    characters = Lattice(signal, mark_runs(signal)[0], standard).characters(comb)
    assert characters is not None
    best = characters.likelihood.argmax(axis=1).astype(np.uint8)[: len(MESSAGE)].tobytes()
    wrong = sum(one != other for one, other in zip(best, MESSAGE, strict=False))
    assert wrong <= (0 if snr_db > 10 else 2)
    assert abs(characters.starts[0] / WIDE_HZ - (0.05 + 480 / 1200)) < 0.25 / 1200
    assert abs(np.diff(characters.starts).mean() * 1200 / WIDE_HZ - 9 - stop_bits) < 0.02


def test_walk_finds_unequal_steps() -> None:
    pauses = np.random.default_rng(3).integers(1, 11, len(MESSAGE)).astype(float)
    signal = analytic(burst(snr_db=12, stop_bits=pauses), 8000)  # type: ignore[arg-type]
    lattice = Lattice(signal, mark_runs(signal)[0], BELL202)
    characters = lattice.characters(walk)
    assert characters is not None
    assert characters.likelihood.argmax(axis=1).astype(np.uint8)[: len(MESSAGE)].tobytes() == MESSAGE


def test_too_short_a_burst_has_no_characters() -> None:
    signal = analytic(to_int16(fsk_signal(b"\x80")), 8000)
    lattice = Lattice(signal, mark_runs(signal)[0], BELL202)
    assert lattice.characters(comb) is None and lattice.characters(walk) is None


@pytest.mark.parametrize("rate_hz", [8000, 16000, 48000])
def test_analytic_signal_keeps_level_and_drops_hum(rate_hz: int) -> None:
    times_s = np.arange(rate_hz) / rate_hz
    tone = 0.25 * np.sin(2 * np.pi * 1700 * times_s) + 0.5 * np.sin(2 * np.pi * 50 * times_s) + 0.1
    wide = analytic(to_int16(tone.astype(np.float32)), rate_hz)
    assert len(wide) == WIDE_HZ
    assert np.abs(np.abs(wide[2000:-2000]) - 0.25).max() < 0.005


def test_bit_windows_are_sums_over_a_bit_wherever_a_piece_ends() -> None:
    rng = np.random.default_rng(7)
    noise = (rng.normal(size=PIECE + 50) + 1j * rng.normal(size=PIECE + 50)).astype(np.complex64)
    soft = soft_bits(noise)
    starts = np.array([0, 1, PIECE - BIT, PIECE - 1, PIECE, PIECE + 1, len(noise) - BIT])
    windows = noise[starts[:, None] + np.arange(BIT)]
    turns = np.outer((MARK_HZ, SPACE_HZ), np.arange(BIT)) / WIDE_HZ
    mark, space = np.abs(np.exp(-2j * np.pi * turns) @ windows.T)
    strong = np.linalg.lstsq(np.stack([mark, -space], axis=1), soft[starts], rcond=None)[0]
    assert len(soft) == len(noise) - BIT + 1 and (strong > 0).all()
    assert np.allclose(strong[0] * mark - strong[1] * space, soft[starts], atol=1e-4)
