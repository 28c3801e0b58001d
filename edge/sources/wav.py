"""Audio files as if they came from a HAT: blocks at 8 kHz, each channel a line.

libsndfile reads the file, soxr changes the rate; what is not audio is refused with the file's name.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from edge.samples import AudioBlock, SamplesError

RATE_HZ = 8000
BLOCK_FRAMES = 800
READ_FRAMES = 65536


class NotAudio(SamplesError):
    """A file that cannot be read as audio."""


def read_wav(path: Path, raw_alaw: bool = False) -> Iterator[AudioBlock]:
    """Yield the file as int16 blocks of 100 ms at 8 kHz, any rate and any number of channels.

    `raw_alaw`: the file is headerless G.711 A-law, 8 kHz, mono. Raises NotAudio; a file that breaks off in
    the middle yields what there was and raises then.
    """
    with _open(path, raw_alaw) as file:
        position = 0
        rest = np.zeros((0, file.channels), np.int16)
        for piece in _at_8_khz(path, file):
            rest = np.concatenate([rest, piece])
            while len(rest) >= BLOCK_FRAMES:
                yield AudioBlock(position, rest[:BLOCK_FRAMES])
                position, rest = position + BLOCK_FRAMES, rest[BLOCK_FRAMES:]
        if len(rest):
            yield AudioBlock(position, rest)


def channels_of(path: Path, raw_alaw: bool = False) -> int:
    """Return how many lines the file holds; raises NotAudio."""
    with _open(path, raw_alaw) as file:
        return int(file.channels)


def _open(path: Path, raw_alaw: bool) -> soundfile.SoundFile:
    if not path.is_file():
        raise NotAudio(f"{path}: there is no such file")
    raw = {"format": "RAW", "subtype": "ALAW", "samplerate": 8000, "channels": 1} if raw_alaw else {}
    try:
        file = soundfile.SoundFile(path, **raw)
    except (soundfile.LibsndfileError, TypeError) as error:
        raise NotAudio(f"{path}: not an audio file ({_reason(error)})") from None
    if file.channels < 1 or file.samplerate < 4000:
        raise NotAudio(
            f"{path}: {file.channels} channels at {file.samplerate} Hz; wanted 1 or more at 4 kHz up"
        )
    return file


def _at_8_khz(path: Path, file: soundfile.SoundFile) -> Iterator[NDArray[np.int16]]:
    resampler = soxr.ResampleStream(file.samplerate, RATE_HZ, file.channels, "float32", "HQ")
    while True:
        try:
            frames = file.read(READ_FRAMES, "float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise NotAudio(f"{path}: breaks off at frame {file.tell()} ({_reason(error)})") from None
        last = len(frames) < READ_FRAMES
        same = file.samplerate == RATE_HZ
        wanted = frames if same else resampler.resample_chunk(frames, last)
        yield np.clip(np.rint(wanted * 32768), -32768, 32767).astype(np.int16).reshape(-1, file.channels)
        if last:
            return


def _reason(error: Exception) -> str:
    return str(error).rpartition(": ")[2].strip().rstrip(".") or type(error).__name__
