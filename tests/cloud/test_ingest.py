"""Head office's two desks without a broker: what each message does to tables and folder, and its answer."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, delete, select
from sqlalchemy.event import listen, remove
from sqlalchemy.exc import OperationalError

from cloud.apply import APPLY, IN_THE_INBOX
from cloud.arrivals import FilesDesk
from cloud.entries import EntriesDesk
from cloud.incoming import Incoming
from cloud.objects import FolderObjects
from cloud.reconcile import forget_audio
from cloud.store import boxes, schema
from cloud.store.database import write
from sync.arriving import Origin
from sync.chunks import Chunk, pack_chunk
from sync.envelope import Batch, chained, entry_bytes, genesis, pack_batch
from sync.events import EVENT_TYPES, GapFact, RecordingLost, SyncEvent
from sync.ids import new_id
from sync.inbox import Inbox
from sync.messages import (
    MAX_SPANS,
    Ack,
    AnyMessage,
    At,
    Declined,
    Fin,
    Grow,
    Hello,
    Open,
    Refused,
    Stored,
    Sums,
    Welcome,
    pack,
    unpack,
)
from sync.session import Accepted
from sync.topics import Topic, parse
from tests.fakes import AtOnce
from tests.sync.station import AT, BOX, call_ended, recording_ready

EPOCH = "0123456789abcdef"
LATER = "2026-11-22T05:00:00.000Z"
AUDIO = bytes(range(256)) * 40
SHA256 = hashlib.sha256(AUDIO).hexdigest()


class Office:
    """Both desks, spoken to as the broker would pass it on."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = engine
        self.objects = FolderObjects(folder)
        self.incoming = Incoming(folder / "incoming")
        self.entries = EntriesDesk(self.engine, Inbox(schema.inbox_tables, APPLY))
        self.files = FilesDesk(self.engine, self.objects, self.incoming, AtOnce())
        self.seq: dict[tuple[str, str], tuple[int, str]] = {}
        self.register(BOX)

    def register(self, box_id: str) -> None:
        with write(self.engine) as db:
            boxes.register(db, box_id, box_id)

    def tell(self, event: SyncEvent, box_id: str = BOX) -> AnyMessage:
        """One entry in a batch of its own, numbered and chained."""
        kind = next(kind for kind, (made, _) in EVENT_TYPES.items() if made is type(event))
        stream = EVENT_TYPES[kind][1]
        seq, prev = self.seq.get((box_id, stream), (0, genesis(EPOCH, stream)))
        body = entry_bytes(event, new_id(), AT, seq + 1)
        head = chained(prev, body)
        self.seq[box_id, stream] = (seq + 1, head)
        return self.say("e", pack_batch(box_id, EPOCH, stream, seq + 1, prev, head, [body]), box_id)

    def say(self, channel: str, payload: bytes, box_id: str = BOX) -> AnyMessage:
        ((topic, answer),) = self.entries.handle([(Topic(box_id, False, "up", channel), payload)], LATER)
        assert parse(topic) == Topic(box_id, False, "dn", "a")
        return unpack(answer)

    def file(self, *messages: AnyMessage | Chunk | bytes, box_id: str = BOX) -> list[AnyMessage]:
        incoming = [
            (Topic(box_id, True, "up", "c"), pack_chunk(message))
            if isinstance(message, Chunk)
            else (Topic(box_id, True, "up", "f"), message if isinstance(message, bytes) else pack(message))
            for message in messages
        ]
        answers = self.files.handle(incoming, LATER) + self.files.moved()
        assert {parse(topic) for topic, _ in answers} <= {Topic(box_id, True, "dn", "a")}
        return [unpack(payload) for _, payload in answers]

    def upload(self, rid: str, audio: bytes = AUDIO, box_id: str = BOX) -> list[AnyMessage]:
        opened = Open(rid=rid, size=len(audio), sha256=hashlib.sha256(audio).hexdigest())
        return self.file(opened, Chunk(rid, 0, audio), Fin(rid=rid), box_id=box_id)

    def rows(self, name: str) -> list[dict[str, Any]]:
        with write(self.engine) as db:
            return [dict(row) for row in db.execute(select(schema.metadata.tables[name])).mappings()]


@pytest.fixture
def office(engine: Engine, tmp_path: Path) -> Office:
    return Office(engine, tmp_path / "objects")


# Entries.


