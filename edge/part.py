"""The file of a recording that is not finished: blocks of samples, each with its length and checksum.

    block     0        2                6               6 + 2 n
            +--------+----------------+-----------------+
            | n  u16 | CRC-32     u32 | n samples, i16  |      little-endian; n is 1 to 65,535
            +--------+----------------+-----------------+      the CRC covers n and the samples

A power cut may leave the end of an appended file torn, or with holes of zeros where pages never got written.
Reading stops at the first block that does not check, so what is read back is exactly what was heard.
"""

from __future__ import annotations

import os
import struct
from binascii import crc32
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from edge.samples import Samples

SUFFIX = ".part"
MOST_SAMPLES = 0xFFFF
_HEAD = struct.Struct("<HI")


def part_name(recording_id: str) -> str:
    """The name of a recording that is not finished."""
    return recording_id + SUFFIX


def pack_blocks(samples: Samples) -> bytes:
    """`samples` (int16, one line) as blocks to append."""
    return b"".join(_block(samples[at : at + MOST_SAMPLES]) for at in range(0, len(samples), MOST_SAMPLES))


def read_blocks(path: Path) -> Iterator[Samples]:
    """The samples of a part, block by block, up to the first block that does not check."""
    with path.open("rb") as file:
        yield from _blocks_of(file)


class PartTail:
    """Follows a part while it grows."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._at = 0

    def read(self, most_samples: int) -> Iterator[Samples]:
        """The next whole blocks, until there are no more or the next would pass `most_samples`."""
        self._file.seek(self._at)
        for block in _blocks_of(self._file):
            most_samples -= len(block)
            if most_samples < 0:
                return
            self._at = self._file.tell()
            yield block

    def samples_ahead(self) -> int:
        """At least so many samples are in the file and were not read, if its end is whole."""
        ahead = os.fstat(self._file.fileno()).st_size - self._at
        return max(0, (ahead - _HEAD.size * (1 + ahead // (2 * MOST_SAMPLES))) // 2)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def _blocks_of(file: BinaryIO) -> Iterator[Samples]:
    while len(head := file.read(_HEAD.size)) == _HEAD.size:
        count, wanted = _HEAD.unpack(head)
        data = file.read(2 * count)
        if count == 0 or len(data) != 2 * count or crc32(head[:2] + data) != wanted:
            return
        yield np.frombuffer(data, "<i2")


def samples_in(path: Path) -> int:
    """How many samples can be read back; 0 when there is no such file."""
    return sum(len(block) for block in read_blocks(path)) if path.exists() else 0


def _block(samples: Samples) -> bytes:
    data = samples.astype("<i2").tobytes()
    count = struct.pack("<H", len(samples))
    return count + struct.pack("<I", crc32(count + data)) + data
