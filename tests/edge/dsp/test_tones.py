"""Every tone of every country, alone, in noise, at both ends of its limits; the law of cutting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.dsp.level import amplitude
from edge.dsp.tones import TONES, ToneReceiver, ToneRow, tone_row, tone_signal
from tests.edge.signals import RATE_HZ, feed, line, noisy, same_however_cut, silence

ALL = [(country, row.name) for country, rows in TONES.items() for row in rows]


def heard(
    signal: np.ndarray,
    country: str,
    rate_hz: int = RATE_HZ,
    snr_db: float | None = None,
    after_s: float = 6,
) -> list[str]:
    """Which tones were recognised and ended, in order."""
    whole = np.concatenate([silence(0.5, rate_hz), signal, silence(after_s, rate_hz)])
    if snr_db is not None:
        whole = noisy(whole, snr_db, float((signal[signal != 0] ** 2).mean()))
    found = feed(ToneReceiver(1, rate_hz, country), line(whole))
    recognised = [tone.tone for tone in found if not tone.ended]
    assert recognised == [tone.tone for tone in found if tone.ended]
    return recognised


def keyed(
    hz: float, cadence_s: tuple[float, ...], seconds: float = 12, level_dbm0: float = -10
) -> np.ndarray:
    """A tone with any cadence."""
    times_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    slot = np.searchsorted(np.cumsum(cadence_s), times_s % sum(cadence_s), side="right")
    return (amplitude(level_dbm0) * np.sin(2 * np.pi * hz * times_s) * (slot % 2 == 0)).astype(np.float32)


@pytest.mark.parametrize(("country", "tone"), ALL)
@pytest.mark.parametrize(("level_dbm0", "snr_db"), [(-10, None), (-10, 10), (-45, 10)])
def test_each_tone_is_recognised_once_and_as_nothing_else(
    country: str, tone: str, level_dbm0: float, snr_db: float | None
) -> None:
    longest_s = max(tone_row(tone, country).cadence_s, default=0.0)
    signal = tone_signal(tone, 10, country, level_dbm0=level_dbm0)
    assert heard(signal, country, snr_db=snr_db, after_s=max(6, 1.3 * longest_s)) == [tone]


@pytest.mark.parametrize("tone", ["dial", "ringback", "busy", "congestion"])
def test_lines_of_16_khz(tone: str) -> None:
    assert heard(tone_signal(tone, 9, "cn", 16000), "cn", 16000) == [tone]


@pytest.mark.parametrize(("hz", "expected"), [(425, ["busy"]), (475, ["busy"]), (390, []), (510, [])])
def test_frequency_limits_in_china(hz: float, expected: list[str]) -> None:
    assert heard(keyed(hz, (0.35, 0.35)), "cn") == expected


@pytest.mark.parametrize("scale", [0.9, 1.1])
def test_cadence_ten_percent_off_is_accepted(scale: float) -> None:
    assert heard(keyed(450, (0.35 * scale, 0.35 * scale)), "cn") == ["busy"]
    assert heard(keyed(450, (0.7 * scale, 0.7 * scale)), "cn") == ["congestion"]


@pytest.mark.parametrize("cadence_s", [(0.35, 0.7), (0.2, 0.35), (0.5, 0.5), (0.1, 0.1)])
def test_other_cadences_are_no_tone(cadence_s: tuple[float, float]) -> None:
    assert heard(keyed(450, cadence_s), "cn") == []


@pytest.mark.parametrize(("level_dbm0", "expected"), [(-45, ["dial"]), (-58, [])])
def test_level_limits(level_dbm0: float, expected: list[str]) -> None:
    assert heard(tone_signal("dial", 4, level_dbm0=level_dbm0), "cn") == expected


def test_start_end_and_level_are_reported() -> None:
    found = feed(
        ToneReceiver(1, RATE_HZ, "cn"), line(silence(1), tone_signal("dial", 5, level_dbm0=-17), silence(1))
    )
    begun, over = found
    assert not begun.ended and over.ended
    assert abs(begun.start - 8000) <= 200 and abs(over.end - 48000) <= 200
    assert abs(over.level_dbm0 + 17) < 0.5


def test_busy_is_recognised_within_the_second_burst() -> None:
    receiver = ToneReceiver(1, RATE_HZ, "cn")
    found = receiver.feed(line(tone_signal("busy", 1.2)), 0)
    assert [tone.tone for tone in found] == ["busy"]


def test_ringback_does_not_wait_for_the_second_burst() -> None:
    receiver = ToneReceiver(1, RATE_HZ, "cn")
    found = receiver.feed(line(tone_signal("ringback", 2.5)), 0)
    assert [tone.tone for tone in found] == ["ringback"]


def test_busy_after_ringback_after_dial() -> None:
    call = [
        tone_signal("dial", 3),
        silence(1),
        tone_signal("ringback", 11),
        silence(5),
        tone_signal("busy", 4),
    ]
    assert heard(np.concatenate(call), "cn") == ["dial", "ringback", "busy"]


def test_the_last_burst_of_a_busy_tone_is_no_call_waiting() -> None:
    bursts = [silence(0.5), *[tone_signal("dial", 0.38), silence(0.6)] * 3, silence(4)]
    assert heard(np.concatenate(bursts), "cn") == [], "0.6 s between them: neither busy nor alone"


@pytest.mark.parametrize("seconds", [4.3, 6.0])
def test_a_tone_cut_off_in_a_burst_is_no_call_waiting(seconds: float) -> None:
    assert heard(tone_signal("congestion", seconds), "cn") == ["congestion"]


def test_a_dial_tone_that_stutters_first_is_both() -> None:
    """As in North America when messages wait: ten short bursts, then the ordinary tone."""
    both = [tone_signal("special_dial", 2, "us"), tone_signal("dial", 3, "us")]
    assert heard(np.concatenate(both), "us") == ["special_dial", "dial"]


def test_a_howler_grows_louder() -> None:
    steps = [tone_signal("howler", 2, "cn", level_dbm0=level) for level in (-30, -24, -18, -12, -6)]
    assert heard(np.concatenate(steps), "cn") == ["howler"]


def test_special_information_tone_is_no_howler() -> None:
    """Its first note is that of the howler in China, a third of a second long."""
    sit = np.concatenate([keyed(hz, (0.33, 0.01), 0.33) for hz in (950, 1400, 1800)])
    assert heard(np.concatenate([sit, silence(1), sit]), "cn") == []


def test_noise_is_no_tone() -> None:
    assert heard(noisy(silence(30), 0, amplitude(-20) ** 2), "cn") == []
    assert heard(noisy(silence(30), 0, amplitude(-20) ** 2), "us") == []


def test_lost_samples_end_what_was_heard() -> None:
    receiver = ToneReceiver(1, RATE_HZ, "cn")
    found = receiver.feed(line(tone_signal("dial", 3)), 0) + receiver.feed(line(silence(1)), 80000)
    assert [(tone.tone, tone.ended) for tone in found] == [("dial", False), ("dial", True)]


def test_lines_do_not_disturb_each_other() -> None:
    tones = ["dial", "busy", "congestion", "ringback"]
    samples = np.concatenate([line(tone_signal(tone, 8), silence(5)) for tone in tones], axis=1)
    found = feed(ToneReceiver(4, RATE_HZ, "cn"), samples)
    assert {(tone.line, tone.tone) for tone in found} == set(enumerate(tones, 1))


CALL = line(tone_signal("dial", 2), silence(0.3), tone_signal("busy", 3), silence(1))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 5000), min_size=1, max_size=20))
def test_findings_do_not_depend_on_the_cutting(cuts: list[int]) -> None:
    whole, pieces = same_however_cut(lambda: ToneReceiver(1, RATE_HZ, "cn"), CALL, cuts)
    assert [tone.tone for tone in whole] == [tone.tone for tone in pieces]
    assert {(t.tone, t.start, t.ended) for t in whole} == {(t.tone, t.start, t.ended) for t in pieces}


def test_rows_are_complete_and_unknown_names_are_refused() -> None:
    for country in ("cn", "us", "uk", "eu"):
        assert {row.name for row in TONES[country]} >= {"dial", "ringback", "busy", "congestion"}
    assert tone_row("busy", "cn") == ToneRow("busy", (450,), (0.35, 0.35))
    for tone, country in (("hum", "cn"), ("dial", "xx")):
        with pytest.raises(KeyError, match="there are"):
            tone_row(tone, country)