def test_every_kind_has_one_line_in_apply() -> None:
    assert set(APPLY) == set(EVENT_TYPES)


def test_a_call_becomes_its_row(office: Office) -> None:
    event = replace(call_ended(), caller_name="王小明", keys="1#", hook_known=False)
    answer = office.tell(event)
    assert isinstance(answer, Ack)
    assert (answer.upto, answer.nacks, answer.hq_utc) == (1, (), LATER)
    (row,) = office.rows("calls")
    wanted = asdict(event) | {"id": event.call_id, "box_id": BOX, "received_utc": LATER}
    wanted |= {"corrected_utc": None, "clock_error_ms": None}
    wanted |= {"party": "13800138000", "last4": "8000", "last8": "00138000", "facet": row["facet"]}
    assert row == {name: value for name, value in wanted.items() if name not in ("call_id", *IN_THE_INBOX)}


def test_the_same_fact_told_again_is_written_over(office: Office) -> None:
    event = call_ended()
    office.tell(event)
    office.tell(replace(event, caller_name="later"))
    assert [row["caller_name"] for row in office.rows("calls")] == ["later"]


@pytest.mark.parametrize("audio_first", [False, True])
def test_audio_and_its_row_arrive_in_either_order(office: Office, audio_first: bool) -> None:
    ready = replace(
        recording_ready(new_id(), new_id(), AUDIO),
        gaps=(GapFact(80, 8, "overrun"), GapFact(160, 8, "restart")),
    )
    steps = [lambda: office.tell(ready), lambda: office.upload(ready.recording_id)]
    for step in reversed(steps) if audio_first else steps:
        step()
    (row,) = office.rows("recordings")
    assert (row["state"], row["object_key"], row["stored_utc"], row["call_id"]) == (
        "stored",
        SHA256,
        LATER,
        ready.call_id,
    )
    assert [(gap["start_sample"], gap["length_samples"], gap["reason"]) for gap in office.rows("gaps")] == [
        (80, 8, "overrun"),
        (160, 8, "restart"),
    ]
    office.tell(ready)  # once more
    assert [row["state"] for row in office.rows("recordings")] == ["stored"]


def test_audio_with_another_hash_than_its_row_does_not_count(office: Office) -> None:
    ready = recording_ready(new_id(), new_id(), AUDIO)
    office.tell(ready)
    office.upload(ready.recording_id, b"other audio")
    assert [(row["state"], row["object_key"]) for row in office.rows("recordings")] == [("announced", None)]


def test_a_lost_recording_says_why(office: Office) -> None:
    office.tell(RecordingLost(new_id(), new_id(), "device_lost"))
    (row,) = office.rows("recordings")
    assert (row["state"], row["lost_reason"], row["sha256"]) == ("lost", "device_lost", None)


def test_audio_that_is_stored_here_is_not_lost_because_the_box_lost_it(office: Office) -> None:
    ready = recording_ready(new_id(), new_id(), AUDIO)
    office.tell(ready)
    office.upload(ready.recording_id)
    office.tell(RecordingLost(ready.recording_id, ready.call_id, "disk_full"))
    (row,) = office.rows("recordings")
    assert (row["state"], row["object_key"], row["lost_reason"]) == ("stored", SHA256, None)


@pytest.mark.parametrize("event", [call_ended(), recording_ready(new_id(), new_id(), AUDIO)])
def test_a_box_cannot_write_over_the_rows_of_another(office: Office, event: SyncEvent) -> None:
    office.register("branch-2")
    office.tell(event)
    before = office.rows("calls") + office.rows("recordings")
    answer = office.tell(event, "branch-2")
    assert isinstance(answer, Ack)
    assert answer.nacks == ((1, "apply_failed"),)
    assert office.rows("calls") + office.rows("recordings") == before
    assert "belongs to another box" in office.rows("quarantine")[0]["detail"]


def test_a_box_cannot_send_in_the_name_of_another(office: Office) -> None:
    body = entry_bytes(call_ended(), new_id(), AT, 1)
    prev = genesis(EPOCH, "evt")
    answer = office.say("e", pack_batch("branch-2", EPOCH, "evt", 1, prev, chained(prev, body), [body]))
    assert isinstance(answer, Refused)
    assert answer.code == "wrong_box"
    assert office.rows("calls") == []


