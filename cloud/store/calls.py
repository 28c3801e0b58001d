"""Reads one call, recordings and gaps; lists of calls are found by `cloud.store.call_search`.

Rows go out as they are in the database; only `cloud.access.shape` turns them into something to show.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, select

from cloud.store.call_search import list_calls as list_calls
from cloud.store.call_search import with_branch
from cloud.store.schema import calls, gaps, recordings


def find_call(connection: Connection, call_id: str) -> RowMapping | None:
    """The call of that id."""
    return connection.execute(with_branch().where(calls.c.id == call_id)).mappings().one_or_none()


def calls_of(connection: Connection, call_ids: Sequence[str]) -> Sequence[RowMapping]:
    """The calls of those ids that are there, in that order."""
    rows = connection.execute(with_branch().where(calls.c.id.in_(call_ids))).mappings()
    found = {row["id"]: row for row in rows}
    return [found[one] for one in call_ids if one in found]


def recordings_of(connection: Connection, call_ids: Sequence[str]) -> Sequence[RowMapping]:
    """The recordings of those calls, in the order they were begun."""
    statement = select(recordings).where(recordings.c.call_id.in_(call_ids))
    return connection.execute(statement.order_by(recordings.c.id)).mappings().all()


def find_recording(connection: Connection, recording_id: str) -> RowMapping | None:
    """The recording of that id."""
    statement = select(recordings).where(recordings.c.id == recording_id)
    return connection.execute(statement).mappings().one_or_none()


def gaps_of(connection: Connection, recording_ids: Sequence[str]) -> Sequence[RowMapping]:
    """The gaps of those recordings, from their beginning on."""
    statement = select(gaps).where(gaps.c.recording_id.in_(recording_ids))
    return connection.execute(statement.order_by(gaps.c.start_sample)).mappings().all()
