"""Entries, chain and batches: both directions, and every way of being none."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync import envelope
from sync.envelope import (
    BrokenChain,
    EnvelopeError,
    NotABatch,
    NotAnEntry,
    TooLarge,
    WrongVersion,
    chained,
    entry_bytes,
    facts,
    genesis,
    opaque_bytes,
    pack_batch,
    read_event,
    renumbered,
    unpack_batch,
    unpack_entry,
)
from sync.events import (
    EVENT_TYPES,
    STREAMS,
    CallEnded,
    ClockMeasured,
    CommunicationAdded,
    CommunicationCleared,
    ContactFact,
    CustomerSaved,
    EntryErased,
    GapFact,
    GoneFact,
    MarkFact,
    OrderAnswered,
    RecordingLost,
    RecordingReady,
    SyncEvent,
)
from tests.sync.station import AT, call_ended

GOLDEN = Path(__file__).parents[1] / "data" / "sync"
EPOCH = "0123456789abcdef"
EID = "0192f1de-7a3c-7000-8000-00000000000e"
ID = "0192f1de-7a3c-7000-8000-00000000000{}"

EVENTS: dict[str, SyncEvent] = {
    "clock_measured": ClockMeasured(
        epoch=EPOCH, after_seq=4, upto_seq=9, offset_ms=1_790_000_000_000, error_ms=2_031, quality="stepped"
    ),
    "communication_added": CommunicationAdded(
        communication_id=ID.format(5),
        kind="visit",
        at_utc=AT,
        content="答应周五送合同",
        created_utc=AT,
        customer_id=ID.format(6),
        customer_name="昆明东风商贸有限公司",
        number="0871-65123456",
        call_id=ID.format(1),
        from_popup=True,
        creator_name="wang",
        creator_number="8001",
        creator_group="一组",
    ),
    "communication_cleared": CommunicationCleared(communication_id=ID.format(5), cleared_utc=AT),
    "customer_saved": CustomerSaved(
        customer_id=ID.format(6),
        revision=3,
        saved_utc=AT,
        saved_by="wang",
        name="昆明东风商贸有限公司",
        kind="enterprise",
        numbers=("087165123456",),
        contacts=(ContactFact("张经理", "采购", ("13912345678",), 1),),
        industry="批发",
        tags=("高净值",),
        remark="老客户",
        creator_name="li",
        created_utc=AT,
        is_deleted=True,
    ),
    "call_ended": CallEnded(
        call_id=ID.format(1),
        line=2,
        line_name="前台",
        direction="in",
        outcome="answered",
        started_utc=AT,
        ended_utc=AT,
        duration_ms=61_250,
        answered_utc=AT,
        ring_count=2,
        caller_number="13800138000",
        caller_name="王小明",
        caller_presentation="available",
        caller_standard="bell202",
        keys="1#",
        clock_quality="ntp",
        is_fax=True,
        second_number="02155509999",
        second_name="张三",
        second_presentation="available",
        marks=(MarkFact(0, "answered"), MarkFact(9_800, "waiting", "02155509999")),
    ),
    "recording_ready": RecordingReady(
        recording_id=ID.format(2),
        call_id=ID.format(1),
        started_utc=AT,
        rate_hz=8000,
        samples=490_000,
        codec="flac",
        size_bytes=412_345,
        sha256="ab" * 32,
        gaps=(GapFact(8000, 160, "overrun"),),
    ),
    "order_answered": OrderAnswered(
        order_id=ID.format(7),
        n=12,
        order="delete_recording",
        outcome="done",
        code="done",
        answered_utc=AT,
        ordered_utc=AT,
        reason="客户要求删除",
        by="wang",
        approved_by="li",
        call_id=ID.format(1),
        days={"missed": 30},
        gone=(GoneFact(ID.format(2), "ab" * 32, 41, "cd" * 32),),
        key="ef" * 32,
        sig="01" * 64,
    ),
    "entry_erased": EntryErased(ID.format(1), "ab" * 32, 612, ID.format(7)),
    "recording_lost": RecordingLost(ID.format(2), ID.format(1), "device_lost"),
}


def test_every_kind_has_its_example() -> None:
    assert {kind: type(event) for kind, event in EVENTS.items()} == {
        kind: event_type for kind, (event_type, _) in EVENT_TYPES.items()
    }
    assert {stream for _, stream in EVENT_TYPES.values()} <= set(STREAMS)


# Fields are only ever added: an entry of before they were stands in the first file, of now in the last.
FILES = {"call_ended": ("call_ended.json", "call_ended_marks.json")}


@pytest.mark.parametrize("kind", EVENTS)
def test_golden_in_both_directions(kind: str) -> None:
    """A file here never changes: boxes and head offices of other versions hold such entries."""
    golden = (GOLDEN / FILES.get(kind, (f"{kind}.json",))[-1]).read_bytes().rstrip(b"\n")
    assert entry_bytes(EVENTS[kind], EID, AT, 7) == golden
    entry = unpack_entry(golden)
    assert (entry.kind, entry.seq, entry.eid, entry.at, entry.kv) == (kind, 7, EID, AT, 1)
    assert read_event(entry) == EVENTS[kind]


def test_a_call_of_an_older_box_is_read_with_nothing_in_the_fields_it_did_not_know() -> None:
    entry = unpack_entry((GOLDEN / FILES["call_ended"][0]).read_bytes().rstrip(b"\n"))
    call = read_event(entry)
    newer = EVENTS["call_ended"]
    assert isinstance(newer, CallEnded)
    nothing = {"second_number": None, "second_name": None, "second_presentation": None}
    assert call == dataclasses.replace(newer, is_fax=False, marks=(), **nothing)


@pytest.mark.parametrize("kind", EVENTS)
def test_canonical_json_is_what_any_json_writer_can_make(kind: str) -> None:
    body = entry_bytes(EVENTS[kind], EID, AT, 7)
    again = json.dumps(json.loads(body), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert again.encode() == body


def test_the_chain_is_plain_sha_256() -> None:
    start = hashlib.sha256(f"branchline 1 {EPOCH} evt".encode()).digest()
    assert genesis(EPOCH, "evt") == start.hex()
    assert chained(genesis(EPOCH, "evt"), b"{}") == hashlib.sha256(start + b"{}").hexdigest()


def batch_of(*bodies: bytes, **changes: Any) -> bytes:
    """A batch of `bodies`, with header fields changed."""
    prev = head = genesis(EPOCH, "evt")
    for body in bodies:
        head = chained(head, body)
    if not changes:
        return pack_batch("box-1", EPOCH, "evt", 7, prev, head, bodies)
    packed = json.loads(zlib.decompress(pack_batch("box-1", EPOCH, "evt", 7, prev, head, bodies)))
    kept = {name: value for name, value in (packed | changes).items() if value is not ...}
    return zlib.compress(envelope.canonical(kept))


BODY = entry_bytes(EVENTS["call_ended"], EID, AT, 7)


def test_a_batch_there_and_back() -> None:
    bodies = [entry_bytes(event, EID, AT, 7 + at) for at, event in enumerate(EVENTS.values())]
    batch = unpack_batch(batch_of(*bodies))
    assert [bytes(raw) for raw in batch.entries] == bodies
    assert (batch.box, batch.epoch, batch.stream, batch.first) == ("box-1", EPOCH, "evt", 7)


def test_header_fields_of_a_later_version_are_passed_over() -> None:
    assert unpack_batch(batch_of(BODY, later={"x": 1})).first == 7


def test_fields_of_an_entry_are_kept_as_they_came() -> None:
    later = BODY.replace(b'"kind"', b'"boot":4,"kind"')
    assert bytes(unpack_batch(batch_of(later)).entries[0]) == later
    assert unpack_entry(later).kind == "call_ended"


REFUSED: dict[str, tuple[bytes, type[EnvelopeError]]] = {
    "nothing": (b"", NotABatch),
    "not zlib": (b"{}", NotABatch),
    "cut off": (batch_of(BODY)[:-5], NotABatch),
    "not json": (zlib.compress(b"{"), NotABatch),
    "not an object": (zlib.compress(b"[]"), NotABatch),
    "nan": (zlib.compress(b'{"v":NaN}'), NotABatch),
    "deep": (zlib.compress(b'{"v":1,"x":' + b"[" * 100_000), NotABatch),
    "bomb": (zlib.compress(b" " * 200_000_000), TooLarge),
    "no version": (batch_of(BODY, v=...), NotABatch),
    "version 2": (batch_of(BODY, v=2), WrongVersion),
    "version as text": (batch_of(BODY, v="1"), NotABatch),
    "no box": (batch_of(BODY, box=...), NotABatch),
    "long box": (batch_of(BODY, box="b" * 65), NotABatch),
    "epoch": (batch_of(BODY, epoch="../../../../etc/"), NotABatch),
    "stream": (batch_of(BODY, stream="e v t"), NotABatch),
    "seq 0": (batch_of(BODY, first=0), NotABatch),
    "huge seq": (batch_of(BODY, first=2**53 + 1), NotABatch),
    "huger seq": (batch_of(BODY, first=10**400), NotABatch),
    "fraction": (batch_of(BODY, first=1.5), NotABatch),
    "no entries": (batch_of(BODY, entries=[]), NotABatch),
    "101 entries": (batch_of(*[BODY] * 101), NotABatch),
    "prev": (batch_of(BODY, prev="AB" * 32), NotABatch),
    "head": (batch_of(BODY, head="00" * 32), BrokenChain),
    "another entry": (batch_of(BODY, entries=[{}]), BrokenChain),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    payload, error = REFUSED[case]
    with pytest.raises(error) as raised:
        unpack_batch(payload)
    assert raised.value.code == error.code
    assert len(str(raised.value)) < 300


def test_more_than_400_000_bytes_are_never_inflated() -> None:
    with pytest.raises(NotABatch, match="truncated"):
        unpack_batch(zlib.compress(b" " * 399_000))  # is looked at
    bomb = zlib.compress(b" " * 50_000_000)
    tracemalloc.start()
    try:
        for payload in (zlib.compress(b" " * 400_001), bomb):
            with pytest.raises(TooLarge):
                unpack_batch(payload)
        _, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most_bytes < 2_000_000


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_are_a_batch_or_refused(data: bytes, zipped: bool) -> None:
    with pytest.raises(EnvelopeError):
        unpack_batch(zlib.compress(data) if zipped else data)


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_a_flipped_byte_is_noticed(at: int, value: int) -> None:
    payload = batch_of(BODY)
    damaged = bytearray(payload)
    damaged[at % len(payload)] ^= value
    try:
        batch = unpack_batch(bytes(damaged))
    except EnvelopeError:
        return
    assert [bytes(raw) for raw in batch.entries] == [BODY]


@pytest.mark.parametrize(
    "change",
    [
        {"seq": 0},
        {"seq": "7"},
        {"eid": "7"},
        {"eid": EID.upper()},
        {"kind": "Call-Ended"},
        {"kind": "k" * 41},
        {"at": "2026-11-22"},
        {"at": "２026-11-22T04:05:06.789Z"},
        {"data": []},
        {"kv": None},
    ],
    ids=str,
)
def test_entries_refused(change: dict[str, object]) -> None:
    with pytest.raises(NotAnEntry):
        unpack_entry(json.dumps(json.loads(BODY) | change).encode())


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", b'{"data":' + b"[" * 100_000])
def test_no_entries(body: bytes) -> None:
    with pytest.raises(NotAnEntry):
        unpack_entry(body)


def test_an_entry_too_large_for_a_packet_is_not_made() -> None:
    large = dataclasses.replace(call_ended(), caller_name="x" * envelope.MAX_ENTRY_BYTES)
    with pytest.raises(TooLarge, match="at most 200000 bytes, this call_ended has"):
        entry_bytes(large, EID, AT, 1)


def test_an_event_that_is_not_listed_is_not_sent() -> None:
    with pytest.raises(TypeError, match="GapFact is not in"):
        entry_bytes(GapFact(1, 1, "x"), EID, AT, 1)  # type: ignore[arg-type]


def test_renumbered_changes_nothing_else() -> None:
    assert renumbered(EID, AT, BODY, 99) == entry_bytes(EVENTS["call_ended"], EID, AT, 99)


def test_an_opaque_entry_carries_the_bytes_or_at_least_their_hash() -> None:
    damaged = b"\xff\x00 damaged"
    entry = unpack_entry(opaque_bytes(EID, AT, damaged, 5, 100))
    assert (entry.kind, entry.seq) == ("opaque", 5)
    assert (facts(entry)["size"], facts(entry)["body"]) == (10, "/wAgZGFtYWdlZA==")
    entry = unpack_entry(opaque_bytes(EID, AT, damaged, 5, 9))
    assert facts(entry) == {"size": 10, "sha256": hashlib.sha256(damaged).hexdigest()}
    assert renumbered(EID, AT, damaged, 5) == opaque_bytes(EID, AT, damaged, 5, 100)


def test_a_batch_of_calls_is_a_third_of_its_json() -> None:
    bodies = [entry_bytes(call_ended(str(13800138000 + n)), EID, AT, 7 + n) for n in range(100)]
    assert len(batch_of(*bodies)) <= 0.40 * sum(len(body) for body in bodies)
