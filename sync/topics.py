"""MQTT topics: who says what to whom, built and read in one place.

    x/1/<shard>/<box>/up/<channel>      box -> head office       channels: see UP
    x/1/<shard>/<box>/dn/<channel>      head office -> box       channels: see DOWN

The bulk connection of a box has its own certificate and publishes as `<box>.b`. Only the broker's `%u` (the
certificate's common name) may stand in the <box> level, so a topic proves its sender. The shard keeps a box
on one ingest worker; it is the first six bits of SHA-256(box), 0-63.

    TopicError    not a topic of this protocol, or its shard is not the box's
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache

SHARDS = 64
KNOWN = 4096  # topics remembered: the same few come with every message
BULK_SUFFIX = ".b"
HEAD_OFFICE = "head-office"  # common name of ingest's certificate; no box may have it
MOST_WORKERS = (
    16  # of ingest, each with a certificate of its own: head-office, head-office.2, head-office.3 ...
)

UP = {
    "e": "batches of outbox entries",
    "p": "hello: what the box has, asked once per connection",
    "m": "manifests, and what is said about them",
    "r": "which orders were taken",
    "b": "birth and death of a connection, retained",
    "f": "recordings: open, fin",
    "c": "recordings: chunks, binary",
}
DOWN = {
    "a": "answers: welcome, ack, refused; at, stored",
    "m": "verdicts on manifests: closed, or what differs",
    "e": "entries that the box has lost, each as a batch",
    "c": "orders, signed",
}

_BOX = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_TOPIC = re.compile(r"x/1/([0-9]{1,2})/([a-z0-9][a-z0-9-]{0,39})(\.b)?/(up|dn)/([a-z])")


class TopicError(ValueError):
    """Not a topic of this protocol."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic taken apart."""

    box_id: str
    bulk: bool
    way: str  # up | dn
    channel: str


def check_box_id(box_id: str) -> str:
    """Return `box_id`; TopicError unless it is 1-40 of a-z 0-9 -, not - first, and not head office."""
    if not _BOX.fullmatch(box_id) or box_id == HEAD_OFFICE:
        raise TopicError(f"a box id is 1-40 of a-z, 0-9 and - and not {HEAD_OFFICE!r}, got {box_id!r}")
    return box_id


def worker_name(number: int) -> str:
    """The common name of an ingest worker's certificate, 1 to MOST_WORKERS; no box id has a dot."""
    if not 1 <= number <= MOST_WORKERS:
        raise TopicError(f"ingest workers are numbered 1 to {MOST_WORKERS}, got {number}")
    return HEAD_OFFICE if number == 1 else f"{HEAD_OFFICE}.{number}"


@lru_cache(KNOWN)
def shard_of(box_id: str) -> int:
    """The shard of a box, 0-63: the first six bits of SHA-256 over its id."""
    return hashlib.sha256(box_id.encode()).digest()[0] >> 2


@lru_cache(KNOWN)
def build(box_id: str, way: str, channel: str, *, bulk: bool = False) -> str:
    """The topic of one channel of a box."""
    known = UP if way == "up" else DOWN
    if channel not in known:
        raise TopicError(f"no channel {channel!r} {way} from a box; there are {', '.join(known)}")
    name = check_box_id(box_id) + (BULK_SUFFIX if bulk else "")
    return f"x/1/{shard_of(box_id)}/{name}/{way}/{channel}"


@lru_cache(KNOWN)
def parse(topic: str) -> Topic:
    """Take a topic apart; TopicError if it is none of ours."""
    match = _TOPIC.fullmatch(topic)
    if not match:
        raise TopicError(f"not a topic of this protocol: {topic[:100]!r}")
    shard, box_id, bulk, way, channel = match.groups()
    if shard != str(shard_of(check_box_id(box_id))):
        raise TopicError(f"box {box_id} belongs to shard {shard_of(box_id)}, the topic says {shard}")
    if channel not in (UP if way == "up" else DOWN):
        raise TopicError(f"no channel {channel!r} {way}")
    return Topic(box_id, bulk is not None, way, channel)
