"""The HAT+ identification EEPROM: an image built from a board's constants, and one read back and checked.

    image   | "R-Pi" | u8 version 2 | u8 0 | u16 atoms | u32 length of the whole |  atoms ...
    atom    | u16 type | u16 index | u32 length of data + 2 | data | CRC-16/ARC over all before it |
    vendor  (type 1)   UUID reversed (16)  u16 product id  u16 version  u8 n  u8 m  vendor (n)  product (m)
    overlay (type 3)   the overlay's name in ASCII
    custom  (type 4)   JSON: schema, lines, revision, calibration [[counts at 0 V, uV per count], ...], crc

Layout after raspberrypi/utils eeptools; the HAT+ specification itself is to be read before a board claims it.
"""

from __future__ import annotations

import json
import struct
import uuid
from binascii import crc32
from dataclasses import dataclass

CHIP_BYTES = 4096  # 24C32
VENDOR, OVERLAY, CUSTOM = 1, 3, 4
HEADER = struct.Struct("<4sBBHI")
ATOM = struct.Struct("<HHI")
VENDOR_HEAD = struct.Struct("<16sHHBB")
SCHEMA = 1
SIGNATURE = b"R-Pi"


class EepromError(ValueError):
    """An image that must not be written, or was not written by us."""


@dataclass(frozen=True, slots=True)
class Eeprom:
    """What an image says."""

    uuid: uuid.UUID
    product_id: int
    version: int
    vendor: str
    product: str
    overlay: str
    custom: str


@dataclass(frozen=True, slots=True)
class Custom:
    """What the custom atom says about one made board."""

    lines: int
    revision: str
    calibration: tuple[tuple[int, int], ...]  # per line: ADC counts at 0 V, microvolts per count


def crc16(data: bytes) -> int:
    """CRC-16/ARC (polynomial 0x8005 reflected, start 0); `123456789` gives 0xBB3D."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0xA001 if crc & 1 else 0)
    return crc


def build(eeprom: Eeprom) -> bytes:
    """Return the image; raises EepromError if a text is not ASCII, too long, or the chip too small."""
    vendor, product = _ascii(eeprom.vendor, 255), _ascii(eeprom.product, 255)
    head = VENDOR_HEAD.pack(
        eeprom.uuid.bytes[::-1], eeprom.product_id, eeprom.version, len(vendor), len(product)
    )
    atoms = [(VENDOR, head + vendor + product), (OVERLAY, _ascii(eeprom.overlay, 255))]
    atoms.append((CUSTOM, _ascii(eeprom.custom, CHIP_BYTES)))
    body = b""
    for index, (kind, data) in enumerate(atoms):
        atom = ATOM.pack(kind, index, len(data) + 2) + data
        body += atom + struct.pack("<H", crc16(atom))
    image = HEADER.pack(SIGNATURE, 2, 0, len(atoms), HEADER.size + len(body)) + body
    if len(image) > CHIP_BYTES:
        raise EepromError(f"the image has {len(image)} bytes, the chip {CHIP_BYTES}")
    return image


def read(image: bytes) -> Eeprom:
    """Return what `image` (it may be followed by the erased rest of the chip) says; raises EepromError."""
    atoms = _atoms(image)
    if [kind for kind, _ in atoms] != [VENDOR, OVERLAY, CUSTOM]:
        raise EepromError(
            f"wanted atoms vendor, overlay, custom (1, 3, 4), got {[kind for kind, _ in atoms]}"
        )
    (_, vendor), (_, overlay), (_, custom) = atoms
    if len(vendor) < VENDOR_HEAD.size:
        raise EepromError(f"the vendor atom has {len(vendor)} bytes, at least {VENDOR_HEAD.size} are needed")
    serial, product_id, version, n, m = VENDOR_HEAD.unpack(vendor[: VENDOR_HEAD.size])
    texts = vendor[VENDOR_HEAD.size :]
    if len(texts) != n + m:
        raise EepromError(f"vendor and product should have {n} + {m} characters, there are {len(texts)}")
    return Eeprom(
        uuid.UUID(bytes=serial[::-1]), product_id, version,
        _text(texts[:n]), _text(texts[n:]), _text(overlay), _text(custom),
    )  # fmt: skip


def check(image: bytes, overlays: set[str]) -> tuple[Eeprom, Custom]:
    """Return what an image of ours says; raises EepromError if anything in it does not hold."""
    eeprom = read(image)
    if eeprom.overlay not in overlays:
        raise EepromError(f"no overlay is called {eeprom.overlay!r}; there are {', '.join(sorted(overlays))}")
    return eeprom, read_custom(eeprom.custom)


def write_custom(custom: Custom) -> str:
    """The custom atom's text; calibration has a CRC of its own, since it is written after the rest."""
    calibration = [list(row) for row in custom.calibration]
    fields = {
        "schema": SCHEMA,
        "lines": custom.lines,
        "revision": custom.revision,
        "calibration": calibration,
    }
    return json.dumps(fields | {"crc": _calibration_crc(calibration)}, separators=(",", ":"))


