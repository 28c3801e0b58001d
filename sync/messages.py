"""Everything said besides batches and chunks: small JSON objects, each with its tag `t`.

What is read back is whole: every field there, of its type and within its range, or it is refused.

    from a box          hello                     open   grow     fin        sums
    from head office    welcome   ack   refused   at     stored   declined

    MessageError    not one of these, or a field is missing, out of range or of the wrong type
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from sync.envelope import VERSION, EpochText, Hash, Moment, Name, Seq, Uuid, canonical

MAX_MESSAGE_BYTES = 20_000
MAX_FILE_BYTES = 4 * 2**30
MAX_SPANS = 64  # of bytes beyond the first hole of a file
MAX_SUMS = 200  # of the pieces of a file in one message

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Credit = Annotated[int, msgspec.Meta(ge=0, le=100)]
FileBytes = Annotated[int, msgspec.Meta(ge=0, le=MAX_FILE_BYTES)]
Span = tuple[FileBytes, FileBytes]  # [start, end)
Nonce = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{16}$")]
Range = tuple[Seq, Seq]
Text = Annotated[str, msgspec.Meta(max_length=500)]


class MessageError(ValueError):
    """Not one of the messages of this protocol."""

    code = "not_a_message"


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="t", tag=str.lower):
    """What all of them share: a tag, and fields that are never renamed."""


class Hello(Message, frozen=True, kw_only=True):
    """A box has connected and asks where it stands."""

    v: int = VERSION
    nonce: Nonce  # comes back in the welcome, so an old one is not mistaken for it
    epoch: EpochText
    heads: dict[Name, Count]  # last seq of each stream


class Standing(msgspec.Struct, frozen=True, omit_defaults=True):
    """What head office has of one stream."""

    upto: Count
    head: Hash  # chain value after upto: shows a box that was restored from an old copy
    ranges: tuple[Range, ...] = ()
    nacks: tuple[tuple[Seq, Name], ...] = ()  # of these, what waits in quarantine; the latest of many


class Welcome(Message, frozen=True, kw_only=True):
    """Head office knows the box and has this much of its epoch."""

    nonce: Nonce
    streams: dict[Name, Standing]
    credit: Credit  # batches the box may have on the way
    hq_utc: Moment


class Ack(Message, frozen=True, kw_only=True):
    """Committed: everything up to `upto`, the `ranges` beyond, and of these `nacks` set aside with a code."""

    epoch: EpochText
    stream: Name
    upto: Count
    ranges: tuple[Range, ...] = ()
    nacks: tuple[tuple[Seq, Name], ...] = ()
    credit: Credit
    hq_utc: Moment


class Refused(Message, frozen=True, kw_only=True):
    """Not taken: the message with this SHA-256 (of its payload); `code` says why."""

    ref: Hash
    code: Name
    detail: Text = ""


class Open(Message, frozen=True, kw_only=True):
    """A file is about to come."""

    rid: Uuid
    size: FileBytes
    sha256: Hash


class Grow(Message, frozen=True, kw_only=True):
    """A file that is still being made is about to come, as far as its bytes will not change any more."""

    rid: Uuid


class Fin(Message, frozen=True, kw_only=True):
    """All of a file was sent."""

    rid: Uuid


class Sums(Message, frozen=True, kw_only=True):
    """The SHA-256 of each `step` bytes of a file from `start` on, the last piece up to `end`."""

    rid: Uuid
    start: FileBytes
    end: FileBytes
    step: Annotated[int, msgspec.Meta(ge=1, le=MAX_FILE_BYTES)]
    sums: Annotated[tuple[Hash, ...], msgspec.Meta(max_length=MAX_SUMS)]


class At(Message, frozen=True, kw_only=True, omit_defaults=True):
    """Head office has the first `offset` bytes of a file, and the `spans` beyond; go on with the rest."""

    rid: Uuid
    offset: FileBytes
    spans: Annotated[tuple[Span, ...], msgspec.Meta(max_length=MAX_SPANS)] = ()
    doubt: bool = False  # all is there and its hash is wrong: say the sums
    asked: bool = False  # the answer to open, grow, fin or sums: what is not named here has to come


class Stored(Message, frozen=True, kw_only=True):
    """The whole file is on head office's disk and its hash is right."""

    rid: Uuid
    sha256: Hash


class Declined(Message, frozen=True, kw_only=True):
    """Head office will not take this file; `code` says why."""

    rid: Uuid
    code: Name
    detail: Text = ""


AnyMessage = Hello | Welcome | Ack | Refused | Open | Grow | Fin | Sums | At | Stored | Declined
_decoder: msgspec.json.Decoder[AnyMessage] = msgspec.json.Decoder(AnyMessage)


def pack(message: AnyMessage) -> bytes:
    """The canonical JSON of a message."""
    return canonical(message)


def unpack(payload: bytes) -> AnyMessage:
    """The message in `payload`; MessageError if it is none."""
    if len(payload) > MAX_MESSAGE_BYTES:
        raise MessageError(f"a message has at most {MAX_MESSAGE_BYTES} bytes, got {len(payload)}")
    try:
        return _decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MessageError(f"not a message of this protocol: {error}") from None
