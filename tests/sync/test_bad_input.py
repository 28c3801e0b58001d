"""What a hostile or broken box may send is refused or set aside with a code; its stream goes on.

Every field of every message that head office reads is replaced by every kind of nonsense in turn; the desks
are the real ones, and after each attack a good batch of the same box must still be taken.
"""

from __future__ import annotations

import functools
import json
import resource
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from cloud.apply import APPLY
from cloud.arrivals import FilesDesk
from cloud.entries import EntriesDesk
from cloud.incoming import Incoming
from cloud.objects import FolderObjects
from cloud.store import boxes, schema
from cloud.store.allowed import EVERY_BOX, Quota, set_quota
from cloud.store.database import open_engine, read, write
from sync.chunks import Chunk, pack_chunk
from sync.envelope import MAX_INFLATED_BYTES, MAX_SEQ, chained, entry_bytes, genesis, pack_batch
from sync.ids import new_id
from sync.inbox import Inbox
from sync.messages import Ack, Fin, Hello, Open, Refused, pack, unpack
from sync.topics import Topic, TopicError, parse, shard_of
from tests.fakes import AtOnce
from tests.sync.station import AT, BOX, call_ended, recording_ready

EPOCH = "0123456789abcdef"
ACCEPTABLE = {  # codes a refusal or a quarantined entry may carry
    "too_large", "not_a_batch", "not_an_entry", "broken_chain", "wrong_version", "wrong_box", "not_a_message",
    "not_here", "unknown_kind", "not_as_agreed", "wrong_seq", "apply_failed", "failed",
}  # fmt: skip
DEEP: Any = []
for _ in range(500):
    DEEP = [DEEP]
NONSENSE: list[Any] = [
    None, True, -1, 0, 1.5, float("nan"), float("inf"), 2**53, 2**63, 2**64, 10**400, "", "\0", "x" * 100_000,
    "\ud7ff\u202e'; DROP TABLE calls; --", "../../etc/passwd", [], {}, [[]], {"a": {}}, DEEP,
    "2026-02-30T99:99:99.999Z", "f" * 64, "0" * 16, new_id(),
]  # fmt: skip


class Desk:
    """Head office's desks with one registered box."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = engine
        inbox = Inbox(schema.inbox_tables, APPLY)
        self.entries = EntriesDesk(engine, inbox)
        self.files = FilesDesk(engine, FolderObjects(folder), Incoming(folder / "incoming"), AtOnce())
        self.good = 0
        self.head = genesis(EPOCH, "evt")
        with write(engine) as db:
            boxes.register(db, BOX, BOX)
            set_quota(db, EVERY_BOX, Quota(10**15, 10**9, 10**9))

    def say(self, channel: str, payload: bytes, box_id: str = BOX) -> Any:
        answers = self.entries.handle([(Topic(box_id, False, "up", channel), payload)], AT)
        return unpack(answers[0][1]) if answers else None

    def file(self, channel: str, payload: bytes) -> list[Any]:
        answers = self.files.handle([(Topic(BOX, True, "up", channel), payload)], AT) + self.files.moved()
        return [unpack(one) for _, one in answers]

    def goes_on(self) -> None:
        """The next good entry of the box is taken."""
        self.good += 1
        body = entry_bytes(call_ended(), new_id(), AT, self.good)
        head = chained(self.head, body)
        answer = self.say("e", pack_batch(BOX, EPOCH, "evt", self.good, self.head, head, [body]))
        assert isinstance(answer, Ack) and answer.upto == self.good and not answer.nacks
        self.head = head

    def codes(self) -> set[str]:
        with read(self.engine) as db:
            return set(db.execute(select(schema.inbox_tables.quarantine.c.code)).scalars())


@pytest.fixture
def desk(database_url: str, tmp_path: Path) -> Iterator[Desk]:
    engine = open_engine(database_url)
    yield Desk(engine, tmp_path / "objects")
    engine.dispose()


def as_json(value: Any) -> bytes:
    """Also what no JSON writer should write: NaN, Infinity, lone surrogates."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def a_batch(**changes: Any) -> bytes:
    """A batch with fields of its header replaced; the chain is kept right unless it is what is changed."""
    body = entry_bytes(call_ended(), new_id(), AT, 1)
    prev = genesis("f" * 16, "evt")
    head = chained(prev, body)
    fields = {"box": BOX, "entries": [json.loads(body)], "epoch": "f" * 16, "first": 1, "head": head,
              "prev": prev, "stream": "evt", "v": 1}  # fmt: skip
    return zlib.compress(as_json(fields | changes))


