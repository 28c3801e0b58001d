"""Curves of success over noise as pictures, with what the waveform allows in theory drawn in.

The limits are closed formulas, so the picture shows how far every decoder is from them:

    one bit at a time, noncoherent     Pe = Q1(a, b) - exp(-(a2 + b2) / 2) I0(ab) / 2
    whole sequence, coherent           Pe = Q(sqrt(d2 Eb/N0)), d2 = 2 (1 - sinc 2h)

with Eb/N0 = SNR + 5.23 dB at 1200 bit/s in 4 kHz, and (1 - Pe) to the number of bits for a message.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from scipy.special import i0e
from scipy.stats import ncx2, norm

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from tests.benchmarks.scores import Score

FOLDER = Path(__file__).parents[2] / "build" / "bench"
MESSAGE_BITS = 8 * 37
BAND_HZ, BAUD = 4000.0, 1200.0
SHIFT_HZ = {"bell202": 1000.0, "v23": 800.0}
COLOURS = {
    "ours": "#0b6e4f",
    "spandsp": "#c1440e",
    "libvpb": "#a06cd5",
    "minimodem": "#8c8c8c",
    "multimon-ng": "#3b6ea5",
}
SAVED = {"svg.hashsalt": "branchline", "svg.fonttype": "none", "font.size": 9}


def one_bit_at_a_time(snr_db: NDArray[np.float64], standard: str) -> NDArray[np.float64]:
    """Share of messages right for the best noncoherent receiver that decides each bit alone."""
    energy = 10 ** (snr_db / 10) * BAND_HZ / BAUD
    overlap = np.sqrt(1 - np.sinc(SHIFT_HZ[standard] / BAUD) ** 2)
    a, b = np.sqrt(energy / 2 * (1 - overlap)), np.sqrt(energy / 2 * (1 + overlap))
    marcum = ncx2.sf(b**2, 2, a**2)
    bessel = np.exp(-((a - b) ** 2) / 2) * i0e(a * b)
    return np.asarray((1 - (marcum - bessel / 2)) ** MESSAGE_BITS)


def whole_sequence(snr_db: NDArray[np.float64], standard: str) -> NDArray[np.float64]:
    """Share of messages right for coherent detection of the whole sequence of bits."""
    energy = 10 ** (snr_db / 10) * BAND_HZ / BAUD
    distance = 2 * (1 - np.sinc(2 * SHIFT_HZ[standard] / BAUD))
    return np.asarray((1 - norm.sf(np.sqrt(distance * energy))) ** MESSAGE_BITS)


def draw(
    name: str, standard: str, swept: Mapping[str, Mapping[float, Score]], folder: Path = FOLDER
) -> list[Path]:
    """Draw decoder -> SNR -> score as `name`.png and .svg in the folder."""
    with mpl.rc_context(SAVED):
        figure, (right, wrong) = plt.subplots(
            2, 1, sharex=True, figsize=(6.4, 5.0), height_ratios=(4, 1), layout="constrained"
        )
        for decoder, curve in swept.items():
            snrs = sorted(curve)
            style = {"color": COLOURS.get(decoder), "lw": 2.2 if decoder == "ours" else 1.2}
            right.plot(snrs, [100 * curve[snr].success for snr in snrs], label=decoder, **style)
            wrong.plot(snrs, [100 * curve[snr].wrongs for snr in snrs], **style)
        _limits(right, standard)
        counts = {score.count for curve in swept.values() for score in curve.values()}
        right.set(ylabel="messages right, %", title=f"{standard}, MDMF, {min(counts)} messages a point")
        wrong.set(ylabel="wrong, %", xlabel="SNR in 0-4 kHz, dB", ylim=(0, 6))
        right.legend(loc="lower right", fontsize=8)
        for axes in (right, wrong):
            axes.grid(alpha=0.3)
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{name}.{kind}" for kind in ("png", "svg")]
        for path in paths:
            figure.savefig(path, dpi=120, metadata={"Date": None} if path.suffix == ".svg" else None)
        plt.close(figure)
    return paths


def _limits(axes: Axes, standard: str) -> None:
    snrs = np.linspace(-3, 12, 61)
    axes.plot(snrs, 100 * whole_sequence(snrs, standard), "k--", lw=0.9, label="limit, whole sequence")
    axes.plot(snrs, 100 * one_bit_at_a_time(snrs, standard), "k:", lw=0.9, label="limit, one bit at a time")
