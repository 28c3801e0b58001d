"""One file from box to head office, over a link that loses, repeats and delays; both ends crash."""

from __future__ import annotations

import hashlib
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.chunks import (
    HEADER,
    MAX_CHUNK,
    MAX_FAILURES,
    MIN_CHUNK,
    WINDOW,
    Chunk,
    ChunkError,
    FileReceiver,
    FileSender,
    PickFile,
    SendChunk,
    SendFin,
    SendOpen,
    pack_chunk,
    unpack_chunk,
)
from sync.ids import new_id
from sync.messages import MAX_FILE_BYTES, At, Declined, Open, Stored

RID = "0192f1de-7a3c-7000-8000-000000000001"
HASH = "ab" * 32
KB = 1024


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


# The sender, step by step.


def opened(size: int, *, at: int = 0, chunk: int = 64 * KB) -> FileSender:
    """A sender whose file was opened at second 0 and is known up to `at`."""
    sender = FileSender(chunk=chunk)
    sender.connected()
    sender.begin(RID, size)
    assert sender.next(0.0) == SendOpen()
    sender.opened(0.0)
    assert sender.next(0.1) is None
    sender.at(At(rid=RID, offset=at), 0.1)
    return sender


def send_all(sender: FileSender, now_s: float) -> list[SendChunk | SendFin]:
    sent = []
    while isinstance(action := sender.next(now_s), SendChunk | SendFin):
        sender.sent(action, now_s)
        sent.append(action)
    return sent


def test_the_receiver_says_where_to_begin() -> None:
    assert send_all(opened(100 * KB, at=90 * KB), 0.1) == [SendChunk(90 * KB, 10 * KB), SendFin()]


def test_a_window_of_chunks_then_as_fast_as_they_arrive() -> None:
    sender = opened(1000 * KB)
    assert send_all(sender, 0.1) == [SendChunk(number * 64 * KB, 64 * KB) for number in range(WINDOW)]
    sender.at(At(rid=RID, offset=64 * KB), 0.6)  # 64 KB took half a second
    assert sender.chunk == 32 * KB
    assert send_all(sender, 0.6) == []  # three of the larger chunks are more than four of these
    sender.at(At(rid=RID, offset=192 * KB), 0.7)
    assert send_all(sender, 0.7)[0].offset == 256 * KB  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("took_s", "wanted"),
    [(0.001, 128 * KB), (0.25, 64 * KB), (0.5, 32 * KB), (60.0, MIN_CHUNK), (0.0, 128 * KB)],
)
def test_a_chunk_takes_about_a_quarter_second(took_s: float, wanted: int) -> None:
    sender = opened(1000 * KB)
    send_all(sender, 0.1)
    sender.at(At(rid=RID, offset=64 * KB), 0.1 + took_s)
    assert sender.chunk == pytest.approx(wanted, rel=0.01)


def test_chunks_never_leave_their_limits() -> None:
    sender = opened(100_000 * KB)
    for number in range(1, 20):
        send_all(sender, 0.1)
        sender.at(At(rid=RID, offset=number * 64 * KB), 0.1)
        assert MIN_CHUNK <= sender.chunk <= MAX_CHUNK
    assert sender.chunk == MAX_CHUNK


def test_silence_is_asked_about_and_the_chunks_become_smaller() -> None:
    sender = opened(1000 * KB)
    send_all(sender, 0.1)
    assert sender.next(2.2) is None
    assert sender.next(2.4) == SendOpen()
    assert sender.chunk == 16 * KB
    sender.opened(2.4)
    assert sender.next(6.7) is None
    assert sender.next(6.9) == SendOpen()  # twice as patient


def test_a_finished_file_is_given_time_to_be_read_back() -> None:
    sender = opened(200_000_000, at=200_000_000)
    assert send_all(sender, 0.1) == [SendFin()]
    assert sender.next(12.0) is None
    assert sender.next(13.0) == SendOpen()


def test_all_of_it_again_when_the_receiver_says_so() -> None:
    sender = opened(10 * KB)
    assert send_all(sender, 0.1) == [SendChunk(0, 10 * KB), SendFin()]
    sender.at(At(rid=RID, offset=10 * KB), 0.2)
    sender.at(At(rid=RID, offset=0), 0.3)  # its hash was wrong
    assert send_all(sender, 0.3) == [SendChunk(0, 10 * KB), SendFin()]


@pytest.mark.parametrize(
    "answer",
    [At(rid=new_id(), offset=5), At(rid=RID, offset=10 * KB + 1)],
    ids=["another file", "beyond the end"],
)
def test_answers_that_cannot_be_true_are_ignored(answer: At) -> None:
    sender = opened(10 * KB)
    sender.at(answer, 0.2)
    assert sender.next(0.2) == SendChunk(0, 10 * KB)


def test_an_answer_from_before_this_connection_ends_nothing() -> None:
    sender = FileSender()
    sender.begin(RID, 10)
    assert not sender.finished(Stored(rid=RID, sha256=HASH))
    sender.connected()
    sender.opened(0.0)
    assert not sender.finished(Declined(rid=new_id(), code="x"))
    assert sender.finished(Stored(rid=RID, sha256=HASH))
    assert sender.next(0.0) == PickFile()


