"""Old recordings packed smaller: a FLAC file becomes OGG/Opus, about a third of its size for speech.

The original is hashed while it is read, so a damaged one is never taken for the call. Runs in the worker
process of low priority, like `edge.codec`.

    NotPacked (OSError)     the original is kept: it is damaged, or the Opus file is not what it should be
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import soundfile

from edge.codec import BLOCK_SAMPLES
from edge.finished import ENCODING, Encoded, settle_file

PACKED = ".opus"
RATES_HZ = (8000, 12000, 16000, 24000, 48000)  # RFC 6716, 2.1.3
LEAST_KBIT_S, RANGE_KBIT_S = 6, 250  # libsndfile, ogg_opus.c: bitrate = 6 + 250 * (1 - compression level)


class NotPacked(OSError):
    """The original is kept."""


@dataclass(frozen=True, slots=True)
class Job:
    """A file to be packed, of that hash and length."""

    source: Path
    target: Path
    sha256: str
    samples: int


@dataclass(frozen=True, slots=True)
class Packed:
    """What became of one file. Neither `encoded` nor `fault`: the disk did not take it, it is tried again."""

    encoded: Encoded | None = None
    fault: str = ""


def pack_files(jobs: Sequence[Job], kbit_s: int) -> list[Packed]:
    """Pack each file; what became of each, in their order."""
    return [_pack_file(job, kbit_s) for job in jobs]


def _pack_file(job: Job, kbit_s: int) -> Packed:
    try:
        return Packed(encode_opus(job.source, job.target, job.sha256, job.samples, kbit_s))
    except (NotPacked, FileNotFoundError) as error:
        return Packed(fault=str(error))
    except OSError:
        return Packed()


def encode_opus(source: Path, target: Path, sha256: str, samples: int, kbit_s: int) -> Encoded:
    """Write `source`, a file of that hash and length, to `target`: encoded, hashed, fsynced, renamed.

    `kbit_s` 12 to 64; the rate stays, and the length to the sample. Raises NotPacked or OSError; then there
    is no `target`, and the source is untouched.
    """
    if _sha256_of(source) != sha256:
        raise NotPacked(f"{source.name} does not hash to {sha256}: it is damaged and stays as it is")
    unfinished = target.with_suffix(ENCODING)
    try:
        _write_opus(source, unfinished, kbit_s)
        packed = soundfile.info(str(unfinished)).frames
    except soundfile.SoundFileError as error:
        unfinished.unlink(missing_ok=True)
        raise NotPacked(f"{source.name} cannot be packed: {error}") from error
    if packed != samples:
        unfinished.unlink()
        raise NotPacked(f"{source.name} has {samples} samples, packed {packed}: it stays as it is")
    return settle_file(unfinished, target, packed)


def _write_opus(source: Path, target: Path, kbit_s: int) -> None:
    level = 1 - (kbit_s - LEAST_KBIT_S) / RANGE_KBIT_S
    with (
        soundfile.SoundFile(source) as flac,
        soundfile.SoundFile(
            target, "w", flac.samplerate, 1, format="OGG", subtype="OPUS", compression_level=level
        ) as sink,
    ):
        for block in flac.blocks(BLOCK_SAMPLES, dtype="float32"):
            sink.write(block)


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
