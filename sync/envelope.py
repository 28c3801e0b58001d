"""The bytes that travel: entries as canonical JSON, a hash chain over them, batches of them under zlib.

    entry    {"at":"<UTC>","data":{...},"eid":"<UUIDv7>","kind":"call_ended","kv":1,"seq":12}
    chain    h(n) = SHA-256( h(n-1) + entry n ),  h(0) = SHA-256("branchline 1 <epoch> <stream>")
    batch    zlib( {"box":..,"entries":[..],"epoch":..,"first":12,"head":..,"prev":..,"stream":..,"v":1} )
             first = seq of the first entry, prev = h(first - 1), head = h(last)

Entries are hashed, sent and kept as the bytes they were written as: nothing depends on encoding them again.

    EnvelopeError
      TooLarge       more bytes than this side takes, before or after inflating
      NotABatch      not zlib, not JSON, or a header field is missing or of the wrong type
      NotAnEntry     the same for one entry of a batch
      BrokenChain    the entries do not hash to the head their batch names
      WrongVersion   an envelope version this side does not speak
"""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from sync.events import EVENT_TYPES, SyncEvent

VERSION = 1
KIND_VERSION = 1
OPAQUE = "opaque"  # kind of an entry that stands for one head office cannot read
ERASED = "entry_erased"  # kind of an entry that stands for one that was erased by order
MAX_SEQ = 2**53  # what every JSON reader holds exactly
MAX_ENTRY_BYTES = 200_000  # one entry, canonical JSON: goes alone into a packet even if it does not deflate
MAX_BATCH_ENTRIES = 100
MAX_BATCH_BYTES = 64_000  # of entries before deflating; a larger entry travels alone
MAX_INFLATED_BYTES = 400_000
MANY_PARTS = 40_000  # commas; a batch of ours has far fewer
LEVEL = 3  # of zlib: a third of the time of 6 and a tenth larger, still a sixth of the JSON

EID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"  # UUID
AT = "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{3}Z"  # UTC

_HASH = re.compile("[0-9a-f]{64}")
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


class NotAnEntry(EnvelopeError):
    """Not the fields of an entry."""

    code = "not_an_entry"


class BrokenChain(EnvelopeError):
    """The entries do not hash to the head their batch names."""

    code = "broken_chain"


class WrongVersion(EnvelopeError):
    """An envelope version this side does not speak."""

    code = "wrong_version"


Hash = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Seq = Annotated[int, msgspec.Meta(ge=1, le=MAX_SEQ)]
EpochText = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{16}$")]
Name = Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9_]{0,39}$")]
Uuid = Annotated[str, msgspec.Meta(pattern=f"^{EID}$")]
Moment = Annotated[str, msgspec.Meta(pattern=f"^{AT}$")]


@dataclass(frozen=True, slots=True)
class Batch:
    """A run of entries of one stream, their bytes untouched, and the chain value after each."""

    box: str
    epoch: str
    stream: str
    first: int
    prev: str
    head: str
    entries: Sequence[bytes]
    chain: Sequence[str]


