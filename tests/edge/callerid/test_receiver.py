"""Bursts on a line: every limit of the docstring, latency, refusals, many lines, any cutting."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.callerid import CallerId, mdmf, sdmf, waiting
from edge.callerid.receiver import CallerFound, CallerIdReceiver
from edge.callerid.waiting import Waiting
from edge.dsp.fsk import BELL202, V23, FskStandard, fsk_signal
from edge.dsp.level import amplitude
from tests.edge.signals import RATE_HZ, feed, line, noisy, same_however_cut, silence
from tests.signals.fsk_cells import CELLS

CALLER = CallerId("bell202", "mdmf", "13800138000", "WANG LI", "11220446")
MESSAGE = mdmf.build(CALLER)
POWER = amplitude(-13.5) ** 2 / 2


def read(signal: np.ndarray, rate_hz: int = RATE_HZ) -> list[CallerFound]:
    samples = line(silence(0.3, rate_hz), signal, silence(0.4, rate_hz))
    return feed(CallerIdReceiver(1, rate_hz), samples)


def callers(signal: np.ndarray, rate_hz: int = RATE_HZ) -> list[CallerId]:
    """What was read, whatever the confidence."""
    return [replace(one.caller, confidence=1.0) for one in read(signal, rate_hz) if one.caller]


def in_noise(signal: np.ndarray, snr_db: float, seed: int = 1) -> np.ndarray:
    padded = np.concatenate([silence(0.2), signal, silence(0.2)])
    return noisy(padded, snr_db, POWER, seed)


ACCEPTED = {
    "plain": {},
    "quiet": {"level_dbm0": -50},
    "loud": {"level_dbm0": 0},
    "no seizure, 80 marks, as in call waiting": {"seizure_bits": 0, "mark_bits": 80},
    "cut seizure, 40 marks": {"seizure_bits": 60, "mark_bits": 40},
    "stop bits of 1.75": {"stop_bits": 1.75},
    "ten marks between bytes": {"stop_bits": 11},
    "ends with the last bit": {"end_mark_bits": 0},
}


@pytest.mark.parametrize("rate_hz", [8000, 16000])
@pytest.mark.parametrize("standard", [BELL202, V23])
@pytest.mark.parametrize("name", ACCEPTED)
def test_accepts(name: str, standard: FskStandard, rate_hz: int) -> None:
    signal = fsk_signal(MESSAGE, standard, rate_hz, **ACCEPTED[name])
    assert callers(signal, rate_hz) == [replace(CALLER, standard=standard.name)]


@pytest.mark.parametrize("baud", [1176, 1224])
@pytest.mark.parametrize("scale", [0.97, 1.03])
def test_accepts_other_clocks(baud: float, scale: float) -> None:
    standard = FskStandard("off", 1200 * scale, 2200 * scale, baud)
    assert callers(fsk_signal(MESSAGE, standard)) == [CALLER]


def twisted(signal: np.ndarray, space_db: float) -> np.ndarray:
    """All above 1700 Hz weaker or stronger by `space_db`."""
    spectrum = np.fft.rfft(signal)
    hz = np.fft.rfftfreq(len(signal), 1 / RATE_HZ)
    return np.asarray(np.fft.irfft(spectrum * np.where(hz > 1700, 10 ** (space_db / 20), 1)), np.float32)


@pytest.mark.parametrize("space_db", [-10, 10])
@pytest.mark.parametrize("snr_db", [25, 12])
def test_reads_when_one_tone_is_much_weaker(space_db: float, snr_db: float) -> None:
    for seed in range(3):
        signal = fsk_signal(MESSAGE)
        signal = signal[: len(signal) // 2 * 2]
        assert callers(noisy(twisted(signal, space_db), snr_db, POWER / 2, seed)) == [CALLER]


@pytest.mark.parametrize("clip", [17, 34, 37])
def test_reads_a_first_byte_that_is_mostly_the_weaker_tone(clip: int) -> None:
    (cell,) = (one for one in CELLS if one.name == "space -10 dB, SNR 25")
    who, samples = cell.clip(clip)
    (found,) = feed(CallerIdReceiver(1, RATE_HZ), samples[:, None])
    assert found.caller is not None and found.caller.number == who.number


def test_reads_with_samples_lost_one_by_one() -> None:
    signal = fsk_signal(MESSAGE, end_mark_bits=20)
    first = int(480 / 1200 * RATE_HZ)
    for seed in range(6):
        lost = np.random.default_rng(seed).choice(np.arange(first, len(signal) - 200), 8, replace=False)
        found = callers(in_noise(np.delete(signal, lost), 25, seed))
        assert found == [CALLER]


def test_what_was_mended_in_two_ways_is_not_believed() -> None:
    one = CallerFound(1, 0, 9, CALLER, "bell202")
    other = replace(one, caller=replace(CALLER, number="13800138001"))
    assert one.says_the_same_as(replace(one, caller=replace(CALLER, confidence=0.9)))
    assert not one.says_the_same_as(other)
    assert not one.says_the_same_as(replace(one, caller=None, message=b"\x82\x00\x7e"))


@pytest.mark.parametrize("snr_db", [12, 6, 3])
@pytest.mark.parametrize("standard", [BELL202, V23])
def test_reads_in_noise(standard: FskStandard, snr_db: float) -> None:
    for seed in range(3):
        signal = in_noise(fsk_signal(MESSAGE, standard), snr_db, seed)
        assert callers(signal) == [replace(CALLER, standard=standard.name)]


@pytest.mark.parametrize("snr_db", [-1, -3, -6])
def test_what_noise_hides_is_refused_not_guessed(snr_db: float) -> None:
    for seed in range(4):
        assert all(one == CALLER for one in callers(in_noise(fsk_signal(MESSAGE), snr_db, seed)))


def test_reads_with_hum_and_dc() -> None:
    signal = fsk_signal(MESSAGE)
    times_s = np.arange(len(signal)) / RATE_HZ
    hum = amplitude(-10) * np.sin(2 * np.pi * 50 * times_s)
    assert callers((signal + hum + 0.2).astype(np.float32)) == [CALLER]


@pytest.mark.parametrize("standard", [BELL202, V23])
def test_reads_with_mark_and_space_six_db_apart(standard: FskStandard) -> None:
    signal = fsk_signal(MESSAGE, standard)
    spectrum = np.fft.rfft(signal)
    hz = np.fft.rfftfreq(len(signal), 1 / RATE_HZ)
    for slope in (-6, 6):
        tilted = np.fft.irfft(spectrum * 10 ** (slope / 20 * (hz - 1200) / 1000), len(signal))
        assert callers((tilted * 0.5).astype(np.float32)) == [replace(CALLER, standard=standard.name)]


def test_too_quiet_is_nothing() -> None:
    assert read(fsk_signal(MESSAGE, level_dbm0=-62)) == []


def test_a_burst_without_mark_is_nothing() -> None:
    assert callers(fsk_signal(MESSAGE, seizure_bits=300, mark_bits=4)) == []


def test_reads_sdmf_and_both_messages_of_one_recording() -> None:
    waiting = b"\x82\x03\x0b\x01\xff"
    waiting += bytes([-sum(waiting) % 256])
    old = CallerId("bell202", "sdmf", "5550123", None, "11220446")
    signal = np.concatenate(
        [fsk_signal(waiting), silence(0.2), fsk_signal(sdmf.build(old)), silence(0.5), fsk_signal(MESSAGE)]
    )
    assert callers(signal) == [old, CALLER]


def test_a_message_with_a_wrong_checksum_is_refused_once() -> None:
    wrong = MESSAGE[:-1] + bytes([MESSAGE[-1] ^ 0x55])
    (found,) = read(fsk_signal(wrong))
    assert found.caller is None and found.reason in ("bad_checksum", "uncertain")


def test_a_burst_cut_off_is_refused() -> None:
    (found,) = read(fsk_signal(MESSAGE)[: -10 * RATE_HZ // 1200 * 8])
    assert found.caller is None and found.reason


@pytest.mark.parametrize("said", [Waiting("sdmf", True), Waiting("mdmf", True, 3), Waiting("mdmf", False)])
def test_messages_that_name_nobody_are_handed_on_as_bytes(said: Waiting) -> None:
    (found,) = read(fsk_signal(waiting.build(said)))
    assert found.caller is None and waiting.parse(found.message) == said


def test_they_are_handed_on_at_once() -> None:
    message = waiting.build(Waiting("mdmf", True, 3, "02155501234", "11220446"))
    signal = line(silence(0.3), fsk_signal(message, end_mark_bits=0), silence(0.5))
    receiver, last_bit = CallerIdReceiver(1, RATE_HZ), len(signal) - RATE_HZ // 2
    blocks = ((at + 160, receiver.feed(signal[at : at + 160], at)) for at in range(0, len(signal), 160))
    assert next(end for end, found in blocks if found) - last_bit <= 0.15 * RATE_HZ


def test_one_that_is_damaged_is_neither_handed_on_nor_refused() -> None:
    broken = waiting.build(Waiting("mdmf", True))[:-1] + b"\x00"
    assert read(fsk_signal(broken)) == []


def test_a_caller_after_messages_waiting_in_one_recording() -> None:
    both = [fsk_signal(waiting.build(Waiting("mdmf", True))), silence(0.5), fsk_signal(MESSAGE)]
    found = read(np.concatenate(both))
    assert [one.caller is None for one in found] == [True, False]


def test_says_where_the_message_was() -> None:
    (found,) = read(fsk_signal(MESSAGE))
    assert abs(found.start - 0.3 * RATE_HZ - 480 * RATE_HZ / 1200) < 4
    assert abs(found.end - found.start - len(MESSAGE) * 10 * RATE_HZ / 1200) < 4


def test_result_comes_within_150_ms_of_the_last_bit_and_little_cpu() -> None:
    signal = line(silence(0.3), fsk_signal(MESSAGE, end_mark_bits=0), silence(0.5))
    last_bit = len(signal) - RATE_HZ // 2
    receiver = CallerIdReceiver(1, RATE_HZ)
    slowest_s = 0.0
    for at in range(0, len(signal), 160):
        before_s = time.thread_time()
        found = receiver.feed(signal[at : at + 160], at)
        slowest_s = max(slowest_s, time.thread_time() - before_s)
        if found:
            break
    assert found and at + 160 - last_bit <= 0.15 * RATE_HZ
    assert slowest_s < 0.06


def test_eight_lines_at_once() -> None:
    sent = [CallerId("bell202", "mdmf", f"1380013800{at}", None, "11220446") for at in range(8)]
    signals = [
        line(silence(0.2 + at * 0.037), fsk_signal(mdmf.build(one)), silence(0.8 - at * 0.037))
        for at, one in enumerate(sent)
    ]
    shortest = min(len(signal) for signal in signals)
    samples = np.concatenate([signal[:shortest] for signal in signals], axis=1)
    found = feed(CallerIdReceiver(8, RATE_HZ), samples)
    assert {one.line: one.caller and one.caller.number for one in found} == {
        at + 1: one.number for at, one in enumerate(sent)
    }


def test_lost_samples_in_a_burst_do_not_confuse_the_next() -> None:
    burst = line(silence(0.3), fsk_signal(MESSAGE), silence(0.4))
    receiver = CallerIdReceiver(1, RATE_HZ)
    found = feed(receiver, burst[:5000]) + feed(receiver, burst, position=90000)
    assert [one.caller is not None for one in found] == [True]


@pytest.mark.parametrize("seed", range(2))
def test_noise_is_no_caller(seed: int) -> None:
    assert read(noisy(silence(20), 0, amplitude(-20) ** 2, seed)) == []


TWO = line(
    silence(0.2), fsk_signal(MESSAGE), silence(0.3), noisy(fsk_signal(MESSAGE, V23), 5, POWER), silence(0.5)
)


@settings(max_examples=12, deadline=None)
@given(st.lists(st.integers(1, 4000), min_size=1, max_size=20))
def test_findings_do_not_depend_on_the_cutting(cuts: list[int]) -> None:
    whole, pieces = same_however_cut(lambda: CallerIdReceiver(1, RATE_HZ), TWO, cuts)
    assert whole == pieces and len(whole) == 2
