"""Anchors the audit trail hour by hour, checks all of it, and lets go of rows that were kept long enough.

    anchor  {n, at, heads: {chain: [seq, hash]}, prev: hash of the anchor before}    + signature
    stub    {chain, first_seq, last_seq, last_hash, rows, until, at}                 + signature

Both are signed with the key that also countersigns manifests. Each anchor is also a line of a file beside
the database: copy it to another machine, and not even somebody with this one in hand can rewrite what was.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Row, delete, select

from cloud.access.log import Action, Actor, Deed
from cloud.store import trail
from cloud.store.database import read, write
from cloud.store.schema import trail as tables
from cloud.trail_check import REMOVED, REWRITTEN, UNSIGNED, ChainCheck, Finding, Head, Stub
from sync.envelope import canonical
from sync.ids import first_id_at
from sync.keys import DeviceKey
from sync.manifest import holds, sign
from sync.moment import to_text

ANCHOR, STUB = "trail anchor", "trail stub"  # what a signature says
NO_ANCHOR = "0" * 64
AT_ONCE = 5000  # rows that go in one transaction
FETCHED = 1000
OWN = Actor(name="retention", channel="worker")


@dataclass(frozen=True, slots=True)
class Notary:
    """Who signs, and the file that holds a copy of every anchor."""

    key: DeviceKey
    file: Path
    trusted: frozenset[str] = frozenset()  # public keys that signed before this one

    def sign(self, says: str, body: Mapping[str, object]) -> dict[str, str]:
        """The cells of an anchor or a stub."""
        text = canonical(body).decode()
        return {"body": text, "key": self.key.public, "sig": sign(self.key, says, _sha256(text))}

    def believes(self, says: str, row: Mapping[str, Any] | Row[Any]) -> bool:
        """Whether one of our keys signed it."""
        cells = row if isinstance(row, Mapping) else row._mapping
        ours = cells["key"] in self.trusted | {self.key.public}
        return ours and holds(cells["key"], says, _sha256(cells["body"]), cells["sig"])


def anchor(engine: Engine, notary: Notary, now_utc: str) -> int:
    """Sign where all chains end; returns the anchor's number."""
    with write(engine) as db:
        last = db.execute(select(tables.anchors).order_by(tables.anchors.c.n.desc()).limit(1)).first()
        ends = db.execute(select(tables.heads).where(tables.heads.c.seq > 0).order_by(tables.heads.c.chain))
        body = {
            "n": last.n + 1 if last else 1,
            "at": now_utc,
            "heads": {str(one.chain): [one.seq, one.hash.hex()] for one in ends},
            "prev": _sha256(last.body) if last else NO_ANCHOR,
        }
        db.execute(tables.anchors.insert(), {"n": body["n"], **notary.sign(ANCHOR, body)})
    _copy_out(engine, notary.file)
    return int(str(body["n"]))


def verify(engine: Engine, notary: Notary) -> Iterator[Finding]:
    """Everything in the trail that is not as it was written."""
    copies = _copies(notary.file)  # first: what is added to it from now on may not be in what is read next
    with read(engine) as db:
        yield from _check_anchors(db, notary, copies)
        anchored = _anchored(db, notary, copies)
        stubs: dict[int, Stub] = {}
        for row in db.execute(select(tables.stubs).order_by(tables.stubs.c.last_seq)):
            if notary.believes(STUB, row):
                stubs[row.chain] = _stub(row)
            else:
                yield Finding(UNSIGNED, row.chain, row.last_seq, "a stub that is to stand for older rows")
        heads = {row.chain: Head(row.seq, row.hash) for row in db.execute(select(tables.heads))}
        found = set(db.execute(select(tables.log.c.chain).distinct()).scalars())
        for chain in sorted(found | heads.keys() | stubs.keys() | anchored.keys()):
            check = ChainCheck(chain, trail.hash_of, anchored.get(chain, {}))
            yield from check.run(stubs.get(chain), _rows(db, chain), heads.get(chain))


def retain(engine: Engine, notary: Notary, keep_days: int, now: datetime, at_once: int = AT_ONCE) -> int:
    """Let go of rows older than that, a signed stub in their place; returns how many."""
    oldest_id = first_id_at(now - timedelta(days=keep_days))
    with read(engine) as db:
        chains = list(db.execute(select(tables.heads.c.chain)).scalars())
    gone = 0
    for chain in chains:
        while went := _let_go(engine, notary, Old(chain, oldest_id, at_once), to_text(now)):
            gone += went
    return gone


@dataclass(frozen=True, slots=True)
class Old:
    """Rows of a chain before the first id to be kept, so many at once."""

    chain: int
    oldest_id: str
    at_once: int


