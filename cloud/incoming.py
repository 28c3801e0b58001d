"""Recordings that are still arriving: one file each. Always a local folder.

Bytes come in order, and what the file holds is there. Only when some are missing before others does it get a
map of what has come, which is appended to after the data, so that it never names bytes that were not written.
What a power cut takes from either shows in the sums of the pieces, and only those come again.

    <box>.<recording>        bytes where they belong, holes where none have come
    <box>.<recording>.map    start u64, end u64 little-endian, for what was there and every chunk since
"""

from __future__ import annotations

import hashlib
import os
import re
import struct
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from sync import spans
from sync.spans import Span, Spans

MAP = ".map"
MOST_OPEN = 64  # files kept open between two chunks
_SPAN = struct.Struct("<QQ")
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,99}")


@dataclass(frozen=True, slots=True)
class _Written:
    """An unfinished file that is being written; closed when nobody has it any more."""

    path: Path
    map: Path
    handle: int

    def size(self) -> int | None:
        """Bytes of it; None if it is no longer the file of that name: another worker has stored it."""
        ours = os.fstat(self.handle)
        try:
            return ours.st_size if os.path.samestat(os.stat(self.path), ours) else None
        except FileNotFoundError:
            return None

    def __del__(self) -> None:
        os.close(self.handle)


@dataclass(frozen=True, slots=True)
class Incoming:
    """The unfinished files in `folder`, by names the caller chooses."""

    folder: Path
    _written: dict[str, _Written] = field(default_factory=dict, compare=False)  # the last one used is last

    def path(self, name: str) -> Path:
        """Where the bytes are; ValueError for what is no name."""
        if not _NAME.fullmatch(name) or name.endswith(MAP):
            raise ValueError(f"not a name for an unfinished file: {name[:100]!r}")
        return self.folder / name

    def held(self, name: str) -> Spans:
        """The bytes that have come."""
        path, noted = self.path(name), self._map(name)
        size = path.stat().st_size if path.exists() else 0
        if not noted.exists():
            return spans.add((), 0, size)
        found = noted.read_bytes()
        held: Spans = ()
        for start, end in _SPAN.iter_unpack(found[: len(found) // _SPAN.size * _SPAN.size]):
            held = spans.add(held, start, min(end, size))
        return held

    def put(self, name: str, offset: int, data: bytes | memoryview) -> None:
        """Write `data` where it belongs."""
        written, size = self._open(name)
        mapped = written.map.exists()
        if not mapped and offset > size:  # a hole: from now on there is a map
            written.map.write_bytes(_SPAN.pack(0, size))
            mapped = True
        _write_at(written.handle, offset, data)
        if mapped:
            with open(written.map, "ab", buffering=0) as file:
                file.write(_SPAN.pack(offset, offset + len(data)))

    def keep(self, name: str, held: Spans) -> None:
        """From now on only these bytes count; what is beyond them is cut off."""
        path = self.path(name)
        if path.exists():
            self._map(name).write_bytes(b"".join(_SPAN.pack(*span) for span in held))
            os.truncate(path, held[-1][1] if held else 0)

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

    def cool(self, name: str) -> None:
        """The file is durable and not read again soon: its memory is for what comes next."""
        with suppress(FileNotFoundError), open(self.path(name), "rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def drop(self, name: str) -> None:
        """Remove the file, if it is there; its map last, or it would seem to have no holes."""
        self._written.pop(name, None)
        self.path(name).unlink(missing_ok=True)
        self._map(name).unlink(missing_ok=True)

    def _open(self, name: str) -> tuple[_Written, int]:
        """The file, open, and how many bytes it has."""
        written = self._written.pop(name, None)
        size = written.size() if written else None
        if written is None or size is None:
            written, size = self._begin(name)
        self._written[name] = written
        if len(self._written) > MOST_OPEN:
            del self._written[next(iter(self._written))]
        return written, size

    def _begin(self, name: str) -> tuple[_Written, int]:
        path, noted = self.path(name), self._map(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            noted.unlink(missing_ok=True)  # of a file that is gone
        written = _Written(path, noted, os.open(path, os.O_WRONLY | os.O_CREAT, 0o640))
        return written, os.fstat(written.handle).st_size

    def _map(self, name: str) -> Path:
        path = self.path(name)
        return path.with_name(path.name + MAP)


def _write_at(handle: int, offset: int, data: bytes | memoryview) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(handle, view, offset)
        offset, view = offset + written, view[written:]


def _sum(handle: int, start: int, end: int) -> str:
    digest = hashlib.sha256()
    while start < end and (block := os.pread(handle, min(1 << 20, end - start), start)):
        digest.update(block)
        start += len(block)
    return digest.hexdigest()
