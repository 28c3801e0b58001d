"""Manifests: what a box says it wrote in an hour, in a form in which any single difference is found.

    leaf of an entry      SHA-256( 00 + seq, 8 bytes + SHA-256 of the entry )
    leaf of a recording   SHA-256( 00 + id + size, 8 bytes + SHA-256 of the file )
    node                  SHA-256( 01 + left + right ), split as in RFC 9162, 2.1.1; no leaves: SHA-256("")
    statement             canonical JSON; prev = hash of statement n - 1
    signature             Ed25519 of the box's key over "branchline manifest 1\\n<hash of the statement>\\n"
    countersignature      head office's key over "branchline closed 1\\n<hash of the statement>\\n"

A part is a run of consecutive entries of one stream whose `at` lies in the hour `span`; the parts of a stream
leave no number out. An hour to which the clock comes back gets another manifest: it is open again until that
is closed. A `span` of ten characters is a day: its one part is of the manifests of that day.

    box                               head office
    standing {epoch, top, h}     -->  standing {epoch, top, h, open}  once per connection
    manifest                     -->  verdict closed | waiting (for audio) | unknown, or ask {ranges}
    hashes {of sub-ranges}       -->  ask {ranges that differ}, down to single entries, then resend {ranges}
    want {numbers we lost}       -->  the entries, each a batch (channel `e` down)
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Annotated, TypeVar

import msgspec

from sync.envelope import (
    EnvelopeError,
    EpochText,
    Hash,
    Moment,
    Name,
    NotABatch,
    Seq,
    Uuid,
    canonical,
    inflate,
)
from sync.keys import DeviceKey, signature_holds
from sync.messages import Count, Message, Range

VERSION = 1
FANOUT = 16  # sub-ranges a differing range is divided into
MOST_RANGES = 16  # asked for at once
MOST_LEAVES = 4096  # of a part: an hour with more has several
GENESIS = "0" * 64  # prev of manifest 1
HOUR, DAY = len("2026-11-22T04"), len("2026-11-22")
BOX_KEY, WITNESS = "manifest", "closed"  # what a signature says


class Part(msgspec.Struct, frozen=True):
    """A run of entries of a stream."""

    stream: Name
    first: Seq
    last: Seq
    bytes: Count
    root: Hash


class Files(msgspec.Struct, frozen=True):
    """The recordings announced in the run of `meta`."""

    count: Count
    bytes: Count
    root: Hash


class Chain(msgspec.Struct, frozen=True):
    """The head of the box's chain of seals when the manifest was made."""

    seq: Count
    h: Hash


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """What a box says of an hour (or a day); unknown fields are passed over."""

    v: int = VERSION
    box: Annotated[str, msgspec.Meta(max_length=64)]
    epoch: EpochText
    n: Seq  # 1, 2, ... without a hole in an epoch
    prev: Hash
    span: Annotated[str, msgspec.Meta(pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2})?$")]
    made: Moment
    parts: Annotated[tuple[Part, ...], msgspec.Meta(max_length=8)]
    files: Files
    chain: Chain
    key: Hash  # public

    @property
    def is_day(self) -> bool:
        """Whether it sums up a day."""
        return len(self.span) == DAY


class Manifest(Message, frozen=True, kw_only=True):
    """A signed statement; its bytes are kept as they came, because its hash is over them."""

    body: msgspec.Raw
    sig: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{128}$")]


class Hashes(Message, frozen=True, kw_only=True):
    """Roots of sub-ranges, down to single entries; of numbers the box has lost itself there is none."""

    epoch: EpochText
    n: Seq
    stream: Name
    hashes: Annotated[tuple[tuple[Seq, Seq, Hash], ...], msgspec.Meta(max_length=MOST_RANGES * FANOUT)]


class Want(Message, frozen=True, kw_only=True):
    """Entries the box has lost or that are damaged there."""

    epoch: EpochText
    stream: Name
    seqs: Annotated[tuple[Seq, ...], msgspec.Meta(max_length=MOST_RANGES * FANOUT)]


