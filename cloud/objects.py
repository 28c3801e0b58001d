"""Where head office keeps recordings: named by the SHA-256 of their content, complete or not there at all.

`Objects` is what any store must do; `FolderObjects` does it in a folder, `cloud.s3` in a bucket. A recording
arrives elsewhere (cloud.incoming) and is taken over under its hash once that was checked; only after the
database knows of it is the unfinished file dropped, so a crash in between costs nothing.

    ObjectError
      NoSuchObject      nothing is stored under that key
      StoreUnreachable  the store cannot be used now
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

BLOCK = 256 * 1024

_HASH = re.compile(r"[0-9a-f]{64}")


class ObjectError(Exception):
    """Something about a stored recording."""


class NoSuchObject(ObjectError):
    """Nothing is stored under that key."""


class StoreUnreachable(ObjectError, OSError):
    """The store cannot be used now; the recording is asked for again."""


class Objects(Protocol):
    """A store of recordings; `key` is the SHA-256 of the content."""

    def take(self, file: Path, sha256: str) -> str:
        """Make the content of `file`, whose hash was checked, durable under its key; return the key.

        `file` stays where it is; doing it twice is the same as once.
        """

    def size(self, key: str) -> int | None:
        """Bytes of a stored recording; None if it is not there."""

    def read(self, key: str, start: int, length: int) -> Iterator[bytes]:
        """`length` bytes from `start` on, in blocks; NoSuchObject."""

    def delete(self, key: str) -> None:
        """Remove a stored recording, if it is there."""


@dataclass(frozen=True, slots=True)
class FolderObjects:
    """Recordings in `folder`, as objects/ab/abcd...; `file` has to be on the same file system."""

    folder: Path
    _durable: set[Path] = field(default_factory=set, compare=False)  # folders whose names are on the disk

    def take(self, file: Path, sha256: str) -> str:
        """See Objects."""
        target = self._object(sha256)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(file, target)
        except FileExistsError:  # what is there may be damaged, or it would not have come again
            anew = target.with_name(f"{target.name}.{file.name}")
            anew.unlink(missing_ok=True)
            os.link(file, anew)
            os.replace(anew, target)
            anew.unlink(missing_ok=True)  # still there if both were the same file
        _sync_folder(target.parent)
        if target.parent not in self._durable:  # its own name, once in the life of this process
            for folder in (target.parent.parent, self.folder):
                _sync_folder(folder)
            self._durable.add(target.parent)
        return sha256

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

    def _object(self, key: str) -> Path:
        return self.folder / "objects" / checked_key(key)[:2] / key


def checked_key(key: str) -> str:
    """`key`; NoSuchObject unless it is a SHA-256 in lower-case hex."""
    if not _HASH.fullmatch(key):
        raise NoSuchObject(f"a key is a SHA-256 in lower-case hex, got {key[:100]!r}")
    return key


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
