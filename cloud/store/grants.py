"""Grants in the database: those of a person, and the rows counted against them.

A row is counted before it is shown and only once, under the lock of its grant, so that two readers at the
same time never see more rows than were approved.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from cloud.access.grants import Grant
from cloud.access.verbs import Clarity, Verb
from cloud.store.access_tables import access_grant_rows, access_grants, access_requests
from sync.moment import to_text

MOST_AT_ONCE = 500  # row ids of one statement


def live_grants(connection: Connection, user_id: str, now: datetime) -> tuple[Grant, ...]:
    """The grants of a person that have not run out at `now`."""
    statement = (
        select(access_grants, access_requests.c.documents)
        .join(access_requests, access_requests.c.id == access_grants.c.request_id)
        .where(
            access_grants.c.user_id == user_id,
            access_grants.c.valid_until_utc > to_text(now),
            access_grants.c.revoked_utc.is_(None),
        )
    )
    return tuple(_grant(row) for row in connection.execute(statement).mappings())


def grants_of_requests(connection: Connection, request_ids: Sequence[str]) -> dict[str, Grant]:
    """The grants that came of those applications, by the application's id."""
    statement = select(access_grants).where(access_grants.c.request_id.in_(request_ids))
    return {row["request_id"]: _grant(row) for row in connection.execute(statement).mappings()}


def add_grant(connection: Connection, grant: Grant) -> None:
    """Keep a new grant; an application gives one at most."""
    connection.execute(access_grants.insert().values(_cells(grant)))


def revoke_grant_of(connection: Connection, request_id: str, now_utc: str) -> None:
    """The grant of that application answers no more."""
    mine = access_grants.c.request_id == request_id
    connection.execute(access_grants.update().where(mine).values(revoked_utc=now_utc))


def count_rows(
    connection: Connection, grant_id: str, row_ids: Sequence[str], now: datetime
) -> frozenset[str]:
    """Count rows against a grant; those of `row_ids` that it may show at `now`, in the order given."""
    locked = select(access_grants).where(access_grants.c.id == grant_id).with_for_update()
    row = connection.execute(locked).mappings().one_or_none()
    grant = _grant(row) if row else None
    if grant is None or not grant.is_live(now):
        return frozenset()
    known = _counted(connection, grant_id, row_ids)
    left = max(0, grant.rows - grant.rows_used)
    fresh = [row_id for row_id in dict.fromkeys(row_ids) if row_id not in known][:left]
    if fresh:
        connection.execute(
            access_grant_rows.insert(), [{"grant_id": grant_id, "row_id": row_id} for row_id in fresh]
        )
    new_use = not grant.is_in_use(now)
    if fresh or new_use:
        used = replace(
            grant,
            rows_used=grant.rows_used + len(fresh),
            uses_used=grant.uses_used + new_use,
            last_used_utc=to_text(now) if new_use else grant.last_used_utc,
        )
        mine = access_grants.c.id == grant_id
        connection.execute(access_grants.update().where(mine).values(_cells(used)))
    return known | frozenset(fresh)


def count_fresh(connection: Connection, grant_id: str, row_ids: Sequence[str]) -> int:
    """How many of `row_ids` (each once) are not yet counted against a grant."""
    return len(row_ids) - len(_counted(connection, grant_id, row_ids))


def _documents(text: str) -> frozenset[str]:
    """Which documents an application names: those whose number is not blank."""
    return frozenset(key for key, number in json.loads(text).items() if number.strip())


def _counted(connection: Connection, grant_id: str, row_ids: Sequence[str]) -> frozenset[str]:
    found: set[str] = set()
    for start in range(0, len(row_ids), MOST_AT_ONCE):
        statement = select(access_grant_rows.c.row_id).where(
            access_grant_rows.c.grant_id == grant_id,
            access_grant_rows.c.row_id.in_(row_ids[start : start + MOST_AT_ONCE]),
        )
        found.update(connection.execute(statement).scalars())
    return frozenset(found)


def _grant(row: RowMapping) -> Grant:
    cells: dict[str, Any] = dict(row)
    boxes = cells["box_ids"]
    return Grant(
        **cells
        | {
            "subjects": frozenset(json.loads(cells["subjects"])),
            "box_ids": None if boxes is None else frozenset(json.loads(boxes)),
            "verbs": frozenset(Verb(verb) for verb in cells["verbs"].split()),
            "clarity": Clarity(cells["clarity"]),
            "documents": _documents(cells.get("documents", "{}")),
        }
    )


def _cells(grant: Grant) -> dict[str, Any]:
    cells = {one.name: getattr(grant, one.name) for one in access_grants.columns}
    return cells | {
        "subjects": json.dumps(sorted(grant.subjects)),
        "box_ids": None if grant.box_ids is None else json.dumps(sorted(grant.box_ids)),
        "verbs": " ".join(sorted(grant.verbs)),
        "clarity": grant.clarity.value,
    }
