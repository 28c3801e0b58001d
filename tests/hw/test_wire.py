"""hw/wire: what is packed comes back, what is damaged is refused, no bytes can break the deframer."""

from __future__ import annotations

import struct
from binascii import crc32
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw import wire
from hw.wire import Deframer, WireError

FRAMES = st.tuples(st.integers(0, 255), st.integers(0, 255), st.binary(max_size=wire.MAX_BODY))

# Cheshire & Baker 1999, and the lengths where a run is just full.
COBS = [
    (b"", b"\x01"),
    (b"\x00", b"\x01\x01"),
    (b"\x00\x00", b"\x01\x01\x01"),
    (b"\x00\x11\x00", b"\x01\x02\x11\x01"),
    (b"\x11\x22\x00\x33", b"\x03\x11\x22\x02\x33"),
    (b"\x11\x22\x33\x44", b"\x05\x11\x22\x33\x44"),
    (b"\x11\x00\x00\x00", b"\x02\x11\x01\x01\x01"),
    (b"\x01" * 253, b"\xfe" + b"\x01" * 253),
    (b"\x01" * 255, b"\xff" + b"\x01" * 254 + b"\x02\x01"),
    (b"\x00" + b"\x01" * 253, b"\x01\xfe" + b"\x01" * 253),
]


@pytest.mark.parametrize(("plain", "encoded"), COBS, ids=range(len(COBS)))
def test_cobs_vectors_both_ways(plain: bytes, encoded: bytes) -> None:
    assert wire.cobs_encode(plain) == encoded
    assert wire.cobs_decode(encoded) == plain


@pytest.mark.parametrize("length", [0, 1, 2, 252, 253, 254, 255, 256, 507, 508, 509, 762, 1000])
@pytest.mark.parametrize("byte", [b"\x00", b"\x01", b"\xff"])
@pytest.mark.parametrize("tail", [b"", b"\x00", b"\x05"])
def test_cobs_at_the_edges_of_a_run(length: int, byte: bytes, tail: bytes) -> None:
    plain = byte * length + tail
    encoded = wire.cobs_encode(plain)
    assert 0 not in encoded
    assert wire.cobs_decode(encoded) == plain


@given(st.binary(max_size=1200))
def test_cobs_gives_back_anything(plain: bytes) -> None:
    encoded = wire.cobs_encode(plain)
    assert 0 not in encoded
    assert len(encoded) <= len(plain) + 1 + len(plain) // 254
    assert wire.cobs_decode(encoded) == plain


@pytest.mark.parametrize(
    "raw", [b"\x00", b"\x02", b"\x05\x01\x02", b"\x03\x01\x00", b"\x01\x00\x01", b"\xff\x01"]
)
def test_cobs_refuses(raw: bytes) -> None:
    with pytest.raises(WireError):
        wire.cobs_decode(raw)


@given(FRAMES)
def test_frame_comes_back(frame: tuple[int, int, bytes]) -> None:
    raw = wire.pack(*frame)
    assert raw.count(0) == 1 and raw[-1] == 0
    assert wire.unpack(raw[:-1]) == frame


def _framed(content: bytes) -> bytes:
    return wire.cobs_encode(content + struct.pack("<I", crc32(content)))


REFUSED_FRAMES = {
    "empty": (b"", "at least 7 bytes, got 0"),
    "too short": (wire.cobs_encode(b"\x01\x10\x00abc"), "at least 7 bytes, got 6"),
    "too long": (_framed(b"\x01\x10\x00" + b"x" * 121), "at most 127 bytes, got 128"),
    "CRC": (wire.cobs_encode(b"\x01\x10\x00body\x01\x02\x03\x04"), "CRC-32"),
    "version": (_framed(b"\x02\x10\x00body"), "frame version 2, this side speaks 1"),
    "not COBS": (b"\x20abc", "COBS run of 32 at byte 0 of 4"),
}


@pytest.mark.parametrize("name", REFUSED_FRAMES)
def test_frame_refused(name: str) -> None:
    raw, reason = REFUSED_FRAMES[name]
    with pytest.raises(WireError, match=reason):
        wire.unpack(raw)


def test_body_limit() -> None:
    assert wire.unpack(wire.pack(1, 2, bytes(120))[:-1]) == (1, 2, bytes(120))
    with pytest.raises(WireError, match="at most 120 bytes, got 121"):
        wire.pack(1, 2, bytes(121))


