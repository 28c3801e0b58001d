"""Hours that a box told of and that are not closed a day later, though it is in contact: a trouble."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection, func, select

from cloud.store import troubles
from cloud.store.schema import manifests
from sync.manifest import HOUR
from sync.moment import from_text, to_text

LATE = timedelta(days=1)  # a healthy branch needs minutes
KIND = "late_hour"


def note(db: Connection, box_id: str, now_utc: str) -> None:
    """Begin or end the trouble; the box is heard of now. An hour that an audit opened counts from then."""
    since_utc = func.coalesce(manifests.c.audited_utc, manifests.c.received_utc)
    query = select(manifests.c.span).where(
        manifests.c.box_id == box_id,
        manifests.c.state != "closed",
        func.length(manifests.c.span) == HOUR,
        since_utc < to_text(from_text(now_utc) - LATE),
    )
    spans = sorted(db.execute(query).scalars())
    if spans:
        detail = f"{spans[0]} UTC" + (f" and {len(spans) - 1} later" if len(spans) > 1 else "")
        troubles.begin(db, box_id, KIND, detail, now_utc)
    else:
        troubles.end(db, box_id, KIND, now_utc)
