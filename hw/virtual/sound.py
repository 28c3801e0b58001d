"""What is heard on a line, made once as int16 and placed many times: speech, tones, caller ID, leaks, noise.

Signals come from the transmitters in edge.dsp and edge.callerid: what is sent here and what the receivers
must understand has one source. Levels are dBm0, as a tap across the pair would find them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.callerid import CallerId, dtmf, mdmf, sdmf
from edge.dsp.alert import alert_signal
from edge.dsp.dtmf import dtmf_signal
from edge.dsp.fax import answer_signal
from edge.dsp.fsk import fsk_signal
from edge.dsp.level import amplitude, to_int16
from edge.dsp.tones import tone_row, tone_signal
from hw.virtual.script import Caller
from hw.virtual.speech import passage

Samples = NDArray[np.int16]
Speak = Callable[[str, str, int], NDArray[np.float32]]  # voice, text, rate -> speech at 0 dBm0

SPEECH_DBM0 = {"far": -20.0, "staff": -15.0}
KEYS_DBM0 = {"far": -16.0, "staff": -9.0}
TONE_DBM0 = -10.0
FSK_DBM0 = (-20.0, -13.5)  # between the loss of a long loop and the level at the exchange
DTMF_CALLER_ID_DBM0 = (-16.0, -10.0)
NOISE_DBM0 = -60.0
RING_LEAK_DBM0 = -42.0  # the tap mutes ringing; this much comes through
CLICK_DBM0 = -16.0
RINGING_HZ = 25
NOISE_FRAMES = 65521  # a prime, so that lines never hear the same noise together


@dataclass(frozen=True, slots=True)
class Cue:
    """A sound with its place: `samples`, over and over, for `frames` from `position`."""

    position: int
    frames: int
    samples: Samples

    @property
    def end(self) -> int:
        """The position just after it."""
        return self.position + self.frames


class Sounds:
    """All sounds of one exchange at one rate; what is the same every time is made once."""

    def __init__(self, rate_hz: int, seed: int, speak: Speak) -> None:
        self.rate_hz = rate_hz
        self._speak = speak
        self._made: dict[tuple[str, ...], Samples] = {}
        deviation = amplitude(NOISE_DBM0) / np.sqrt(2)
        noise = np.random.default_rng(seed).normal(0, deviation, NOISE_FRAMES)
        self._noise = to_int16(noise.astype(np.float32)).astype(np.int32)

    def speech(self, who: str, voice: str, text: str | None) -> Samples:
        """Somebody says `text`, or the passage of the voice's language."""
        return self._once(("speech", who, voice, text or ""), lambda: self._spoken(who, voice, text))

    def keys(self, who: str, digits: str, tone_ms: int, gap_ms: int) -> Samples:
        """DTMF pressed by `who`."""
        return self._once(
            ("keys", who, digits, str(tone_ms), str(gap_ms)),
            lambda: to_int16(dtmf_signal(digits, self.rate_hz, tone_ms, gap_ms, KEYS_DBM0[who])),
        )

    def tone(self, tone: str) -> Samples:
        """One round of a Chinese tone's cadence, so that repeating it has no seam."""
        period_s = sum(tone_row(tone, "cn").cadence_s) or 1.0
        return self._once(
            ("tone", tone), lambda: to_int16(tone_signal(tone, period_s, "cn", self.rate_hz, TONE_DBM0))
        )

    def click(self) -> Samples:
        """A relay or hook switch: a short pulse that dies away."""
        return self._once(("click",), lambda: self._decaying(0.02))

    def ring_leak(self, on_s: float) -> Samples:
        """What a muted tap lets through of one burst: the relay, then a little 25 Hz and 75 Hz."""
        return self._once(("ring", str(on_s)), lambda: self._ringing(on_s))

    def caller_id(self, caller: Caller, date_time: str, loudness: float) -> Samples:
        """The message that announces `caller`; `loudness` 0..1 picks the level among the usual ones."""
        method, _, layout = caller.sends.partition("-")
        said = CallerId(
            standard=method,
            format=layout or "dtmf",
            number=caller.number,
            name=caller.name,
            date_time=date_time if layout else None,
            presentation=caller.presentation,
        )
        if method == "dtmf":
            level = float(np.interp(loudness, (0, 1), DTMF_CALLER_ID_DBM0))
            return to_int16(dtmf_signal(dtmf.build(said), self.rate_hz, level_dbm0=level))
        level = float(np.interp(loudness, (0, 1), FSK_DBM0))
        message = mdmf.build(said) if layout == "mdmf" else sdmf.build(said)
        return to_int16(fsk_signal(message, rate_hz=self.rate_hz, level_dbm0=level))

    def waiting_caller(self, caller: Caller, date_time: str) -> Samples:
        """The message that announces a second caller in a call: no seizure, 80 marks (GR-30-CORE)."""
        said = CallerId(
            "bell202", "mdmf", caller.number, caller.name, date_time, presentation=caller.presentation
        )
        level = float(np.mean(FSK_DBM0))
        burst = fsk_signal(
            mdmf.build(said), rate_hz=self.rate_hz, level_dbm0=level, seizure_bits=0, mark_bits=80
        )
        return to_int16(burst)

    def alert(self) -> Samples:
        """What tells a phone in a call that another caller waits."""
        return self._once(("alert",), lambda: to_int16(alert_signal(rate_hz=self.rate_hz)))

    def fax(self, tone: str) -> Samples:
        """One round of a fax machine's tone."""
        if tone == "ced":
            return self._once((tone,), lambda: to_int16(answer_signal(1.0, rate_hz=self.rate_hz)))
        return self._once(
            (tone,), lambda: to_int16(tone_signal(tone, 3.5, "fax", self.rate_hz, TONE_DBM0 - 5))
        )

    def noise(self, position: int, frames: int, lines: int) -> NDArray[np.int32]:
        """Idle noise of all lines, shape (lines, frames): a function of position alone."""
        offsets = position + 7919 * np.arange(1, lines + 1)
        return np.take(self._noise, offsets[:, None] + np.arange(frames), mode="wrap")

    def _once(self, key: tuple[str, ...], make: Callable[[], Samples]) -> Samples:
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def _spoken(self, who: str, voice: str, text: str | None) -> Samples:
        speech = self._speak(voice, text or passage(voice), self.rate_hz)
        return to_int16(speech * np.float32(10 ** (SPEECH_DBM0[who] / 20)))

    def _decaying(self, seconds: float) -> Samples:
        times_s = np.arange(round(seconds * self.rate_hz)) / self.rate_hz
        pulse = amplitude(CLICK_DBM0) * np.exp(-times_s / 0.003) * np.cos(2 * np.pi * 900 * times_s)
        return to_int16(pulse.astype(np.float32))

    def _ringing(self, on_s: float) -> Samples:
        turns = 2 * np.pi * RINGING_HZ * np.arange(round(on_s * self.rate_hz)) / self.rate_hz
        leak = amplitude(RING_LEAK_DBM0) * (np.sin(turns) + 0.2 * np.sin(3 * turns))
        samples = to_int16(leak.astype(np.float32))
        click = self.click()[: len(samples)]
        samples[: len(click)] += click
        return samples


def mix(into: NDArray[np.int32], position: int, cues: tuple[Cue, ...]) -> None:
    """Add to `into` (frames from `position`) the part of every cue that lies there."""
    end = position + len(into)
    for cue in cues:
        first, last = max(position, cue.position), min(end, cue.end)
        if first >= last:
            continue
        offset = (first - cue.position) % len(cue.samples)
        if offset + last - first <= len(cue.samples):
            part = cue.samples[offset : offset + last - first]
        else:
            part = np.take(cue.samples, np.arange(offset, offset + last - first), mode="wrap")
        into[first - position : last - position] += part
