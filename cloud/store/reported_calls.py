"""Calls that another telephone system reports, while they go on; once over they are calls like any other."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, select

from cloud.calls.reported import Ringing
from cloud.store.call_tables import reported_calls as table
from sync import bulk

FIELDS = ("direction", "caller", "called", "started_utc", "answered_utc")


def find(db: Connection, source: str, call_id: str) -> Ringing | None:
    """The call that `source` names so, if it goes on."""
    row = db.execute(select(table).where(*_named(source, call_id)).with_for_update()).mappings().one_or_none()
    return None if row is None else Ringing(**{name: row[name] for name in FIELDS})


def keep(db: Connection, source: str, call_id: str, call: Ringing) -> None:
    """It goes on, and stands so."""
    row = (source, call_id, *(getattr(call, name) for name in FIELDS))
    bulk.upsert(db, table, ("source", "call_id", *FIELDS), [row])


def forget(db: Connection, source: str, call_id: str) -> None:
    """It is over."""
    db.execute(table.delete().where(*_named(source, call_id)))


def forget_old(db: Connection, before_utc: str) -> int:
    """Those begun before then whose end was never reported; how many."""
    return db.execute(table.delete().where(table.c.started_utc < before_utc)).rowcount


def _named(source: str, call_id: str) -> tuple[ColumnElement[bool], ...]:
    return (table.c.source == source, table.c.call_id == call_id)
