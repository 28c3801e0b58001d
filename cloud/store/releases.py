"""Files that wait for a review, as rows (`cloud.releases.rules`)."""

from __future__ import annotations

import json
from collections.abc import Sequence, Set
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, RowMapping, func, or_, select

from cloud.access.log import Actor
from cloud.releases.rules import KEPT_FOR, QUICKER, RELEASED, WAITING, WITHHELD, ReviewRefused, after
from cloud.store.access_tables import access_grants
from cloud.store.release_tables import releases
from cloud.store.schema import access_log
from cloud.store.trail import ids_in
from sync.moment import to_text


@dataclass(frozen=True, slots=True)
class Lying:
    """A file that was made and lies aside."""

    id: str
    kind: str
    form: str
    name: str
    media_type: str
    size_bytes: int
    sha256: str
    rows: int
    why: Sequence[str]
    asked: dict[str, str]
    purpose: str
    grants: Sequence[str]
    audit_id: str


def keep(db: Connection, one: Lying, by: Actor, now_utc: str) -> None:
    """Note a file that waits."""
    texts = {
        "why": json.dumps(list(one.why)),
        "asked": json.dumps(one.asked, ensure_ascii=False, sort_keys=True),
        "grants": json.dumps(list(one.grants)),
    }
    row = asdict(one) | texts
    who = {"by_id": by.user_id, "by_name": by.name, "made_utc": now_utc, "state": WAITING}
    if not one.why:  # nobody has to look at it
        who |= {"state": RELEASED, "decided_utc": now_utc}
    db.execute(releases.insert().values(row | who))


def clearest(db: Connection, grant_ids: Sequence[str]) -> int:
    """The highest grade that one of those grants shows clear; 0: none of them does."""
    table = access_grants
    query = select(func.max(table.c.grade)).where(table.c.id.in_(grant_ids), table.c.clarity == "clear")
    return int(db.execute(query).scalar() or 0) if grant_ids else 0


def find(db: Connection, release_id: str) -> RowMapping | None:
    """The file of that id."""
    return db.execute(select(releases).where(releases.c.id == release_id)).mappings().one_or_none()


def newest(db: Connection, user_id: str, reviews: bool, state: str, limit: int) -> Sequence[RowMapping]:
    """Somebody's own files, and for who `reviews` those of others, in that state ("": any), newest first."""
    query = select(releases)
    if not reviews:
        query = query.where(releases.c.by_id == user_id)
    if state:
        query = query.where(releases.c.state == state)
    return db.execute(query.order_by(releases.c.id.desc()).limit(limit)).mappings().all()


def decide(db: Connection, row: RowMapping, step: str, remark: str, by: Actor, now_utc: str) -> str:
    """Release or withhold; the state after. ReviewRefused; of two at once, one is refused."""
    state = after(step, row["state"], row["by_id"] == by.user_id, remark)
    mine = (releases.c.id == row["id"], releases.c.state == row["state"])
    values = {"state": state, "decided_by": by.name, "decided_utc": now_utc, "remark": remark.strip()}
    if db.execute(releases.update().where(*mine).values(values)).rowcount != 1:
        raise ReviewRefused(QUICKER)
    return state


def is_barred(db: Connection, row: RowMapping, now_utc: str) -> bool:
    """Whether a grant that showed some of it was taken back, or has lapsed and nobody reviewed the file.

    A review may take longer than a grant lives: what a reviewer has let go may be opened afterwards.
    """
    table, ids = access_grants, json.loads(row["grants"])
    revoked, lapsed = table.c.revoked_utc.is_not(None), table.c.valid_until_utc <= now_utc
    ended = revoked if row["decided_by"] else or_(revoked, lapsed)
    query = select(table.c.id).where(table.c.id.in_(ids), ended)
    return bool(ids) and db.execute(query).first() is not None


def withhold_all_of(db: Connection, ids: Set[str], remark: str, now_utc: str) -> int:
    """Files in which one of these rows is are withheld, whatever they were; how many."""
    log = access_log
    query = select(releases.c.id, log.c.ids).join(log, log.c.id == releases.c.audit_id)
    rows = db.execute(query.where(releases.c.gone_utc.is_(None), releases.c.state != WITHHELD)).all()
    mine = [release_id for release_id, packed in rows if not ids.isdisjoint(ids_in(bytes(packed)))]
    values = {"state": WITHHELD, "decided_utc": now_utc, "remark": remark}
    db.execute(releases.update().where(releases.c.id.in_(mine)).values(values))
    return len(mine)


def note_opened(db: Connection, release_id: str, now_utc: str) -> None:
    """It was handed over."""
    mine = (releases.c.id == release_id, releases.c.opened_utc.is_(None))
    db.execute(releases.update().where(*mine).values(opened_utc=now_utc))


def to_remove(db: Connection, now: datetime) -> list[str]:
    """Files nobody may open any more: withheld, or released or waiting for too long."""
    before_utc = to_text(now - KEPT_FOR)
    over = or_(
        releases.c.state == WITHHELD,
        (releases.c.state == RELEASED) & (releases.c.decided_utc < before_utc),
        (releases.c.state == WAITING) & (releases.c.made_utc < before_utc),
    )
    return list(db.execute(select(releases.c.id).where(releases.c.gone_utc.is_(None), over)).scalars())


def drop(db: Connection, release_id: str) -> None:
    """Nobody wants this file any more, and nobody has seen it."""
    db.execute(releases.delete().where(releases.c.id == release_id))


def note_gone(db: Connection, release_id: str, now_utc: str) -> None:
    """Its file was removed."""
    db.execute(releases.update().where(releases.c.id == release_id).values(gone_utc=now_utc))