class _Header(msgspec.Struct, frozen=True, kw_only=True):
    """A batch as it travels; unknown fields are ignored."""

    v: int
    box: Annotated[str, msgspec.Meta(max_length=64)]
    epoch: EpochText
    stream: Name
    first: Seq
    prev: Hash
    head: Hash
    entries: Annotated[list[msgspec.Raw], msgspec.Meta(min_length=1, max_length=MAX_BATCH_ENTRIES)]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One outbox entry as it travels; `data` is an object, read when it is wanted (`read_event`, `facts`)."""

    seq: Seq
    eid: str  # UUID
    kind: str  # Name
    at: str  # Moment
    data: msgspec.Raw
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


def entry_bytes(event: SyncEvent, eid: str, at_utc: str, seq: int) -> bytes:
    """The canonical bytes of one entry; TooLarge above MAX_ENTRY_BYTES."""
    fields = {"seq": seq, "eid": eid, "kind": kind_of(event), "kv": KIND_VERSION, "at": at_utc, "data": event}
    body = canonical(fields)
    if len(body) > MAX_ENTRY_BYTES:
        raise TooLarge(
            f"an outbox entry has at most {MAX_ENTRY_BYTES} bytes, this {fields['kind']} has {len(body)}"
        )
    return body


def renumbered(eid: str, at_utc: str, body: bytes, seq: int) -> bytes:
    """The same entry with another number; one that is damaged goes on as `opaque`."""
    try:
        return canonical(msgspec.json.decode(body, type=dict[str, Any]) | {"seq": seq})
    except (msgspec.DecodeError, UnicodeDecodeError):
        return opaque_bytes(eid, at_utc, body, seq)


def opaque_bytes(
    eid: str, at_utc: str, body: bytes, seq: int, max_bytes: int = MAX_ENTRY_BYTES // 2
) -> bytes:
    """An entry that stands for one head office cannot read: its bytes, or their hash if too many."""
    data: dict[str, object] = {"size": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    if len(body) <= max_bytes:
        data["body"] = base64.b64encode(body).decode()
    return canonical({"seq": seq, "eid": eid, "kind": OPAQUE, "kv": KIND_VERSION, "at": at_utc, "data": data})


def erased_bytes(eid: str, at_utc: str, body: bytes, seq: int, call_id: str, order_id: str) -> bytes:
    """What stands for an entry about a call that was deleted: its place, size and hash, and the order."""
    sha256 = hashlib.sha256(body).hexdigest()
    data = {"call_id": call_id, "sha256": sha256, "size": len(body), "order_id": order_id}
    return canonical({"seq": seq, "eid": eid, "kind": ERASED, "kv": KIND_VERSION, "at": at_utc, "data": data})


def genesis(epoch: str, stream: str) -> str:
    """The chain value before the first entry of a stream, lower-case hex."""
    return hashlib.sha256(f"branchline {VERSION} {epoch} {stream}".encode()).hexdigest()


def chained(prev: str, body: bytes) -> str:
    """The chain value after `body`, lower-case hex."""
    return hashlib.sha256(bytes.fromhex(prev) + body).hexdigest()


def chain_of(prev: str, bodies: Iterable[bytes]) -> list[str]:
    """The chain value after each of `bodies`, lower-case hex."""
    sha256, h, chain = hashlib.sha256, bytes.fromhex(prev), []
    for body in bodies:
        h = sha256(h + body).digest()
        chain.append(h.hex())
    return chain


def pack_batch(
    box: str, epoch: str, stream: str, first: int, prev: str, head: str, bodies: Sequence[bytes]
) -> bytes:
    """One batch ready to publish: consecutive entries of a stream, the first numbered `first`."""
    fields = {
        "box": box,
        "entries": [msgspec.Raw(body) for body in bodies],
        "epoch": epoch,
        "first": first,
        "head": head,
        "prev": prev,
        "stream": stream,
        "v": VERSION,
    }
    return zlib.compress(canonical(fields), LEVEL)


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
        header = _read_header(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotABatch(f"not the fields of a batch: {error}") from None
    entries = [bytes(raw) for raw in header.entries]
    chain = chain_of(header.prev, entries)
    if chain[-1] != header.head:
        raise BrokenChain(f"entries hash to {chain[-1]}, the batch says {header.head}")
    return Batch(
        header.box, header.epoch, header.stream, header.first, header.prev, header.head, entries, chain
    )


def _read_header(data: bytes) -> _Header:
    """The fields of a batch; the version decides first, but need only be looked for where they do not fit.

    What consists of very many parts is asked for its version before room is made for all of them.
    """
    if len(data) > 2 * MANY_PARTS and data.count(b",") > MANY_PARTS:
        _read_version.decode(data)
    try:
        header = _read_batch.decode(data)
    except msgspec.DecodeError:
        version = _read_version.decode(data).v
        if version == VERSION:
            raise
    else:
        version = header.v
        if version == VERSION:
            return header
    raise WrongVersion(f"envelope version {version}, this side speaks {VERSION}")


def unpack_entry(body: bytes) -> Entry:
    """The fields of one entry; NotAnEntry if a field is missing, too long or of the wrong type."""
    try:
        body.decode()  # `data` is passed over unread
        entry = _read_entry.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotAnEntry(str(error)) from None
    said = f"{entry.eid} {entry.kind} {entry.at}"
    if not _SAID.fullmatch(said):  # one expression for the three is a third of the time
        raise NotAnEntry(f"wanted eid, kind and at as <UUID> <name> <UTC with ms>, got {said[:120]!r}")
    if memoryview(entry.data)[0] != _OBJECT:
        raise NotAnEntry("data is no object")
    return entry


def facts(entry: Entry) -> dict[str, Any]:
    """The fields of an entry of any kind; NotAnEntry if a number in it is none that can be read."""
    try:
        return _read_facts.decode(entry.data)
    except msgspec.DecodeError as error:
        raise NotAnEntry(str(error)) from None


def read_event(entry: Entry) -> Any:
    """The sync event that an entry of a kind in EVENT_TYPES tells; msgspec.DecodeError if it is none."""
    return _read_event[entry.kind].decode(entry.data)


def is_hash(text: str) -> bool:
    """Whether `text` is a SHA-256 in lower-case hex."""
    return _HASH.fullmatch(text) is not None


class _Versioned(msgspec.Struct, frozen=True):
    v: int


_SAID = re.compile(f"{EID} [a-z][a-z0-9_]{{0,39}} {AT}")
_read_entry = msgspec.json.Decoder(Entry)  # made once: each costs as much as a dozen entries
_OBJECT = ord("{")
_read_event: dict[str, msgspec.json.Decoder[Any]] = {
    kind: msgspec.json.Decoder(event_type) for kind, (event_type, _) in EVENT_TYPES.items()
}
_read_facts = msgspec.json.Decoder(dict[str, Any])
_read_batch = msgspec.json.Decoder(_Header)
_read_version = msgspec.json.Decoder(_Versioned)