class Standing(Message, frozen=True, kw_only=True):
    """Both ways: the newest manifest that this side holds; from head office also those not closed."""

    epoch: EpochText
    top: Count
    h: Hash = GENESIS  # of the statement numbered `top`
    open: Annotated[tuple[Seq, ...], msgspec.Meta(max_length=512)] = ()


class Verdict(Message, frozen=True, kw_only=True):
    """`closed` with head office's countersignature, `waiting` for audio, or `refused`."""

    epoch: EpochText
    n: Seq
    state: Name
    h: Hash
    code: Name = "none"
    lacks: Annotated[tuple[Uuid, ...], msgspec.Meta(max_length=64)] = ()  # recordings that are not there
    key: str = ""
    sig: str = ""
    open: tuple[Seq, ...] = ()  # older ones that are open again


class Ask(Message, frozen=True, kw_only=True):
    """These ranges differ: their sub-ranges, please."""

    epoch: EpochText
    n: Seq
    stream: Name
    ranges: Annotated[tuple[Range, ...], msgspec.Meta(max_length=MOST_RANGES)]


class Resend(Message, frozen=True, kw_only=True):
    """Head office lost these entries or they were altered there: send them again."""

    epoch: EpochText
    n: Seq
    stream: Name
    ranges: Annotated[tuple[Range, ...], msgspec.Meta(max_length=MOST_RANGES * FANOUT)]


FromBox = Manifest | Hashes | Want | Standing
FromOffice = Standing | Verdict | Ask | Resend
_Said = TypeVar("_Said")
_from_box: msgspec.json.Decoder[FromBox] = msgspec.json.Decoder(FromBox)
_from_office: msgspec.json.Decoder[FromOffice] = msgspec.json.Decoder(FromOffice)
_statement: msgspec.json.Decoder[Statement] = msgspec.json.Decoder(Statement)


class ManifestError(EnvelopeError):
    """Not a manifest, or not one that can be believed."""

    code = "not_a_manifest"


def pack(message: FromBox | FromOffice) -> bytes:
    """A message as it travels: canonical JSON under zlib."""
    return zlib.compress(canonical(message), 6)


def unpack_from_box(payload: bytes) -> FromBox:
    """What a box says on channel `m`; an EnvelopeError if it is nothing of this."""
    return _unpacked(_from_box, payload)


def unpack_from_office(payload: bytes) -> FromOffice:
    """What head office says on channel `m`; an EnvelopeError if it is nothing of this."""
    return _unpacked(_from_office, payload)


def _unpacked(decoder: msgspec.json.Decoder[_Said], payload: bytes) -> _Said:
    try:
        return decoder.decode(inflate(payload))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotABatch(f"not a message about manifests: {error}") from None


def digest(raw: bytes) -> str:
    """SHA-256 in lower-case hex."""
    return hashlib.sha256(raw).hexdigest()


def signed_message(says: str, h: str) -> bytes:
    """What is signed of the statement with hash `h`; `says` is BOX_KEY or WITNESS."""
    return f"branchline {says} {VERSION}\n{h}\n".encode()


def sign(key: DeviceKey, says: str, h: str) -> str:
    """A signature, 128 hex digits."""
    return key.sign(signed_message(says, h)).hex()


def holds(public: str, says: str, h: str, sig: str) -> bool:
    """Whether `sig` is that key's signature."""
    try:
        return signature_holds(public, signed_message(says, h), bytes.fromhex(sig))
    except ValueError:
        return False


def read_statement(body: bytes) -> Statement:
    """The statement in `body`; ManifestError unless its fields fit each other."""
    try:
        statement = _statement.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ManifestError(str(error)) from None
    if statement.v != VERSION:
        raise ManifestError(f"manifest version {statement.v}, this side speaks {VERSION}")
    if len({part.stream for part in statement.parts}) != len(statement.parts):
        raise ManifestError("two parts of one stream")
    if any(not 0 <= part.last - part.first < MOST_LEAVES for part in statement.parts):
        raise ManifestError(f"a part has 1 to {MOST_LEAVES} entries")
    return statement


