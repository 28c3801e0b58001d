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
from edge.dsp.hops import HOP_MS, PAST, HopBank, Hops, Rows
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
FIRST = PAST - (STABLE - 1) - (WINDOW - 1)  # row of the planes that the first new hop looks back to


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
        self._patterns = _patterns(country)
        self._band = self._bank.band(BAND_HZ)
        self._sound_rows = [
            self._bank.rows([hz + off for hz in one for off in _offsets(one)]) for one in self._sounds
        ]
        self._singles = [at for at, sound in enumerate(self._sounds) if len(sound) == 1]
        self._duals = [at for at, sound in enumerate(self._sounds) if len(sound) > 1]
        self._single_rows = np.array([row for at in self._singles for row in self._sound_rows[at]], np.intp)
        self._turns: dict[tuple[int, int], NDArray[np.complex64]] = {}  # (sound, hops) -> see _backwards
        self._lines = lines
        self.sounding: NDArray[np.bool_] | None = None  # (hops, lines) of what was taken last; None: nothing
        # column whose follower waits -> until when silence is nothing to it
        self._awake: dict[int, float] = {}
        self._forget()

    def feed(self, samples: Samples, position: int) -> list[ToneFound]:
        """Take int16 (frames, lines) from `position` on; return what was recognised and what ended."""
        return self.take(self._bank.feed(samples, position))

    def take(self, hops: Hops) -> list[ToneFound]:
        """The same on hops measured by a bank shared with other receivers."""
        self.sounding = None
        if not len(hops):
            return []
        found = self._lost() if hops.restarted else []
        if not self._awake and not hops.heard.any():
            return found
        carried = self._carried(hops)
        rate_hz = self._bank.rate_hz
        start_s, end_s = hops.position / rate_hz, (hops.position + len(hops) * self._bank.hop) / rate_hz
        late = [column for column, until_s in self._awake.items() if end_s >= until_s]
        for column in sorted({*carried, *late}):
            follower = self._followers[column]
            if column in carried:
                found += self._follow(column, *carried[column], hops.position)
            else:
                found += self._findings(column, follower.step(SILENCE, start_s, end_s))
            self._awake[column] = follower.patient_until_s
            if follower.quiet:
                del self._awake[column]
        return sorted(found, key=lambda tone: tone.end)

    def _lost(self) -> list[ToneFound]:
        found = [
            one
            for column in sorted(self._awake)
            for one in self._findings(column, self._followers[column].stop())
        ]
        self._forget()
        return found

    def _carried(self, hops: Hops) -> dict[int, tuple[NDArray[np.int8], NDArray[np.float32]]]:
        """Return column -> its sound and power, hop by hop, of the lines that carry any."""
        maybe = self._maybe(hops)
        columns = np.nonzero(maybe.any(axis=0))[0]
        if not len(columns):
            return {}
        sounds, power = self._sounds_heard(hops, columns, maybe[:, columns])
        sounding = sounds != SILENCE
        self.sounding = np.zeros((len(hops), self._lines), np.bool_)
        self.sounding[:, columns] = sounding
        places = np.nonzero(sounding.any(axis=0))[0].tolist()
        return {int(columns[at]): (sounds[:, at], power[:, at]) for at in places}

    def _forget(self) -> None:
        self._counted = np.full(self._lines, SILENCE, np.int8)  # the sound that counts at the last hop
        self._followers = [CadenceFollower(self._patterns) for _ in range(self._lines)]
        self._awake = {}
        self._level = np.zeros(self._lines)

    def _maybe(self, hops: Hops) -> NDArray[np.bool_]:
        """Which sounds may count, or count now, on which lines? (sounds, lines)

        What adds up in phase is never more than the power.
        """
        maybe = self._counted == np.arange(len(self._sounds))[:, None]
        if self._singles:
            best = _best(hops.recent[self._single_rows], len(self._singles))
            maybe[self._singles] |= _lasting(best > MIN_SHARE * hops.recent[self._band])
        for number in self._duals:
            strength = _best(hops.power[self._sound_rows[number], FIRST:], len(self._sounds[number]))
            band = _running_sum(hops.power[self._band, FIRST:], WINDOW)
            maybe[number] |= _lasting(_running_sum(strength.sum(axis=0), WINDOW) > MIN_SHARE * band)
        return np.asarray(maybe)

    def _sounds_heard(
        self, hops: Hops, columns: Rows, maybe: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
        """Return which sound each hop of some lines carries, debounced, and its power; (hops, columns)."""
        raw = np.full((STABLE - 1 + len(hops), len(columns)), SILENCE, np.int8)
        power = np.zeros(raw.shape, np.float32)
        for number in np.nonzero(maybe.any(axis=1))[0].tolist():
            present, strength = self._present(number, hops, columns)
            present &= (raw == SILENCE) & maybe[number]
            np.copyto(raw, np.int8(number), where=present)
            np.copyto(power, strength, where=present)
        settled = _settled(self._counted[columns], raw)
        self._counted[columns] = settled[-1]
        return settled, power[STABLE - 1 :]

    def _present(
        self, number: int, hops: Hops, columns: Rows
    ) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """Is this sound in the window up to each hop of some lines, and how strong? (hops, columns)"""
        count, rows = len(self._sounds[number]), self._sound_rows[number]
        window = WINDOW if count > 1 else SINGLE_WINDOW
        tones = hops.phasors(rows, columns, PAST - FIRST)
        tones *= self._backwards(number, tones.shape[1])
        total = _running_sum(tones.swapaxes(0, 1), window).swapaxes(0, 1)
        strength = _best(total.real**2 + total.imag**2, count) * np.float32(1 / window**2)
        needed = _running_sum(hops.power[self._band, FIRST:][:, columns], window) * (MIN_SHARE / window)
        if count == 1:
            return np.asarray((strength[0] > needed) & (strength[0] > MIN_TONE)), strength[0]
        weakest, strongest = strength.min(axis=0), strength.max(axis=0)
        present = (strength.sum(axis=0) > needed) & (weakest > MIN_TONE)
        return np.asarray(present & (strongest < MAX_TWIST * weakest)), np.asarray(strongest)

    def _backwards(self, number: int, count: int) -> NDArray[np.complex64]:
        """Return what takes the turns of a sound's places from hop to hop away, (places, hops, 1)."""
        if (number, count) not in self._turns:
            hz = np.array(self._bank.hz)[self._sound_rows[number]]
            turns = np.outer(hz * HOP_MS / 1000, np.arange(count))
            self._turns[number, count] = np.exp(-2j * np.pi * turns).astype(np.complex64)[..., None]
        return self._turns[number, count]

    def _follow(
        self, column: int, sounds: NDArray[np.int8], power: NDArray[np.float32], position: int
    ) -> list[ToneFound]:
        """Hand the runs of one line to its follower; `position` is that of the first hop."""
        hop, rate_hz = self._bank.hop, self._bank.rate_hz
        edges = [0, *((sounds[1:] != sounds[:-1]).nonzero()[0] + 1).tolist(), len(sounds)]
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
        if not heard:
            return []
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


def _best(power: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Return the strongest place of each of `count` frequencies; (places, ...) -> (count, ...)."""
    return np.asarray(power.reshape(count, len(power) // count, *power.shape[1:]).max(axis=1))


def _lasting(loud: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Is it so for STABLE hops in a row? (..., hops, lines) -> (..., lines)"""
    return np.asarray((loud[..., 2:, :] & loud[..., 1:-1, :] & loud[..., :-2, :]).any(axis=-2))


def _running_sum(values: NDArray[Number], window: int) -> NDArray[Number]:
    """Sum over `window` rows ending at each; the first WINDOW - 1 rows are only looked back on."""
    count = len(values) - WINDOW + 1
    total = values[WINDOW - window : WINDOW - window + count].copy()
    for first in range(WINDOW - window + 1, WINDOW):
        total += values[first : first + count]
    return total


def _settled(counted: NDArray[np.int8], raw: NDArray[np.int8]) -> NDArray[np.int8]:
    """A sound counts once it has lasted STABLE hops; until then the one before goes on.

    `counted` (lines,) counted last; `raw` begins STABLE - 1 hops before the new ones.
    """
    new = raw[STABLE - 1 :]
    stable = (raw[: -STABLE + 1] == new) & (raw[1 : -STABLE + 2] == new)
    rows = np.where(stable, np.arange(1, len(new) + 1)[:, None], 0)
    latest = np.maximum.accumulate(rows, axis=0)
    return np.asarray(np.concatenate([counted[None], new])[latest, np.arange(len(counted))])
