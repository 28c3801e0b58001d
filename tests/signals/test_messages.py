"""The sender is measured: lengths of bits, frequencies, levels; its bytes are those of the message room."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge.callerid import CallerId
from edge.callerid.mdmf import build as build_mdmf
from edge.callerid.sdmf import build as build_sdmf
from edge.dsp.fsk import fsk_signal
from tests.signals import messages
from tests.signals.fsk_cells import CELLS, sweep
from tests.signals.line import RATE_HZ, Signal, peak
from tests.signals.messages import BELL202, V23, Modem, Who, burst, mdmf, sdmf, somebody

ANN = Who("11221530", "02155501234", "ANN ONYM")
U = b"U" * 40  # 0 1 0 1 0 1 0 1 0 1 on the line


def sent(message: bytes, seed: int = 3, **changes: object) -> Signal:
    return burst(message, replace(BELL202, **changes), np.random.default_rng(seed))  # type: ignore[arg-type]


def strength(signal: Signal, hz: float) -> float:
    turns = np.exp(-2j * np.pi * hz * np.arange(len(signal)) / RATE_HZ)
    return float(2 * np.abs(np.mean(signal * turns)))


def test_bytes_are_those_of_the_message_room() -> None:
    caller = CallerId("bell202", "mdmf", ANN.number, ANN.name, ANN.date_time)
    assert mdmf(ANN) == build_mdmf(caller)
    assert sdmf(ANN) == build_sdmf(replace(caller, format="sdmf", name=None))


@pytest.mark.parametrize("seed", range(20))
def test_anybody_fits_the_length_the_benchmark_speaks_of(seed: int) -> None:
    assert 29 <= len(mdmf(somebody(np.random.default_rng(seed)))) <= 45


@pytest.mark.parametrize(
    ("changes", "bits"),
    [
        ({}, 300 + 180 + 400 + 2),
        ({"seizure_bits": 0, "mark_bits": 80}, 80 + 400 + 2),
        ({"stop_bits": (1.75, 1.75)}, 300 + 180 + 430 + 2),
        ({"stuffed": (3, 3)}, 300 + 180 + 520 + 2),
        ({"end_marks": 0.0}, 300 + 180 + 400),
        ({"baud": 1224.0}, (300 + 180 + 400 + 2) / 1.02),
    ],
)
def test_a_burst_lasts_as_long_as_its_bits(changes: dict[str, object], bits: float) -> None:
    assert len(sent(U, **changes)) / RATE_HZ * 1200 == pytest.approx(bits, abs=0.2)


def test_stuffed_marks_and_stop_bits_are_drawn_from_their_ranges() -> None:
    lengths = {len(sent(U, seed, stuffed=(0, 10))) for seed in range(20)}
    assert len(lengths) > 15 and min(lengths) > len(sent(U))
    lengths = {len(sent(U, seed, stop_bits=(1.70, 1.85))) for seed in range(20)}
    assert all(40 * 0.70 <= (one - len(sent(U))) / RATE_HZ * 1200 <= 40 * 0.86 for one in lengths)


@pytest.mark.parametrize("modem", [BELL202, V23])
def test_frequencies_and_level(modem: Modem) -> None:
    marks = burst(b"", replace(modem, seizure_bits=0, mark_bits=960), np.random.default_rng(1))
    assert strength(marks, modem.mark_hz) == pytest.approx(peak(-13.5), rel=0.01)
    spaces = burst(b"\0", replace(modem, seizure_bits=0, mark_bits=0), np.random.default_rng(1))[:60]
    assert strength(spaces, modem.space_hz) == pytest.approx(peak(-13.5), rel=0.05)


@pytest.mark.parametrize("twist_db", [-10.0, -6.0, 0.0, 6.0, 10.0])
def test_twist_is_space_over_mark(twist_db: float) -> None:
    message = b"\0\xff" * 40
    plain, twisted = sent(message), sent(message, twist_db=twist_db)
    sounding = np.abs(plain) > 0.01
    gains = np.unique(np.round(20 * np.log10(np.abs(twisted[sounding] / plain[sounding])), 3))
    assert list(gains) == pytest.approx(sorted({0.0, -abs(twist_db)}))
    at_mark = strength(twisted[-10:], 1200)  # the burst ends with marks
    assert at_mark == pytest.approx(strength(plain[-10:], 1200) * 10 ** (min(0, -twist_db) / 20), rel=0.01)


def test_second_harmonic() -> None:
    marks = sent(b"", mark_bits=1200, seizure_bits=0, second_harmonic_db=-20.0)
    assert strength(marks, 2400) / strength(marks, 1200) == pytest.approx(0.1, rel=0.02)


def test_phase_runs_on_between_bits() -> None:
    """A jump of phase would show as a step larger than the fastest tone can make."""
    assert np.max(np.abs(np.diff(sent(U)))) <= peak(-13.5) * 2 * np.sin(np.pi * 2200 / RATE_HZ) * 1.001


def test_it_is_what_our_transmitter_sends() -> None:
    """Two senders made apart agree but for the first phase, which a quarter turn of both removes."""
    ours = fsk_signal(mdmf(ANN), level_dbm0=-13.5).astype(float)
    other = sent(mdmf(ANN))
    length = min(len(ours), len(other))
    spectra = [np.abs(np.fft.rfft(one[:length])) for one in (ours, other)]
    assert np.corrcoef(*spectra)[0, 1] > 0.98


def test_cells_have_names_of_their_own_and_seeds_that_hold() -> None:
    names = [cell.name for cell in CELLS]
    assert len(set(names)) == len(names) >= 60
    cell = sweep(V23, 3.0)
    assert cell.standard == "v23" and cell.clip(5)[0] == cell.clip(5)[0] != cell.clip(6)[0]
    assert np.array_equal(cell.clip(5)[1], cell.clip(5)[1])


@pytest.mark.parametrize("snr_db", [0.0, 12.0])
def test_the_sweep_has_the_noise_it_names(snr_db: float) -> None:
    """Measured on the clip itself: noise in the tail, noise and signal in the middle."""
    _, clip = sweep(BELL202, snr_db).clip(0)
    noise = np.mean(clip[-4000:].astype(float) ** 2)
    middle = clip[4000:7000].astype(float)
    assert 10 * np.log10(np.mean(middle**2) / noise - 1) == pytest.approx(snr_db, abs=0.5)


def test_somebody_is_plausible() -> None:
    who = somebody(np.random.default_rng(11))
    assert 1 <= int(who.date_time[:2]) <= 12 and int(who.date_time[4:6]) < 24
    assert who.number.isdecimal() and who.name.replace(" ", "").isalpha()
    assert sum(messages.mdmf(who)) % 256 == 0