def checked(manifest: Manifest, box_id: str) -> Statement:
    """The statement of a manifest of that box; ManifestError unless it is signed with the key it names."""
    body = bytes(manifest.body)
    statement = read_statement(body)
    if statement.box != box_id:
        raise ManifestError(f"a manifest of {statement.box} from {box_id}")
    if not holds(statement.key, BOX_KEY, digest(body), manifest.sig):
        raise ManifestError("its signature does not hold")
    return statement


# -- trees


def entry_leaf(seq: int, sha256: str) -> bytes:
    """The leaf of an entry whose bytes have this SHA-256."""
    return hashlib.sha256(b"\x00" + seq.to_bytes(8, "big") + bytes.fromhex(sha256)).digest()


def file_leaf(recording_id: str, size_bytes: int, sha256: str) -> bytes:
    """The leaf of a recording."""
    what = recording_id.encode() + size_bytes.to_bytes(8, "big") + bytes.fromhex(sha256)
    return hashlib.sha256(b"\x00" + what).digest()


def root_of(leaves: Sequence[bytes]) -> str:
    """The Merkle tree hash of RFC 9162, 2.1.1, over leaves that are hashed already; hex."""
    if not leaves:
        return digest(b"")
    level = list(leaves)
    while len(level) > 1:  # pairwise from the left, the odd one goes up: the same tree
        pairs = [hashlib.sha256(b"\x01" + a + b).digest() for a, b in zip(level[::2], level[1::2])]  # noqa: B905
        level = pairs + level[len(pairs) * 2 :]
    return level[0].hex()


def split(first: int, last: int) -> list[tuple[int, int]]:
    """At most FANOUT ranges that make up `first` to `last`."""
    count = last - first + 1
    step = -(-count // FANOUT)
    return [(at, min(at + step - 1, last)) for at in range(first, last + 1, step)]


@dataclass(frozen=True, slots=True)
class Stretch:
    """The leaves of a stretch of a stream as one side has them, by their numbers."""

    leaves: dict[int, bytes]

    def root(self, first: int, last: int) -> str | None:
        """The root over a range; None when one of its entries is not there."""
        found = [self.leaves.get(seq) for seq in range(first, last + 1)]
        whole = [leaf for leaf in found if leaf is not None]
        return root_of(whole) if len(whole) == len(found) else None

    def missing(self, first: int, last: int) -> list[int]:
        """The numbers that are not there."""
        return [seq for seq in range(first, last + 1) if seq not in self.leaves]


def divided(mine: Stretch, ranges: Iterable[Range]) -> list[tuple[int, int, str]]:
    """The box's answer to Ask: the roots of sub-ranges; what it does not have itself it leaves out."""
    pieces = [piece for first, last in ranges for piece in split(first, last)]
    return [(first, last, root) for first, last in pieces if (root := mine.root(first, last)) is not None]


def compare(mine: Stretch, hashes: Iterable[tuple[int, int, str]]) -> tuple[list[Range], list[int]]:
    """Head office's look at Hashes: the ranges to ask further, and the single entries that differ."""
    further: list[Range] = []
    single: list[int] = []
    for first, last, theirs in hashes:
        if last - first >= MOST_LEAVES or first > last or mine.root(first, last) == theirs:
            continue
        if first == last:
            single.append(first)
        else:
            further.append((first, last))
    return further[:MOST_RANGES], single


def runs(seqs: Iterable[int]) -> tuple[Range, ...]:
    """Numbers as ranges."""
    return tuple(_runs(sorted(seqs)))


def _runs(ordered: Sequence[int]) -> Iterator[Range]:
    for _, group in groupby(enumerate(ordered), key=lambda one: one[1] - one[0]):
        run = [seq for _, seq in group]
        yield run[0], run[-1]
