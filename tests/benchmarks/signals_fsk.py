"""Caller ID in white noise: which share of messages each decoder reads, and gets wrong, from -2 to 12 dB SNR.

SIGNALS_MESSAGES sets the messages a point (400; V.23 has half as many). Curves go to build/bench as pictures.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np

from tests.benchmarks import curves, peers
from tests.benchmarks.figures import Figure
from tests.benchmarks.scores import Score, crossing, score_cells
from tests.signals.fsk_cells import sweep
from tests.signals.messages import BELL202, V23, Modem

SNRS_DB = tuple(float(snr) for snr in range(-2, 13))
MESSAGES = 400
MOST_WRONG = 0.005
STANDARDS: dict[str, tuple[Modem, int]] = {
    "bell202": (BELL202, 1),
    "v23": (V23, 2),
}  # divisor of the messages
Curve = dict[float, Score]


def measure() -> list[Figure]:
    """Sweep both standards."""
    peers.install()
    count = int(os.environ.get("SIGNALS_MESSAGES", MESSAGES))
    figures: list[Figure] = []
    for standard, (modem, divisor) in STANDARDS.items():
        cells = {snr: sweep(modem, snr) for snr in SNRS_DB}
        scores = score_cells(list(cells.values()), max(1, count // divisor))
        swept = {name: {snr: mine[cell.name] for snr, cell in cells.items()} for name, mine in scores.items()}
        curves.draw(f"signals_fsk_{standard}", standard, swept)
        figures += _figures(standard, swept)
    return figures


def _figures(standard: str, swept: Mapping[str, Curve]) -> list[Figure]:
    ours = swept["ours"]
    count = ours[0.0].count
    rows = [
        Figure(f"{standard}, right at 2 dB", ours[2.0].success, f"of {count}", target=0.95, at_least=True),
        Figure(f"{standard}, right at 4 dB", ours[4.0].success, f"of {count}", target=0.99, at_least=True),
        *_against_peers(standard, swept),
    ]
    for name, curve in swept.items():
        worst = max(curve, key=lambda snr: curve[snr].wrongs)
        limit = MOST_WRONG if name == "ours" else None
        rows.append(
            Figure(
                f"{standard}, {name}, wrong, worst ({worst:g} dB)", curve[worst].wrongs, "share", target=limit
            )
        )
        crossings = ((share, crossing(curve, share)) for share in (0.5, 0.95))
        rows += [
            Figure(f"{standard}, {name}, {share:.0%} right from", snr, "dB SNR")
            for share, snr in crossings
            if snr is not None
        ]
    for name, curve in swept.items():
        for snr, score in curve.items():
            rows.append(
                Figure(f"{standard}, {name}, right at {snr:g} dB", score.success, f"of {score.count}")
            )
            rows.append(Figure(f"{standard}, {name}, wrong at {snr:g} dB", score.wrongs, f"of {score.count}"))
    return rows


def _against_peers(standard: str, swept: Mapping[str, Curve]) -> list[Figure]:
    means = {name: mean_success(curve) for name, curve in swept.items()}
    best = max((name for name in means if name != "ours"), key=lambda name: means[name])
    what = f"{standard}, mean right 0..12 dB"
    return [
        Figure(
            f"{what}, against spandsp",
            means["ours"],
            "share",
            means["spandsp"],
            ratio_target=2.3,
            at_least=True,
        ),
        Figure(
            f"{what}, against {best}", means["ours"], "share", means[best], ratio_target=1.5, at_least=True
        ),
        *(Figure(f"{what}, {name}", mean, "share") for name, mean in means.items()),
    ]


def mean_success(curve: Curve) -> float:
    """Return the mean share of right ones over 0..12 dB."""
    return float(np.mean([score.success for snr, score in curve.items() if 0 <= snr <= 12]))
