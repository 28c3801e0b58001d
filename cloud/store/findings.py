"""What the patterns of abnormal use found: kept once per pattern, person and day, then reviewed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, tzinfo

from sqlalchemy import Connection, RowMapping, select

from cloud.access.log import Action
from cloud.access.patterns import Suspicion, Used
from cloud.store.schema import trail
from sync.ids import first_id_at, new_id
from sync.moment import from_text, to_text

MOST_ROWS = 500  # of a finding; its number counts all


def used_since(db: Connection, since: datetime) -> list[Used]:
    """The audit rows of people from `since` on, as the patterns look at them."""
    log = trail.log
    names = (
        "id",
        "at_utc",
        "actor_name",
        "action",
        "kind",
        "query",
        "object_id",
        "row_count",
        "reason",
        "grants",
    )
    query = select(*(log.c[name] for name in names)).where(
        log.c.id >= first_id_at(since), log.c.actor_name != "", log.c.channel.not_in(("worker", "command"))
    )
    return [
        Used(
            id=row.id,
            at=from_text(row.at_utc),
            actor=row.actor_name,
            action=Action(row.action),
            kind=row.kind,
            question=row.query if row.query != "{}" else row.object_id,
            row_count=row.row_count,
            refusal=row.reason,
            by_grant=row.grants != "[]",
        )
        for row in db.execute(query)
        if row.action in _KNOWN
    ]


def keep(db: Connection, found: Sequence[Suspicion], zone: tzinfo, now: datetime) -> int:
    """Keep what is new, and let an open finding grow; returns how many are new."""
    table, fresh = trail.findings, 0
    for one in found:
        day = one.first.astimezone(zone).strftime("%Y-%m-%d")
        mine = (table.c.pattern == one.pattern, table.c.actor_name == one.actor, table.c.day == day)
        cells = {
            "last_utc": to_text(one.last),
            "count": one.count,
            "row_ids": json.dumps(one.row_ids[:MOST_ROWS]),
        }
        if db.execute(select(table.c.id).where(*mine)).first():
            db.execute(table.update().where(*mine, table.c.reviewed_utc.is_(None)).values(cells))
            continue
        fresh += 1
        key = {"id": new_id(), "pattern": one.pattern, "actor_name": one.actor, "day": day}
        when = {"first_utc": to_text(one.first), "found_utc": to_text(now)}
        db.execute(table.insert(), {**key, **when, **cells})
    return fresh


def open_findings(db: Connection, at_most: int = 20) -> Sequence[RowMapping]:
    """Those that nobody has reviewed, the newest first."""
    table = trail.findings
    query = select(table).where(table.c.reviewed_utc.is_(None)).order_by(table.c.last_utc.desc(), table.c.id)
    return db.execute(query.limit(at_most)).mappings().all()


def review(db: Connection, finding_id: str, by: str, remark: str, now_utc: str) -> str | None:
    """Settle a finding with a remark; whose it was, None when nothing waits under that id."""
    table = trail.findings
    mine = (table.c.id == finding_id, table.c.reviewed_utc.is_(None))
    actor = db.execute(select(table.c.actor_name).where(*mine)).scalar()
    settled = {"reviewed_utc": now_utc, "reviewed_by": by, "remark": remark}
    db.execute(table.update().where(*mine).values(settled))
    return None if actor is None else str(actor)


_LOOKED_AT = (
    "id", "at_utc", "actor_name", "action", "kind", "query", "object_id", "row_count", "reason", "grants",
)  # fmt: skip
_KNOWN = frozenset(action.value for action in Action)
