"""Call-progress tones of all lines at once, as rows of data per country, and their transmitter (ITU-T E.180).

A row is a name, the frequencies that sound together, and the cadence as on, off, on, off ... seconds (empty:
continuous). A new country is one more list; nothing else changes. Special dial tone says that messages wait
(us) or that a service is on (cn); the howler asks for the handset to be put down. What a country lacks is not
known for certain (howler of uk and eu), or cannot be told from a tone it has (call waiting of eu, 0.2 s, from
congestion, 0.24 s) or from a voice (that of uk, 0.1 s: twenty false ones in half an hour of speech).

    limit                     accepted                      refused
    level per frequency       -45 .. 0 dBm0                 -58 dBm0
    frequency, single tones   +-20 Hz (cn: 450 +-25)        +-60 Hz
    frequency, dual tones     +-5 Hz                        +-30 Hz
    cadence                   +-10 % in every part          +-35 %
    noise                     10 dB below the tone, any floor in the pauses
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from edge.dsp.cadence import SILENCE, CadenceFollower, Heard, Pattern, continuous_s
from edge.dsp.hops import HOP_MS, PAST, HopBank, Hops
from edge.dsp.level import amplitude, level_dbm0
from edge.samples import Samples

Number = TypeVar("Number", np.float32, np.complex64)


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
        ToneRow("call_waiting", (450,), (0.4, 4.0)),
        ToneRow("special_dial", (450,), (0.4, 0.04)),
        ToneRow("howler", (950,)),
    ),
    "us": (
        ToneRow("dial", (350, 440)),
        ToneRow("ringback", (440, 480), (2.0, 4.0)),
        ToneRow("busy", (480, 620), (0.5, 0.5)),
        ToneRow("congestion", (480, 620), (0.25, 0.25)),
        ToneRow("call_waiting", (440,), (0.3, 10.0)),
        ToneRow("special_dial", (350, 440), (0.1, 0.1)),
        ToneRow("howler", (1400, 2060, 2450, 2600), (0.1, 0.1)),
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
    "fax": (  # ITU-T T.30, the same everywhere: a calling and an answering machine
        ToneRow("cng", (1100,), (0.5, 3.0)),
        ToneRow("ced", (2100,)),
    ),
}

BAND_HZ = tuple(float(hz) for hz in range(300, 3500, 100))  # a tone must dominate it; hum lies below
SINGLE_OFFSETS_HZ = (-20.0, 0.0, 20.0)
WINDOW = 5  # hops; 50 ms tell 440 from 480 Hz
SINGLE_WINDOW = 3
MIN_TONE = amplitude(-52.0) ** 2 / 2
MIN_SHARE = 0.5
MAX_TWIST = 10 ** (8 / 10)
STABLE = 3  # hops a sound must last to count


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


@dataclass(frozen=True, slots=True)
class ToneFound:
    """A tone was recognised on `line` (`ended` False), or is over (`ended` True)."""

    line: int
    start: int
    end: int  # position: of what was heard so far, or of the last burst
    tone: str
    level_dbm0: float
    ended: bool


def sounds_of(country: str) -> list[tuple[float, ...]]:
    """Return the different sounds of a country, the ones with more frequencies first."""
    return sorted({row.hz for row in TONES[country]}, key=lambda hz: (-len(hz), hz))


def tone_hz(country: str) -> tuple[float, ...]:
    """Return all frequencies the receiver needs to have measured."""
    sounds = sounds_of(country)
    return tuple(dict.fromkeys(hz + off for sound in sounds for hz in sound for off in _offsets(sound)))


def _offsets(sound: tuple[float, ...]) -> tuple[float, ...]:
    return SINGLE_OFFSETS_HZ if len(sound) == 1 else (0.0,)


class ToneReceiver:
    """Finds the tones of one country in blocks of any length: once when recognised, once when over."""

    BANDS = (BAND_HZ,)

    def __init__(self, lines: int, rate_hz: int, country: str, bank: HopBank | None = None) -> None:
        wanted = tone_hz(country)
        self._bank = bank or HopBank(lines, rate_hz, wanted, self.BANDS)
        self._sounds = sounds_of(country)
        self._most = max(len(sound) for sound in self._sounds)
        self._patterns = _patterns(country)
        self._band = self._bank.bands.index(BAND_HZ)
        self._columns = self._bank.columns(wanted)
        self._turn = np.array(wanted) * HOP_MS / 1000
        self._places = [
            [wanted.index(hz + off) for hz in one for off in _offsets(one)] for one in self._sounds
        ]
        self._lines = lines
        self._awake: set[int] = set()  # columns whose follower waits for something
        self._forget()

    def feed(self, samples: Samples, position: int) -> list[ToneFound]:
        """Take int16 (frames, lines) from `position` on; return what was recognised and what ended."""
        return self.take(self._bank.feed(samples, position))

    def take(self, hops: Hops) -> list[ToneFound]:
        """The same on hops measured by a bank shared with other receivers."""
        if not len(hops):
            return []
        found: list[ToneFound] = []
        if hops.restarted:
            for column in sorted(self._awake):
                found += self._findings(column, self._followers[column].stop())
            self._forget()
        if not self._awake and not self._may_sound(hops):
            self._past_raw[:] = SILENCE
            return found
        sounds, power = self._sounds_heard(hops)
        sounding = {*np.flatnonzero((sounds != SILENCE).any(axis=0)).tolist()}
        for line in sorted(sounding | self._awake):
            found += self._follow(line, sounds[:, line], power[:, line], hops.position)
        self._awake = {line for line in sounding | self._awake if not self._followers[line].quiet}
        return sorted(found, key=lambda tone: tone.end)

    def _may_sound(self, hops: Hops) -> bool:
        """Is any line's energy anywhere mostly ours? A sound is the mean of hops, so one of them must be."""
        if not len(hops.heard):
            return False
        tones = hops.tones[PAST + 1 - WINDOW :, :, self._columns]
        strongest = (tones.real**2 + tones.imag**2).max(axis=2)
        band = hops.bands[PAST + 1 - WINDOW :, :, self._band]
        return bool((self._most * strongest > MIN_SHARE * band).any())

    def _forget(self) -> None:
        self._past_raw = np.full((STABLE, self._lines), SILENCE, np.int8)
        self._followers = [CadenceFollower(self._patterns) for _ in range(self._lines)]
        self._awake = set()
        self._level = np.zeros(self._lines)

    def _sounds_heard(self, hops: Hops) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
        """Return which sound each hop of all lines carries, debounced, and its power; both (hops, lines)."""
        first = PAST + 1 - WINDOW
        phase = np.exp(-2j * np.pi * np.outer(np.arange(len(hops) + WINDOW - 1), self._turn))
        tones = hops.tones[first:, :, self._columns] * phase[:, None, :].astype(np.complex64)
        band = hops.bands[first:, :, self._band]
        raw = np.full((len(hops), len(hops.heard)), SILENCE, np.int8)
        power = np.zeros(raw.shape, np.float32)
        for number, (sound, places) in enumerate(zip(self._sounds, self._places, strict=True)):
            present, strength = _present(len(sound), tones[:, :, places], band)
            new = present & (raw == SILENCE)
            raw[new], power[new] = number, strength[new]
        joined = np.full((STABLE + len(hops), self._lines), SILENCE, np.int8)
        joined[:STABLE] = self._past_raw
        joined[STABLE:, hops.heard] = raw
        if (joined == SILENCE).all():
            return joined[STABLE:], np.zeros((len(hops), self._lines), np.float32)
        settled = _settled(joined)
        self._past_raw = joined[-STABLE:].copy()
        self._past_raw[0] = settled[-1]
        spread = np.zeros((len(hops), self._lines), np.float32)
        spread[:, hops.heard] = power
        return settled, spread

    def _follow(
        self, column: int, sounds: NDArray[np.int8], power: NDArray[np.float32], position: int
    ) -> list[ToneFound]:
        """Hand the runs of one line to its follower; `position` is that of the first hop."""
        hop, rate_hz = self._bank.hop, self._bank.rate_hz
        edges = [0, *(np.flatnonzero(np.diff(sounds)) + 1), len(sounds)]
        heard: list[ToneFound] = []
        for start, end in pairwise(edges):
            if sounds[start] != SILENCE:
                before = self._level[column] if start == 0 else 0.0
                self._level[column] = max(before, power[start:end].max())
            times_s = (position + start * hop) / rate_hz, (position + end * hop) / rate_hz
            steps = self._followers[column].step(int(sounds[start]), *times_s)
            heard += self._findings(column, steps)
        return heard

    def _findings(self, column: int, heard: list[Heard]) -> list[ToneFound]:
        delay_s = STABLE * HOP_MS / 1000  # of the debounce and half a window
        level = level_dbm0(float(self._level[column]))
        rate_hz = self._bank.rate_hz
        return [
            ToneFound(
                column + 1,
                max(0, round((one.start_s - delay_s) * rate_hz)),
                max(0, round((one.end_s - delay_s) * rate_hz)),
                one.name,
                round(level, 1),
                one.ended,
            )
            for one in heard
        ]


