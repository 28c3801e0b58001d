"""What head office holds of a manifest's entries: their leaves, which rows are sound, and which recordings.

A row is sound when its columns say what its bytes say. A damaged one counts as missing; it is set aside when
the box sends its entry again.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from sqlalchemy import Connection, RowMapping, select

from cloud.store import schema
from sync.arriving import Origin
from sync.envelope import ERASED, OPAQUE, Entry, EnvelopeError, chained, facts, genesis, is_hash, unpack_entry
from sync.events import EVENT_TYPES
from sync.inbox import Inbox
from sync.manifest import Part, Stretch, digest, entry_leaf

_ANNOUNCED_IN = EVENT_TYPES["recording_ready"][1]  # the box looks in no other stream, either


@dataclass(slots=True)
class Held:
    """The rows of a run of entries, by number. Two that claim one number are both kept."""

    rows: dict[int, list[RowMapping]] = field(default_factory=dict)
    leaves: dict[int, list[bytes]] = field(default_factory=dict)  # of the sound ones
    unsound: list[RowMapping] = field(default_factory=list)

    @property
    def stretch(self) -> Stretch:
        """One leaf per number: the newest sound one."""
        return Stretch({seq: leaves[-1] for seq, leaves in self.leaves.items()})


def held(db: Connection, box_id: str, epoch: str, part: Part) -> Held:
    """What is here of a part."""
    table = schema.inbox_tables.inbox
    query = (
        select(table)
        .where(
            table.c.box_id == box_id,
            table.c.epoch == epoch,
            table.c.stream == part.stream,
            table.c.seq.between(part.first, part.last),
        )
        .order_by(table.c.seq, table.c.eid)
    )
    found = Held()
    for row in db.execute(query).mappings().all():
        found.rows.setdefault(row["seq"], []).append(row)
        leaf = leaf_of(row)
        if leaf is None:
            found.unsound.append(row)
        else:
            found.leaves.setdefault(row["seq"], []).append(leaf)
    return found


def leaf_of(row: RowMapping) -> bytes | None:
    """The leaf of a row; None if its columns and its bytes disagree."""
    if isinstance(row["body"], str):
        return None
    body = bytes_of(row)
    sha256 = digest(body)
    try:
        entry = unpack_entry(body)
    except EnvelopeError:  # set aside as it came; it is known by its chain value
        return entry_leaf(row["seq"], sha256) if row["eid"] == row["h"] and row["code"] else None
    if row["code"] and row["eid"] == row["h"]:
        return entry_leaf(row["seq"], sha256)
    said = (entry.eid, entry.seq, entry.kind, entry.at)
    if (row["eid"].split("~")[0], row["seq"], row["kind"], row["at_utc"]) != said:
        return None
    if entry.kind in (OPAQUE, ERASED):
        original = _original(entry)
        return None if original is None else entry_leaf(row["seq"], original)
    return entry_leaf(row["seq"], sha256)


def _original(entry: Entry) -> str | None:
    """The SHA-256 of the entry that an `opaque` one, or one of an erased entry, stands for."""
    try:
        data = facts(entry)
    except EnvelopeError:
        return None
    sha256, wrapped = data.get("sha256"), data.get("body")
    if not isinstance(sha256, str) or not is_hash(sha256):
        return None
    if wrapped is None:
        return sha256
    try:
        body = base64.b64decode(str(wrapped), validate=True)
    except (binascii.Error, ValueError):
        return None
    return sha256 if hashlib.sha256(body).hexdigest() == sha256 else None


def is_alias(row: RowMapping) -> bool:
    """Whether the row only says that an entry came again under another number."""
    return "~" in row["eid"]


def bytes_of(row: RowMapping) -> bytes:
    """The bytes of a row; damage may have made them text."""
    return row["body"].encode() if isinstance(row["body"], str) else bytes(row["body"])


def chain_holds(db: Connection, row: RowMapping) -> bool:
    """Whether the row's chain value follows from its bytes and the entry before it."""
    table = schema.inbox_tables.inbox
    before = [genesis(row["epoch"], row["stream"])]
    if row["seq"] > 1:
        query = select(table.c.h).where(
            table.c.box_id == row["box_id"],
            table.c.epoch == row["epoch"],
            table.c.stream == row["stream"],
            table.c.seq == row["seq"] - 1,
        )
        before = [str(h) for (h,) in db.execute(query)]
    body = bytes_of(row)
    return any(is_hash(h) and chained(h, body) == row["h"] for h in before)


def drop(db: Connection, inbox: Inbox, rows: Iterable[RowMapping], now_utc: str, code: str) -> None:
    """Set rows of the inbox aside, so that their entries are taken anew; nothing that was here is lost."""
    table = schema.inbox_tables.inbox
    for row in rows:
        origin = Origin(row["box_id"], now_utc)
        detail = f"{row['stream']} {row['seq']} of epoch {row['epoch']}"
        inbox.quarantine(db, origin, "inbox", bytes_of(row), code, detail, row["eid"], row["kind"])
        db.execute(table.delete().where(table.c.box_id == row["box_id"], table.c.eid == row["eid"]))


@dataclass(frozen=True, slots=True)
class Announced:
    """A recording that an entry of the hour announces."""

    recording_id: str
    size_bytes: int
    sha256: str


def announced_in(found: Held) -> list[Announced]:
    """The recordings announced in a part, in the order of their entries."""
    return [one for seq in sorted(found.rows) if (one := _announced(found.rows[seq][-1])) is not None]


def _announced(row: RowMapping) -> Announced | None:
    if row["stream"] != _ANNOUNCED_IN:
        return None
    try:
        entry = unpack_entry(bytes_of(row))
        if entry.kind != "recording_ready":
            return None
        data = facts(entry)
    except EnvelopeError:
        return None
    found = (data.get("recording_id"), data.get("size_bytes"), data.get("sha256"))
    if not isinstance(found[1], int):
        return None
    return Announced(str(found[0]), found[1], str(found[2]))


def here_digest(db: Connection, box_id: str, helds: Sequence[Held], moments: Sequence[str | None]) -> str:
    """SHA-256 over everything that only head office knows of an hour: all columns of its entries' rows, the
    notes of its stored audio, and when its manifest was received, closed and audited."""
    rows = [row for found in helds for rows in found.rows.values() for row in rows]
    said = sorted([*_columns(rows), *_columns(_stored_audio(db, box_id, helds))])
    return digest("\n".join([*said, repr(list(moments))]).encode())


def _stored_audio(db: Connection, box_id: str, helds: Sequence[Held]) -> list[RowMapping]:
    table = schema.inbox_tables.transfers
    sha256 = {one.recording_id: one.sha256 for found in helds for one in announced_in(found)}
    wanted = sorted(sha256)
    rows: list[RowMapping] = []
    for at in range(0, len(wanted), 500):
        mine = (table.c.box_id == box_id, table.c.recording_id.in_(wanted[at : at + 500]))
        rows += db.execute(select(table).where(*mine, table.c.state == "stored")).mappings().all()
    return [row for row in rows if row["sha256"] == sha256[row["recording_id"]]]


def _columns(rows: Sequence[RowMapping]) -> list[str]:
    """What the columns of each say, in the order of their names; the rows are of one table."""
    if not rows:
        return []
    values_of = itemgetter(*sorted(rows[0].keys()))
    return [repr([bytes(v) if isinstance(v, memoryview) else v for v in values_of(row)]) for row in rows]
