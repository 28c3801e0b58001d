"""The frame between the HAT's microcontroller and the box: drawn, packed, unpacked.

    on the wire   | COBS( frame ) | 00 |          a zero byte ends every frame and occurs nowhere else

    frame          0      1      2      3 ...           n-4 ... n-1
                 +------+------+------+---------------+-------------+
                 | ver  | type | seq  | body (0-120)  | CRC-32 (LE) |    CRC over everything before it
                 +------+------+------+---------------+-------------+

    board to box
    HELLO      u8 major  u8 minor  u8 lines  u8 reset cause  u16 boot count  then ASCII board id (1-32)
    BEAT       u32 mcu ms  u32 uptime s  u16 frames refused since boot
    ABOUT      u32 journal  u32 first number kept  u32 last number  u32 last number of earlier starts
               u8 major  u8 minor  u8 patch of the firmware
    READINGS   u32 mcu ms  u8 first line  u8 n  then n x ( i16 line voltage in 10 mV  u8 ring half-waves )
    EVENT      u32 number  u32 mcu ms  u8 line  u8 kind  u16 data        numbers count up by one in a journal
    EVENT_LOST u32 first   u32 last number that will never come
    REPLY      u16 request  u8 code  then the result (0-100)

    box to board
    ASK        nothing: say HELLO and ABOUT
    ACK        u8 major  u32 journal  u32 number: all up to it are kept, send what follows
    COMMAND    u16 request  u8 command  then its arguments (0-100)

All numbers are little-endian. `mcu ms` wraps at 2**32 and starts anew with each start of the board. Voltages
are signed tip-to-ring means over the reading window; ring half-waves are the zero crossings of the ringing
voltage in that window. A journal is the numbering of one board's events: it changes when the board has
forgotten its events (power lost). A command sets and never toggles, so one that is repeated does no harm. A
side that meets another `major` takes HELLO, ABOUT and READINGS, and neither sends nor obeys commands.
This file runs unchanged on CPython and MicroPython: no dataclasses, no typing, no third-party modules.
"""

import struct
from binascii import crc32

VERSION = 1
MAX_BODY = 120

MAJOR = 1  # of the messages, said in HELLO and ACK
MINOR = 1  # 1: ABOUT, EVENT, COMMAND

HELLO = 0x01
BEAT = 0x02
ABOUT = 0x03
ASK = 0x04
READINGS = 0x10
EVENT = 0x20
EVENT_LOST = 0x21
ACK = 0x30
COMMAND = 0x31
REPLY = 0x32

# kinds of EVENT                what `data` is
STATE_KNOWN = 1  # after a start: the state, numbered as in firmware/linehat/line.py
RING_STARTED = 2  # how many bursts so far
RING_STOPPED = 3  # length of the burst in ms
RING_ENDED = 4  # nobody answered: how many bursts
OFF_HOOK = 5  # 0 from idle, 1 while it rang, 2 a phone stays when the board lets go
ON_HOOK = 6
HELD = 7  # the board holds the line: line voltage in 10 mV
RELEASED = 8
PHONE_JOINED = 9  # while held: the fall of the line voltage in 10 mV
PHONE_LEFT = 10
FLASHED = 11  # length in ms
DIGIT = 12  # dialled by pulses: 0-9
FAR_END_RELEASED = 13  # length of the open loop in ms
REVERSED = 14  # 1 tip positive, 0 ring positive
LINE_LOST = 15
LINE_FOUND = 16
FAULT = 17  # one of FAULTS
LEASE_ENDED = 18  # the box did not renew: the hook switch was opened

NO_LOOP, LOOP_GONE = 1, 2
FAULTS = {NO_LOOP: "hook switch closed, no loop", LOOP_GONE: "the loop went away while held"}

# commands         arguments -> result
HOOK = 1  # u8 line  u16 lease ms (at most MAX_LEASE_MS): hold the line for so long
RELEASE = 2  # u8 line
LED = 3  # u8 line  u8 colour: one of COLOURS
SET_PROFILE = 4  # the numbers of firmware/linehat/profile.py, u16 each
LEVELS = 5  # u16 ms between two READINGS, a multiple of 10; 0: none
SELFTEST = 6  # -> u16 lines whose ADC is at a rail  u16 lines whose switch disobeys  u16 longest loop ms
TIME = 7  # u32 anything -> the same u32, u32 mcu ms when it was read
CALIBRATE = 8  # u8 line  u16 counts at 0 V  u16 uV per count

MAX_LEASE_MS = 2000
COLOURS = {0: "off", 1: "green", 2: "amber", 3: "red"}
OK, UNKNOWN_COMMAND, BAD_ARGUMENTS, REFUSED = 0, 1, 2, 3
CODES = {OK: "ok", UNKNOWN_COMMAND: "unknown command", BAD_ARGUMENTS: "bad arguments", REFUSED: "refused"}

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
    if max(body[6:]) > 126:
        raise WireError("the board id in HELLO is not ASCII")
    board = str(body[6:], "utf-8")
    major, minor, lines, reset_cause, boot_count = struct.unpack("<BBBBH", body[:6])
    return major, minor, lines, reset_cause, boot_count, board


