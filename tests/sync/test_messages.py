"""Messages, both directions, golden; and everything that is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync import messages
from sync.messages import (
    Ack,
    AnyMessage,
    At,
    Declined,
    Fin,
    Grow,
    Hello,
    MessageError,
    Open,
    Refused,
    Standing,
    Stored,
    Sums,
    Welcome,
    pack,
    unpack,
)

GOLDEN = Path(__file__).parents[1] / "data" / "sync" / "messages.jsonl"
RID = "0192f1de-7a3c-7000-8000-000000000001"
HASH = "ab" * 32
EPOCH = "0123456789abcdef"
AT = "2026-11-22T04:05:06.789Z"

MESSAGES: list[AnyMessage] = [
    Hello(nonce=EPOCH, epoch=EPOCH, heads={"evt": 12, "meta": 3}),
    Welcome(nonce=EPOCH, streams={"evt": Standing(9, HASH, ((11, 12),))}, credit=8, hq_utc=AT),
    Ack(
        epoch=EPOCH,
        stream="evt",
        upto=9,
        ranges=((11, 12),),
        nacks=((8, "unknown_kind"),),
        credit=8,
        hq_utc=AT,
    ),
    Refused(ref=HASH, code="not_a_batch", detail="not zlib"),
    Open(rid=RID, size=300_000, sha256=HASH),
    Fin(rid=RID),
    At(rid=RID, offset=65_536),
    At(rid=RID, offset=0, spans=((8192, 65_536),), doubt=True, asked=True),
    Grow(rid=RID),
    Sums(rid=RID, start=8192, end=65_536, step=32_768, sums=(HASH, HASH)),
    Stored(rid=RID, sha256=HASH),
    Declined(rid=RID, code="wrong_hash"),
]
NAMES = [f"{type(message).__name__} {number}" for number, message in enumerate(MESSAGES)]


@pytest.mark.parametrize(
    ("message", "line"), list(zip(MESSAGES, GOLDEN.read_text().splitlines(), strict=True)), ids=NAMES
)
def test_golden_in_both_directions(message: AnyMessage, line: str) -> None:
    assert pack(message).decode() == line
    assert unpack(line.encode()) == message


def test_every_message_has_its_golden_line() -> None:
    assert {type(message) for message in MESSAGES} == set(AnyMessage.__args__)


@pytest.mark.parametrize("message", MESSAGES, ids=NAMES)
def test_a_field_of_a_later_version_is_passed_over(message: AnyMessage) -> None:
    assert unpack(json.dumps(json.loads(pack(message)) | {"later": [1, {}]}).encode()) == message


@pytest.mark.parametrize("message", MESSAGES, ids=NAMES)
@pytest.mark.parametrize("wrong", [None, -1, 2**70, "x" * 501, "ü", 1.5, True, [], {}, [[1]], {"": ""}])
def test_no_field_takes_just_anything(message: AnyMessage, wrong: object) -> None:
    fields = json.loads(pack(message))
    for name in fields:
        try:
            same = unpack(json.dumps(fields | {name: wrong}).encode())
        except MessageError:
            continue
        # What a field does take comes back as it was sent, or is left out because that says the same.
        assert json.loads(pack(same)).get(name, []) == wrong


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"t":"nonsense"}',
        b'{"t":"fin"}',
        b'{"t":"fin","rid":NaN}',
        b'{"t":"fin","rid":"../../etc/passwd"}',
        b"\xff\xfe",
        b"[" * 5000,
        b'{"t":"refused","ref":"' + HASH.encode() + b'","code":"\xff"}',
        b'{"t":"fin","rid":"' + RID.encode() + b'"}' + b" " * messages.MAX_MESSAGE_BYTES,
    ],
)
def test_refused(payload: bytes) -> None:
    with pytest.raises(MessageError):
        unpack(payload)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_refused(payload: bytes) -> None:
    try:
        unpack(payload)
    except MessageError as error:
        assert error.code == "not_a_message"
