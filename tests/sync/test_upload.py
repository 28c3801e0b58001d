"""One file from box to head office, over a link that loses, repeats and delays; both ends crash."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sync.chunks import MAX_CHUNK, MIN_CHUNK, Chunk, FileReceiver
from sync.ids import new_id
from sync.messages import At, Declined, Stored, Sums
from sync.pace import Pace
from sync.upload import PIECE_BYTES, FileSender, PickFile, SendChunk, SendFin, SendOpen, SendSums

RID = "0192f1de-7a3c-7000-8000-000000000001"
HASH = "ab" * 32
KB = 1024

Said = SendChunk | SendSums | SendFin


def opened(size: int, at: At | None = None, *, part: tuple[int, int] | None = None) -> FileSender:
    """A sender whose file was opened at second 0 and of which head office has what `at` says."""
    sender = FileSender()
    sender.connected()
    if part:
        sender.begin_part(RID, *part)
    else:
        sender.begin(RID, size)
    assert sender.next(0.0) == SendOpen()
    sender.opened(0.0)
    assert sender.next(0.1) is None
    sender.at(at or At(rid=RID, offset=0, asked=True), 0.1)
    return sender


def send_all(sender: FileSender, now_s: float) -> list[Said]:
    sent: list[Said] = []
    while isinstance(action := sender.next(now_s), Said):
        sender.sent(action, now_s)
        sent.append(action)
    return sent


def test_the_receiver_says_what_it_has_and_gets_the_rest() -> None:
    has = At(rid=RID, offset=4 * KB, spans=((6 * KB, 90 * KB), (93 * KB, 94 * KB)), asked=True)
    assert send_all(opened(100 * KB, has), 0.1) == [
        SendChunk(4 * KB, 2 * KB),
        SendChunk(90 * KB, 3 * KB),
        SendChunk(94 * KB, 6 * KB),
        SendFin(),
    ]


def test_no_more_is_on_the_way_than_the_window() -> None:
    sender = opened(10_000 * KB)
    first = send_all(sender, 0.1)
    assert sum(chunk.length for chunk in first if isinstance(chunk, SendChunk)) == sender.on_the_way
    assert sender.on_the_way <= sender.pace.window
    window = sender.pace.window
    sender.at(At(rid=RID, offset=8 * KB), 0.11)
    assert sender.pace.window > window  # nothing waited
    assert send_all(sender, 0.11)


def test_what_is_on_the_way_of_other_files_counts() -> None:
    """All files of a box share one line, so they share its window."""
    sender, other = opened(10_000 * KB), opened(10_000 * KB)
    sender.pace = other.pace
    assert send_all(other, 0.1)
    assert sender.pace.on_the_way == other.on_the_way > 0
    assert sender.next(0.1) is None
    other.finished(Stored(rid=RID, sha256=HASH))
    assert sender.pace.on_the_way == other.on_the_way == 0
    assert isinstance(sender.next(0.1), SendChunk)


def test_a_line_that_fell_silent_is_filled_anew_from_little() -> None:
    sender = opened(100_000 * KB)
    reached = 0
    for _ in range(30):
        send_all(sender, 0.1)
        reached += sender.on_the_way
        sender.at(At(rid=RID, offset=reached), 0.101)
    send_all(sender, 0.2)
    before = sender.pace.window
    assert sender.next(20.0) == SendOpen()
    assert sender.pace.window <= before / 4


def test_chunks_never_leave_their_limits() -> None:
    sender = opened(100_000 * KB)
    reached = 0
    for _ in range(60):
        send_all(sender, 0.1)
        reached += sender.on_the_way
        sender.at(At(rid=RID, offset=reached), 0.101)
        assert MIN_CHUNK <= sender.pace.chunk <= MAX_CHUNK
    assert sender.pace.chunk == MAX_CHUNK


def test_silence_is_asked_about_ever_more_patiently() -> None:
    sender = opened(1000 * KB)
    send_all(sender, 0.1)
    assert sender.next(2.2) is None
    assert sender.next(2.4) == SendOpen()
    sender.opened(2.4)
    assert sender.next(6.7) is None
    assert sender.next(6.9) == SendOpen()


def test_a_finished_file_is_given_time_to_be_read_back() -> None:
    sender = opened(200_000_000, At(rid=RID, offset=200_000_000, asked=True))
    assert send_all(sender, 0.1) == [SendFin()]
    assert sender.next(12.0) is None
    assert sender.next(13.0) == SendOpen()


def test_a_chunk_that_was_lost_on_the_way_goes_again() -> None:
    sender = opened(20 * KB)
    assert len(send_all(sender, 0.1)) == 4  # three chunks and fin
    sender.at(At(rid=RID, offset=0, spans=((8 * KB, 20 * KB),), asked=True), 0.2)
    assert send_all(sender, 0.2) == [SendChunk(0, 8 * KB), SendFin()]


def test_a_word_about_chunks_that_is_lost_is_in_the_next_or_asked_for() -> None:
    sender = opened(1000 * KB)
    send_all(sender, 0.1)
    reached = sender.on_the_way
    sender.at(At(rid=RID, offset=reached), 0.2)  # those about the first of them never came
    assert sender.on_the_way == 0
    send_all(sender, 0.2)
    reached += sender.on_the_way  # and nothing came of these
    assert sender.next(20.0) == SendOpen()
    sender.opened(20.0)
    sender.at(At(rid=RID, offset=reached, asked=True), 20.1)
    first = sender.next(20.1)
    assert isinstance(first, SendChunk)
    assert first.offset == reached


def test_a_receiver_that_has_all_and_does_not_close_is_told_of_the_file_again() -> None:
    sender = opened(20 * KB, At(rid=RID, offset=20 * KB, asked=True))  # to a question before, said twice
    assert send_all(sender, 0.1) == [SendFin()]
    sender.at(At(rid=RID, offset=20 * KB, asked=True), 0.2)
    assert sender.next(0.2) == SendOpen()


def test_a_wrong_hash_is_narrowed_down_by_sums() -> None:
    size = 300 * PIECE_BYTES
    sender = opened(size, At(rid=RID, offset=size, asked=True))
    assert send_all(sender, 0.1) == [SendFin()]
    sender.at(At(rid=RID, offset=size, doubt=True), 0.2)
    (said,) = send_all(sender, 0.2)
    assert said == SendSums(0, size, size // 200)  # no more than a message holds
    sender.at(At(rid=RID, offset=0, spans=((4 * KB, size),), asked=True), 0.3)
    assert send_all(sender, 0.3) == [SendChunk(0, 4 * KB), SendFin()]


def test_a_part_of_a_growing_file_ends_with_its_sum() -> None:
    sender = opened(0, part=(100, 10_000))
    assert send_all(sender, 0.1) == [SendChunk(100, 8 * KB), SendChunk(100 + 8 * KB, 10_000 - 100 - 8 * KB)]
    assert not sender.at(At(rid=RID, offset=0, spans=((100, 10_000),)), 0.2)
    assert send_all(sender, 0.2) == [SendSums(100, 10_000, 9_900)]
    assert sender.at(At(rid=RID, offset=0, spans=((100, 10_000),), asked=True), 0.3)
    assert sender.next(0.3) == PickFile()


def test_a_part_whose_sum_is_wrong_goes_again() -> None:
    sender = opened(0, At(rid=RID, offset=0, spans=((100, 5_000),), asked=True), part=(100, 5_000))
    assert send_all(sender, 0.1) == [SendSums(100, 5_000, 4_900)]
    assert not sender.at(At(rid=RID, offset=0, asked=True), 0.2)
    assert send_all(sender, 0.2) == [SendChunk(100, 4_900)]


def test_others_get_their_turn_once_all_on_the_way_has_arrived() -> None:
    sender = opened(1000 * KB)
    on_the_way = [chunk.length for chunk in send_all(sender, 0.1) if isinstance(chunk, SendChunk)]
    sender.others = True
    assert sender.next(0.1) is None
    sender.at(At(rid=RID, offset=on_the_way[0]), 0.2)
    assert sender.next(0.2) is None
    sender.at(At(rid=RID, offset=sum(on_the_way)), 0.3)
    assert sender.next(0.3) == PickFile()


def test_a_file_that_lacks_only_its_end_is_not_left() -> None:
    sender = opened(8 * KB, At(rid=RID, offset=8 * KB, asked=True))
    sender.others = True
    assert sender.next(0.2) == SendFin()


@pytest.mark.parametrize(
    "answer",
    [
        At(rid=new_id(), offset=5),
        At(rid=RID, offset=10 * KB + 1),
        At(rid=RID, offset=0, spans=((5, 10 * KB + 1),)),
        At(rid=RID, offset=6, spans=((5, 9),)),
        At(rid=RID, offset=0, spans=((7, 5),)),
    ],
    ids=["another file", "beyond the end", "a span beyond it", "spans that overlap", "a span that is none"],
)
def test_answers_that_cannot_be_true_are_ignored(answer: At) -> None:
    sender = opened(10 * KB)
    sender.at(answer, 0.2)
    assert sender.next(0.2) == SendChunk(0, 8 * KB)


def test_an_answer_from_before_this_connection_ends_nothing() -> None:
    sender = FileSender()
    sender.begin(RID, 10)
    assert not sender.finished(Stored(rid=RID, sha256=HASH))
    sender.connected()
    sender.opened(0.0)
    assert not sender.finished(Declined(rid=new_id(), code="x"))
    assert sender.finished(Stored(rid=RID, sha256=HASH))
    assert sender.next(0.0) == PickFile()


def test_a_word_about_a_chunk_from_before_is_not_the_answer_to_open() -> None:
    sender = opened(100 * KB)
    sender.begin(RID, 100 * KB)
    sender.opened(0.2)
    sender.at(At(rid=RID, offset=8 * KB), 2.0)
    assert sender.next(2.0) is None
    assert sender.next(2.5) == SendOpen(), "nor does it end the impatience"
    sender.at(At(rid=RID, offset=64 * KB, asked=True), 2.6)
    assert sender.next(2.6) == SendOpen()
    sender.opened(2.6)
    sender.at(At(rid=RID, offset=64 * KB, asked=True), 2.7)
    assert sender.next(2.7) == SendChunk(64 * KB, 8 * KB)


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


# Both ends, and the weather.

FATES = ("arrives",) * 6 + ("lost", "twice", "late", "box crashes", "office crashes", "cut", "others wait")


class Upload:
    """Both machines, a disk, and what is on its way between them; some of it while the file still grows."""

    def __init__(self, data: bytes, *, scrambled: bool, settled: int) -> None:
        self.data, self.scrambled = data, scrambled  # scrambled: head office's disk damages the first copy
        self.settled = settled  # bytes that may leave before the file is finished; its first is never settled
        self.sha256 = hashlib.sha256(data).hexdigest()
        self.disk: dict[int, int] = {}
        self.receiver = FileReceiver(None, "")
        self.up: list[object] = []
        self.down: list[object] = []
        self.now_s = 0.0
        self.finished = self.stored = False
        self.start_box()

    def start_box(self) -> None:
        self.sender = FileSender(pace=Pace(8, 64))
        self.pick()
        self.cut()

    def pick(self) -> None:
        if self.finished:
            self.sender.begin(RID, len(self.data))
        else:
            self.sender.begin_part(RID, 1, max(1, self.settled))

    def start_office(self) -> None:
        old = self.receiver
        self.receiver = FileReceiver(old.size, old.sha256, old.have, old.failures)
        self.up.clear()

    def cut(self) -> None:
        self.up.clear()
        self.down.clear()
        self.sender.lost()
        self.sender.connected()

    def box_sends(self) -> None:
        action = self.sender.next(self.now_s)
        if isinstance(action, PickFile):
            self.pick()
        elif isinstance(action, SendOpen):
            self.sender.opened(self.now_s)
            self.up.append(self.finished)
        elif isinstance(action, Said):
            self.sender.sent(action, self.now_s)
            self.up.append(self.message(action))

    def message(self, action: Said) -> object:
        if isinstance(action, SendChunk):
            return Chunk(RID, action.offset, self.data[action.offset :][: action.length])
        if isinstance(action, SendFin):
            return action
        start, end, step = action.start, action.end, action.step
        pieces = [self.data[at : min(at + step, end)] for at in range(start, end, step)]
        hashes = tuple(hashlib.sha256(piece).hexdigest() for piece in pieces)
        return Sums(rid=RID, start=start, end=end, step=step, sums=hashes)

    def office_reads(self, message: object) -> None:
        receiver = self.receiver
        if message is True and receiver.size is None:
            self.receiver = receiver = FileReceiver(len(self.data), self.sha256, receiver.have)
        if isinstance(message, bool):
            self.down.append(receiver.at(RID, asked=True))
            return
        if isinstance(message, Chunk) and receiver.takes(message):
            self.disk |= dict(enumerate(message.data, start=message.offset))
            receiver.taken(message)
        elif isinstance(message, Sums):
            self.office_judges(message)
            return
        elif isinstance(message, SendFin):
            self.office_ends()
            return
        self.down.append(receiver.at(RID))

    def office_judges(self, sums: Sums) -> None:
        pieces = self.receiver.whole_pieces(sums)
        self.receiver.differs([piece for piece, wanted in pieces if self.sum_of(*piece) != wanted])
        self.down.append(self.receiver.at(RID, asked=True))

    def office_ends(self) -> None:
        if not self.receiver.complete():
            self.down.append(self.receiver.at(RID, asked=True))
            return
        if self.scrambled:
            self.disk[0] ^= 1
            self.scrambled = False
        if self.sum_of(0, len(self.data)) == self.sha256:
            self.down.append(Stored(rid=RID, sha256=self.sha256))
        else:
            assert self.receiver.mismatched()
            self.down.append(self.receiver.at(RID, doubt=True))

    def sum_of(self, start: int, end: int) -> str:
        return hashlib.sha256(bytes(self.disk[at] for at in range(start, end))).hexdigest()

    def box_reads(self, message: object) -> None:
        if isinstance(message, At):
            if self.sender.at(message, self.now_s):
                self.finished = True  # the call is over
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

    def others_wait(self) -> None:
        self.sender.others = True

    def round(self, fate: str) -> None:
        self.box_sends()
        disasters = {
            "box crashes": self.start_box,
            "office crashes": self.start_office,
            "cut": self.cut,
            "others wait": self.others_wait,
        }
        if fate in disasters:
            disasters[fate]()
        else:
            self.deliver(fate)


@example(bytes(50), ["arrives", "twice", "arrives", "arrives", "office crashes"], False, 0)
@settings(max_examples=60)
@given(
    st.binary(min_size=1, max_size=400),
    st.lists(st.sampled_from(FATES), max_size=120),
    st.booleans(),
    st.integers(0, 400),
)
def test_whatever_happens_the_file_arrives_whole(
    data: bytes, fates: list[str], scrambled: bool, settled: int
) -> None:
    upload = Upload(data, scrambled=scrambled, settled=min(settled, len(data)))
    for fate in [*fates, *["arrives"] * 3000]:
        upload.round(fate)
        if upload.stored:
            break
    assert upload.stored
    assert bytes(upload.disk[at] for at in range(len(data))) == data


def test_nothing_is_on_the_way_of_a_file_that_is_stored_or_left() -> None:
    """`stored` may come before the word about the last chunks, which others would then wait for."""
    for leave in (lambda sender: sender.finished(Stored(rid=RID, sha256=HASH)), lambda sender: sender.drop()):
        sender = opened(20 * KB, At(rid=RID, offset=0, asked=True))
        while isinstance(action := sender.next(0.0), SendChunk):
            sender.sent(action, 0.0)
        assert sender.on_the_way > 0
        leave(sender)
        assert sender.on_the_way == 0
