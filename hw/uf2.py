"""Wraps a flash image into UF2 blocks, the form in which an RP2040's boot loader takes it.

    block   0  u32 magic 0x0A324655      4  u32 magic 0x9E5D5157     8  u32 flags 0x2000 (family given)
           12  u32 flash address        16  u32 256, carried  20  u32 number     24  u32 of how many

All little-endian, 512 bytes a block; layout of Microsoft's UF2 specification, family of the RP2040.
"""

from __future__ import annotations

import struct

BLOCK, CARRIED = 512, 256
HEAD = "<8I"
MAGICS = (0x0A324655, 0x9E5D5157, 0x0AB16F30)
FAMILY_GIVEN, RP2040 = 0x2000, 0xE48BFF56
FLASH = 0x10000000
FLASH_BYTES = 2 << 20  # of the smallest board


class Uf2Error(ValueError):
    """Bytes that are no UF2 file for this chip."""


def wrap(image: bytes) -> bytes:
    """The UF2 file of a flash image (1 byte to 2 MB, from the start of flash)."""
    if not 1 <= len(image) <= FLASH_BYTES:
        raise Uf2Error(f"an image has 1-{FLASH_BYTES} bytes, got {len(image)}")
    count = -(-len(image) // CARRIED)
    blocks = []
    for number in range(count):
        piece = image[number * CARRIED :][:CARRIED].ljust(CARRIED, b"\0")
        head = struct.pack(
            HEAD, *MAGICS[:2], FAMILY_GIVEN, FLASH + number * CARRIED, CARRIED, number, count, RP2040
        )
        blocks.append(head + piece.ljust(BLOCK - len(head) - 4, b"\0") + struct.pack("<I", MAGICS[2]))
    return b"".join(blocks)


def unwrap(data: bytes) -> bytes:
    """The flash image in a UF2 file; raises Uf2Error naming the block that is wrong."""
    if not data or len(data) % BLOCK:
        raise Uf2Error(f"a UF2 file has whole blocks of {BLOCK} bytes, got {len(data)} bytes")
    count = len(data) // BLOCK
    return b"".join(_carried(data[number * BLOCK :][:BLOCK], number, count) for number in range(count))


def _carried(block: bytes, number: int, count: int) -> bytes:
    one, two, flags, address, size, own_number, blocks, family = struct.unpack_from(HEAD, block)
    if (one, two, struct.unpack_from("<I", block, BLOCK - 4)[0]) != MAGICS:
        raise Uf2Error(f"block {number}: not a UF2 block")
    if not flags & FAMILY_GIVEN or family != RP2040:
        raise Uf2Error(f"block {number}: wanted an image for the RP2040, got family {family:#010x}")
    if (address, size, own_number, blocks) != (FLASH + number * CARRIED, CARRIED, number, count):
        raise Uf2Error(
            f"block {number}: wanted block {number} of {count} at {FLASH + number * CARRIED:#x},"
            f" got block {own_number} of {blocks} with {size} bytes at {address:#x}"
        )
    return block[32 : 32 + CARRIED]
