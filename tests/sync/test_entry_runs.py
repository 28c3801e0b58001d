"""A batch is read in one pass exactly when each of its entries can be read by itself, and says the same."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sync.entry_runs import Known, read_run
from sync.envelope import KIND_VERSION, EnvelopeError, canonical, entry_bytes, read_event, unpack_entry
from sync.events import EVENT_TYPES
from tests.sync.station import AT, call_ended
from tests.sync.test_envelope import EID, EVENTS, GOLDEN

OTHER = "0192f1de-7a3c-7000-8000-00000000000f"
BODY = entry_bytes(EVENTS["call_ended"], EID, AT, 7)


def singly(body: bytes, seq: int) -> tuple[str, str, str, bytes] | None:
    """What an entry says when it is read by itself; None if it is not as agreed."""
    try:
        entry = unpack_entry(body)
        if entry.kind not in EVENT_TYPES or entry.kv != KIND_VERSION or entry.seq != seq:
            return None
        return entry.eid, entry.kind, entry.at, canonical(read_event(entry))
    except (EnvelopeError, msgspec.DecodeError):
        return None


def said(one: Known) -> tuple[str, str, str, bytes]:
    return one.eid, one.kind, one.at, canonical(one.data)


def test_entries_of_all_kinds_are_read_at_once() -> None:
    bodies = [entry_bytes(event, EID, AT, seq) for seq, event in enumerate(EVENTS.values(), start=7)]
    run = read_run(bodies, 7)
    assert run is not None
    assert [one.seq for one in run] == list(range(7, 7 + len(EVENTS)))
    assert [said(one) for one in run] == [singly(body, seq) for seq, body in enumerate(bodies, start=7)]


def test_a_call_has_the_same_fields_as_when_it_is_read_by_itself() -> None:
    for golden in GOLDEN.glob("call_ended*.json"):
        body = golden.read_bytes().rstrip(b"\n")
        run, call = read_run([body], 7), read_event(unpack_entry(body))
        assert run is not None
        fields = [name for name in type(call).__slots__]
        assert [getattr(run[0].data, name) for name in fields] == [getattr(call, name) for name in fields]


@pytest.mark.parametrize(
    "change",
    [
        {"seq": 0},
        {"seq": 8},
        {"seq": "7"},
        {"eid": EID.upper()},
        {"eid": EID + "\n"},
        {"eid": f"{EID} {AT}\n{OTHER}"},
        {"at": "2026-11-22"},
        {"at": AT + " "},
        {"kind": "of_later"},
        {"kind": None},
        {"kv": 2},
        {"kv": None},
        {"data": []},
        {"data": {}},
    ],
    ids=str,
)
def test_one_that_is_not_as_agreed_is_for_reading_singly(change: dict[str, Any]) -> None:
    damaged = json.dumps(json.loads(BODY) | change).encode()
    after = entry_bytes(call_ended(), OTHER, AT, 8)
    assert singly(damaged, 7) is None
    assert read_run([damaged, after], 7) is None
    assert read_run([BODY, after], 7) is not None


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", BODY + b"," + BODY, BODY[:-1]])
def test_no_entry(body: bytes) -> None:
    assert read_run([body], 7) is None


def test_what_is_no_text_is_found_in_a_field_that_nobody_knows() -> None:
    assert read_run([BODY.replace(b'"kind"', b'"later":"\xe7\x8e\x8b","kind"')], 7) is not None
    assert read_run([BODY.replace(b'"kind"', b'"later":"\xe7\x8e","kind"')], 7) is None


@given(
    at=st.integers(0, len(BODY) - 1),
    size=st.integers(0, 6),
    by=st.binary(max_size=3) | st.sampled_from([b"null", b"0", b'"', b'"kind":"x",', b"NaN", b"{}"]),
)
@example(at=BODY.index(b'"kind"'), size=0, by=b'"kind":"recording_lost",')
@example(at=BODY.index(b'"kind"'), size=0, by=b'"kind":"call_ended",')
def test_read_at_once_and_singly_are_of_one_mind(at: int, size: int, by: bytes) -> None:
    body = BODY[:at] + by + BODY[at + size :]
    run = read_run([body], 7)
    if run is not None:
        assert [said(one) for one in run] == [singly(body, 7)]
    elif body.count(b'"kind"') == 1:  # one that says its kind twice is read singly, by what it says last
        assert singly(body, 7) is None
