"""The conversation about one file, as two machines without clock, socket or disk.

box (FileSender)                      head office (FileReceiver)

open {rid, size, sha256}         -->  at {offset}      the receiver owns the offset: the box starts there
chunk, chunk ... (window)        -->  at {offset}      appended exactly there, or passed over
fin                              -->  stored {sha256}  read back, hash right, on disk, committed
                                      at {0}           hash wrong: all of it again
                                      declined {code}  wrong three times, or too large, or another file

chunk      0        8        12       16 ...            16 bytes of rid come first, so it is 32 in all
+--------+--------+--------+--------+----------+
|  rid (16 bytes) | offset | length | CRC-32   | data   offset u64, length u32, CRC-32 u32 of data, big-endian
+--------+--------+--------+--------+----------+

ChunkError    bytes that are not a chunk, or whose CRC-32 does not hold
"""

from __future__ import annotations

import struct
import uuid
from binascii import crc32
from dataclasses import dataclass

from sync.messages import MAX_FILE_BYTES, At, Declined, Open, Stored

HEADER = struct.Struct(">16sQII")
MIN_CHUNK = 8 * 1024
MAX_CHUNK = 256 * 1024
FIRST_CHUNK = 64 * 1024
CHUNK_S = 0.25  # one chunk should take about this long
WINDOW = 4  # chunks in flight
GRACE_S = 2.0
SLOWEST_S = 60.0
MAX_FAILURES = 3


