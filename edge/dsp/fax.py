"""A fax machine or modem on any line: calling tone, answering tone and its reversals, and their transmitter.

CNG   1100 Hz, 0.5 s on, 3 s off                 the calling machine (ITU-T T.30)
CED   2100 Hz, 2.6 s and more                    the answering one; V.25 turns its phase every 450 ms to
                                                 put echo cancellers off, V.8 swells it at 15 Hz as well

limit                     accepted              refused
level                     -45 .. 0 dBm0         -58 dBm0
frequency                 +-20 Hz               +-60 Hz
a reversal                180 degrees +-45      none where the tone only swells or drifts
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.dsp.hops import HOP_MS, PAST, HopBank, Hops
from edge.dsp.level import amplitude
from edge.dsp.tones import BAND_HZ, MIN_SHARE, ToneFound, ToneReceiver, tone_hz
from edge.samples import Samples

FAX = "fax"  # its rows in edge.dsp.tones
CED_HZ = 2100.0
REVERSAL_S = 0.45
SWELL_HZ, SWELL = 15.0, 0.2
KEPT = 150  # hops of a line that sounds like CED
OVER = 3  # hops from before a reversal to after it
MIN_TURN = 0.7  # of minus one


@dataclass(frozen=True, slots=True)
class FaxFound:
    """A fax tone was recognised on `line` (`ended` False), or is over; `reversals` as far as heard."""

    line: int
    start: int
    end: int
    tone: str  # cng | ced
    reversals: bool
    ended: bool


def answer_signal(
    duration_s: float,
    reversals: bool = False,
    swells: bool = False,
    rate_hz: int = 8000,
    level_dbm0: float = -15.0,
) -> NDArray[np.float32]:
    """Return CED with what V.25 and V.8 add to it, float32 in -1..1, shape (n,)."""
    times_s = np.arange(round(duration_s * rate_hz)) / rate_hz
    sound = np.sin(2 * np.pi * CED_HZ * times_s)
    if swells:
        sound *= 1 + SWELL * np.sin(2 * np.pi * SWELL_HZ * times_s)
    if reversals:
        sound *= 1 - 2 * ((times_s / REVERSAL_S).astype(int) % 2)
    return (amplitude(level_dbm0) * sound).astype(np.float32)


class FaxReceiver:
    """Finds both tones in blocks of any length: once when recognised, once when over."""

    HZ = tone_hz(FAX)
    BANDS = ToneReceiver.BANDS

    def __init__(self, lines: int, rate_hz: int, bank: HopBank | None = None) -> None:
        self._bank = bank or HopBank(lines, rate_hz, self.HZ, self.BANDS)
        self._tones = ToneReceiver(lines, rate_hz, FAX, self._bank)
        self._ced = int(self._bank.rows((CED_HZ,))[0])
        self._band = self._bank.band(BAND_HZ)
        self._heard: dict[int, deque[complex]] = {}  # column -> the tone, hop by hop
        self._reversed: set[int] = set()  # columns whose tone had one

    def feed(self, samples: Samples, position: int) -> list[FaxFound]:
        """Take int16 (frames, lines) from `position` on; return what was recognised and what ended."""
        return self.take(self._bank.feed(samples, position))

    def take(self, hops: Hops) -> list[FaxFound]:
        """The same on hops measured by a bank shared with other receivers."""
        if hops.restarted and len(hops):
            self._heard.clear()
        self._follow(hops)
        return [self._found(one) for one in self._tones.take(hops)]

    def _found(self, one: ToneFound) -> FaxFound:
        """What was heard of the answering tone stays known until it is over."""
        column = one.line - 1
        if one.tone == "ced" and not one.ended and self._reverses(column):
            self._reversed.add(column)
        reversals = one.tone == "ced" and column in self._reversed
        if one.ended:
            self._reversed.discard(column)
        return FaxFound(one.line, one.start, one.end, one.tone, reversals, one.ended)

    def _follow(self, hops: Hops) -> None:
        """Keep the tone of the lines on which it may be."""
        strong = hops.power[self._ced, PAST:] > MIN_SHARE * hops.power[self._band, PAST:]
        sounding = set(np.nonzero(strong.any(axis=0))[0].tolist())
        for column in self._heard.keys() - sounding:
            del self._heard[column]
        for column in sounding:
            new = hops.tones[0, self._ced, PAST:, column] + 1j * hops.tones[1, self._ced, PAST:, column]
            self._heard.setdefault(column, deque(maxlen=KEPT)).extend(new.tolist())

    def _reverses(self, column: int) -> bool:
        """Did the phase turn by half within three hops, while it otherwise turned steadily?"""
        heard = np.array(self._heard.get(column, ()))
        if len(heard) <= 2 * OVER:
            return False
        step = heard[1:] * heard[:-1].conj()
        steady = np.median(step.real) + 1j * np.median(step.imag)
        turned = heard[OVER:] * heard[:-OVER].conj() * (steady.conj() / max(abs(steady), 1e-20)) ** OVER
        loud = np.abs(heard) > 0.5 * np.median(np.abs(heard))
        whole = loud[OVER:] & loud[:-OVER] & (np.abs(turned) > 0)
        return bool((turned.real[whole] < -MIN_TURN * np.abs(turned[whole])).any())


assert HOP_MS * CED_HZ % 1000 == 0, "a hop holds whole turns of the tone, so its phase stands still"