def test_what_is_no_batch_is_refused_and_kept_once(office: Office) -> None:
    for _ in range(2):
        answer = office.say("e", b"junk")
        assert isinstance(answer, Refused)
        assert answer.ref == hashlib.sha256(b"junk").hexdigest()
    assert [(row["code"], bytes(row["body"])) for row in office.rows("quarantine")] == [
        ("not_a_batch", b"junk")
    ]
    assert isinstance(office.tell(call_ended()), Ack)


def test_hello_is_answered_with_where_it_stands(office: Office) -> None:
    hello = Hello(nonce=EPOCH, epoch=EPOCH, heads={})
    answer = office.say("p", pack(hello))
    assert isinstance(answer, Welcome)
    assert answer.streams == {}
    office.tell(call_ended())
    answer = office.say("p", pack(hello))
    assert isinstance(answer, Welcome)
    assert (answer.streams["evt"].upto, answer.streams["evt"].head) == office.seq[BOX, "evt"]


def test_an_unregistered_box_leaves_no_trace(office: Office) -> None:
    told = [office.tell(call_ended(), "stranger")]
    told += [office.say(channel, b"{}", "stranger") for channel in "pbmr"]
    for answer in told:
        assert isinstance(answer, Refused)
        assert answer.code == "unknown_box"
    assert office.upload(new_id(), box_id="stranger") == []
    for table in ("calls", "inbox", "inbox_streams", "quarantine", "transfers", "presence", "box_troubles"):
        assert office.rows(table) == []
    assert list(office.objects.folder.rglob("*")) == []


def test_a_slow_database_gives_the_boxes_less_credit_and_a_quick_one_more(office: Office) -> None:
    took_s, now_s = 0.6, 0.0

    def clock_s() -> float:
        nonlocal now_s
        now_s += took_s
        return now_s

    office.entries.clock_s = clock_s

    def credits(times: int) -> list[int]:
        acks = [office.tell(call_ended()) for _ in range(times)]
        return [ack.credit for ack in acks if isinstance(ack, Ack)]

    assert credits(7) == [32, 16, 8, 4, 2, 1, 1]
    took_s = 0.1
    assert credits(7) == [1, 2, 4, 8, 16, 32, 32]


def test_what_a_box_sends_counts_for_its_day(office: Office) -> None:
    office.tell(call_ended())
    ((_, entries),) = counted = [(row["bytes"], row["entries"]) for row in office.rows("usage")]
    assert entries == 1
    office.upload(new_id())
    assert [row["bytes"] for row in office.rows("usage")] == [counted[0][0] + len(AUDIO)]


def test_a_box_is_noted_as_seen(office: Office) -> None:
    assert [(row["first_seen_utc"], row["last_seen_utc"]) for row in office.rows("boxes")] == [(None, None)]
    office.tell(call_ended())
    office.entries.handle([(Topic(BOX, False, "up", "p"), b"")], "2026-11-23T00:00:00.000Z")
    assert [(row["first_seen_utc"], row["last_seen_utc"]) for row in office.rows("boxes")] == [
        (LATER, "2026-11-23T00:00:00.000Z")
    ]


