"""The EEPROM image: byte for byte what the official tool makes, and a reason for every broken one."""

from __future__ import annotations

import struct
import uuid
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.eeprom import (
    CHIP_BYTES,
    Custom,
    Eeprom,
    EepromError,
    build,
    check,
    crc16,
    read,
    read_custom,
    write_custom,
)

# made with eepmake of raspberrypi/utils from the fields below
OFFICIAL = bytes.fromhex(
    "522d50690200030077000000010000003d000000ab8967452301559a7e4c1d3b0c9f5e6a0108000115104c696e65205265636f72646572"
    "2050726f6a65637450686f6e65206c696e65204841542038185303000100090000006c696e65686174954d040002000d0000007b226c69"
    "6e6573223a387df33c"
)
PROJECT = Eeprom(
    uuid.UUID("6a5e9f0c-3b1d-4c7e-9a55-0123456789ab"), 0x0801, 0x0100,
    "Line Recorder Project", "Phone line HAT 8", "linehat", '{"lines":8}',
)  # fmt: skip
CUSTOM = Custom(2, "A", ((32768, 2550), (32700, 2561)))
OURS = replace(PROJECT, custom=write_custom(CUSTOM))


def test_same_bytes_as_the_official_tool() -> None:
    assert build(PROJECT) == OFFICIAL
    assert read(OFFICIAL) == PROJECT
    assert read(OFFICIAL + b"\xff" * 100) == PROJECT, "the erased rest of the chip"


def test_crc_has_its_published_check_value() -> None:
    assert crc16(b"123456789") == 0xBB3D


def _patched(at: int, data: bytes) -> bytes:
    return OFFICIAL[:at] + data + OFFICIAL[at + len(data) :]


BROKEN = {
    "short": (OFFICIAL[:11], "at least 12 bytes, got 11"),
    "erased": (b"\xff" * 200, "signature is b'"),
    "signature": (_patched(0, b"r-Pi"), "signature is b'r-Pi'"),
    "old format": (_patched(4, b"\x01"), "version 1, wanted 2"),
    "cut": (OFFICIAL[:-1], "says it has 119 bytes; there are 118"),
    "length": (_patched(8, b"\x78"), "says it has 120 bytes; there are 119"),
    "count": (_patched(6, b"\x04"), "atom 3 begins at 119, past the end"),
    "fewer": (_patched(6, b"\x02"), "21 bytes follow the last atom"),
    "index": (_patched(14, b"\x01"), "atom 0 says that it is number 1"),
    "atom length": (_patched(16, b"\xff"), "atom 0 has 255 bytes, 99 are left"),
    "data": (_patched(50, b"X"), "atom 0: CRC-16 does not match"),
    "not ours": (
        struct.pack("<4sBBHI", b"R-Pi", 2, 0, 0, 12),
        r"wanted atoms vendor, overlay, custom \(1, 3, 4\), got \[\]",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_image_is_refused_with_the_reason(name: str) -> None:
    image, reason = BROKEN[name]
    with pytest.raises(EepromError, match=reason):
        read(image)


RESERVED = range(5 * 8, 6 * 8)  # has no check


@pytest.mark.parametrize("bit", [bit for bit in range(0, 8 * len(OFFICIAL), 3) if bit not in RESERVED])
def test_any_flipped_bit_is_noticed(bit: int) -> None:
    image = bytearray(OFFICIAL)
    image[bit // 8] ^= 1 << bit % 8
    with pytest.raises(EepromError):
        read(bytes(image))


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(noise: bytes) -> None:
    for image in (noise, OFFICIAL[:12] + noise):
        try:
            read(image)
        except EepromError as error:
            assert str(error)


def test_image_of_ours_is_checked_whole() -> None:
    assert check(build(OURS), {"linehat"}) == (OURS, CUSTOM)
    with pytest.raises(EepromError, match="no overlay is called 'linehat'; there are linehat-l2"):
        check(build(OURS), {"linehat-l2"})
    with pytest.raises(EepromError, match="cannot be read: KeyError 'schema'"):
        check(OFFICIAL, {"linehat"})


BAD_CUSTOM = {
    "no JSON": ("hello", "JSONDecodeError"),
    "a list": ("[]", "TypeError"),
    "schema": (write_custom(CUSTOM).replace('"schema":1', '"schema":2'), "schema 2, this program knows 1"),
    "calibration": (write_custom(CUSTOM).replace("2561", "2562"), "CRC does not match"),
    "lines": (write_custom(CUSTOM).replace('"lines":2', '"lines":4'), "4 lines, but calibration for 2"),
}


@pytest.mark.parametrize("name", BAD_CUSTOM)
def test_custom_refused(name: str) -> None:
    text, reason = BAD_CUSTOM[name]
    with pytest.raises(EepromError, match=reason):
        read_custom(text)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"vendor": ""}, "1-255 printable ASCII"),
        ({"product": "线"}, "1-255 printable ASCII"),
        ({"overlay": "a\n"}, "1-255 printable ASCII"),
        ({"product": "x" * 256}, "1-255 printable ASCII"),
        ({"custom": "x" * 4000}, f"the chip {CHIP_BYTES}"),
    ],
)
def test_build_refuses(change: dict[str, str], reason: str) -> None:
    with pytest.raises(EepromError, match=reason):
        build(replace(PROJECT, **change))
