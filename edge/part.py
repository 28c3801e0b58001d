"""The file of a recording that is not finished: blocks of samples, each with its length and checksum.

    block     0        2                6               6 + 2 n
            +--------+----------------+-----------------+
            | n  u16 | CRC-32     u32 | n samples, i16  |      little-endian; n is 1 to 65,535
            +--------+----------------+-----------------+      the CRC covers n and the samples

A power cut may leave the end of an appended file torn, or with holes of zeros where pages never got written.
Reading stops at the first block that does not check, so what is read back is exactly what was heard.
"""

from __future__ import annotations

import struct
from binascii import crc32
from collections.abc import Iterator
from pathlib import Path

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
