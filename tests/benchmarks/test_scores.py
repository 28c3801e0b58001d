"""The judge is judged: outcomes, crossings, common keys, theory, and what peers print, read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks import peers, scores
from tests.benchmarks.curves import draw, one_bit_at_a_time, whole_sequence
from tests.benchmarks.figures import Figure
from tests.benchmarks.scores import LOST, RIGHT, WRONG, Score, crossing
from tests.benchmarks.signals_dtmf import in_common
from tests.benchmarks.signals_fsk import mean_success
from tests.signals.messages import Who, mdmf, sdmf

ANN = Who("11221530", "02155501234", "ANN ONYM")
BOB = Who("11221530", "02155501235", "ANN ONYM")


@pytest.mark.parametrize(
    ("read", "outcome"),
    [
        ([ANN], RIGHT),
        ([ANN, ANN], RIGHT),
        ([], LOST),
        ([BOB], WRONG),
        ([ANN, BOB], WRONG),
        ([BOB, ANN], WRONG),
    ],
)
def test_one_wrong_caller_spoils_a_clip(read: list[Who], outcome: int) -> None:
    assert scores._outcome(ANN, read) == outcome


def test_a_peer_with_two_receivers_is_right_when_either_is() -> None:
    first = [[ANN], [], [BOB], []]
    second = [[], [ANN], [ANN], [BOB]]
    score = scores._score([ANN] * 4, [np.zeros(1, np.int16)] * 4, [lambda clips: first, lambda clips: second])
    assert score == Score(4, 3, 1)
    assert (score.success, score.wrongs) == (0.75, 0.25)
    assert score + score == Score(8, 6, 2)


def curve(*shares: float) -> dict[float, Score]:
    return {float(snr): Score(100, round(100 * share)) for snr, share in enumerate(shares)}


@pytest.mark.parametrize(
    ("shares", "share", "snr"),
    [
        ((0.0, 0.0, 1.0), 0.5, 1.5),
        ((0.0, 0.4, 0.6, 1.0), 0.5, 1.5),
        ((0.6, 0.2, 0.6, 1.0), 0.5, 1.75),
        ((0.9, 1.0), 0.5, 0.0),
        ((0.0, 0.4), 0.5, None),
    ],
)
def test_the_last_crossing_counts(shares: tuple[float, ...], share: float, snr: float | None) -> None:
    assert crossing(curve(*shares), share) == pytest.approx(snr)


def test_mean_success_is_over_0_to_12_db() -> None:
    points = {float(snr): Score(10, 10 if snr >= 6 else 0) for snr in range(-2, 15)}
    assert mean_success(points) == pytest.approx(7 / 13)


@pytest.mark.parametrize(
    ("pressed", "found", "right"),
    [
        ("123", "123", 3), ("123", "", 0), ("123", "13", 2), ("123", "1123", 3),
        ("123", "321", 1), ("", "5", 0), ("AB12", "A1B2", 3),
    ],
)  # fmt: skip
def test_keys_in_common_are_in_order(pressed: str, found: str, right: int) -> None:
    assert in_common(pressed, found) == right


@pytest.mark.parametrize(
    ("limit", "standard", "half_db", "most_db"),
    [
        (one_bit_at_a_time, "bell202", 5.4, 7.2),
        (one_bit_at_a_time, "v23", 6.4, 8.4),
        (whole_sequence, "bell202", 0.1, 2.2),
        (whole_sequence, "v23", 0.0, 2.1),
    ],
)
def test_limits_cross_where_the_formulas_say(limit, standard: str, half_db: float, most_db: float) -> None:
    snrs = np.linspace(-3, 12, 1501)
    right = limit(snrs, standard)
    assert np.all(np.diff(right) >= -1e-12) and 0 <= right[0] < 0.01 and right[-1] > 0.999
    assert snrs[np.argmax(right > 0.5)] == pytest.approx(half_db, abs=0.15)
    assert snrs[np.argmax(right > 0.95)] == pytest.approx(most_db, abs=0.15)


@pytest.mark.parametrize(
    ("figure", "ok"),
    [
        (Figure("a", 2.0, "s", target=2.0), True),
        (Figure("a", 2.1, "s", target=2.0), False),
        (Figure("a", 2.1, "s", target=2.0, at_least=True), True),
        (Figure("a", 1.9, "s", target=2.0, at_least=True), False),
        (Figure("a", 3.0, "s", 2.0, ratio_target=1.5), True),
        (Figure("a", 3.0, "s", 2.0, ratio_target=1.4), False),
        (Figure("a", 3.0, "s", 2.0, ratio_target=1.6, at_least=True), False),
        (Figure("a", 3.0, "s"), None),
    ],
)
def test_targets_are_ceilings_or_floors(figure: Figure, ok: bool | None) -> None:
    assert figure.ok is ok


@pytest.mark.parametrize("who", [ANN, Who("01010000", "5551", "")])
def test_what_spandsp_says_is_read_back(who: Who) -> None:
    assert peers._who(f"bell202 {mdmf(who)[:-1].hex()}") == who


def test_the_older_format_has_no_name() -> None:
    assert peers._who(f"bell202 {sdmf(ANN)[:-1].hex()}") == Who(ANN.date_time, ANN.number)


@pytest.mark.parametrize(
    ("text", "who"),
    [
        ("Time:  11/22 15:30\nPhone: 02155501234\nName:  ANN ONYM\n", ANN),
        ("Time:  11/22 15:30\nPhone: 066-473-8674\n", Who("11221530", "0664738674")),
        ("Time:  garbled\n", Who("", "")),
    ],
)
def test_what_minimodem_prints_is_read_back(text: str, who: Who) -> None:
    assert peers._minimodem_who(text) == who


@pytest.mark.parametrize(
    ("text", "who"),
    [
        ("CLIPFSK: CS DATE=11221530 CID=02155501234 CNT=ANN ONYM", ANN),
        ("CLIPFSK: CS DATE=11221530 CID=5551", Who("11221530", "5551")),
    ],
)
def test_what_multimon_prints_is_read_back(text: str, who: Who) -> None:
    assert peers._multimon_who(text) == who


def test_a_picture_names_its_decoders_and_limits_and_is_always_the_same(tmp_path: Path) -> None:
    swept = {"ours": curve(0.0, 0.5, 1.0), "spandsp": curve(0.0, 0.0, 0.5)}
    picture, drawn = draw("any", "v23", swept, tmp_path)
    assert picture.read_bytes().startswith(b"\x89PNG")
    text = drawn.read_text()
    assert all(
        words in text for words in ("ours", "spandsp", "limit, whole sequence", "v23, MDMF, 100 messages")
    )
    assert draw("again", "v23", swept, tmp_path)[1].read_text() == text
