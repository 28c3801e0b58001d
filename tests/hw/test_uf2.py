"""UF2 files: wrapped and unwrapped, the layout byte for byte, every kind of damage named."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.uf2 import BLOCK, FLASH_BYTES, Uf2Error, unwrap, wrap


@given(st.binary(min_size=1, max_size=2000))
def test_what_is_wrapped_comes_out_padded_to_pages(image: bytes) -> None:
    padded = image + bytes(-len(image) % 256)
    assert unwrap(wrap(image)) == padded


def test_the_second_block_of_three_byte_for_byte() -> None:
    block = wrap(bytes(range(256)) * 3)[BLOCK : 2 * BLOCK]
    head = "0a324655 9e5d5157 00002000 10000100 00000100 00000001 00000003 e48bff56"
    assert struct.unpack_from("<8I", block) == tuple(int(word, 16) for word in head.split())
    assert block[32:288] == bytes(range(256)) and not any(block[288:508])
    assert block[508:] == bytes.fromhex("306fb10a")


def damaged(offset: int, word: int) -> bytes:
    data = bytearray(wrap(bytes(700)))
    struct.pack_into("<I", data, BLOCK + offset, word)
    return bytes(data)


REFUSED = {
    "nothing": (b"", "whole blocks of 512 bytes, got 0"),
    "cut": (wrap(bytes(700))[:-1], "whole blocks of 512 bytes, got 1535"),
    "first magic": (damaged(0, 0), "block 1: not a UF2 block"),
    "last magic": (damaged(508, 1), "block 1: not a UF2 block"),
    "another chip": (
        damaged(28, 0xE48BFF59),
        "block 1: wanted an image for the RP2040, got family 0xe48bff59",
    ),
    "no family": (damaged(8, 0), "block 1: wanted an image for the RP2040"),
    "another place": (
        damaged(12, 0x10008000),
        "at 0x10000100, got block 1 of 3 with 256 bytes at 0x10008000",
    ),
    "another number": (damaged(20, 2), "wanted block 1 of 3"),
    "another count": (damaged(24, 4), "got block 1 of 4"),
    "another size": (damaged(16, 476), "with 476 bytes"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_the_block_that_is_wrong(name: str) -> None:
    data, sentence = REFUSED[name]
    with pytest.raises(Uf2Error) as refused:
        unwrap(data)
    assert sentence in str(refused.value)


@pytest.mark.parametrize("size", [0, FLASH_BYTES + 1])
def test_no_image_that_does_not_fit(size: int) -> None:
    with pytest.raises(Uf2Error, match=f"got {size}"):
        wrap(bytes(size))