def _patterns(country: str) -> list[Pattern]:
    sounds = sounds_of(country)
    cadences = [(sounds.index(row.hz), row.cadence_s) for row in TONES[country]]
    return [
        Pattern(row.name, sound, cadence, 0.0 if cadence else continuous_s(sound, cadences))
        for row, (sound, cadence) in zip(TONES[country], cadences, strict=True)
    ]


def _present(
    count: int, tones: NDArray[np.complex64], band: NDArray[np.float32]
) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Is a sound of `count` frequencies in the window up to each new hop, and how strong? (hops, lines)

    `tones` holds the places of each frequency one after the other.
    """
    window = WINDOW if count > 1 else SINGLE_WINDOW
    power = np.abs(_running_mean(tones, window)) ** 2
    strength = power.reshape(*power.shape[:2], count, tones.shape[2] // count).max(axis=3)
    weakest, strongest = strength.min(axis=2), strength.max(axis=2)
    present = (strength.sum(axis=2) > MIN_SHARE * _running_mean(band, window)) & (weakest > MIN_TONE)
    return np.asarray(present & (strongest < MAX_TWIST * weakest)), np.asarray(strongest)


def _running_mean(values: NDArray[Number], window: int) -> NDArray[Number]:
    """Mean over `window` hops ending at each new hop; the first WINDOW - 1 rows are the past."""
    count = len(values) - WINDOW + 1
    rows = [values[WINDOW - 1 - back : WINDOW - 1 - back + count] for back in range(window)]
    return np.asarray(sum(rows[1:], rows[0]) / values.dtype.type(window))


def _settled(joined: NDArray[np.int8]) -> NDArray[np.int8]:
    """A sound counts once it has lasted STABLE hops; until then the one before goes on.

    Row 0 of `joined` holds the sound that counted last, the next STABLE - 1 rows raw ones, then the new hops.
    """
    count = len(joined) - STABLE
    new = joined[STABLE:]
    stable = np.all(
        [joined[STABLE - back : STABLE - back + count] == new for back in range(1, STABLE)], axis=0
    )
    rows = np.where(stable, np.arange(1, count + 1)[:, None], 0)
    latest = np.maximum.accumulate(rows, axis=0)
    return np.take_along_axis(np.concatenate([joined[:1], new]), latest, 0)