def pack_readings(mcu_ms: int, first_line: int, readings: list[tuple[float, int]]) -> bytes:
    """Body of READINGS; `readings` = [(voltage_v, ring half-waves), ...] of neighbouring lines."""
    return pack_rows(mcu_ms, first_line, [(round(volts * 100), half_waves) for volts, half_waves in readings])


def pack_rows(mcu_ms: int, first_line: int, rows: list[tuple[int, int]]) -> bytes:
    """Body of READINGS, the voltage in 10 mV: what an MCU has without floats."""
    if not 1 <= len(rows) <= MAX_LINES_PER_READINGS:
        raise WireError("READINGS holds 1-%d lines, got %d" % (MAX_LINES_PER_READINGS, len(rows)))
    body = struct.pack("<IBB", mcu_ms & 0xFFFFFFFF, first_line, len(rows))
    for centivolts, half_waves in rows:
        body += struct.pack("<hB", max(-32768, min(32767, centivolts)), min(255, half_waves))
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


def pack_about(journal: int, first: int, last: int, earlier: int, firmware: tuple[int, int, int]) -> bytes:
    """Body of ABOUT; without any event kept, `first` is `last` + 1."""
    return struct.pack("<IIIIBBB", journal, first, last, earlier, *firmware)


def unpack_about(body: bytes) -> tuple[int, int, int, int, tuple[int, int, int]]:
    """(journal, first, last, earlier, firmware)"""
    journal, first, last, earlier, major, minor, patch = _fields("ABOUT", "<IIIIBBB", body)
    return journal, first, last, earlier, (major, minor, patch)


def pack_event(number: int, mcu_ms: int, line: int, kind: int, data: int) -> bytes:
    """Body of EVENT."""
    return struct.pack("<IIBBH", number, mcu_ms & 0xFFFFFFFF, line, kind, min(data, 65535))


def unpack_event(body: bytes) -> tuple[int, int, int, int, int]:
    """(number, mcu_ms, line, kind, data)"""
    number, mcu_ms, line, kind, data = _fields("EVENT", "<IIBBH", body)
    return number, mcu_ms, line, kind, data


def pack_event_lost(first: int, last: int) -> bytes:
    """Body of EVENT_LOST."""
    return struct.pack("<II", first, last)


def unpack_event_lost(body: bytes) -> tuple[int, int]:
    """(first, last)"""
    first, last = _fields("EVENT_LOST", "<II", body)
    if first > last:
        raise WireError("EVENT_LOST from %d to %d" % (first, last))
    return first, last


def pack_ack(major: int, journal: int, number: int) -> bytes:
    """Body of ACK."""
    return struct.pack("<BII", major, journal, number)


def unpack_ack(body: bytes) -> tuple[int, int, int]:
    """(major, journal, number)"""
    major, journal, number = _fields("ACK", "<BII", body)
    return major, journal, number


def pack_request(request: int, code: int, rest: bytes = b"") -> bytes:
    """Body of COMMAND or REPLY: `code` is the command or how it went, `rest` its arguments or result."""
    if len(rest) > 100:
        raise WireError("a command or reply carries at most 100 bytes, got %d" % len(rest))
    return struct.pack("<HB", request & 0xFFFF, code) + rest


def unpack_request(body: bytes) -> tuple[int, int, bytes]:
    """(request, command or code, arguments or result)"""
    if not 3 <= len(body) <= 103:
        raise WireError("COMMAND and REPLY have 3-103 bytes, got %d" % len(body))
    request, code = struct.unpack("<HB", body[:3])
    return request, code, body[3:]


def _fields(name: str, layout: str, body: bytes) -> tuple[int, ...]:
    """The numbers of a body of fixed length."""
    if len(body) != struct.calcsize(layout):
        raise WireError("%s has %d bytes, got %d" % (name, struct.calcsize(layout), len(body)))
    return struct.unpack(layout, body)


# message name: (number, pack, unpack) - what a test or a log needs to treat them all alike
MESSAGES = {
    "HELLO": (HELLO, pack_hello, unpack_hello),
    "BEAT": (BEAT, pack_beat, unpack_beat),
    "ABOUT": (ABOUT, pack_about, unpack_about),
    "READINGS": (READINGS, pack_readings, unpack_readings),
    "EVENT": (EVENT, pack_event, unpack_event),
    "EVENT_LOST": (EVENT_LOST, pack_event_lost, unpack_event_lost),
    "ACK": (ACK, pack_ack, unpack_ack),
    "COMMAND": (COMMAND, pack_request, unpack_request),
    "REPLY": (REPLY, pack_request, unpack_request),
}