def read_custom(text: str) -> Custom:
    """Undo `write_custom`; raises EepromError."""
    try:
        fields = json.loads(text)
        schema, lines, revision = fields["schema"], fields["lines"], fields["revision"]
        calibration = tuple((int(offset), int(gain_uv)) for offset, gain_uv in fields["calibration"])
        crc = fields["crc"]
    except (ValueError, KeyError, TypeError) as error:
        raise EepromError(f"the custom atom cannot be read: {type(error).__name__} {error}") from None
    if schema != SCHEMA:
        raise EepromError(f"custom atom of schema {schema}, this program knows {SCHEMA}")
    if crc != _calibration_crc([list(row) for row in calibration]):
        raise EepromError("the calibration's CRC does not match")
    if len(calibration) != lines:
        raise EepromError(f"{lines} lines, but calibration for {len(calibration)}")
    return Custom(lines, str(revision), calibration)


def _calibration_crc(calibration: list[list[int]]) -> int:
    return crc32(json.dumps(calibration, separators=(",", ":")).encode())


def _atoms(image: bytes) -> list[tuple[int, bytes]]:
    if len(image) < HEADER.size:
        raise EepromError(f"an image has at least {HEADER.size} bytes, got {len(image)}")
    signature, version, _, count, length = HEADER.unpack(image[: HEADER.size])
    if signature != SIGNATURE:
        raise EepromError(f"the signature is {signature!r}, wanted {SIGNATURE!r}")
    if version != 2:
        raise EepromError(f"the format is version {version}, wanted 2 (HAT+)")
    if not HEADER.size <= length <= min(len(image), CHIP_BYTES):
        raise EepromError(
            f"the image says it has {length} bytes; there are {len(image)}, the chip {CHIP_BYTES}"
        )
    atoms, at = [], HEADER.size
    for index in range(count):
        kind, data, at = _atom(image[:length], at, index)
        atoms.append((kind, data))
    if at != length:
        raise EepromError(f"{length - at} bytes follow the last atom")
    return atoms


def _atom(image: bytes, at: int, index: int) -> tuple[int, bytes, int]:
    if at + ATOM.size > len(image):
        raise EepromError(f"atom {index} begins at {at}, past the end")
    kind, said, length = ATOM.unpack(image[at : at + ATOM.size])
    end = at + ATOM.size + length
    if said != index:
        raise EepromError(f"atom {index} says that it is number {said}")
    if length < 2 or end > len(image):
        raise EepromError(f"atom {index} has {length} bytes, {len(image) - at - ATOM.size} are left")
    if crc16(image[at : end - 2]) != int.from_bytes(image[end - 2 : end], "little"):
        raise EepromError(f"atom {index}: CRC-16 does not match")
    return kind, image[at + ATOM.size : end - 2], end


def _ascii(text: str, most: int) -> bytes:
    if not text or not text.isascii() or not text.isprintable() or len(text) > most:
        raise EepromError(f"wanted 1-{most} printable ASCII characters, got {text!r}")
    return text.encode("ascii")


def _text(data: bytes) -> str:
    text = data.decode("latin-1")
    if not text.isascii():
        raise EepromError(f"wanted ASCII, got {data!r}")
    return text
