"""Recordings that are still arriving: one file each, and a map of the bytes it has. Always a local folder.

The map is appended to after the data, so it never names bytes that were not written; what a power cut takes
from either shows in the sums of the pieces, and only those come again.

    <box>.<recording>        bytes where they belong, holes where none have come
    <box>.<recording>.map    start u64, end u64 little-endian, for every chunk in the order they came
"""

from __future__ import annotations

import hashlib
import os
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sync import spans
from sync.spans import Span, Spans

MAP = ".map"
_SPAN = struct.Struct("<QQ")
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,99}")


@dataclass(frozen=True, slots=True)
class Incoming:
    """The unfinished files in `folder`, by names the caller chooses."""

    folder: Path

    def path(self, name: str) -> Path:
        """Where the bytes are; ValueError for what is no name."""
        if not _NAME.fullmatch(name) or name.endswith(MAP):
            raise ValueError(f"not a name for an unfinished file: {name[:100]!r}")
        return self.folder / name

    def held(self, name: str) -> Spans:
        """The bytes that have come."""
        path, noted = self.path(name), self._map(name)
        if not path.exists() or not noted.exists():
            return ()
        size, found = path.stat().st_size, noted.read_bytes()
        held: Spans = ()
        for start, end in _SPAN.iter_unpack(found[: len(found) // _SPAN.size * _SPAN.size]):
            held = spans.add(held, start, min(end, size))
        return held

    def put(self, name: str, offset: int, data: bytes | memoryview) -> None:
        """Write `data` where it belongs."""
        path = self.path(name)
        _write_at(path, offset, data)
        handle = os.open(f"{path}{MAP}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        try:
            os.write(handle, _SPAN.pack(offset, offset + len(data)))
        finally:
            os.close(handle)

    def keep(self, name: str, held: Spans) -> None:
        """From now on only these bytes count; what is beyond them is cut off."""
        path = self.path(name)
        if path.exists():
            os.truncate(path, held[-1][1] if held else 0)
            self._map(name).write_bytes(b"".join(_SPAN.pack(*span) for span in held))

    def sums(self, name: str, pieces: Sequence[Span]) -> list[str]:
        """The SHA-256 of each piece; first everything written so far is made durable."""
        if not pieces:
            return []
        with open(self.path(name), "rb") as file:
            os.fsync(file.fileno())
            return [_sum(file.fileno(), *piece) for piece in pieces]

    def whole(self, name: str) -> tuple[Path, str]:
        """The file, durable, and its SHA-256."""
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "a+b") as file:  # a file of no bytes was never written to
            os.fsync(file.fileno())
            file.seek(0)
            return path, hashlib.file_digest(file, "sha256").hexdigest()

    def drop(self, name: str) -> None:
        """Remove the file, if it is there."""
        self._map(name).unlink(missing_ok=True)
        self.path(name).unlink(missing_ok=True)

    def _map(self, name: str) -> Path:
        path = self.path(name)
        return path.with_name(path.name + MAP)


def _write_at(path: Path, offset: int, data: bytes | memoryview) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o640)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o640)
    try:
        view = memoryview(data)
        while view:
            written = os.pwrite(handle, view, offset)
            offset, view = offset + written, view[written:]
    finally:
        os.close(handle)


def _sum(handle: int, start: int, end: int) -> str:
    digest = hashlib.sha256()
    while start < end and (block := os.pread(handle, min(1 << 20, end - start), start)):
        digest.update(block)
        start += len(block)
    return digest.hexdigest()