def test_files_are_picked_until_there_are_none() -> None:
    sender = FileSender()
    assert sender.next(0.0) is None
    sender.connected()
    assert sender.next(0.0) == PickFile()
    sender.nothing()
    assert sender.next(0.0) is None
    sender.woken()
    assert sender.next(0.0) == PickFile()
    sender.begin(RID, 0)
    sender.drop()
    assert sender.next(0.0) == PickFile()


# The receiver.


def test_the_receiver_takes_what_goes_on_where_it_is() -> None:
    receiver = FileReceiver(10, HASH, 4)
    for offset, data, taken in (
        (0, b"abcd", False),
        (5, b"x", False),
        (4, b"1234567", False),
        (4, b"12", True),
    ):
        assert receiver.takes(Chunk(RID, offset, data)) is taken
    receiver.taken(Chunk(RID, 4, b"123456"))
    assert (receiver.have, receiver.complete()) == (10, True)
    assert receiver.same(Open(rid=RID, size=10, sha256=HASH))
    assert not receiver.same(Open(rid=RID, size=11, sha256=HASH))
    assert not receiver.same(Open(rid=RID, size=10, sha256="cd" * 32))


def test_a_wrong_hash_is_forgiven_twice() -> None:
    receiver = FileReceiver(10, HASH, 10)
    assert [receiver.mismatched() for _ in range(MAX_FAILURES)] == [True, True, False]
    assert receiver.have == 0


# Both, and the weather.

FATES = ("arrives",) * 6 + ("lost", "twice", "late", "box crashes", "office crashes", "cut")


class Upload:
    """Both machines, a disk, and what is on its way between them."""

    def __init__(self, data: bytes, *, scrambled: bool) -> None:
        self.data, self.scrambled = data, scrambled  # scrambled: head office's disk damages the first copy
        self.sha256 = hashlib.sha256(data).hexdigest()
        self.disk = bytearray()
        self.receiver = FileReceiver(len(data), self.sha256, 0)
        self.up: list[object] = []
        self.down: list[object] = []
        self.now_s = 0.0
        self.stored = False
        self.start_box()

    def start_box(self) -> None:
        self.sender = FileSender(min_chunk=8, max_chunk=64, chunk=16)
        self.sender.begin(RID, len(self.data))
        self.cut()

    def start_office(self) -> None:
        self.receiver = FileReceiver(len(self.data), self.sha256, len(self.disk), self.receiver.failures)
        self.up.clear()

    def cut(self) -> None:
        self.up.clear()
        self.down.clear()
        self.sender.lost()
        self.sender.connected()

    def box_sends(self) -> None:
        action = self.sender.next(self.now_s)
        if isinstance(action, SendOpen):
            self.sender.opened(self.now_s)
            self.up.append(action)
        elif isinstance(action, SendChunk):
            self.sender.sent(action, self.now_s)
            self.up.append(Chunk(RID, action.offset, self.data[action.offset :][: action.length]))
        elif isinstance(action, SendFin):
            self.sender.sent(action, self.now_s)
            self.up.append(action)

    def office_reads(self, message: object) -> None:
        if isinstance(message, Chunk) and self.receiver.takes(message):
            self.disk += message.data
            self.receiver.taken(message)
        elif isinstance(message, SendFin) and self.receiver.complete() and self.hash_is_right():
            self.down.append(Stored(rid=RID, sha256=self.sha256))
            return
        self.down.append(At(rid=RID, offset=self.receiver.have))

    def hash_is_right(self) -> bool:
        if self.scrambled:
            self.disk[0] ^= 1
            self.scrambled = False
        if hashlib.sha256(self.disk).hexdigest() == self.sha256:
            return True
        assert self.receiver.mismatched()
        self.disk.clear()
        return False

    def box_reads(self, message: object) -> None:
        if isinstance(message, At):
            self.sender.at(message, self.now_s)
        elif isinstance(message, Stored):
            self.stored = self.sender.finished(message)

    def deliver(self, fate: str) -> None:
        queue, reads = (self.down, self.box_reads) if self.down else (self.up, self.office_reads)
        if not queue:
            self.now_s += 1.0
            return
        message = queue.pop(0)
        if fate in ("late", "twice"):
            queue.append(message)
        if fate in ("arrives", "twice"):
            reads(message)

    def round(self, fate: str) -> None:
        self.box_sends()
        disasters = {"box crashes": self.start_box, "office crashes": self.start_office, "cut": self.cut}
        if fate in disasters:
            disasters[fate]()
        else:
            self.deliver(fate)


@settings(max_examples=60, deadline=None)
@given(st.binary(min_size=1, max_size=400), st.lists(st.sampled_from(FATES), max_size=120), st.booleans())
def test_whatever_happens_the_file_arrives_whole(data: bytes, fates: list[str], scrambled: bool) -> None:
    upload = Upload(data, scrambled=scrambled)
    for fate in [*fates, *["arrives"] * 3000]:
        upload.round(fate)
        if upload.stored:
            break
    assert upload.stored
    assert bytes(upload.disk) == data