class ChunkError(ValueError):
    """Bytes that are not a chunk."""

    code = "not_a_chunk"


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some bytes of a file and where they belong."""

    rid: str
    offset: int
    data: bytes

    @property
    def end(self) -> int:
        """The offset just after the last byte."""
        return self.offset + len(self.data)


def pack_chunk(chunk: Chunk) -> bytes:
    """The bytes of a chunk on the wire."""
    rid = uuid.UUID(chunk.rid).bytes
    return HEADER.pack(rid, chunk.offset, len(chunk.data), crc32(chunk.data)) + chunk.data


def unpack_chunk(payload: bytes) -> Chunk:
    """The chunk in `payload`; ChunkError if it is none, or damaged."""
    if not HEADER.size < len(payload) <= HEADER.size + MAX_CHUNK:
        raise ChunkError(f"a chunk has {HEADER.size} bytes and 1-{MAX_CHUNK} more, got {len(payload)}")
    rid, offset, length, crc = HEADER.unpack_from(payload)
    data = payload[HEADER.size :]
    if length != len(data):
        raise ChunkError(f"the chunk says {length} bytes and has {len(data)}")
    if crc32(data) != crc:
        raise ChunkError(f"CRC-32 of {length} bytes at {offset} does not match")
    if offset + length > MAX_FILE_BYTES:
        raise ChunkError(f"a file has at most {MAX_FILE_BYTES} bytes, the chunk ends at {offset + length}")
    return Chunk(str(uuid.UUID(bytes=rid)), offset, data)


@dataclass(frozen=True, slots=True)
class SendOpen:
    """Say that the current file is about to come."""


@dataclass(frozen=True, slots=True)
class SendChunk:
    """Send `length` bytes of the current file from `offset`."""

    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class SendFin:
    """Say that all of the current file was sent."""


@dataclass(frozen=True, slots=True)
class PickFile:
    """Choose the next file and `begin` it."""


@dataclass(slots=True)
class FileSender:
    """The box's end, one file at a time. `next` says what to do; the other methods tell what happened."""

    min_chunk: int = MIN_CHUNK
    max_chunk: int = MAX_CHUNK
    chunk: int = FIRST_CHUNK  # bytes per chunk now
    rid: str = ""  # of the file under way; "": none
    size: int = 0
    unanswered: int = 0
    rtt_s: float = 0.1
    _online: bool = False
    _fresh: bool = True
    _agreed: bool = False  # the receiver has named its offset since we (re)opened
    _sent: int = 0  # bytes sent
    _there: int = 0  # bytes the receiver has
    _fin: bool = False
    _heard_s: float = 0.0  # when the receiver last moved on, or we last asked
    _asked: bool = False

    def connected(self) -> None:
        """The connection is up: whatever was under way is opened again, where the receiver says."""
        self._online = True
        self._reopen()

    def lost(self) -> None:
        """The connection is gone."""
        self._online = False

    def woken(self) -> None:
        """There may be new files."""
        self._fresh = True

    def nothing(self) -> None:
        """There was no file to pick: do not ask again until woken."""
        self._fresh = False

    def begin(self, rid: str, size: int) -> None:
        """The next file was picked."""
        self.rid, self.size = rid, size
        self.unanswered = 0
        self._reopen()

    def drop(self) -> None:
        """Leave the current file: it cannot be read now."""
        self.rid = ""

    def opened(self, now_s: float) -> None:
        """Open was sent."""
        self._asked, self._heard_s = True, now_s

    def sent(self, action: SendChunk | SendFin, now_s: float) -> None:
        """A chunk, or fin, was sent."""
        if self._sent == self._there:
            self._heard_s = now_s
        if isinstance(action, SendChunk):
            self._sent = action.offset + action.length
        else:
            self._fin = True

    def at(self, at: At, now_s: float) -> None:
        """The receiver named its offset: after open, it decides; later it moves our window on."""
        if at.rid != self.rid or not self._asked or at.offset > self.size:
            return
        if not self._agreed or at.offset < self._there:
            self._agreed, self._fin = True, False
            self._sent = self._there = at.offset
        elif at.offset > self._there:
            self._measure(at.offset - self._there, now_s - self._heard_s)
            self._there = at.offset
            self._sent = max(self._sent, at.offset)
            self.unanswered = 0
        else:
            return
        self._heard_s = now_s

    def finished(self, answer: Stored | Declined) -> bool:
        """The receiver is done with a file; False if it is not ours."""
        if answer.rid != self.rid or not self._asked:
            return False
        self.rid = ""
        self._fresh = True
        return True

    def next(self, now_s: float) -> PickFile | SendOpen | SendChunk | SendFin | None:
        """What to do now; None: wait for something to happen."""
        if not self._online:
            return None
        if not self.rid:
            return PickFile() if self._fresh else None
        if not self._asked:
            return SendOpen()
        if now_s - self._heard_s > self._patience_s() and self._owed():
            self.unanswered += 1
            self.chunk = max(self.min_chunk, self.chunk // 4)
            self._reopen()
            return SendOpen()
        return self._part() if self._agreed else None

    def _part(self) -> SendChunk | SendFin | None:
        if self._sent < self.size:
            if self._sent - self._there >= WINDOW * self.chunk:
                return None
            return SendChunk(self._sent, min(self.chunk, self.size - self._sent))
        return None if self._fin else SendFin()

    def _owed(self) -> bool:
        return not self._agreed or self._fin or self._sent > self._there

    def _patience_s(self) -> float:
        hashing_s = self.size / 20e6 if self._fin else 0.0  # head office reads a finished file once more
        return hashing_s + min(SLOWEST_S, (2 * self.rtt_s + GRACE_S) * 2.0**self.unanswered)

    def _reopen(self) -> None:
        self._agreed = self._asked = self._fin = False
        self._sent = self._there = 0

    def _measure(self, moved: int, took_s: float) -> None:
        self.rtt_s += (took_s - self.rtt_s) / 4
        wanted = moved / max(took_s, 1e-4) * CHUNK_S
        self.chunk = int(max(self.min_chunk, min(self.max_chunk, wanted, self.chunk * 2)))


@dataclass(slots=True)
class FileReceiver:
    """Head office's end of one file: what to do with each message, given how much of it is on disk."""

    size: int
    sha256: str
    have: int  # bytes on disk
    failures: int = 0

    def same(self, opened: Open) -> bool:
        """Whether `opened` speaks of this file."""
        return (opened.size, opened.sha256) == (self.size, self.sha256)

    def takes(self, chunk: Chunk) -> bool:
        """Whether the chunk goes on exactly where the file ends."""
        return chunk.offset == self.have and chunk.end <= self.size

    def taken(self, chunk: Chunk) -> None:
        """The chunk is on disk."""
        self.have = chunk.end

    def complete(self) -> bool:
        """Whether every byte is there, so that the hash can be checked."""
        return self.have == self.size

    def mismatched(self) -> bool:
        """The hash was wrong: all of it again; False when that has happened too often."""
        self.failures += 1
        self.have = 0
        return self.failures < MAX_FAILURES
