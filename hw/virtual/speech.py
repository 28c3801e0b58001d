"""Speech for the virtual lines: espeak-ng speaks a text once, a WAV below build/ remembers it.

Real speech matters because synthetic tones would neither try the DTMF receivers nor be worth listening to.
"""

from __future__ import annotations

import os
import subprocess
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from edge.dsp.level import amplitude

CACHE = Path(__file__).resolve().parents[2] / "build" / "speech"
WORDS_PER_MINUTE = 185

# What is said when a script asks only for some seconds of speech; "" is every other language.
PASSAGES = {
    "cmn": (
        "您好，我想问一下上周订的那批货什么时候能到。我们这边仓库已经腾出来了，车也安排好了。"
        "如果星期四以前到不了，麻烦您提前打个电话，我们好重新安排人手。"
        "另外，上次的发票抬头写错了一个字，请您帮忙重新开一张，寄到原来的地址就可以。"
    ),
    "": (
        "Good morning, I am calling about the order we placed last week. The warehouse has room now, "
        "and the lorry is booked for Thursday. If it cannot be here by then, please ring us a day before, "
        "so that we can find somebody else. And the last invoice had the wrong name on it, "
        "could you send us another one to the same address?"
    ),
}


class SpeechError(RuntimeError):
    """espeak-ng is missing, or does not know the voice."""


def passage(voice: str) -> str:
    """The text that `voice` reads when only a length is asked for."""
    return PASSAGES.get(voice.partition("+")[0], PASSAGES[""])


@lru_cache(maxsize=256)
def speak(voice: str, text: str, rate_hz: int) -> NDArray[np.float32]:
    """Return `text` in `voice`, float32 of shape (n,), speaking level 0 dBm0; the caller turns it down."""
    samples, source_hz = soundfile.read(_spoken(voice, text), dtype="float32")
    return at_speaking_level(soxr.resample(samples, source_hz, rate_hz), rate_hz)


def at_speaking_level(samples: NDArray[np.float32], rate_hz: int) -> NDArray[np.float32]:
    """Return the samples with 0 dBm0 as their level while somebody speaks.

    Speaking is every 20 ms frame within 25 dB of the loudest.
    """
    frame = rate_hz // 50
    whole = samples[: len(samples) // frame * frame].reshape(-1, frame)
    energy = np.mean(whole.astype(np.float64) ** 2, axis=1)
    speaking = energy[energy > energy.max(initial=0) * 10**-2.5]
    if not len(speaking):
        raise SpeechError("there is nothing to hear in this speech")
    gain = amplitude(0) / np.sqrt(2 * speaking.mean())
    return np.asarray(samples * gain, np.float32)


def _spoken(voice: str, text: str) -> Path:
    path = CACHE / f"{sha256(f'{voice} {WORDS_PER_MINUTE} {text}'.encode()).hexdigest()[:32]}.wav"
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    half_made = path.with_suffix(f".{os.getpid()}")
    command = [
        "espeak-ng",
        "-v",
        voice,
        "-s",
        str(WORDS_PER_MINUTE),
        "-b",
        "1",
        "-w",
        str(half_made),
        "--stdin",
    ]
    try:
        done = subprocess.run(command, input=text.encode(), capture_output=True, timeout=60)
    except FileNotFoundError:
        raise SpeechError("no espeak-ng here: install the Debian package espeak-ng") from None
    if done.returncode or not half_made.exists():
        raise SpeechError(
            f"espeak-ng does not speak {voice!r}: {done.stderr.decode(errors='replace').strip()}"
        )
    half_made.rename(path)
    return path
