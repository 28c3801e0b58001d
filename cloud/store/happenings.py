"""What has happened, in order: read by the event feed, told to webhooks; noted once for both.

A run of things of one kind is one row, so that a batch of calls costs one. On PostgreSQL transactions end in
another order than their numbers begin in: a row counts only when every transaction before its own has ended,
and the order is that of the transactions, so nobody who reads on from a place misses one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, literal_column, select, tuple_

from cloud.store import webhooks
from cloud.store.schema import webhooks as tables

TABLE = tables.happenings
KEPT = timedelta(days=30)
_XACT = {"sqlite": "0", "postgresql": "pg_current_xact_id()::text::bigint"}
_NOTE = {name: TABLE.insert().values(xact=literal_column(xact)) for name, xact in _XACT.items()}
_ENDED = {"sqlite": "1", "postgresql": "pg_snapshot_xmin(pg_current_snapshot())::text::bigint"}


@dataclass(frozen=True, slots=True, order=True)
class At:
    """A place in the order: the thing of that number in that row."""

    xact: int = 0
    no: int = 0
    index: int = 0


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that has happened."""

    at: At
    kind: str  # of cloud.webhooks.kinds
    at_utc: str
    object_id: str


def note(db: Connection, kind: str, object_ids: Sequence[str], now_utc: str) -> None:
    """It happened to these, in the transaction in which it did."""
    if not object_ids:
        return
    row: dict[str, Any] = {
        "kind": kind,
        "at_utc": now_utc,
        "object_ids": msgspec.json.encode(object_ids).decode(),
    }
    db.execute(_NOTE[db.dialect.name], row)
    webhooks.note(db, kind, object_ids, now_utc)


def after(db: Connection, place: At, kinds: Sequence[str], limit: int) -> list[Happening]:
    """Up to `limit` things of these kinds after `place`, in order."""
    begins = tuple_(TABLE.c.xact, TABLE.c.no) >= tuple_(place.xact, place.no)
    query = select(TABLE).where(begins, _is_settled(db), TABLE.c.kind.in_(kinds))
    rows = db.execute(query.order_by(TABLE.c.xact, TABLE.c.no).limit(limit + 1)).mappings()
    found = (
        Happening(At(row["xact"], row["no"], index), row["kind"], row["at_utc"], object_id)
        for row in rows
        for index, object_id in enumerate(json.loads(row["object_ids"]), start=1)
    )
    return [one for one in found if one.at > place][:limit]


def forget_old(db: Connection, before_utc: str) -> int:
    """Those before then; how many rows."""
    return db.execute(TABLE.delete().where(TABLE.c.at_utc < before_utc)).rowcount


def _is_settled(db: Connection) -> ColumnElement[bool]:
    return TABLE.c.xact < literal_column(_ENDED[db.dialect.name])