@given(FRAMES, st.data())
def test_any_flipped_bit_is_refused(frame: tuple[int, int, bytes], data: st.DataObject) -> None:
    raw = bytearray(wire.pack(*frame))
    bit = data.draw(st.integers(0, 8 * (len(raw) - 1) - 1))
    raw[bit // 8] ^= 1 << bit % 8
    deframer = Deframer()
    assert deframer.feed(bytes(raw)) == []
    assert deframer.refused >= 1


@given(st.binary(max_size=2000), st.lists(st.integers(0, 2000), max_size=8))
def test_no_bytes_can_break_the_deframer(noise: bytes, cuts: list[int]) -> None:
    deframer = Deframer()
    for part in _cut(noise, cuts):
        for kind, seq, body in deframer.feed(part):  # noise that is a frame must really be one
            assert wire.pack(kind, seq, body)[:-1] in noise
    assert len(deframer._rest) <= 2 * wire.MAX_BODY


@given(st.binary(max_size=600), st.lists(FRAMES, max_size=6), st.lists(st.integers(0, 1500), max_size=8))
def test_frames_after_noise_all_arrive(
    noise: bytes, frames: list[tuple[int, int, bytes]], cuts: list[int]
) -> None:
    stream = noise + b"\x00" + b"".join(wire.pack(*frame) for frame in frames)
    deframer = Deframer()
    arrived = [frame for part in _cut(stream, cuts) for frame in deframer.feed(part)]
    assert arrived[len(arrived) - len(frames) :] == frames


@given(st.lists(FRAMES, min_size=2, max_size=6), st.data())
def test_a_lost_byte_costs_at_most_two_frames(
    frames: list[tuple[int, int, bytes]], data: st.DataObject
) -> None:
    raw = [wire.pack(*frame) for frame in frames]
    stream = b"".join(raw)
    lost = data.draw(st.integers(0, len(stream) - 1))
    arrived = Deframer().feed(stream[:lost] + stream[lost + 1 :])
    assert len(arrived) >= len(frames) - 2
    remaining = iter(frames)
    assert all(frame in remaining for frame in arrived)  # in order, none invented


def _cut(stream: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    return [stream[a:b] for a, b in pairwise(edges)]


def test_long_noise_without_an_end_is_dropped_and_counted() -> None:
    deframer = Deframer()
    assert deframer.feed(b"\x55" * 241) == []
    assert deframer.refused == 1
    assert deframer.feed(b"\x00" + wire.pack(1, 2, b"ok")) == [(1, 2, b"ok")]


def test_idle_zeros_are_not_refused_frames() -> None:
    deframer = Deframer()
    assert deframer.feed(bytes(50)) == []
    assert deframer.refused == 0


@pytest.mark.parametrize(
    ("args", "back"),
    [
        (("linehat8", 8), (1, 0, 8, 0, 0, "linehat8")),
        (("x", 2, 3, 70, 2, 9), (2, 9, 2, 3, 70, "x")),
        (("b" * 32, 1), (1, 0, 1, 0, 0, "b" * 32)),
    ],
)
def test_hello_both_ways(args: tuple[str, int], back: tuple[int, int, int, int, int, str]) -> None:
    assert wire.unpack_hello(wire.pack_hello(*args)) == back


@pytest.mark.parametrize("board", ["", "b" * 33, "线" * 11])
def test_hello_refuses_board(board: str) -> None:
    with pytest.raises(WireError, match="1-32 characters"):
        wire.pack_hello(board, 4)


@pytest.mark.parametrize("body", [b"", bytes(6), bytes(39), bytes(6) + b"\xff\xfe"])
def test_hello_refuses_body(body: bytes) -> None:
    with pytest.raises(WireError):
        wire.unpack_hello(body)


@given(
    st.integers(0, 2**40),
    st.integers(1, 64),
    st.lists(
        st.tuples(st.floats(-320, 320, allow_nan=False), st.integers(0, 300)),
        min_size=1,
        max_size=wire.MAX_LINES_PER_READINGS,
    ),
)
def test_readings_both_ways(mcu_ms: int, first: int, rows: list[tuple[float, int]]) -> None:
    ms, line, back = wire.unpack_readings(wire.pack_readings(mcu_ms, first, rows))
    assert (ms, line) == (mcu_ms % 2**32, first)
    for (sent_v, sent), (voltage_v, half_waves) in zip(rows, back, strict=True):
        assert voltage_v == pytest.approx(sent_v, abs=0.0051)
        assert half_waves == min(sent, 255)


def test_readings_saturate_instead_of_wrapping() -> None:
    _, _, rows = wire.unpack_readings(wire.pack_readings(0, 1, [(400.0, 0), (-400.0, 0)]))
    assert rows == [(327.67, 0), (-327.68, 0)]


@pytest.mark.parametrize("count", [0, 39])
def test_readings_refuses_count(count: int) -> None:
    with pytest.raises(WireError, match=f"1-38 lines, got {count}"):
        wire.pack_readings(0, 1, [(48.0, 0)] * count)


def test_most_readings_fit_a_frame() -> None:
    body = wire.pack_readings(0, 1, [(48.0, 1)] * wire.MAX_LINES_PER_READINGS)
    assert wire.unpack(wire.pack(wire.READINGS, 0, body)[:-1])[2] == body


@pytest.mark.parametrize(("sent", "back"), [((5, 6, 7), (5, 6, 7)), ((2**32 + 1, 2, 70000), (1, 2, 65535))])
def test_beat_both_ways(sent: tuple[int, int, int], back: tuple[int, int, int]) -> None:
    assert wire.unpack_beat(wire.pack_beat(*sent)) == back


@pytest.mark.parametrize("unpack", [wire.unpack_hello, wire.unpack_readings, wire.unpack_beat])
@given(body=st.binary(max_size=wire.MAX_BODY))
def test_any_body_is_read_or_refused(unpack: object, body: bytes) -> None:
    try:
        assert isinstance(unpack(body), tuple)  # type: ignore[operator]
    except WireError as error:
        assert str(error)
