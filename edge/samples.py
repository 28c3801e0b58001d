"""What comes in from a HAT: blocks of audio and readings of line voltage, on one time line.

A *position* counts samples per line since the recorder started, at the HAT's rate. It goes on counting while
samples are lost, so a position is also a time, and everything inside the recorder is ordered by it.
Lines are counted from 1, as on the case; column `line - 1` of a block belongs to it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]


class SamplesError(ValueError):
    """Samples that are not what the next stage was promised."""


@dataclass(frozen=True, slots=True)
class AudioBlock:
    """Some samples of all lines of one HAT."""

    position: int  # of the first frame
    samples: Samples  # int16, shape (frames, lines)

    @property
    def end(self) -> int:
        """The position just after the last frame."""
        return self.position + len(self.samples)


@dataclass(frozen=True, slots=True)
class LineReading:
    """The line voltage as the HAT measured it over one window (10-20 ms)."""

    line: int  # as counted on the board
    position: int
    voltage_v: float  # signed, tip to ring
    ring_half_waves: int  # zero crossings of ringing voltage in the window


def check_block(samples: NDArray[np.generic], lines: int) -> Samples:
    """Return `samples` as int16 of shape (frames, lines); raise SamplesError for anything else."""
    if samples.dtype != np.int16:
        raise SamplesError(f"samples must be int16, got {samples.dtype}")
    if samples.ndim != 2 or samples.shape[1] != lines:
        raise SamplesError(f"samples must have shape (frames, {lines}), got {samples.shape}")
    return samples.astype(np.int16, copy=False)
