"""Calling and answering machines, with and without the reversals that put echo cancellers off."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.dsp.fax import CED_HZ, FaxReceiver, answer_signal
from edge.dsp.level import amplitude
from edge.dsp.tones import tone_signal
from tests.edge.signals import RATE_HZ, feed, line, noisy, same_however_cut, silence

Signal = np.ndarray


def heard(
    signal: Signal, snr_db: float | None = None, rate_hz: int = RATE_HZ
) -> list[tuple[str, bool, bool]]:
    """(tone, reversals, ended) of everything found."""
    whole = np.concatenate([silence(0.5, rate_hz), signal, silence(4, rate_hz)])
    if snr_db is not None:
        whole = noisy(whole, snr_db, float((signal[signal != 0] ** 2).mean()))
    return [(one.tone, one.reversals, one.ended) for one in feed(FaxReceiver(1, rate_hz), line(whole))]


def once(tone: str, reversals: bool = False) -> list[tuple[str, bool]]:
    return [(tone, reversals), (tone, reversals)]


@pytest.mark.parametrize("snr_db", [None, 10])
@pytest.mark.parametrize("swells", [False, True])
@pytest.mark.parametrize("reversals", [False, True])
@pytest.mark.parametrize("level_dbm0", [-10, -42])
def test_answering_machines(level_dbm0: float, reversals: bool, swells: bool, snr_db: float | None) -> None:
    found = heard(answer_signal(3, reversals, swells, level_dbm0=level_dbm0), snr_db)
    assert [one[:2] for one in found] == once("ced", reversals)


@pytest.mark.parametrize("snr_db", [None, 10])
def test_calling_machine(snr_db: float | None) -> None:
    found = heard(tone_signal("cng", 7.5, "fax"), snr_db)
    assert [one[:2] for one in found] == once("cng")


@pytest.mark.parametrize("hz", [2085.0, 2115.0])
def test_a_tone_off_by_what_is_allowed_has_no_reversals(hz: float) -> None:
    """ITU-T T.30 allows 15 Hz; the phase drifts then, and a drift is no reversal."""
    sound = amplitude(-15) * np.sin(2 * np.pi * hz * np.arange(3 * RATE_HZ) / RATE_HZ)
    assert [one[:2] for one in heard(sound.astype(np.float32))] == once("ced")


@pytest.mark.parametrize("hz", [CED_HZ - 60, CED_HZ + 60, 1040.0, 1160.0])
def test_other_tones_are_none(hz: float) -> None:
    sound = amplitude(-15) * np.sin(2 * np.pi * hz * np.arange(3 * RATE_HZ) / RATE_HZ)
    assert heard(sound.astype(np.float32)) == []


def test_too_quiet() -> None:
    assert heard(answer_signal(3, level_dbm0=-58)) == []


def test_lines_of_16_khz() -> None:
    assert [one[:2] for one in heard(answer_signal(3, True, rate_hz=16000), rate_hz=16000)] == once(
        "ced", True
    )


def test_reversals_are_known_when_the_tone_is() -> None:
    """An event cannot be taken back: it comes late enough to have heard one."""
    receiver = FaxReceiver(1, RATE_HZ)
    found = receiver.feed(line(answer_signal(1.2, True)), 0)
    assert [(one.tone, one.reversals, one.ended) for one in found] == [("ced", True, False)]


BOTH = line(silence(0.3), answer_signal(1.5, True), silence(1), tone_signal("cng", 4, "fax"), silence(2))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 5000), min_size=1, max_size=15))
def test_findings_do_not_depend_on_the_cutting(cuts: list[int]) -> None:
    def told(found: list[object]) -> set[tuple[object, ...]]:
        return {(one.start, one.tone, one.ended) for one in found}  # type: ignore[attr-defined]

    whole, pieces = same_however_cut(lambda: FaxReceiver(1, RATE_HZ), BOTH, cuts)
    assert told(whole) == told(pieces)


def test_lost_samples_end_it() -> None:
    receiver = FaxReceiver(1, RATE_HZ)
    found = receiver.feed(line(answer_signal(2)), 0) + receiver.feed(line(silence(1)), 80000)
    assert [(one.tone, one.ended) for one in found] == [("ced", False), ("ced", True)]
