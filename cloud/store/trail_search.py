"""Finds the newest rows of the audit trail on PostgreSQL under any filter, by walks over its indexes alone.

What a filter asks for may have millions of rows, and two filters may have none in common (a person who never
played a recording). The rows themselves lie anywhere on the disk, so only those of the page are read:

    a person, a branch       their own index, which holds whatever else is asked for beside the id
    action, kind, purpose    one index of all three; of the some hundred combinations there are, those that
                             fit give a page each, and the newest of them all are the page
    an object, a refusal     few rows have one: the database finds its own way
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, text

from cloud.store.database import in_order

WHAT = ("action", "kind", "purpose")  # columns of access_log_by_what, in its order
EACH = ("actor_name", "box_id", *WHAT, "object_id", "result")

# Each combination there is, by a jump to the next one: as many steps as there are combinations.
_COMBINATIONS = """
WITH RECURSIVE found AS (
    (SELECT action, kind, purpose FROM access_log ORDER BY action, kind, purpose LIMIT 1)
    UNION ALL
    SELECT next.* FROM found CROSS JOIN LATERAL (
        SELECT action, kind, purpose FROM access_log AS log
        WHERE (log.action, log.kind, log.purpose) > (found.action, found.kind, found.purpose)
        ORDER BY action, kind, purpose LIMIT 1
    ) AS next
)
"""
_BY_WHAT = """
SELECT page.id FROM found CROSS JOIN LATERAL (
    SELECT id FROM access_log
    WHERE access_log.action = found.action AND access_log.kind = found.kind
        AND access_log.purpose = found.purpose AND {rest}
    ORDER BY id DESC LIMIT :most
) AS page WHERE {fitting} ORDER BY page.id DESC LIMIT :most
"""
_WALK = """
SELECT id FROM access_log WHERE {rest} ORDER BY id DESC LIMIT :most
"""
_SPAN = {"after": "<", "since": ">=", "until": "<"}


def newest(db: Connection, equal: dict[str, str], span: dict[str, str], limit: int) -> Sequence[str]:
    """Ids of the newest `limit` rows, last first.

    `equal` holds what columns of EACH must be, `span` the ids they stand between (keys of _SPAN).
    """
    alone = equal.keys() - {"result"}
    if alone and alone <= set(WHAT):
        rest = {name: value for name, value in equal.items() if name not in WHAT}
        fitting = " AND ".join(f"found.{name} = :{name}" for name in WHAT if name in equal)
        statement = _COMBINATIONS + _BY_WHAT.format(rest=conditions(rest, span), fitting=fitting)
    else:
        statement = _WALK.format(rest=conditions(equal, span))
    with in_order(db):
        return db.execute(text(statement), {**equal, **span, "most": limit}).scalars().all()


def conditions(equal: dict[str, str], span: dict[str, str]) -> str:
    """What a row must fulfil, as SQL with parameters of the same names."""
    each = [f"access_log.{name} = :{name}" for name in equal]
    return " AND ".join(each + [f"access_log.id {_SPAN[name]} :{name}" for name in span]) or "true"
