"""Adds rows to the audit trail, each tied to the one before it, and finds them again by page.

    hash = SHA-256( "branchline trail 1\\n" + canonical JSON of all other columns, prev among them )

A row is added in the transaction of the deed itself, under the lock of one chain that is held until its
commit. On PostgreSQL there are several chains and a process takes any that is free, so that one commit never
waits for another; SQLite has one writer anyway, and one chain. Add the row last: what comes before it in the
transaction holds up nobody.
"""

from __future__ import annotations

import hashlib
import secrets
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, Connection, RowMapping, Text, any_, literal, select, text

from cloud.access.log import Action, Deed
from cloud.store import trail_search
from cloud.store.schema import trail
from sync.envelope import canonical
from sync.ids import first_id_at, id_at
from sync.moment import from_text

CHAINS = {"sqlite": 1, "postgresql": 8}
GENESIS = bytes(32)  # prev of row 1
DOMAIN = b"branchline trail 1\n"
DONE, REFUSED = "done", "refused"
LONGEST_TEXT = 400  # of what a visitor's browser may say of itself, or a question may hold
LONGEST_JSON = 16_000
MOST_LATELY = 1000
CUT = "…"


def append(db: Connection, deed: Deed, now_utc: str) -> str:
    """Add the row of `deed`; returns its id."""
    head = _take_head(db)
    cells = _cells(deed, now_utc)
    cells |= {"chain": head["chain"], "seq": head["seq"] + 1, "prev": head["hash"]}
    cells["id"] = id_at(from_text(now_utc), cells["seq"])
    cells["hash"] = hash_of(cells)
    db.execute(trail.log.insert(), cells)
    mine = trail.heads.c.chain == head["chain"]
    db.execute(trail.heads.update().where(mine).values(seq=cells["seq"], hash=cells["hash"]))
    return str(cells["id"])


def hash_of(row: Mapping[str, Any]) -> bytes:
    """What the column `hash` of a row must hold."""
    cells = {name: row[name] for name in _HASHED}
    return hashlib.sha256(DOMAIN + canonical(cells)).digest()


def ids_in(packed: bytes) -> tuple[str, ...]:
    """The ids that a row says were returned."""
    return tuple(zlib.decompress(packed).decode().split("\n")) if packed else ()


@dataclass(frozen=True, slots=True)
class TrailFilter:
    """Which rows are wanted; None means any."""

    actor_name: str | None = None
    action: str | None = None
    kind: str | None = None
    object_id: str | None = None
    box_id: str | None = None
    purpose: str | None = None
    result: str | None = None
    from_utc: str | None = None
    until_utc: str | None = None


def list_rows(db: Connection, wanted: TrailFilter, after: str | None, limit: int) -> Sequence[RowMapping]:
    """Up to `limit` rows, newest first, beginning after the row `after`."""
    log = trail.log
    equal, span = _asked(wanted, after)
    query = select(log).order_by(log.c.id.desc())
    if db.dialect.name == "postgresql":
        ids = list(trail_search.newest(db, equal, span, limit))
        return db.execute(query.where(log.c.id == any_(literal(ids, ARRAY(Text))))).mappings().all()
    where = text(trail_search.conditions(equal, span)).bindparams(**equal, **span)
    return db.execute(query.where(where).limit(limit)).mappings().all()


def find_row(db: Connection, row_id: str) -> RowMapping | None:
    """The row of that id."""
    return db.execute(select(trail.log).where(trail.log.c.id == row_id)).mappings().one_or_none()


def last_done_utc(db: Connection, deed: Deed, since: datetime) -> str | None:
    """When the same session last did the same to the same object, if that was after `since`."""
    log = trail.log
    query = select(log.c.at_utc).where(
        log.c.object_id == deed.object_id,
        log.c.id >= first_id_at(since),
        log.c.action == deed.action.value,
        log.c.kind == deed.kind,
        log.c.session == deed.actor.session,
        log.c.result == DONE,
    )
    return db.execute(query.order_by(log.c.id.desc()).limit(1)).scalar()


