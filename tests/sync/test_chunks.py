"""Chunks on the wire, and head office's end of one file."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.chunks import (
    HEADER,
    MAX_CHUNK,
    MAX_FAILURES,
    Chunk,
    ChunkError,
    FileReceiver,
    pack_chunk,
    unpack_chunk,
)
from sync.ids import new_id
from sync.messages import MAX_FILE_BYTES, MAX_SPANS, At, Open, Sums

RID = "0192f1de-7a3c-7000-8000-000000000001"
HASH = "ab" * 32


def test_a_chunk_on_the_wire() -> None:
    payload = pack_chunk(Chunk(RID, 65_536, b"audio"))
    assert (
        payload.hex()
        == (
            "0192f1de7a3c70008000000000000001"
            + "0000000000010000"
            + "00000005"
            + f"{zlib.crc32(b'audio'):08x}"
        )
        + b"audio".hex()
    )
    assert unpack_chunk(payload) == Chunk(RID, 65_536, b"audio")
    assert unpack_chunk(payload).end == 65_541


@given(st.integers(0, MAX_FILE_BYTES - 300), st.binary(min_size=1, max_size=300))
def test_chunks_there_and_back(offset: int, data: bytes) -> None:
    chunk = Chunk(new_id(), offset, data)
    assert unpack_chunk(pack_chunk(chunk)) == chunk


GOOD = pack_chunk(Chunk(RID, 0, b"audio"))
NO_CHUNKS = {
    "nothing": b"",
    "only a header": GOOD[: HEADER.size],
    "cut off": GOOD[:-1],
    "more than it says": GOOD + b"x",
    "one bit": GOOD[:-1] + bytes([GOOD[-1] ^ 1]),
    "wrong crc": GOOD[:28] + b"\0\0\0\0" + GOOD[32:],
    "beyond any file": pack_chunk(Chunk(RID, MAX_FILE_BYTES - 4, b"audio")),
    "too large": pack_chunk(Chunk(RID, 0, bytes(MAX_CHUNK + 1))),
}


@pytest.mark.parametrize("case", NO_CHUNKS)
def test_refused(case: str) -> None:
    with pytest.raises(ChunkError):
        unpack_chunk(NO_CHUNKS[case])


@given(st.binary(max_size=80))
def test_any_bytes_are_a_chunk_or_refused(payload: bytes) -> None:
    try:
        chunk = unpack_chunk(payload)
    except ChunkError as error:
        assert error.code == "not_a_chunk"
    else:
        assert pack_chunk(chunk) == payload


# The receiver.


def test_the_receiver_takes_what_is_missing() -> None:
    receiver = FileReceiver(10, HASH, ((0, 4),))
    for offset, data, taken in (
        (0, b"abcd", False),  # there already
        (4, b"1234567", False),  # beyond the end
        (2, b"cde", True),
        (7, b"h", True),  # leaves a hole
    ):
        chunk = Chunk(RID, offset, data)
        assert receiver.takes(chunk) is taken
        if taken:
            receiver.taken(chunk)
    assert receiver.at(RID) == At(rid=RID, offset=5, spans=((7, 8),))
    assert not receiver.complete()
    receiver.taken(Chunk(RID, 5, b"12345"))
    assert receiver.complete()
    assert receiver.same(Open(rid=RID, size=10, sha256=HASH))
    assert not receiver.same(Open(rid=RID, size=11, sha256=HASH))
    assert not receiver.same(Open(rid=RID, size=10, sha256="cd" * 32))


def test_a_file_that_grows_is_never_complete() -> None:
    receiver = FileReceiver(None, "", ((0, 10),))
    assert receiver.takes(Chunk(RID, 1000, b"x"))
    assert not receiver.complete()


def test_the_holes_that_are_told_are_bounded() -> None:
    receiver = FileReceiver(None, "")
    for number in range(MAX_SPANS):
        receiver.taken(Chunk(RID, 10 * number, b"x"))
    assert not receiver.takes(Chunk(RID, 10 * MAX_SPANS, b"x"))
    assert receiver.takes(Chunk(RID, 1, b"x"))


def test_only_whole_pieces_are_judged_and_the_wrong_ones_come_again() -> None:
    receiver = FileReceiver(25, HASH, ((0, 15), (20, 25)))
    sums = Sums(rid=RID, start=0, end=25, step=10, sums=("a1" * 32, "a2" * 32, "a3" * 32))
    assert receiver.whole_pieces(sums) == [((0, 10), "a1" * 32), ((20, 25), "a3" * 32)]
    receiver.differs([(0, 10)])
    assert receiver.have == ((10, 15), (20, 25))


def test_a_wrong_hash_is_forgiven_twice() -> None:
    receiver = FileReceiver(10, HASH, ((0, 10),))
    sums = Sums(rid=RID, start=0, end=10, step=10, sums=(HASH,))
    for again in (True, True, False):
        assert [receiver.mismatched(), receiver.mismatched()] == [again, again]  # fin may come twice
        receiver.whole_pieces(sums)
    assert receiver.failures == MAX_FAILURES
