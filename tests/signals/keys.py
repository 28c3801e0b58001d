"""DTMF keys of any make, and the cells of the key benchmark: what must be heard, what must not, and noise.

A clip holds every key once in a seeded order, each followed by its pause; two clips are never alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from tests.signals import line, speech
from tests.signals.line import RATE_HZ, Clip, Impairment, Rng, Signal, Wanted, peak

LOW_HZ = (697.0, 770.0, 852.0, 941.0)
HIGH_HZ = (1209.0, 1336.0, 1477.0, 1633.0)
KEYS = "123A456B789C*0#D"
LEAD_S, TAIL_S = 0.2, 0.2


@dataclass(frozen=True, slots=True)
class Keypad:
    """How keys are sent. `level_dbm0` is that of each tone before twist; twist is high over low."""

    tone_ms: float = 50.0
    gap_ms: float = 50.0
    level_dbm0: float = -13.0
    twist_db: float = 0.0
    off_percent: float = 0.0  # both tones, of their frequency


def pressed(keys: Sequence[str], keypad: Keypad, rng: Rng) -> Signal:
    """Return the keys as that keypad sends them; each starts at any phase, between two samples."""
    gap = np.zeros(round(keypad.gap_ms * RATE_HZ / 1000))
    return np.concatenate([piece for key in keys for piece in (_pair(key, keypad, rng), gap)])


def _pair(key: str, keypad: Keypad, rng: Rng) -> Signal:
    row, column = divmod(KEYS.index(key), 4)
    times = np.arange(round(keypad.tone_ms * RATE_HZ / 1000)) / RATE_HZ
    scale = 1 + keypad.off_percent / 100
    sound = np.zeros(len(times))
    for hz, level in ((LOW_HZ[row], -keypad.twist_db / 2), (HIGH_HZ[column], keypad.twist_db / 2)):
        sound += peak(keypad.level_dbm0 + level) * np.sin(2 * np.pi * (hz * scale * times + rng.uniform()))
    return sound


@dataclass(frozen=True, slots=True)
class KeyCell:
    """One place of the benchmark. `heard`: whether a receiver must hear all (True) or none (False)."""

    name: str
    keypad: Keypad = Keypad()
    path: tuple[Impairment, ...] = (line.noise(30.0),)
    heard: bool | None = None

    def clip(self, at: int) -> tuple[str, Clip]:
        """Return the keys and the sound of clip `at`."""
        rng = np.random.default_rng((crc32(self.name.encode()), at))
        keys = "".join(rng.permutation(list(KEYS)))
        sound = pressed(keys, self.keypad, rng)
        start = round((LEAD_S + rng.uniform(0, 0.02)) * RATE_HZ)
        whole = np.concatenate([np.zeros(start), sound, np.zeros(round(TAIL_S * RATE_HZ))])
        wanted = Wanted(start, start + len(sound), 2 * peak(self.keypad.level_dbm0) ** 2 / 2)
        return keys, line.clip(whole, wanted, self.path, rng)


def sweep(tone_ms: float, snr_db: float) -> KeyCell:
    """One point of the noise sweep."""
    return KeyCell(f"{tone_ms:g} ms, SNR {snr_db:g}", Keypad(tone_ms, tone_ms), (line.noise(snr_db),))


QUIET = line.noise(30.0)

CELLS: tuple[KeyCell, ...] = (
    *(KeyCell(f"twist {twist:+g} dB", Keypad(twist_db=twist), heard=True) for twist in (-8.0, -6.0, 4.0)),
    *(KeyCell(f"twist {twist:+g} dB", Keypad(twist_db=twist)) for twist in (-10.0, 6.0, 8.0)),
    *(
        KeyCell(f"frequency {percent:+g} %", Keypad(off_percent=percent), heard=heard)
        for size, heard in ((1.0, True), (1.5, True), (2.0, None), (3.5, False))
        for percent in (-size, size)
    ),
    *(
        KeyCell(f"{length:g} ms long", Keypad(tone_ms=length), heard=heard)
        for length, heard in ((20.0, False), (23.0, False), (30.0, None), (35.0, None), (40.0, True))
    ),
    *(
        KeyCell(
            f"40 ms, twist {twist:+g} dB, frequency {percent:+g} %",
            Keypad(40.0, 40.0, twist_db=twist, off_percent=percent),
            heard=True,
        )
        for twist in (-8.0, 4.0)
        for percent in (-1.5, 1.5)
    ),
    *(KeyCell(f"pause {pause:g} ms", Keypad(gap_ms=pause), heard=heard)
        for pause, heard in ((10.0, None), (20.0, None), (30.0, True), (45.0, True))),
    *(
        KeyCell(f"level {level:g} dBm0 a tone", Keypad(level_dbm0=level), heard=heard)
        for level, heard in ((-3.0, True), (-30.0, True), (-40.0, True), (-45.0, None))
    ),
    *(
        KeyCell(f"dial tone at {over:+g} dB", path=(line.tone(450.0, over), QUIET), heard=heard)
        for over, heard in ((-10.0, True), (0.0, None))
    ),
    KeyCell("hum at 0 dB", path=(line.hum(0.0), QUIET), heard=True),
    KeyCell("DC 3000 LSB", Keypad(level_dbm0=-20.0), (line.offset(3000), QUIET), True),
    KeyCell("echo 20 ms -10 dB", path=(line.echo(20.0, -10.0), QUIET), heard=True),
    KeyCell("A-law, -30 dBm0", Keypad(level_dbm0=-30.0), (QUIET, line.alaw())),
    *(
        KeyCell(f"speech under it {over:+g} dB", path=(line.under(speech.snippet, over), QUIET))
        for over in (-10.0, -6.0)
    ),
)  # fmt: skip
