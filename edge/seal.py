"""The seal of a box: every finished call and recording becomes one link of a hash chain, signed by the box.

Pure: makes links, signs them, and says in sentences what is wrong with one; rows are `edge.store.seals`.

    header  {"at":"<UTC>","data":"<SHA-256 of data>","key":"<public key>","kind":"call",
             "prev":"<h of link 11>","seq":12,"v":1}
    data    {"how":"live","parts":{..},"row":{..},"salt":"..","subject":"<id of the call or recording>"}
    h       SHA-256( header ), lower-case hex; the prev of link 1 is 64 zeros
    sig     Ed25519 over "branchline seal 1\n<seq>\n<h>\n"

Both are hashed, kept and handed out as the bytes they were written as. The header says nothing about people
and the salt keeps a short number from being guessed from its hash: so a proof for one call can show the
headers of all the others. Keys are `sync.keys`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from sync.envelope import canonical
from sync.keys import DeviceKey, signature_holds

VERSION = 1
BEGINNING = "0" * 64  # prev of link 1
KINDS = ("call", "recording", "deletion", "erasure")
ERASED = b""  # data of a link whose call was deleted; a later `erasure` names it with its hash
HEADER_KEYS = {"at", "data", "key", "kind", "prev", "seq", "v"}


@dataclass(frozen=True, slots=True)
class Link:
    """One link as it is kept. A damaged row may hold anything, so its types are only hoped for."""

    seq: int
    subject: str
    header: bytes
    data: bytes
    h: str
    sig: bytes | None


def signed_message(seq: int, h: str) -> bytes:
    """What the signature of a link is made over."""
    return f"branchline seal {VERSION}\n{seq}\n{h}\n".encode()


def make_link(
    seq: int, prev: str, kind: str, at_utc: str, sealed: Mapping[str, Any], key: DeviceKey | None
) -> Link:
    """The link after `prev`; `sealed` needs a `subject` and a `salt`. Without a key it goes unsigned."""
    data = canonical(sealed)
    header = canonical(
        {
            "at": at_utc,
            "data": sha256(data),
            "key": key.public if key else None,
            "kind": kind,
            "prev": prev,
            "seq": seq,
            "v": VERSION,
        }
    )
    h = sha256(header)
    return Link(seq, sealed["subject"], header, data, h, key.sign(signed_message(seq, h)) if key else None)


def sha256(raw: bytes) -> str:
    """SHA-256 in lower-case hex."""
    return hashlib.sha256(raw).hexdigest()


def read_object(raw: object) -> dict[str, Any] | None:
    """The JSON object in `raw`, or None."""
    try:
        value = msgspec.json.decode(raw) if isinstance(raw, bytes) else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


@dataclass(slots=True)
class ChainWalk:
    """Follows the chain from its beginning; `take` each link in the order of its seq, then `end`."""

    seq: int = 0
    follows: set[str] = field(default_factory=lambda: {BEGINNING})
    """What prev may be: a link whose own hash was changed is named once, not again by its successor."""
    keys: list[tuple[int, str]] = field(default_factory=list)  # (first link, key), as they changed
    unsigned: int = 0
    erased: dict[int, str] = field(default_factory=dict)  # links without data -> hash of what they sealed

    def take(self, link: Link) -> Iterator[str]:
        """What is wrong with this link or its place, one sentence each."""
        if link.seq != self.seq + 1:
            yield missing_links(self.seq + 1, link.seq - 1)
            self.follows = set()
        self.seq = link.seq
        header = read_object(link.header)
        follows, self.follows = self.follows, {sha256(_bytes(link.header)), link.h}
        if header is None or set(header) != HEADER_KEYS or header["v"] != VERSION:
            yield f"link {link.seq}: its header was changed and cannot be read"
            return
        yield from self._faults(link, header, follows)

    def _faults(self, link: Link, header: dict[str, Any], follows: set[str]) -> Iterator[str]:
        name = f"link {link.seq} ({header['kind']} {_subject(link)}, sealed {header['at']})"
        whole = sha256(_bytes(link.header)) == link.h
        if not whole:
            yield f"{name}: its header and its hash disagree; one of them was changed"
        elif header["seq"] != link.seq:
            yield f"{name}: it was sealed as link {header['seq']}; links were reordered or renumbered"
        if follows and header["prev"] not in follows:
            yield f"{name}: it does not follow link {link.seq - 1}; one of them was replaced or reordered"
        data = read_object(link.data)
        if link.data == ERASED:
            self.erased[link.seq] = header["data"]
        elif sha256(_bytes(link.data)) != header["data"]:
            yield f"{name}: what it sealed was changed"
        elif data is None or data.get("subject") != link.subject:
            yield f"{name}: its row names {link.subject!r} instead"
        elif header["kind"] == "erasure":
            self._allow(data)
        if whole:
            yield from self._signature_faults(link, header, name)

    def _signature_faults(self, link: Link, header: dict[str, Any], name: str) -> Iterator[str]:
        key = header["key"]
        if key is None:
            self.unsigned += 1
            yield f"{name}: not signed; the key could not be read then, or somebody else wrote it"
        elif not signature_holds(key, signed_message(link.seq, link.h), link.sig):
            yield f"{name}: its signature does not hold"
        elif not self.keys or self.keys[-1][1] != key:
            if key in (known for _, known in self.keys):
                yield f"{name}: the links just before it were signed with another box's key"
            self.keys.append((link.seq, key))

    def _allow(self, data: dict[str, Any]) -> None:
        """What this erasure names was deleted by order."""
        for named in data["links"]:
            if self.erased.get(named[0]) == named[1]:
                del self.erased[named[0]]

    def end(self, seq: object, h: object) -> Iterator[str]:
        """Compare with the head that is kept beside the chain."""
        for erased in self.erased:
            yield f"link {erased}: what it sealed was removed, and no erasure says so"
        if seq != self.seq:
            if isinstance(seq, int) and seq > self.seq:
                yield missing_links(self.seq + 1, seq)
            else:
                yield f"chain head: says {seq!r}, but the last link is {self.seq}"
        elif h not in self.follows:
            yield f"chain head: its hash is not that of link {self.seq}"


def missing_links(first: int, last: int) -> str:
    """The sentence for links that are gone."""
    which = f"link {first} is" if first == last else f"links {first} to {last} are"
    return f"{which} missing: what was sealed there has been removed"


def row_changes(sealed: Mapping[str, Any], now: Mapping[str, Any], unset: Mapping[str, Any]) -> Iterator[str]:
    """How a row differs from what was sealed; a column made since then must still be `unset`."""
    for column in sorted(set(sealed) | set(now)):
        if column not in now:
            yield f"{column} is gone, sealed as {sealed[column]!r}"
            continue
        then = sealed.get(column, unset.get(column))
        if type(then) is not type(now[column]) or then != now[column]:
            yield f"{column} is {now[column]!r}, sealed as {then!r}"


def _subject(link: Link) -> str:
    data = read_object(link.data) or {}
    return str(data.get("subject", link.subject))


def _bytes(raw: object) -> bytes:
    return raw if isinstance(raw, bytes) else repr(raw).encode()
