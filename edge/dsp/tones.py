"""Call-progress tones as rows of data per country, and their transmitter (ITU-T E.180; China GB 3380).

A row is a name, the frequencies that sound together, and the cadence as on, off, on, off ... seconds (empty:
continuous). A new country is one more list; nothing else changes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.dsp.level import amplitude


@dataclass(frozen=True, slots=True)
class ToneRow:
    """One tone of one country."""

    name: str
    hz: tuple[float, ...]
    cadence_s: tuple[float, ...] = ()


TONES: dict[str, tuple[ToneRow, ...]] = {
    "cn": (
        ToneRow("dial", (450,)),
        ToneRow("ringback", (450,), (1.0, 4.0)),
        ToneRow("busy", (450,), (0.35, 0.35)),
        ToneRow("congestion", (450,), (0.7, 0.7)),
    ),
    "us": (
        ToneRow("dial", (350, 440)),
        ToneRow("ringback", (440, 480), (2.0, 4.0)),
        ToneRow("busy", (480, 620), (0.5, 0.5)),
        ToneRow("congestion", (480, 620), (0.25, 0.25)),
    ),
    "uk": (
        ToneRow("dial", (350, 440)),
        ToneRow("ringback", (400, 450), (0.4, 0.2, 0.4, 2.0)),
        ToneRow("busy", (400,), (0.375, 0.375)),
        ToneRow("congestion", (400,), (0.4, 0.35, 0.225, 0.525)),
    ),
    "eu": (
        ToneRow("dial", (425,)),
        ToneRow("ringback", (425,), (1.0, 4.0)),
        ToneRow("busy", (425,), (0.48, 0.48)),
        ToneRow("congestion", (425,), (0.24, 0.24)),
    ),
}


def tone_row(tone: str, country: str) -> ToneRow:
    """Return the row; raises KeyError naming what there is."""
    rows = {row.name: row for row in TONES.get(country, ())}
    if tone not in rows:
        raise KeyError(f"no tone {tone!r} for country {country!r}; there are {sorted(rows) or sorted(TONES)}")
    return rows[tone]


def tone_signal(
    tone: str, duration_s: float, country: str = "cn", rate_hz: int = 8000, level_dbm0: float = -10.0
) -> NDArray[np.float32]:
    """Return `duration_s` of the tone with its cadence, float32 in -1..1, shape (n,); level per frequency."""
    row = tone_row(tone, country)
    times_s = np.arange(round(duration_s * rate_hz)) / rate_hz
    sound = sum((np.sin(2 * np.pi * hz * times_s) for hz in row.hz), np.zeros_like(times_s))
    if row.cadence_s:
        edges_s = np.cumsum(row.cadence_s)
        slot = np.searchsorted(edges_s, times_s % edges_s[-1], side="right")
        sound = np.where(slot % 2 == 0, sound, 0.0)
    return (amplitude(level_dbm0) * sound).astype(np.float32)
