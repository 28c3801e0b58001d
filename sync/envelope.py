"""The bytes that travel: entries as canonical JSON, a hash chain over them, batches of them under zlib.

    entry    {"at":"<UTC>","data":{...},"eid":"<UUIDv7>","kind":"call_ended","kv":1,"seq":12}
    chain    h(n) = SHA-256( h(n-1) + entry n ),  h(0) = SHA-256("branchline 1 <epoch> <stream>")
    batch    zlib( {"dev":..,"entries":[ entry, ... ],"epoch":..,"head":..,"prev":..,"stream":..,"v":1} )
             head = h(last entry), prev = h(the one before the first)

Entries are hashed, sent and kept as the bytes they were written as: nothing depends on encoding them again.

    EnvelopeError
      TooLarge       more bytes than this side takes, before or after inflating
      NotABatch      not zlib, not JSON, or a header field is missing or of the wrong type
      WrongVersion   an envelope version this side does not speak
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence
from typing import Any

import msgspec

from sync.events import EVENT_TYPES, SyncEvent

VERSION = 1
KIND_VERSION = 1
MAX_ENTRY_BYTES = 200_000  # one entry, canonical JSON: goes alone into a packet even if it does not deflate
MAX_BATCH_ENTRIES = 100
MAX_BATCH_BYTES = 64_000  # of entries before deflating; a larger entry travels alone
MAX_INFLATED_BYTES = 400_000

_KINDS = {event_type: kind for kind, (event_type, _) in EVENT_TYPES.items()}


class EnvelopeError(ValueError):
    """Bytes that are not an envelope of ours; `code` is what head office files them under."""

    code = "envelope"


class TooLarge(EnvelopeError):
    """More bytes than this side takes."""

    code = "too_large"


class NotABatch(EnvelopeError):
    """Not zlib, not JSON, or not the fields of a batch."""

    code = "not_a_batch"


class WrongVersion(EnvelopeError):
    """An envelope version this side does not speak."""

    code = "wrong_version"


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """A run of entries of one stream, their bytes untouched; unknown header fields are ignored."""

    v: int
    dev: str
    epoch: str
    stream: str
    prev: str
    head: str
    entries: list[msgspec.Raw]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One outbox entry as it travels; `data` is checked against its kind only when it is applied."""

    seq: int
    eid: str
    kind: str
    at: str
    data: dict[str, Any]
    kv: int = 1


def canonical(value: object) -> bytes:
    """JSON with sorted keys, no spaces, UTF-8 and no NaN; dataclasses become objects."""
    return msgspec.json.encode(value, order="sorted")


def kind_of(event: SyncEvent) -> str:
    """The name on the wire of a sync event; TypeError if it is not listed in EVENT_TYPES."""
    try:
        return _KINDS[type(event)]
    except KeyError:
        raise TypeError(f"{type(event).__name__} is not in sync.events.EVENT_TYPES") from None


def entry_bytes(seq: int, eid: str, at_utc: str, event: SyncEvent) -> bytes:
    """The canonical bytes of one entry; TooLarge above MAX_ENTRY_BYTES."""
    fields = {"seq": seq, "eid": eid, "kind": kind_of(event), "kv": KIND_VERSION, "at": at_utc, "data": event}
    body = canonical(fields)
    if len(body) > MAX_ENTRY_BYTES:
        raise TooLarge(
            f"an outbox entry has at most {MAX_ENTRY_BYTES} bytes, this {fields['kind']} has {len(body)}"
        )
    return body


def genesis(epoch: str, stream: str) -> str:
    """The chain value before the first entry of a stream, lower-case hex."""
    return hashlib.sha256(f"branchline {VERSION} {epoch} {stream}".encode()).hexdigest()


def chained(prev: str, body: bytes) -> str:
    """The chain value after `body`, lower-case hex."""
    return hashlib.sha256(bytes.fromhex(prev) + body).hexdigest()


def pack_batch(dev: str, epoch: str, stream: str, prev: str, head: str, bodies: Sequence[bytes]) -> bytes:
    """One batch ready to publish; `bodies` are consecutive entries of the stream."""
    fields = {
        "dev": dev,
        "entries": [msgspec.Raw(body) for body in bodies],
        "epoch": epoch,
        "head": head,
        "prev": prev,
        "stream": stream,
        "v": VERSION,
    }
    return zlib.compress(canonical(fields), 6)


def inflate(payload: bytes) -> bytes:
    """Undo zlib, never making more than MAX_INFLATED_BYTES."""
    inflater = zlib.decompressobj()
    try:
        data = inflater.decompress(payload, MAX_INFLATED_BYTES)
    except zlib.error as error:
        raise NotABatch(f"not zlib: {error}") from None
    if inflater.unconsumed_tail:
        raise TooLarge(f"inflates to more than {MAX_INFLATED_BYTES} bytes")
    if not inflater.eof:
        raise NotABatch(f"zlib data ends early after {len(payload)} bytes")
    return data


def unpack_batch(payload: bytes) -> Batch:
    """The batch in `payload`; raises an EnvelopeError that says what was wrong."""
    data = inflate(payload)
    try:
        version = msgspec.json.decode(data, type=_Versioned).v
        if version != VERSION:
            raise WrongVersion(f"envelope version {version}, this side speaks {VERSION}")
        batch = msgspec.json.decode(data, type=Batch)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotABatch(f"not the fields of a batch: {error}") from None
    if not 1 <= len(batch.entries) <= MAX_BATCH_ENTRIES:
        raise NotABatch(f"a batch has 1-{MAX_BATCH_ENTRIES} entries, got {len(batch.entries)}")
    if not (is_hash(batch.prev) and is_hash(batch.head)):
        raise NotABatch("prev and head are 64 hex digits")
    return batch


def unpack_entry(body: bytes) -> Entry:
    """The fields of one entry; msgspec.DecodeError or RecursionError if it is not one."""
    return msgspec.json.decode(body, type=Entry)


def is_hash(text: str) -> bool:
    """Whether `text` is a SHA-256 in lower-case hex."""
    return len(text) == 64 and all(digit in "0123456789abcdef" for digit in text)


class _Versioned(msgspec.Struct, frozen=True):
    v: int