def _let_go(engine: Engine, notary: Notary, old: Old, now_utc: str) -> int:
    log, chain = tables.log, old.chain
    with write(engine) as db:
        query = select(log.c.seq, log.c.id, log.c.hash, log.c.at_utc).where(log.c.chain == chain)
        found = db.execute(query.order_by(log.c.seq).limit(old.at_once)).all()
        newer = next((at for at, row in enumerate(found) if row.id >= old.oldest_id), len(found))
        if not newer:
            return 0
        first, last = found[0], found[newer - 1]
        body = {
            "chain": chain,
            "first_seq": first.seq,
            "last_seq": last.seq,
            "last_hash": last.hash.hex(),
            "rows": newer,
            "until": last.at_utc,
            "at": now_utc,
        }
        stub = {"chain": chain, "last_seq": last.seq, **notary.sign(STUB, body)}
        db.execute(tables.stubs.insert(), stub)
        db.execute(delete(log).where(log.c.chain == chain, log.c.seq <= last.seq))
        deed = Deed(
            actor=OWN,
            action=Action.RETENTION,
            kind="audit",
            query={"chain": str(chain), "first_seq": str(first.seq), "last_seq": str(last.seq)},
            row_count=newer,
        )
        trail.append(db, deed, now_utc)
    return newer


def _check_anchors(db: Connection, notary: Notary, copies: Mapping[int, dict[str, Any]]) -> Iterator[Finding]:
    before, here = NO_ANCHOR, set()
    for row in db.execute(select(tables.anchors).order_by(tables.anchors.c.n)):
        here.add(row.n)
        if not notary.believes(ANCHOR, row):
            yield Finding(UNSIGNED, 0, row.n, "an anchor")
        elif json.loads(row.body)["prev"] != before:
            yield Finding(REMOVED, 0, row.n, "the anchor before this one is not the one it was signed after")
        if row.n in copies and copies[row.n]["body"] != row.body:
            yield Finding(REWRITTEN, 0, row.n, "this anchor differs from its copy in the file")
        before = _sha256(row.body)
    for number, copy in copies.items():
        if not notary.believes(ANCHOR, copy):
            yield Finding(UNSIGNED, 0, number, "an anchor in the file")
        elif json.loads(copy["body"])["n"] != number:
            yield Finding(REMOVED, 0, number, "a line of the file of anchors")
        elif number not in here:
            yield Finding(REMOVED, 0, number, "this anchor is in the file only")


def _anchored(
    db: Connection, notary: Notary, copies: Mapping[int, dict[str, Any]]
) -> dict[int, dict[int, bytes]]:
    """chain -> number -> the hash that row had; the file is believed before the database."""
    bodies = {row.n: row.body for row in db.execute(select(tables.anchors)) if notary.believes(ANCHOR, row)}
    bodies |= {number: copy["body"] for number, copy in copies.items() if notary.believes(ANCHOR, copy)}
    found: dict[int, dict[int, bytes]] = {}
    for _, body in sorted(bodies.items()):
        for chain, (seq, digest) in json.loads(body)["heads"].items():
            found.setdefault(int(chain), {}).setdefault(seq, bytes.fromhex(digest))
    return found


def _rows(db: Connection, chain: int) -> Iterator[Mapping[str, Any]]:
    query = select(tables.log).where(tables.log.c.chain == chain).order_by(tables.log.c.seq)
    for row in db.execution_options(yield_per=FETCHED).execute(query).mappings():
        yield {str(name): value for name, value in row.items()}


def _stub(row: Row[Any]) -> Stub:
    return Stub(row.chain, row.last_seq, bytes.fromhex(json.loads(row.body)["last_hash"]))


def _copies(file: Path) -> dict[int, dict[str, Any]]:
    if not file.exists():
        return {}
    return {
        number: _copy(line)
        for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
    }


def _copy(line: str) -> dict[str, Any]:
    """A line of the file, which holds anchor n in line n; one that is no anchor is one nobody signed."""
    try:
        cells = json.loads(line)
        return {name: str(cells[name]) for name in ("body", "key", "sig")}
    except (ValueError, KeyError, TypeError):
        return dict.fromkeys(("body", "key", "sig"), "")


def _copy_out(engine: Engine, file: Path) -> None:
    """Write the anchors that the file has not; those of a run that was cut off here are among them."""
    last = max(_copies(file), default=0)
    with read(engine) as db:
        newer = select(tables.anchors).where(tables.anchors.c.n > last).order_by(tables.anchors.c.n)
        rows = db.execute(newer).mappings().all()
    with file.open("ab") as copy:
        for row in rows:
            copy.write(canonical({name: row[name] for name in ("body", "key", "sig")}) + b"\n")
        copy.flush()
        os.fsync(copy.fileno())


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