def an_entry(change: Callable[[dict[str, Any]], None], seq: int) -> bytes:
    fields = json.loads(entry_bytes(call_ended(), new_id(), AT, seq))
    change(fields)
    return as_json(fields)


def batch_of(body: bytes, epoch: str, stream: str = "evt") -> bytes:
    """A right batch around whatever entry."""
    prev = genesis(epoch, stream)
    head = chained(prev, body)
    fields = f'"box":"{BOX}","epoch":"{epoch}","first":1,"head":"{head}","prev":"{prev}","stream":"{stream}"'
    return zlib.compress(b"{" + fields.encode() + b',"v":1,"entries":[' + body + b"]}")


def refused_or_set_aside(answer: Any) -> None:
    if isinstance(answer, Refused):
        assert answer.code in ACCEPTABLE, answer.code
    elif isinstance(answer, Ack):
        assert {code for _, code in answer.nacks} <= ACCEPTABLE


@pytest.mark.parametrize("field", ["box", "entries", "epoch", "first", "head", "prev", "stream", "v"])
def test_every_field_of_a_batch(desk: Desk, field: str) -> None:
    for value in NONSENSE:
        refused_or_set_aside(desk.say("e", a_batch(**{field: value})))
    assert desk.codes() <= ACCEPTABLE
    desk.goes_on()


ENTRY_FIELDS = ("seq", "eid", "kind", "kv", "at", "data")
DATA_FIELDS = tuple(json.loads(entry_bytes(call_ended(), new_id(), AT, 1))["data"])


@pytest.mark.parametrize("field", [*ENTRY_FIELDS, *(f"data.{name}" for name in DATA_FIELDS)])
def test_every_field_of_an_entry(desk: Desk, field: str) -> None:
    table, _, name = field.rpartition(".")
    for number, value in enumerate(NONSENSE):

        def change(fields: dict[str, Any], value: Any = value) -> None:
            (fields["data"] if table else fields)[name] = value

        refused_or_set_aside(desk.say("e", batch_of(an_entry(change, 1), f"{number:016x}")))
    assert desk.codes() <= ACCEPTABLE
    desk.goes_on()


@pytest.mark.parametrize("field", ["recording_id", "call_id", "samples", "size_bytes", "sha256", "gaps"])
def test_every_field_of_a_recording(desk: Desk, field: str) -> None:
    for number, value in enumerate([*NONSENSE, [{"start_sample": -1}], [{"start_sample": 2**70}]]):
        fields = json.loads(entry_bytes(recording_ready(new_id(), new_id(), b"x"), new_id(), AT, 1))
        fields["data"][field] = value
        refused_or_set_aside(desk.say("e", batch_of(as_json(fields), f"{number:016x}", "meta")))
    assert desk.codes() <= ACCEPTABLE
    desk.goes_on()


