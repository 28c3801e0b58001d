"""Faults: what each does to samples and volts and leaves alone, when it holds, how it is ordered."""

from __future__ import annotations

import numpy as np
import pytest

from edge.dsp.level import amplitude
from hw.virtual.faults import AUDIO, VOLTAGE, Fault, Faults, read_order

RATE_HZ = 8000
LINES = 3


def faults(*some: Fault) -> Faults:
    return Faults(some, LINES, RATE_HZ)


def voice(frames: int) -> np.ndarray:
    """Another tone on each line."""
    at = np.arange(frames)[:, None] * np.array([300.0, 700.0, 1100.0]) / RATE_HZ
    return (3000 * np.sin(2 * np.pi * at)).astype(np.int16)


def dbm0(samples: np.ndarray) -> float:
    rms = float(np.sqrt(np.mean(samples.astype(float) ** 2)))
    return float(20 * np.log10(rms / (32767 * amplitude(0.0) / np.sqrt(2))))


def test_nothing_scheduled_changes_nothing() -> None:
    clean = voice(800)
    assert np.array_equal(faults().on_audio(0, clean), clean)


@pytest.mark.parametrize("kind", AUDIO)
def test_a_fault_holds_for_its_time_on_its_line_only(kind: str) -> None:
    clean = voice(4000)
    heard = faults(Fault(kind, at_s=0.1, for_s=0.2, line=2, other=3)).on_audio(0, clean)
    changed = heard != clean
    assert not changed[:800].any() and not changed[2400:].any()
    assert not changed[:, 0].any()
    assert changed[800:2400, 1].mean() > 0.9
    assert changed[800:2400, 2].any() == (kind == "swapped")


@pytest.mark.parametrize("cut", [1, 37, 160, 801])
def test_blocks_of_any_length_hear_hum_and_clipping_alike(cut: int) -> None:
    clean = voice(1600)
    some = faults(Fault("hum", at_s=0.03, for_s=0.1, line=1), Fault("clipped", at_s=0.05, for_s=0.1, line=3))
    whole = some.on_audio(0, clean)
    parts = [some.on_audio(at, clean[at : at + cut]) for at in range(0, 1600, cut)]
    assert np.array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize("level", [-50.0, -30.0, -10.0])
def test_noise_has_its_level(level: float) -> None:
    silence = np.zeros((RATE_HZ, LINES), np.int16)
    heard = faults(Fault("noise", dbm0=level, line=2)).on_audio(0, silence)
    assert dbm0(heard[:, 1]) == pytest.approx(level, abs=0.5)


def test_hum_is_50_hz_and_its_harmonics() -> None:
    silence = np.zeros((RATE_HZ, LINES), np.int16)
    heard = faults(Fault("hum", dbm0=-20.0, line=1)).on_audio(0, silence)[:, 0]
    spectrum = np.abs(np.fft.rfft(heard.astype(float)))
    assert sorted(np.argsort(spectrum)[-4:].tolist()) == [50, 100, 150, 200]


def test_clipping_reaches_full_scale_and_no_further() -> None:
    heard = faults(Fault("clipped", line=1)).on_audio(0, voice(800))[:, 0]
    assert heard.max() == 32767 and heard.min() == -32767


VOLTS = {
    "dead": ([0.0, 48.0, -47.0], [0, 2, 3]),
    "parallel_phone": ([6.0, 48.0, -47.0], [1, 2, 3]),
    "swapped": ([48.0, 48.5, -47.0], [2, 1, 3]),
}


@pytest.mark.parametrize("kind", VOLTS)
def test_what_the_converter_reads(kind: str) -> None:
    volts, half_waves = [48.5, 48.0, -47.0], [1, 2, 3]
    faults(Fault(kind, at_s=0.0, line=1, other=2)).on_voltage(80, volts, half_waves)
    assert (volts, half_waves) == VOLTS[kind]


def test_a_listening_phone_keeps_the_polarity() -> None:
    volts, half_waves = [48.0, 48.0, -47.0], [0, 0, 0]
    faults(Fault("parallel_phone", line=3)).on_voltage(80, volts, half_waves)
    assert volts[2] == -6.0
    assert VOLTS.keys() == VOLTAGE.keys()


def test_begins_and_ends_are_told_once_in_any_steps() -> None:
    wanted = [Fault("unplug", at_s=0.0, for_s=1.0), Fault("unplug", at_s=0.5, for_s=0.25)]
    for step in (1, 80, 999, 8000):
        some = faults(*wanted)
        turns = [some.turn(at) for at in range(0, 16_000, step)]
        assert [fault for began, _ in turns for fault in began] == wanted
        assert {fault.at_s for _, ended in turns for fault in ended} == {0.0, 0.5}
        assert sum(len(ended) for _, ended in turns) == 2


def test_an_order_is_a_fault_from_now_on() -> None:
    assert read_order("noise line=2 for_s=10 dbm0=-35", 4.5) == Fault(
        "noise", at_s=4.5, for_s=10.0, line=2, dbm0=-35.0
    )
    assert read_order("  board_hangs ", 1.0) == Fault("board_hangs", at_s=1.0)


REFUSED = {
    "noize line=2": "Invalid enum value 'noize'",
    "": "Invalid enum value ''",
    "noise 2": "wanted name=value after noise, got '2'",
    "noise lines=2": "no setting 'lines'; there are kind, at_s",
    "noise line=0": "Expected `int` >= 1",
    "noise line=two": "Expected `int`, got `str`",
    "noise dbm0=40": "Expected `float` <= 3",
}


@pytest.mark.parametrize("text", REFUSED)
def test_an_order_that_makes_no_sense_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"^fault: ") as refused:
        read_order(text, 0.0)
    assert REFUSED[text] in str(refused.value)


@pytest.mark.parametrize("fault", [Fault("noise", line=4), Fault("swapped", line=1, other=9)])
def test_a_line_the_hat_does_not_have_is_refused(fault: Fault) -> None:
    with pytest.raises(ValueError, match="wanted a line of 1-3"):
        faults(fault)
    with pytest.raises(ValueError, match="wanted a line of 1-3"):
        faults().order(fault)