def done_lately(db: Connection, deed: Deed, since: datetime) -> Sequence[RowMapping]:
    """When the same person did such a thing after `since`, and what was asked."""
    log = trail.log
    query = select(log.c.at_utc, log.c.query, log.c.object_id).where(
        log.c.actor_name == deed.actor.name,
        log.c.id >= first_id_at(since),
        log.c.action == deed.action.value,
        log.c.result == DONE,
    )
    return db.execute(query.order_by(log.c.id).limit(MOST_LATELY)).mappings().all()


def question(deed: Deed) -> str:
    """What two deeds have in common that ask the same."""
    return _json({name: _plain(value, LONGEST_TEXT) for name, value in deed.query.items()}) + deed.object_id


def address_known(db: Connection, user_name: str, address: str) -> bool:
    """Whether that user has logged in from that address before."""
    log = trail.log
    query = select(log.c.id).where(
        log.c.actor_name == user_name, log.c.action == Action.LOG_IN.value, log.c.address == address
    )
    return db.execute(query.limit(1)).first() is not None


def _take_head(db: Connection) -> RowMapping:
    heads, count = trail.heads, CHAINS[db.dialect.name]
    free = select(heads).order_by(heads.c.chain).limit(1).with_for_update(skip_locked=True)
    head = db.execute(free).mappings().one_or_none()
    if head is None and db.execute(select(heads.c.chain).limit(1)).first() is None:
        _make_heads(db, count)
        head = db.execute(free).mappings().one_or_none()
    if head is None:  # all are busy: wait for one
        one = select(heads).where(heads.c.chain == 1 + secrets.randbelow(count)).with_for_update()
        head = db.execute(one).mappings().one()
    return head


def _make_heads(db: Connection, count: int) -> None:
    statement = "INSERT INTO trail_heads (chain, seq, hash) VALUES (:chain, 0, :hash) ON CONFLICT DO NOTHING"
    db.execute(text(statement), [{"chain": chain, "hash": GENESIS} for chain in range(1, count + 1)])


def _cells(deed: Deed, now_utc: str) -> dict[str, Any]:
    actor = deed.actor
    texts = {
        "at_utc": now_utc,
        "actor_id": actor.user_id,
        "actor_name": actor.name,
        "role": actor.role,
        "unit_id": actor.unit_id,
        "session": actor.session,
        "address": actor.address,
        "user_agent": actor.user_agent,
        "channel": actor.channel,
        "action": deed.action.value,
        "kind": deed.kind,
        "object_id": deed.object_id,
        "box_id": deed.box_id,
        "purpose": deed.purpose,
        "result": REFUSED if deed.refusal else DONE,
        "reason": deed.refusal,
        "trace_id": actor.trace_id,
    }
    return {
        **{name: _plain(value, LONGEST_TEXT) for name, value in texts.items()},
        "fields": _json(deed.fields),
        "query": _json({name: _plain(value, LONGEST_TEXT) for name, value in deed.query.items()}),
        "changes": _json(deed.changes),
        "grants": _json(deed.grants),
        "row_count": deed.row_count,
        "ids": zlib.compress("\n".join(deed.ids).encode(), 6) if deed.ids else b"",
    }


def _plain(value: str, longest: int) -> str:
    """As both databases keep it (PostgreSQL has no NUL); what was cut off is seen to be."""
    value = value.replace("\0", "\ufffd")
    return value if len(value) <= longest else value[: longest - 1] + CUT


def _json(value: object) -> str:
    made = canonical(value).decode()
    if len(made) > LONGEST_JSON:
        return canonical({"cut": _plain(made, LONGEST_JSON)}).decode()
    return made


def _asked(wanted: TrailFilter, after: str | None) -> tuple[dict[str, str], dict[str, str]]:
    """What columns must be, and the ids between which the rows stand, as `trail_search` wants them."""
    equal = {name: value for name in trail_search.EACH if (value := getattr(wanted, name)) is not None}
    span = {} if after is None else {"after": after}
    for name, moment in (("since", wanted.from_utc), ("until", wanted.until_utc)):
        if moment:
            span[name] = first_id_at(from_text(moment))
    return equal, span


_HASHED = tuple(sorted(column.name for column in trail.log.columns if column.name != "hash"))
