"""Hours of speech in many voices and languages, made by espeak-ng once and kept in build/speech.

Words come in a seeded random order, so no sentence is said twice; a voice goes on as long as it is asked to.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import soundfile
import soxr

from tests.signals.line import RATE_HZ, Rng, Signal, peak

FOLDER = Path(__file__).parents[2] / "build" / "speech"
LEVEL_DBM0 = -15.0  # of active speech, as a sine of the same power
SEED = 2203
Voice = tuple[str, str, int, int]  # name, language of its words, pitch (0-99), words a minute
VOICES: tuple[Voice, ...] = (
    ("en-us", "en", 40, 165), ("en-gb+f2", "en", 60, 175), ("en-gb-scotland", "en", 30, 150),
    ("de", "de", 45, 160), ("fr-fr+f3", "fr", 65, 170), ("es", "es", 50, 170), ("es-419+m3", "es", 25, 180),
    ("ru", "ru", 40, 160), ("pt-br+f4", "pt", 70, 165), ("it", "it", 50, 170),
    ("cmn", "cmn", 45, 160), ("cmn+f2", "cmn", 70, 175), ("cmn+m7", "cmn", 20, 150),
    ("yue", "yue", 45, 160), ("yue+f5", "yue", 75, 175), ("ja+f1", "ja", 60, 165), ("hi", "hi", 45, 160),
)  # fmt: skip
# no limit of a receiver was chosen by these: other voices that say other things, half of them in Chinese
HELD_OUT: tuple[Voice, ...] = (
    ("cmn+f5", "cmn", 60, 170), ("cmn+m1", "cmn", 35, 155), ("cmn+klatt2", "cmn", 50, 165),
    ("cmn+croak", "cmn", 30, 145), ("yue+m4", "yue", 30, 165), ("yue+f1", "yue", 65, 170),
    ("yue+klatt4", "yue", 55, 160), ("en-us+m6", "en", 25, 160), ("en-gb-x-rp+f5", "en", 70, 170),
    ("nl+m2", "nl", 40, 165), ("pl+f2", "pl", 65, 170), ("sv+m5", "sv", 35, 160), ("tr+f4", "tr", 60, 165),
    ("ko+m3", "ko", 45, 160), ("vi+f3", "vi", 65, 165), ("en-029+f1", "en", 55, 175),
)  # fmt: skip
# a table's words, a line per language, and the seed of their order
SAID: dict[tuple[Voice, ...], tuple[Path, int]] = {
    VOICES: (Path(__file__).with_name("words.txt"), SEED),
    HELD_OUT: (Path(__file__).with_name("words_held_out.txt"), 9302),
}


def voice(
    at: int,
    seconds: float,
    start: int = 0,
    length: int = -1,
    folder: Path = FOLDER,
    voices: tuple[Voice, ...] = VOICES,
) -> Signal:
    """Return a piece (samples; -1: to the end) of `seconds` of one of the voices at LEVEL_DBM0.

    All of it is made and kept if there is not as much yet.
    """
    name = voices[at][0]
    path = folder / f"{name}.flac"
    if not path.exists() or soundfile.info(path).frames < seconds * RATE_HZ:
        folder.mkdir(parents=True, exist_ok=True)
        pieces = list(_spoken(at, seconds, voices))
        whole = np.concatenate(pieces)
        whole *= peak(LEVEL_DBM0) / np.sqrt(2) / np.sqrt(np.mean(pieces[0] ** 2))  # however long the whole is
        new = path.with_suffix(".new.flac")
        soundfile.write(new, np.clip(whole, -1, 1 - 2**-15), RATE_HZ)
        new.rename(path)
    length = round(seconds * RATE_HZ) - start if length < 0 else length
    sound, _ = soundfile.read(path, length, start, dtype="float64")
    return sound


def snippet(length: int, rng: Rng) -> Signal:
    """Return that many samples of somebody speaking."""
    sound = _kept(int(rng.integers(len(VOICES))))
    start = int(rng.integers(len(sound) - length))
    return sound[start : start + length]


@cache
def _words(path: Path) -> dict[str, list[str]]:
    texts = (line.partition(":") for line in path.read_text(encoding="utf-8").splitlines())
    return {language: text.split() for language, _, text in texts}


@cache
def _kept(at: int) -> Signal:
    return voice(at, 30.0)


def _spoken(at: int, seconds: float, voices: tuple[Voice, ...]) -> Iterator[Signal]:
    name, language, pitch, speed = voices[at]
    path, seed = SAID[voices]
    rng = np.random.default_rng((seed, at))
    made = 0
    while made < seconds * RATE_HZ:
        words = rng.choice(_words(path)[language], 400)
        text = " ".join(word + ("." if rng.uniform() < 0.1 else "") for word in words)
        command = ["espeak-ng", "-v", name, "-p", str(pitch), "-s", str(speed), "--stdout", text]
        wav = subprocess.run(command, capture_output=True, check=True).stdout
        sound = _resampled(wav)
        made += len(sound)
        yield sound


def _resampled(wav: bytes) -> Signal:
    """espeak-ng writes a WAV whose length it does not know; its samples start after 44 bytes."""
    rate_hz = int.from_bytes(wav[24:28], "little")
    samples = np.frombuffer(wav[44 : 44 + (len(wav) - 44) // 2 * 2], "<i2")
    return soxr.resample(samples.astype(np.float64) / 32768, rate_hz, RATE_HZ)
