"""Where head office keeps recordings: named by the SHA-256 of their content, complete or not there at all.

`Objects` is what any store must do; `FolderObjects` does it in a folder. A recording arrives in a temporary
file, is committed under its hash once that was checked, and only after the database knows of it is the
temporary file dropped: a crash in between costs nothing.

    ObjectError
      WrongHash      the temporary file is not what it should be
      NoSuchObject   nothing is stored under that key
"""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

BLOCK = 256 * 1024

_HASH = re.compile(r"[0-9a-f]{64}")
_TEMP = re.compile(r"[a-z0-9][a-z0-9.-]{0,99}")


class ObjectError(Exception):
    """Something about a stored recording."""


class WrongHash(ObjectError):
    """The temporary file is not what it should be."""


class NoSuchObject(ObjectError):
    """Nothing is stored under that key."""


class Objects(Protocol):
    """A store of recordings. `temp` is a name the caller chooses, `key` is the SHA-256 of the content."""

    def temp_size(self, temp: str) -> int:
        """Bytes in the temporary file; 0 if there is none."""

    def append(self, temp: str, offset: int, data: bytes) -> None:
        """Write at `offset`, cutting off whatever was beyond."""

    def commit(self, temp: str, sha256: str) -> str:
        """Check the hash, make the file durable under its key, return the key; WrongHash if it is another.

        The temporary file stays until `drop`; doing it twice is the same as once.
        """

    def drop(self, temp: str) -> None:
        """Remove the temporary file, if it is there."""

    def size(self, key: str) -> int | None:
        """Bytes of a stored recording; None if it is not there."""

    def read(self, key: str, start: int, length: int) -> Iterator[bytes]:
        """`length` bytes from `start` on, in blocks; NoSuchObject."""

    def delete(self, key: str) -> None:
        """Remove a stored recording, if it is there."""


@dataclass(frozen=True, slots=True)
class FolderObjects:
    """Recordings in `folder`: objects/ab/abcd..., temporary files in incoming/."""

    folder: Path

    def temp_size(self, temp: str) -> int:
        """See Objects."""
        path = self._temp(temp)
        return path.stat().st_size if path.exists() else 0

    def append(self, temp: str, offset: int, data: bytes) -> None:
        """See Objects."""
        path = self._temp(temp)
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "r+b" if path.exists() else "w+b", buffering=0) as file:
            file.truncate(offset)
            file.seek(offset)
            file.write(data)

    def commit(self, temp: str, sha256: str) -> str:
        """See Objects."""
        path, target = self._temp(temp), self._object(sha256)
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "a+b") as file:  # a file of no bytes was never appended to
            os.fsync(file.fileno())
            file.seek(0)
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != sha256:
            raise WrongHash(f"wanted SHA-256 {sha256}, got {found}")
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            os.link(path, target)
        for folder in (target.parent, target.parent.parent, self.folder):
            _sync_folder(folder)
        return sha256

    def drop(self, temp: str) -> None:
        """See Objects."""
        self._temp(temp).unlink(missing_ok=True)

    def size(self, key: str) -> int | None:
        """See Objects."""
        path = self._object(key)
        return path.stat().st_size if path.exists() else None

    def read(self, key: str, start: int, length: int) -> Iterator[bytes]:
        """See Objects."""
        try:
            file = open(self._object(key), "rb")  # noqa: SIM115 - closed by _blocks
        except FileNotFoundError:
            raise NoSuchObject(key) from None
        file.seek(start)
        return _blocks(file, length)

    def delete(self, key: str) -> None:
        """See Objects."""
        self._object(key).unlink(missing_ok=True)

    def _temp(self, temp: str) -> Path:
        if not _TEMP.fullmatch(temp):
            raise ValueError(f"not a name for a temporary file: {temp[:100]!r}")
        return self.folder / "incoming" / temp

    def _object(self, key: str) -> Path:
        if not _HASH.fullmatch(key):
            raise NoSuchObject(f"a key is a SHA-256 in lower-case hex, got {key[:100]!r}")
        return self.folder / "objects" / key[:2] / key


def _blocks(file: io.BufferedReader, left: int) -> Iterator[bytes]:
    with file:
        while left > 0 and (block := file.read(min(BLOCK, left))):
            left -= len(block)
            yield block


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
