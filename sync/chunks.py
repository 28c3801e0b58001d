"""One file's bytes: the chunk on the wire, and head office's end of the talk (the box's: sync.upload).

box (sync.upload.FileSender)          head office (FileReceiver)

open {rid, size, sha256}         -->  at {asked, ...}      the receiver owns what is there: send the rest
chunk, chunk ... (window)        -->  at {offset, spans}   put where it belongs, or passed over
fin                              -->  stored {sha256}      read back, hash right, on disk, committed
                                      at {doubt}           hash wrong: the box says the sums of the pieces,
sums                             -->  at {asked}           those that differ no longer count, and come again
                                      declined {code}      wrong three times, or too large, or another file

While a call goes on, `grow` stands for `open`, and a span ends with its sum instead of fin.

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
from collections.abc import Sequence
from dataclasses import dataclass

from sync import spans
from sync.messages import MAX_FILE_BYTES, MAX_SPANS, At, Open, Sums
from sync.spans import Span, Spans

HEADER = struct.Struct(">16sQII")
MIN_CHUNK = 8 * 1024
MAX_CHUNK = 256 * 1024
MAX_FAILURES = 3


class ChunkError(ValueError):
    """Bytes that are not a chunk."""

    code = "not_a_chunk"


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some bytes of a file and where they belong."""

    rid: str
    offset: int
    data: bytes | memoryview

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
    data = memoryview(payload)[HEADER.size :]  # a quarter of a megabyte is not copied once more
    if length != len(data):
        raise ChunkError(f"the chunk says {length} bytes and has {len(data)}")
    if crc32(data) != crc:
        raise ChunkError(f"CRC-32 of {length} bytes at {offset} does not match")
    if offset + length > MAX_FILE_BYTES:
        raise ChunkError(f"a file has at most {MAX_FILE_BYTES} bytes, the chunk ends at {offset + length}")
    return Chunk(str(uuid.UUID(bytes=rid)), offset, data)


@dataclass(slots=True)
class FileReceiver:
    """Head office's end of one file: what to do with each message, given what of it is on disk."""

    size: int | None  # None: it still grows
    sha256: str
    have: Spans = ()
    failures: int = 0
    doubted: bool = False  # the hash was wrong, and the box has not said the sums yet

    @property
    def most(self) -> int:
        """No byte is beyond this."""
        return MAX_FILE_BYTES if self.size is None else self.size

    def same(self, opened: Open) -> bool:
        """Whether `opened` speaks of this file."""
        return (opened.size, opened.sha256) == (self.size, self.sha256)

    def takes(self, chunk: Chunk) -> bool:
        """Whether the chunk has missing bytes of the file, and leaves no more holes than can be told."""
        if chunk.end > self.most or spans.holds(self.have, chunk.offset, chunk.end):
            return False
        return len(spans.add(self.have, chunk.offset, chunk.end)) <= MAX_SPANS

    def taken(self, chunk: Chunk) -> None:
        """The chunk is on disk."""
        self.have = spans.add(self.have, chunk.offset, chunk.end)

    def complete(self) -> bool:
        """Whether every byte is there, so that the hash can be checked."""
        return self.size is not None and spans.holds(self.have, 0, self.size)

    def mismatched(self) -> bool:
        """The hash was wrong: ask, once each time, for the sums; False when it happened too often."""
        self.failures += not self.doubted
        self.doubted = True
        return self.failures < MAX_FAILURES

    def whole_pieces(self, sums: Sums) -> list[tuple[Span, str]]:
        """The pieces `sums` speaks of that are here whole, each with its wanted SHA-256."""
        self.doubted = False
        return [(piece, wanted) for piece, wanted in pieces_of(sums) if spans.holds(self.have, *piece)]

    def differs(self, pieces: Sequence[Span]) -> None:
        """These pieces are not what they should be: they no longer count."""
        for start, end in pieces:
            self.have = spans.without(self.have, start, end)

    def at(self, rid: str, *, doubt: bool = False, asked: bool = False) -> At:
        """What the box is told."""
        offset = spans.from_zero(self.have)
        beyond = tuple(span for span in self.have if span[0] > offset)
        return At(rid=rid, offset=offset, spans=beyond, doubt=doubt, asked=asked)


def pieces_of(sums: Sums) -> list[tuple[Span, str]]:
    """The pieces of a file that `sums` speaks of, each with its SHA-256."""
    starts = range(sums.start, sums.end, sums.step)
    return [
        ((start, min(start + sums.step, sums.end)), wanted)
        for start, wanted in zip(starts, sums.sums, strict=False)
    ]