def test_nothing_is_acknowledged_that_was_not_committed(office: Office) -> None:
    def full(_db: Connection, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith("INSERT INTO inbox_streams"):
            raise OperationalError(statement, {}, Exception("database or disk is full"))

    def away(_db: Connection) -> None:
        raise OperationalError("COMMIT", {}, Exception("disk I/O error"))

    for moment, fails in (("before_cursor_execute", full), ("commit", away)):
        listen(office.engine, moment, fails)
        with pytest.raises(OperationalError):
            office.tell(call_ended())
        remove(office.engine, moment, fails)
        assert office.rows("calls") == office.rows("inbox") == []
    office.seq.clear()
    theirs = call_ended()
    office.register("branch-2")
    office.tell(theirs, "branch-2")
    office.tell(call_ended())
    office.seq[BOX, "evt"] = (4, office.seq[BOX, "evt"][1])  # 2 to 4 are still to come
    answer = office.tell(theirs)
    assert isinstance(answer, Ack)
    assert (answer.upto, answer.ranges, answer.nacks) == (1, ((5, 5),), ((5, "apply_failed"),))


class Stumbling(Inbox):
    """An inbox with a fault of its own: it breaks on the calls of one line."""

    def accept_all(self, db: Connection, received: Sequence[tuple[Origin, Batch]]) -> list[Accepted]:
        accepted = Inbox.accept_all(self, db, received)
        if any(b'"line":13' in bytes(batch.entries[0]) for _, batch in received):
            raise RuntimeError("our own fault")
        return accepted


def test_a_fault_of_ours_sets_one_message_aside_and_takes_the_others(office: Office) -> None:
    office.entries = EntriesDesk(office.engine, Stumbling(schema.inbox_tables, APPLY))
    office.register("branch-2")
    payloads = []
    for box_id, line in (("branch-2", 13), (BOX, 1)):
        body = entry_bytes(replace(call_ended(), line=line), new_id(), AT, 1)
        prev = genesis(EPOCH, "evt")
        payload = pack_batch(box_id, EPOCH, "evt", 1, prev, chained(prev, body), [body])
        payloads.append((Topic(box_id, False, "up", "e"), payload))
    refused, ack = [unpack(payload) for _, payload in office.entries.handle(payloads, LATER)]
    assert isinstance(refused, Refused)
    assert (refused.code, refused.detail) == ("failed", "RuntimeError: our own fault")
    assert isinstance(ack, Ack)
    assert [row["line"] for row in office.rows("calls")] == [1]
    assert [row["code"] for row in office.rows("quarantine")] == ["failed"]


def test_batches_that_came_together_are_acknowledged_at_once_stream_by_stream(office: Office) -> None:
    """Each stream's one ack stands where its last batch was, and tells of every entry that was set aside."""
    office.register("branch-2")
    heads = {
        (box_id, stream): genesis(EPOCH, stream) for box_id in (BOX, "branch-2") for stream in ("evt", "log")
    }
    messages = []
    for box_id, stream, first, sound in (
        (BOX, "evt", 1, False),
        ("branch-2", "evt", 1, True),
        (BOX, "log", 1, True),
        (BOX, "evt", 3, False),
        (BOX, "evt", 5, True),
    ):
        prev = h = heads[box_id, stream]
        bodies = []
        for seq in (first, first + 1):
            body = entry_bytes(call_ended(), new_id(), AT, seq)
            bodies.append(body if sound else body.replace(b"call_ended", b"call_endet"))
            h = chained(h, bodies[-1])
        heads[box_id, stream] = h
        payload = pack_batch(box_id, EPOCH, stream, first, prev, h, bodies)
        messages.append((Topic(box_id, False, "up", "e"), payload))
    answers = [
        (parse(topic).box_id, unpack(payload)) for topic, payload in office.entries.handle(messages, LATER)
    ]
    said = [(box_id, ack.stream, ack.upto, ack.nacks) for box_id, ack in answers if isinstance(ack, Ack)]
    aside = tuple((seq, "unknown_kind") for seq in (1, 2, 3, 4))
    assert said == [("branch-2", "evt", 2, ()), (BOX, "log", 2, ()), (BOX, "evt", 6, aside)]


def test_an_ack_stays_small_enough_to_be_read(office: Office) -> None:
    messages = []
    prev = genesis(EPOCH, "evt")
    for first in range(1, 1601, 100):  # in one ack they would be more than a message may have
        bodies, h = [], prev
        for seq in range(first, first + 100):
            bodies.append(entry_bytes(call_ended(), new_id(), AT, seq).replace(b"call_ended", b"k" * 40))
            h = chained(h, bodies[-1])
        messages.append((Topic(BOX, False, "up", "e"), pack_batch(BOX, EPOCH, "evt", first, prev, h, bodies)))
        prev = h
    acks = [unpack(payload) for _, payload in office.entries.handle(messages, LATER)]
    assert [seq for ack in acks if isinstance(ack, Ack) for seq, _ in ack.nacks] == list(range(1, 1601))


# Files.


def test_what_is_here_is_said_and_the_rest_is_taken(office: Office) -> None:
    rid = new_id()
    assert office.file(Open(rid=rid, size=len(AUDIO), sha256=SHA256)) == [At(rid=rid, offset=0, asked=True)]
    parts = [Chunk(rid, offset, AUDIO[offset : offset + 4000]) for offset in (0, 4000, 8000)]
    assert office.file(parts[0]) == [At(rid=rid, offset=4000)]
    after_a_hole = At(rid=rid, offset=4000, spans=((8000, len(AUDIO)),))
    assert office.file(parts[2]) == [after_a_hole]
    assert office.file(parts[0]) == [after_a_hole]  # a repeat
    damaged = bytearray(pack_chunk(parts[1]))
    damaged[-1] ^= 1
    beyond = pack_chunk(Chunk(rid, 4000, bytes(len(AUDIO))))
    for payload, said in ((bytes(damaged), []), (beyond, [after_a_hole])):
        office.files.handle([(Topic(BOX, True, "up", "c"), payload)], LATER)
        assert [unpack(answer) for _, answer in office.files.moved()] == said
    assert office.file(Fin(rid=rid)) == [replace_at(after_a_hole, asked=True)]  # not yet
    assert office.file(parts[1], parts[2]) == [At(rid=rid, offset=len(AUDIO))]  # one answer for both
    assert office.file(Fin(rid=rid)) == [Stored(rid=rid, sha256=SHA256)]
    assert b"".join(office.objects.read(SHA256, 0, len(AUDIO))) == AUDIO
    for again in (Fin(rid=rid), Open(rid=rid, size=len(AUDIO), sha256=SHA256)):
        assert office.file(again) == [Stored(rid=rid, sha256=SHA256)]


def replace_at(at: At, **changes: Any) -> At:
    return At(rid=at.rid, offset=at.offset, spans=at.spans, **changes)


def sums_of(rid: str, audio: bytes, start: int, end: int, step: int) -> Sums:
    pieces = [audio[at : min(at + step, end)] for at in range(start, end, step)]
    hashes = tuple(hashlib.sha256(piece).hexdigest() for piece in pieces)
    return Sums(rid=rid, start=start, end=end, step=step, sums=hashes)


def test_damage_is_found_by_the_sums_and_only_that_comes_again(office: Office) -> None:
    rid = new_id()
    opened = Open(rid=rid, size=len(AUDIO), sha256=SHA256)
    office.file(opened, Chunk(rid, 0, AUDIO))
    damaged = bytearray(AUDIO)
    damaged[5000] ^= 1
    office.incoming.path(f"{BOX}.{rid}").write_bytes(damaged)
    assert office.file(Fin(rid=rid)) == [At(rid=rid, offset=len(AUDIO), doubt=True)]
    wanted = At(rid=rid, offset=4000, spans=((6000, len(AUDIO)),), asked=True)
    assert office.file(sums_of(rid, AUDIO, 0, len(AUDIO), 2000)) == [wanted]
    office.files = FilesDesk(office.engine, office.objects, office.incoming, AtOnce())  # it is remembered
    assert office.file(opened) == [wanted]
    assert office.file(Chunk(rid, 4000, AUDIO[4000:6000]), Fin(rid=rid))[0] == Stored(rid=rid, sha256=SHA256)


def test_a_recording_arrives_while_it_is_made(office: Office) -> None:
    rid = new_id()
    assert office.file(Grow(rid=rid)) == [At(rid=rid, offset=0, asked=True)]
    assert office.file(Chunk(rid, 100, AUDIO[100:3000])) == [At(rid=rid, offset=0, spans=((100, 3000),))]
    asked = At(rid=rid, offset=0, spans=((100, 3000),), asked=True)
    assert office.file(sums_of(rid, AUDIO, 100, 3000, 2900)) == [asked]
    office.files = FilesDesk(office.engine, office.objects, office.incoming, AtOnce())
    assert office.file(Fin(rid=rid)) == [asked]  # nobody knows its size yet
    opened = Open(rid=rid, size=len(AUDIO), sha256=SHA256)
    assert office.file(opened) == [At(rid=rid, offset=0, spans=((100, 3000),), asked=True)]
    rest = [Chunk(rid, 3000, AUDIO[3000:]), Chunk(rid, 0, AUDIO[:100])]
    assert office.file(*rest, Fin(rid=rid))[0] == Stored(rid=rid, sha256=SHA256)
    assert [(row["state"], row["sha256"]) for row in office.rows("transfers")] == [("stored", SHA256)]
    (answer,) = office.file(Grow(rid=rid))
    assert isinstance(answer, Declined)


def test_a_segment_that_does_not_match_its_sum_comes_again(office: Office) -> None:
    rid = new_id()
    office.file(Grow(rid=rid), Chunk(rid, 100, AUDIO[200:3100]))
    answer = office.file(sums_of(rid, AUDIO, 100, 3000, 2900))
    assert answer == [At(rid=rid, offset=0, asked=True)]


def test_what_came_early_and_was_cut_off_at_the_box_is_cut_off_here(office: Office) -> None:
    rid = new_id()
    office.file(Grow(rid=rid), Chunk(rid, 0, AUDIO + b"after the hang-up"))
    opened = Open(rid=rid, size=len(AUDIO), sha256=SHA256)
    assert office.file(opened) == [At(rid=rid, offset=len(AUDIO), asked=True)]
    assert office.file(Fin(rid=rid)) == [Stored(rid=rid, sha256=SHA256)]


def test_what_came_early_of_a_lost_recording_goes(office: Office) -> None:
    rid = new_id()
    office.file(Grow(rid=rid), Chunk(rid, 0, AUDIO))
    office.tell(RecordingLost(rid, new_id(), "device_lost"))
    office.file(Grow(rid=new_id()))
    assert [row["state"] for row in office.rows("transfers") if row["recording_id"] == rid] == ["refused"]
    assert not list(office.incoming.folder.glob(f"*{rid}*"))


def test_an_open_that_a_power_cut_took_is_said_again(office: Office) -> None:
    rid = new_id()
    opened = Open(rid=rid, size=len(AUDIO), sha256=SHA256)
    office.file(opened, Chunk(rid, 0, AUDIO[:4000]))
    with write(office.engine) as db:
        db.execute(delete(schema.inbox_tables.transfers))
    office.files = FilesDesk(office.engine, office.objects, office.incoming, AtOnce())
    assert office.file(Chunk(rid, 4000, AUDIO[4000:]), Fin(rid=rid)) == []  # of what, nobody knows
    assert office.file(opened) == [At(rid=rid, offset=0, asked=True)]
    assert office.file(Chunk(rid, 0, AUDIO), Fin(rid=rid))[0] == Stored(rid=rid, sha256=SHA256)


def test_more_holes_than_can_be_told_are_not_made(office: Office) -> None:
    rid = new_id()
    office.file(Open(rid=rid, size=len(AUDIO), sha256=SHA256))
    (answer,) = office.file(*(Chunk(rid, 2 * number, b"x") for number in range(100)))
    assert isinstance(answer, At)
    assert len(answer.spans) + 1 == MAX_SPANS


def test_what_another_worker_took_meanwhile_is_known_when_a_shard_comes_back(office: Office) -> None:
    rid = new_id()
    opened = Open(rid=rid, size=len(AUDIO), sha256=SHA256)
    ours = office.files
    theirs = FilesDesk(office.engine, office.objects, Incoming(office.incoming.folder), AtOnce())
    office.file(opened, Chunk(rid, 0, AUDIO[:5000]))
    ours.forget_all_but(())
    office.files = theirs
    assert office.file(opened, Chunk(rid, 5000, AUDIO[5000:6000]))[-1] == At(rid=rid, offset=6000)
    office.files = ours
    assert office.file(opened) == [At(rid=rid, offset=6000, asked=True)]


def test_a_restart_goes_on_from_the_bytes_on_disk(office: Office) -> None:
    rid = new_id()
    office.file(Open(rid=rid, size=len(AUDIO), sha256=SHA256), Chunk(rid, 0, AUDIO[:5000]))
    office.files = FilesDesk(office.engine, office.objects, office.incoming, AtOnce())
    assert office.file(Chunk(rid, 5000, AUDIO[5000:6000])) == [At(rid=rid, offset=6000)]
    office.files = FilesDesk(office.engine, office.objects, office.incoming, AtOnce())
    assert office.file(Open(rid=rid, size=len(AUDIO), sha256=SHA256)) == [
        At(rid=rid, offset=6000, asked=True)
    ]


def test_a_wrong_hash_is_tried_three_times(office: Office) -> None:
    rid = new_id()
    opened = Open(rid=rid, size=3, sha256=SHA256)
    for _ in range(2):
        doubt = At(rid=rid, offset=3, doubt=True)
        assert office.file(opened, Chunk(rid, 0, b"bad"), Fin(rid=rid))[1] == doubt
        office.file(sums_of(rid, b"bad", 0, 3, 3))  # the box means it
    (_, last) = office.file(opened, Chunk(rid, 0, b"bad"), Fin(rid=rid))
    assert isinstance(last, Declined)
    assert last.code == "wrong_hash"
    assert [(row["state"], row["failures"]) for row in office.rows("transfers")] == [("refused", 3)]
    assert office.objects.size(SHA256) is None
    assert office.file(Fin(rid=rid)) == [], "who asks for what was declined is not told that it is stored"


def test_a_stored_recording_that_was_damaged_here_is_whole_again_when_it_comes_again(office: Office) -> None:
    """What a manifest finds too short is asked for; `stored` means these bytes, not those of before."""
    rid = new_id()
    office.upload(rid)
    (file,) = (office.objects.folder / "objects").rglob(SHA256)
    file.write_bytes(AUDIO[:-1])
    with write(office.engine) as db:
        forget_audio(db, BOX, rid)
    assert office.upload(rid)[-1] == Stored(rid=rid, sha256=SHA256)
    assert file.read_bytes() == AUDIO


def test_another_file_for_a_stored_recording_is_declined(office: Office) -> None:
    rid = new_id()
    office.upload(rid)
    (answer,) = office.file(Open(rid=rid, size=3, sha256="ab" * 32))
    assert isinstance(answer, Declined)
    assert answer.code == "other_file"


def test_another_file_for_an_unfinished_recording_begins_anew(office: Office) -> None:
    rid = new_id()
    office.file(Open(rid=rid, size=9, sha256="ab" * 32), Chunk(rid, 0, b"old"))
    assert office.upload(rid)[-1] == Stored(rid=rid, sha256=SHA256)


def test_two_boxes_may_send_the_same_recording_id(office: Office) -> None:
    rid = new_id()
    office.register("branch-2")
    office.file(Open(rid=rid, size=len(AUDIO), sha256=SHA256), Chunk(rid, 0, AUDIO[:100]))
    assert office.upload(rid, box_id="branch-2")[-1] == Stored(rid=rid, sha256=SHA256)
    assert office.file(Chunk(rid, 100, AUDIO[100:]), Fin(rid=rid))[0] == Stored(rid=rid, sha256=SHA256)


@pytest.mark.parametrize(
    "junk", [b"", b"junk", pack(At(rid=new_id(), offset=1)), pack(Fin(rid=new_id()))], ids=range(4)
)
def test_what_is_no_part_of_a_file_changes_nothing(office: Office, junk: bytes) -> None:
    rid = new_id()
    answers = office.file(Open(rid=rid, size=len(AUDIO), sha256=SHA256), junk, Chunk(new_id(), 0, b"unknown"))
    assert answers == [At(rid=rid, offset=0, asked=True)]
    assert office.file(Chunk(rid, 0, AUDIO), Fin(rid=rid))[0] == Stored(rid=rid, sha256=SHA256)


def test_more_bytes_than_were_announced_are_not_taken(office: Office) -> None:
    rid = new_id()
    office.file(Open(rid=rid, size=3, sha256=SHA256))
    assert office.file(Chunk(rid, 0, b"four")) == [At(rid=rid, offset=0)]


def test_a_store_that_cannot_be_written_stops_nothing_else(office: Office) -> None:
    rid = new_id()
    office.file(Open(rid=rid, size=len(AUDIO), sha256=SHA256))
    incoming = office.incoming.folder
    office.objects.folder.mkdir()
    incoming.write_bytes(b"a file where the folder should be")
    assert office.file(Chunk(rid, 0, AUDIO)) == []
    incoming.unlink()
    assert office.file(Chunk(rid, 0, AUDIO), Fin(rid=rid))[0] == Stored(rid=rid, sha256=SHA256)


def test_a_crash_after_the_object_and_before_its_row_costs_one_fin(office: Office) -> None:
    rid = new_id()
    office.file(Open(rid=rid, size=len(AUDIO), sha256=SHA256), Chunk(rid, 0, AUDIO))
    office.objects.take(*office.incoming.whole(f"{BOX}.{rid}"))
    office.files = FilesDesk(office.engine, office.objects, office.incoming, AtOnce())
    assert office.file(Open(rid=rid, size=len(AUDIO), sha256=SHA256)) == [
        At(rid=rid, offset=len(AUDIO), asked=True)
    ]
    assert office.file(Fin(rid=rid)) == [Stored(rid=rid, sha256=SHA256)]


def test_the_fields_of_a_recording_are_all_kept(office: Office) -> None:
    ready = recording_ready(new_id(), new_id(), AUDIO)
    office.tell(ready)
    (row,) = office.rows("recordings")
    wanted = asdict(ready)
    del wanted["gaps"], wanted["recording_id"]
    assert {name: row[name] for name in wanted} == wanted
