"""A finished audio file: what is known of it, and how it gets its name for certain.

Apart from the encoders, because store and syncer only name such files and need nothing that makes them.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

ENCODING = ".encoding"  # the worker's file until it is whole
FINISHED = ".flac"


@dataclass(frozen=True, slots=True)
class Encoded:
    """A finished file."""

    file: str
    samples: int
    size_bytes: int
    sha256: str  # of the file, lower-case hex


def settle_file(unfinished: Path, target: Path, samples: int) -> Encoded:
    """Hash and fsync what was written, give it its name, make the name durable."""
    with unfinished.open("rb+") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
    unfinished.rename(target)
    sync_folder(target.parent)
    return Encoded(target.name, samples, target.stat().st_size, sha256)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable: a rename without this can be taken back by a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
