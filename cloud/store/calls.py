"""Reads calls, their recordings and gaps: a page of the list by keyset, one call, one recording.

Rows go out as they are in the database; only `cloud.access.shape` turns them into something to show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, func, or_, select, tuple_

from cloud.access.decision import Verdict
from cloud.store.schema import boxes, calls, gaps, recordings

ESCAPE = "\\"


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls are wanted; None and empty mean any."""

    box_id: str | None = None
    party: str | None = None  # number or name; * stands for anything
    direction: str | None = None
    outcome: str | None = None
    from_utc: str | None = None  # begun at or after
    until_utc: str | None = None  # begun before


@dataclass(frozen=True, slots=True)
class Position:
    """The last call of a page; the next page begins after it."""

    started_utc: str
    call_id: str


def list_calls(
    connection: Connection, wanted: CallFilter, after: Position | None, limit: int, verdict: Verdict
) -> Sequence[RowMapping]:
    """Up to `limit` calls of those the verdict bounds, newest first, beginning after `after`."""
    statement = _with_branch().where(*_conditions(wanted), *within(verdict))
    if after is not None:
        key = tuple_(calls.c.started_utc, calls.c.id)
        statement = statement.where(key < tuple_(after.started_utc, after.call_id))
    statement = statement.order_by(calls.c.started_utc.desc(), calls.c.id.desc()).limit(limit)
    return connection.execute(statement).mappings().all()


def find_call(connection: Connection, call_id: str) -> RowMapping | None:
    """The call of that id."""
    return connection.execute(_with_branch().where(calls.c.id == call_id)).mappings().one_or_none()


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


def like_pattern(party: str) -> str:
    """The LIKE pattern of what a person typed: `*` is anything; without one, the text may stand anywhere."""
    literal = party.replace(ESCAPE, ESCAPE * 2).replace("%", ESCAPE + "%").replace("_", ESCAPE + "_")
    return literal.replace("*", "%") if "*" in literal else f"%{literal}%"


def _with_branch() -> Select[tuple[object, ...]]:
    # A call may be here before its box's row is.
    branch = func.coalesce(boxes.c.name, calls.c.box_id).label("branch")
    return select(calls, branch).select_from(calls.outerjoin(boxes, boxes.c.id == calls.c.box_id))


def within(verdict: Verdict) -> list[ColumnElement[bool]]:
    """What bounds a reading of calls before it begins: the verdict's branches and its span."""
    conditions: list[ColumnElement[bool]] = []
    if verdict.box_ids is not None:
        conditions.append(calls.c.box_id.in_(sorted(verdict.box_ids)))
    if verdict.from_utc:
        conditions.append(calls.c.started_utc >= verdict.from_utc)
    if verdict.until_utc:
        conditions.append(calls.c.started_utc < verdict.until_utc)
    return conditions


def _conditions(wanted: CallFilter) -> list[ColumnElement[bool]]:
    equal = (
        (calls.c.box_id, wanted.box_id),
        (calls.c.direction, wanted.direction),
        (calls.c.outcome, wanted.outcome),
    )
    conditions: list[ColumnElement[bool]] = [column == value for column, value in equal if value]
    if wanted.party:
        pattern = like_pattern(wanted.party)
        columns = (calls.c.caller_number, calls.c.caller_name, calls.c.dialled)
        conditions.append(or_(*(column.ilike(pattern, escape=ESCAPE) for column in columns)))
    if wanted.from_utc:
        conditions.append(calls.c.started_utc >= wanted.from_utc)
    if wanted.until_utc:
        conditions.append(calls.c.started_utc < wanted.until_utc)
    return conditions
