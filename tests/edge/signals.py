"""What the signal tests share: lines with noise on them, and receivers fed in any cutting."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.dsp.level import to_int16

RATE_HZ = 8000


def silence(seconds: float, rate_hz: int = RATE_HZ) -> NDArray[np.float32]:
    """Return digital silence."""
    return np.zeros(round(seconds * rate_hz), np.float32)


def noisy(
    signal: NDArray[np.float32], snr_db: float, signal_power: float, seed: int = 1
) -> NDArray[np.float32]:
    """Add white noise `snr_db` below `signal_power` (mean square), 0-4 kHz."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=len(signal)) * np.sqrt(signal_power / 10 ** (snr_db / 10))
    return np.asarray(signal + noise, np.float32)


def line(*pieces: NDArray[np.float32]) -> NDArray[np.int16]:
    """Return the pieces one after the other as one line, int16 (frames, 1)."""
    return to_int16(np.concatenate(pieces))[:, None]


def feed(
    receiver: Any, samples: NDArray[np.int16], cuts: Iterable[int] = (160,), position: int = 0
) -> list[Any]:
    """Feed in blocks of the given lengths (the last one repeats); return all findings."""
    found: list[Any] = []
    lengths = list(cuts)
    at = 0
    while at < len(samples):
        length = lengths.pop(0) if len(lengths) > 1 else lengths[0]
        found += receiver.feed(samples[at : at + length], position + at)
        at += length
    return found


def same_however_cut(
    make: Callable[[], Any], samples: NDArray[np.int16], cuts: Sequence[int]
) -> tuple[list[Any], list[Any]]:
    """Return the findings of one big block and of pieces; the law says they are equal."""
    whole = make().feed(samples, 0)
    return sorted(whole, key=repr), sorted(feed(make(), samples, cuts), key=repr)
