"""Call-progress tones as bad exchanges send them, and the cells of the tone benchmark (China: all 450 Hz).

A clip is one class of tone; a receiver is right when it names that class and no other.
"""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

import numpy as np

from tests.signals import line, speech
from tests.signals.line import RATE_HZ, Clip, Impairment, Rng, Signal, Wanted, peak

HZ = 450.0
# class -> on and off in seconds, and how long a clip is
CADENCES: dict[str, tuple[tuple[float, float], float]] = {
    "dial": ((1.0, 0.0), 5.0),
    "ringback": ((1.0, 4.0), 16.0),
    "busy": ((0.35, 0.35), 6.0),
    "congestion": ((0.7, 0.7), 9.0),
}
LEAD_S = 0.3


@dataclass(frozen=True, slots=True)
class ToneCell:
    """One place of the benchmark; `jitter` moves every on and off by up to that share of it."""

    name: str
    path: tuple[Impairment, ...] = (line.noise(30.0),)
    level_dbm0: float = -15.0
    off_hz: float = 0.0
    jitter: float = 0.0

    def clip(self, tone: str, at: int) -> Clip:
        """Return the sound of clip `at` of this class."""
        rng = np.random.default_rng((crc32(f"{self.name} {tone}".encode()), at))
        sound = np.concatenate([np.zeros(round(LEAD_S * RATE_HZ)), self._sound(tone, rng)])
        wanted = Wanted(0, len(sound), peak(self.level_dbm0) ** 2 / 2)
        return line.clip(sound, wanted, self.path, rng)

    def _sound(self, tone: str, rng: Rng) -> Signal:
        (on_s, off_s), length_s = CADENCES[tone]
        times = np.arange(round(length_s * RATE_HZ))
        sounding = np.ones(len(times))
        at = 0.0
        while off_s and at < length_s:
            on, off = (part * (1 + rng.uniform(-self.jitter, self.jitter)) for part in (on_s, off_s))
            sounding[round((at + on) * RATE_HZ) : round((at + on + off) * RATE_HZ)] = 0
            at += on + off
        turns = (HZ + self.off_hz) * times / RATE_HZ + rng.uniform()
        return peak(self.level_dbm0) * sounding * np.sin(2 * np.pi * turns)


CELLS: tuple[ToneCell, ...] = (
    *(ToneCell(f"SNR {snr:g} dB", (line.noise(snr),)) for snr in (30.0, 20.0, 15.0, 10.0)),
    *(ToneCell(f"level {level:g} dBm0", level_dbm0=level) for level in (-10.0, -20.0, -30.0, -40.0, -45.0)),
    *(
        ToneCell(f"level {level:g} dBm0, SNR 10 dB", (line.noise(10.0),), level)
        for level in (-10.0, -30.0, -45.0)
    ),
    *(
        ToneCell(f"noise floor {floor:g} dBm0", (line.noise_floor(floor),), -20.0)
        for floor in (-60.0, -50.0, -42.0, -36.0, -30.0)
    ),
    *(ToneCell(f"{HZ + off:g} Hz", off_hz=off) for off in (-25.0, 25.0)),
    *(ToneCell(f"cadence within {100 * jitter:g} %", jitter=jitter) for jitter in (0.05, 0.10)),
    ToneCell("hum at -10 dB", (line.hum(-10.0), line.noise(30.0))),
    ToneCell("A-law, -30 dBm0", (line.noise(25.0), line.alaw()), -30.0),
    ToneCell("speech at -20 dB", (line.under(speech.snippet, -20.0), line.noise(30.0))),
    ToneCell("clicks, 2 a second", (line.impulses(2.0, 6.0), line.noise(30.0))),
)
