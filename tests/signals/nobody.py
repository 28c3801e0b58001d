"""Sounds that hold no caller ID and no key: speech, noise, music and fax, by the minute.

Each is a function of a generator of random numbers; an hour of it is sixty different minutes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import soxr
from scipy.signal import lfilter

from tests.signals import speech
from tests.signals.line import RATE_HZ, Rng, Signal, peak

MINUTE = 60 * RATE_HZ
SPOKEN_S = 680.0  # of each voice, 3.2 h of all
SEMITONE = 2 ** (1 / 12)
SCALE = (0, 2, 4, 5, 7, 9, 11, 12)
FAX_BAUD, FAX_HZ, FAX_SYMBOLS = 300, (1650.0, 1850.0), 2400  # V.21 channel 2 (1 is low), V.29 and V.27 ter


def spoken(rng: Rng) -> Signal:
    """A voice, faster or slower and so higher or lower, at -30 to -10 dBm0."""
    at = int(rng.integers(len(speech.VOICES)))
    pace = rng.uniform(0.8, 1.25)
    start = int(rng.integers(SPOKEN_S * RATE_HZ - 1.3 * MINUTE))
    piece = speech.voice(at, SPOKEN_S, start, round(MINUTE * pace) + 1)
    resampled = soxr.resample(piece, RATE_HZ * pace, RATE_HZ, "MQ")[:MINUTE]
    return resampled * peak(rng.uniform(-30, -10)) / peak(speech.LEVEL_DBM0)


def noise(rng: Rng) -> Signal:
    """Noise of any colour at -60 to -10 dBm0, its level wandering."""
    pole = rng.uniform(-0.9, 0.95)
    coloured = lfilter([1.0], [1.0, -pole], rng.normal(size=MINUTE))
    wander = np.interp(np.arange(MINUTE), np.linspace(0, MINUTE, 61), rng.uniform(0.1, 1, 61))
    return coloured / np.std(coloured) * wander * peak(rng.uniform(-60, -10))


def music(rng: Rng) -> Signal:
    """Music on hold: a tune of plucked notes with overtones over a slow chord, telephone level."""
    beat = round(RATE_HZ * rng.uniform(0.12, 0.5))
    root_hz = rng.uniform(110, 330)
    made = np.zeros(MINUTE + 4 * beat)
    for start in range(0, MINUTE, beat):
        note = _note(root_hz * 2, rng.choice(SCALE), 4 * beat, rng)
        made[start : start + 4 * beat] += note * rng.uniform(0, 1)
        if start // beat % 8 == 0:
            chord = sum(_note(root_hz, SCALE[step], 4 * beat, rng) for step in (0, 2, 4))
            made[start : start + 4 * beat] += chord
    return made[:MINUTE] / np.std(made) * peak(rng.uniform(-25, -10)) / np.sqrt(2)


def _note(root_hz: float, semitones: int, length: int, rng: Rng) -> Signal:
    times = np.arange(length) / RATE_HZ
    hz = root_hz * SEMITONE**semitones
    overtones = [part for part in range(1, 9) if part * hz < 3600]
    sound = sum(np.sin(2 * np.pi * part * hz * times + rng.uniform(0, 6)) / part for part in overtones)
    return np.asarray(sound * np.exp(-times * rng.uniform(1, 8)))


def fax(rng: Rng) -> Signal:
    """A fax call: CNG, CED, pages of 300 bit/s handshake and 2400-baud QAM with pauses."""
    pieces: list[Signal] = []
    while sum(map(len, pieces)) < MINUTE:
        pieces += [
            _tone(1100.0, 0.5), np.zeros(3 * RATE_HZ), _tone(2100.0, rng.uniform(2.6, 4.0)),
            np.zeros(RATE_HZ * 75 // 1000), _handshake(rng, rng.uniform(1.0, 3.0)),
            np.zeros(RATE_HZ * 75 // 1000), _page(rng, rng.uniform(4.0, 15.0)), np.zeros(RATE_HZ),
        ]  # fmt: skip
    return np.concatenate(pieces)[:MINUTE] * peak(rng.uniform(-30, -10))


def _tone(hz: float, seconds: float) -> Signal:
    return np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE_HZ)) / RATE_HZ)


def _handshake(rng: Rng, seconds: float) -> Signal:
    """V.21: flags (01111110) for a second, then whatever."""
    flags = np.tile([0, 1, 1, 1, 1, 1, 1, 0], 37)
    bits = np.concatenate([flags, rng.integers(0, 2, round(seconds * FAX_BAUD))])
    which = bits[(np.arange(len(bits) * RATE_HZ // FAX_BAUD) * FAX_BAUD // RATE_HZ)]
    return np.sin(2 * np.pi * np.cumsum(np.where(which == 1, *FAX_HZ)) / RATE_HZ)


def _page(rng: Rng, seconds: float) -> Signal:
    """Sixteen points around 1700 or 1800 Hz, changing 2400 times a second."""
    count = round(seconds * FAX_SYMBOLS)
    points = rng.choice((1.0, 3.0), count) * np.exp(0.25j * np.pi * rng.integers(0, 8, count))
    shaped = soxr.resample(points.view(np.float64).reshape(-1, 2), FAX_SYMBOLS, RATE_HZ) @ (1, 1j)
    carrier = np.exp(2j * np.pi * rng.choice((1700.0, 1800.0)) * np.arange(len(shaped)) / RATE_HZ)
    return np.real(shaped * carrier) / 2.3


# sound -> its share of the time
SOUNDS: dict[str, tuple[Callable[[Rng], Signal], float]] = {
    "speech": (spoken, 0.5),
    "noise": (noise, 0.15),
    "music": (music, 0.2),
    "fax": (fax, 0.15),
}
