"""The frame between the HAT's microcontroller and the box: drawn, packed, unpacked.

    on the wire   | COBS( frame ) | 00 |          a zero byte ends every frame and occurs nowhere else

    frame          0      1      2      3 ...           n-4 ... n-1
                 +------+------+------+---------------+-------------+
                 | ver  | type | seq  | body (0-120)  | CRC-32 (LE) |    CRC over everything before it
                 +------+------+------+---------------+-------------+

    HELLO    u8 major  u8 minor  u8 lines  u8 reset cause  u16 boot count  then ASCII board id (1-32)
    READINGS u32 mcu ms  u8 first line  u8 n  then n x ( i16 line voltage in 10 mV  u8 ring half-waves )
    BEAT     u32 mcu ms  u32 uptime s  u16 frames refused since boot

All numbers are little-endian. `mcu ms` wraps at 2**32. Voltages are signed tip-to-ring means over the
reading window; ring half-waves are the zero crossings of the ringing voltage in that window.
This file runs unchanged on CPython and MicroPython: no dataclasses, no typing, no third-party modules.
"""

import struct
from binascii import crc32

VERSION = 1
MAX_BODY = 120

HELLO = 0x01
BEAT = 0x02
READINGS = 0x10

MAX_LINES_PER_READINGS = (MAX_BODY - 6) // 3


class WireError(ValueError):
    """Bytes that are not a frame of this link, or values that do not fit one."""


def cobs_encode(data: bytes) -> bytes:
    """Return `data` (bytes) with every zero byte replaced as in COBS (Cheshire & Baker 1999); no end mark."""
    out = bytearray()
    start = 0
    while True:
        end = data.find(b"\x00", start)
        run = data[start:] if end < 0 else data[start:end]
        while len(run) >= 254:
            out.append(255)
            out += run[:254]
            run = run[254:]
        out.append(len(run) + 1)
        out += run
        if end < 0:
            return bytes(out)
        start = end + 1


def cobs_decode(data: bytes) -> bytes:
    """Undo `cobs_encode`; raises WireError for a zero byte or a run that reaches past the end."""
    out = bytearray()
    at = 0
    while at < len(data):
        code = data[at]
        run = data[at + 1 : at + code]
        if code == 0 or len(run) != code - 1 or 0 in run:
            raise WireError("COBS run of %d at byte %d of %d" % (code, at, len(data)))
        out += run
        at += code
        if code < 255 and at < len(data):
            out.append(0)
    return bytes(out)


def pack(kind: int, seq: int, body: bytes = b"") -> bytes:
    """Return the bytes of one frame, end mark included."""
    if len(body) > MAX_BODY:
        raise WireError("a body holds at most %d bytes, got %d" % (MAX_BODY, len(body)))
    head = bytes((VERSION, kind, seq & 0xFF)) + body
    return cobs_encode(head + struct.pack("<I", crc32(head) & 0xFFFFFFFF)) + b"\x00"


def unpack(raw: bytes) -> tuple[int, int, bytes]:
    """Return (kind, seq, body) of one frame given without its end mark; raises WireError."""
    frame = cobs_decode(raw)
    if len(frame) < 7:
        raise WireError("a frame has at least 7 bytes, got %d" % len(frame))
    if len(frame) > MAX_BODY + 7:
        raise WireError("a frame has at most %d bytes, got %d" % (MAX_BODY + 7, len(frame)))
    (wanted,) = struct.unpack("<I", frame[-4:])
    if crc32(frame[:-4]) & 0xFFFFFFFF != wanted:
        raise WireError("CRC-32 does not match")
    if frame[0] != VERSION:
        raise WireError("frame version %d, this side speaks %d" % (frame[0], VERSION))
    return frame[1], frame[2], frame[3:-4]


class Deframer:
    """Cuts a byte stream into frames. `feed` returns whole frames; `refused` counts what was not one."""

    def __init__(self) -> None:
        self.refused = 0
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[tuple[int, int, bytes]]:
        """Take any bytes; return a list of (kind, seq, body). Never raises."""
        frames: list[tuple[int, int, bytes]] = []
        self._rest += data
        while True:
            end = self._rest.find(b"\x00")
            if end < 0:
                break
            raw = bytes(self._rest[:end])
            self._rest = self._rest[end + 1 :]
            if raw:
                try:
                    frames.append(unpack(raw))
                except WireError:
                    self.refused += 1
        if len(self._rest) > 2 * MAX_BODY:  # noise without an end mark must not grow the buffer
            self._rest = bytearray()
            self.refused += 1
        return frames


def pack_hello(
    board: str, lines: int, reset_cause: int = 0, boot_count: int = 0, major: int = 1, minor: int = 0
) -> bytes:
    """Body of HELLO; `board` is 1-32 ASCII characters."""
    name = board.encode()
    if not 1 <= len(name) <= 32:
        raise WireError("a board id has 1-32 characters, got %r" % board)
    return struct.pack("<BBBBH", major, minor, lines, reset_cause, boot_count) + name


def unpack_hello(body: bytes) -> tuple[int, int, int, int, int, str]:
    """(major, minor, lines, reset_cause, boot_count, board)"""
    if not 7 <= len(body) <= 38:
        raise WireError("HELLO has 7-38 bytes, got %d" % len(body))
    try:
        board = str(body[6:], "ascii")
    except UnicodeError:
        raise WireError("the board id in HELLO is not ASCII") from None
    major, minor, lines, reset_cause, boot_count = struct.unpack("<BBBBH", body[:6])
    return major, minor, lines, reset_cause, boot_count, board


def pack_readings(mcu_ms: int, first_line: int, readings: list[tuple[float, int]]) -> bytes:
    """Body of READINGS; `readings` = [(voltage_v, ring half-waves), ...] of neighbouring lines."""
    if not 1 <= len(readings) <= MAX_LINES_PER_READINGS:
        raise WireError("READINGS holds 1-%d lines, got %d" % (MAX_LINES_PER_READINGS, len(readings)))
    body = struct.pack("<IBB", mcu_ms & 0xFFFFFFFF, first_line, len(readings))
    for voltage_v, half_waves in readings:
        body += struct.pack("<hB", max(-32768, min(32767, round(voltage_v * 100))), min(255, half_waves))
    return body


def unpack_readings(body: bytes) -> tuple[int, int, list[tuple[float, int]]]:
    """(mcu_ms, first_line, [(voltage_v, ring half-waves), ...])"""
    if len(body) < 6 or len(body) != 6 + 3 * body[5]:
        raise WireError("READINGS of %d bytes does not hold its lines" % len(body))
    mcu_ms, first_line, count = struct.unpack("<IBB", body[:6])
    rows = [struct.unpack("<hB", body[6 + 3 * i : 9 + 3 * i]) for i in range(count)]
    return mcu_ms, first_line, [(centivolts / 100, half_waves) for centivolts, half_waves in rows]


def pack_beat(mcu_ms: int, uptime_s: int, refused: int) -> bytes:
    """Body of BEAT."""
    return struct.pack("<IIH", mcu_ms & 0xFFFFFFFF, uptime_s, min(refused, 65535))


def unpack_beat(body: bytes) -> tuple[int, int, int]:
    """(mcu_ms, uptime_s, refused)"""
    if len(body) != 10:
        raise WireError("BEAT has 10 bytes, got %d" % len(body))
    mcu_ms, uptime_s, refused = struct.unpack("<IIH", body)
    return mcu_ms, uptime_s, refused