MESSAGES = {
    "hello": ("p", pack(Hello(nonce="0" * 16, epoch=EPOCH, heads={"evt": 1}))),
    "open": ("f", pack(Open(rid=new_id(), size=3, sha256="f" * 64))),
    "fin": ("f", pack(Fin(rid=new_id()))),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_every_field_of_a_message(desk: Desk, name: str) -> None:
    channel, good = MESSAGES[name]
    for field in json.loads(good):
        for value in NONSENSE:
            payload = as_json(json.loads(good) | {field: value})
            if channel == "f":
                assert all(type(answer) is not Refused for answer in desk.file("f", payload))
            else:
                refused_or_set_aside(desk.say(channel, payload))
    desk.goes_on()


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(junk=st.binary(max_size=400), channel=st.sampled_from("epmf"), squeeze=st.booleans())
def test_any_bytes_on_any_channel(desk: Desk, junk: bytes, channel: str, squeeze: bool) -> None:
    payload = zlib.compress(junk) if squeeze else junk
    if channel == "f":
        desk.file("f", payload)
        desk.file("c", payload)
    else:
        refused_or_set_aside(desk.say(channel, payload))
    desk.goes_on()


GOOD = a_batch()


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_good_batch_with_any_bytes_changed(desk: Desk, data: st.DataObject) -> None:
    payload = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    refused_or_set_aside(desk.say("e", bytes(payload)))
    desk.goes_on()


@pytest.mark.parametrize("stream", ["crit", "evt", "meta", "log", "a", "z" * 40])
def test_any_stream_has_its_own_numbers(desk: Desk, stream: str) -> None:
    """A stream this version does not know of is kept all the same, and fits its index."""
    refused_or_set_aside(desk.say("e", batch_of(entry_bytes(call_ended(), new_id(), AT, 1), EPOCH, stream)))
    if stream != "evt":
        desk.goes_on()


def test_a_text_too_long_for_an_index_is_set_aside_or_kept_but_stops_nothing(desk: Desk) -> None:
    """PostgreSQL calls it an error of its own; taken for an outage, the box would send it for ever."""
    number = "".join(chr(0x4E00 + at * 7919 % 20000) for at in range(9000))

    def change(fields: dict[str, Any]) -> None:
        fields["data"]["caller_number"] = number

    answer = desk.say("e", batch_of(an_entry(change, 1), "f" * 16))
    assert isinstance(answer, Ack) and answer.upto == 1
    desk.goes_on()


def test_a_replayed_batch_changes_nothing(desk: Desk) -> None:
    batch = a_batch()
    assert [desk.say("e", batch).upto for _ in range(3)] == [1, 1, 1]
    with read(desk.engine) as db:
        assert len(db.execute(select(schema.calls.c.id)).all()) == 1


def test_entries_far_ahead_are_kept_beyond_a_hole_or_not_taken(desk: Desk) -> None:
    body = an_entry(lambda fields: fields.update(seq=MAX_SEQ), 1)
    prev = genesis("f" * 16, "evt")
    batch = pack_batch(BOX, "f" * 16, "evt", MAX_SEQ, prev, chained(prev, body), [body])
    answer = desk.say("e", batch)
    assert answer.upto == 0 and answer.ranges == ((MAX_SEQ, MAX_SEQ),)
    desk.goes_on()


@pytest.mark.parametrize(
    ("topic", "says"),
    [
        (f"x/1/{(shard_of(BOX) + 1) % 64}/{BOX}/up/e", "belongs to shard"),
        ("x/1/1/head-office/up/e", "a box id is"),
        ("x/1/1/branch-1/up/" + "e" * 60_000, "not a topic"),
        ("x/1/1/branch-1\0/up/e", "not a topic"),
        ("x/2/1/branch-1/up/e", "not a topic"),
    ],
)  # fmt: skip
def test_a_topic_that_is_not_its_boxs_is_refused(topic: str, says: str) -> None:
    with pytest.raises(TopicError, match=says):
        parse(topic)


@functools.cache
def bombs() -> dict[str, bytes]:
    """Small messages that would become large ones."""
    zeros = zlib.compress(b"0" * 50_000_000, 9)
    deep = zlib.compress(b"[" * (MAX_INFLATED_BYTES - 1))
    wide = zlib.compress(b'{"entries":[' + b"1," * ((MAX_INFLATED_BYTES - 20) // 2) + b"1]}")
    return {
        "50 MB of zeros": zeros,
        "brackets": deep,
        "many entries": wide,
        "in a bomb": zlib.compress(zeros),
    }


@pytest.mark.parametrize("name", ["50 MB of zeros", "brackets", "many entries", "in a bomb"])
def test_a_bomb_costs_little_memory(desk: Desk, name: str) -> None:
    bomb = bombs()[name]
    desk.goes_on()
    tracemalloc.start()
    answer = desk.say("e", bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(answer, Refused) and answer.code in ("too_large", "not_a_batch")
    assert peak < 8 * MAX_INFLATED_BYTES + len(bomb)
    desk.goes_on()


def test_a_flood_of_nonsense_leaves_memory_where_it_was(desk: Desk) -> None:
    """Of the whole process, as the kernel counts it."""
    for number in range(50):
        desk.say("e", b"warm" + str(number).encode())
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(150):
        desk.say("e", zlib.compress(as_json(number) * 20_000))
        desk.file("c", pack_chunk(Chunk(new_id(), number, b"x" * 60_000)))
        desk.file("f", pack(Open(rid=new_id(), size=4 * 2**30, sha256="f" * 64)))
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb
    assert grown_kb < 40_000, f"{grown_kb} KB more"
    assert len(desk.files._files) <= 256
    desk.goes_on()
