"""One recording on its way: the machine that decides about it, its row, and the bytes it is read from."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from edge.syncer.early import EarlyAudio
from sync.chunks import Chunk, pack_chunk
from sync.messages import AnyMessage, Fin, Grow, Open, Sums
from sync.outbox import FileRow
from sync.upload import FileSender, SendChunk, SendFin, SendOpen, SendSums

READ_BYTES = 1 << 20


class Unreadable(Exception):
    """A recording cannot be read as its row says."""


@dataclass(slots=True)
class Lane:
    """A place for one recording; empty while `sender.rid` is."""

    sender: FileSender
    folder: Path  # of the recordings
    early: EarlyAudio | None
    row: FileRow | None = None  # None: a part of a call that goes on
    oldest: bool = False  # it is under way for being the oldest
    turn_until_s: float = 0.0
    _file: FileIO | None = None

    @property
    def sends(self) -> bool:
        """Whether bytes of a recording are still to be sent."""
        return bool(self.sender.rid) and not self.sender.closing

    @property
    def name(self) -> str:
        """What the recording is called, for people."""
        return self.row.file if self.row else self.sender.rid

    def begin(self, row: FileRow) -> None:
        """A finished recording is next. Unreadable if its file is not as its row says."""
        self.row = row
        self.sender.begin(row.recording_id, row.size_bytes)
        try:
            self._file = FileIO(self.folder / row.file)
            size = os.fstat(self._file.fileno()).st_size
        except OSError as error:
            raise Unreadable(f"recording {row.file} cannot be read: {error.strerror}") from error
        if size != row.size_bytes:
            raise Unreadable(f"recording {row.file} has {size} bytes, not {row.size_bytes}")

    def close(self) -> None:
        """Let go of the file."""
        self.row = None
        if self._file is not None:
            self._file.close()
            self._file = None

    def payload(self, action: SendOpen | SendChunk | SendSums | SendFin) -> bytes | AnyMessage:
        """What to publish: the bytes of a chunk, or a message. Unreadable if the file became shorter."""
        rid = self.sender.rid
        if isinstance(action, SendChunk):
            return pack_chunk(Chunk(rid, action.offset, self._read(action.offset, action.length)))
        if isinstance(action, SendSums):
            return self._sums(action)
        if isinstance(action, SendFin):
            return Fin(rid=rid)
        if self.row is None:
            return Grow(rid=rid)
        return Open(rid=rid, size=self.row.size_bytes, sha256=self.row.sha256)

    def _read(self, offset: int, length: int) -> bytes:
        if self._file is None:
            data = self.early.read(self.sender.rid, offset, length) if self.early else b""
        else:
            try:
                data = os.pread(self._file.fileno(), length, offset)
            except OSError as error:
                raise Unreadable(f"recording {self.name} cannot be read: {error.strerror}") from error
        if len(data) != length:
            raise Unreadable(f"recording {self.name} became shorter than {offset + length} bytes")
        return data

    def _sums(self, action: SendSums) -> Sums:
        starts = range(action.start, action.end, action.step)
        sums = tuple(self._sum(start, min(start + action.step, action.end)) for start in starts)
        return Sums(rid=self.sender.rid, start=action.start, end=action.end, step=action.step, sums=sums)

    def _sum(self, start: int, end: int) -> str:
        digest = hashlib.sha256()
        for block in self._blocks(start, end):
            digest.update(block)
        return digest.hexdigest()

    def _blocks(self, start: int, end: int) -> Iterator[bytes]:
        for at in range(start, end, READ_BYTES):
            yield self._read(at, min(READ_BYTES, end - at))
