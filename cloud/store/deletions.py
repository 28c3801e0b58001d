"""Audio that head office lets go of on purpose: a tombstone per recording, then the object.

The row of the recording stays and says `deleted`. An object goes when no other recording that is kept has the
same content; the tombstone is committed first, so what a crash leaves behind is removed by the next look.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from cloud.objects import Objects
from cloud.store import facets
from cloud.store.order_tables import audio_deletions
from cloud.store.schema import recordings
from sync import bulk

DELETED = "deleted"
BY_ORDER, BY_AGE = "ordered", "age"


@dataclass(frozen=True, slots=True)
class Ordered:
    """An order that a branch has carried out."""

    box_id: str
    call_id: str
    order_id: str


def delete_call_audio(db: Connection, order: Ordered, gone: Iterable[str], now_utc: str) -> int:
    """The audio of a call goes, that which is still on its way too; how many recordings.

    `gone`: recordings that the branch deleted; of some head office may not have heard yet, after a restore.
    """
    mine = (recordings.c.call_id == order.call_id, recordings.c.box_id == order.box_id)
    rows: list[Mapping[str, Any]] = [
        dict(row) for row in db.execute(select(recordings).where(*mine)).mappings()
    ]
    here = {row["id"] for row in rows}
    unheard = {"call_id": order.call_id, "box_id": order.box_id, "object_key": None}
    rows += [{"id": one} | unheard for one in gone if one not in here]
    return bury(db, rows, BY_ORDER, order.order_id, now_utc)


def bury(
    db: Connection, rows: Iterable[Mapping[Any, Any]], why: str, order_id: str | None, now_utc: str
) -> int:
    """Tombstones for rows of recordings that have none; how many there were."""
    found = list(rows)
    known = deleted(db, [row["id"] for row in found])
    fresh = [row for row in found if row["id"] not in known]
    if not fresh:
        return 0
    tombs = [
        {
            "recording_id": row["id"],
            "call_id": row["call_id"],
            "box_id": row["box_id"],
            "sha256": row["object_key"] or "",
            "size_bytes": row["size_bytes"] if row["object_key"] else 0,
            "why": why,
            "order_id": order_id,
            "at_utc": now_utc,
        }
        for row in fresh
    ]
    db.execute(audio_deletions.insert(), tombs)
    ids = [row["id"] for row in fresh]
    gone = recordings.update().where(recordings.c.id.in_(ids))
    db.execute(gone.values(state=DELETED, object_key=None))
    facets.refresh(db, {row["call_id"] for row in fresh})
    return len(fresh)


def deleted(db: Connection, recording_ids: Sequence[str]) -> set[str]:
    """Those of the recordings whose audio was deleted on purpose."""
    key = "recording_id"
    return {str(one) for (one,) in bulk.select_in(db, audio_deletions, (key,), key, list(recording_ids))}


def arrived_late(db: Connection, recording_id: str, object_key: str) -> None:
    """Audio came that was deleted meanwhile: it goes again."""
    mine = audio_deletions.c.recording_id == recording_id
    db.execute(audio_deletions.update().where(mine).values(sha256=object_key, gone_utc=None))


def waiting(db: Connection, at_most: int) -> Sequence[RowMapping]:
    """Tombstones whose object is still to be removed."""
    query = select(audio_deletions).where(audio_deletions.c.gone_utc.is_(None))
    return db.execute(query.order_by(audio_deletions.c.recording_id).limit(at_most)).mappings().all()


def remove_object(db: Connection, objects: Objects, tomb: RowMapping, now_utc: str) -> bool:
    """Remove the object of a tombstone unless a recording that is kept has it too; whether it went."""
    kept = select(recordings.c.id).where(recordings.c.object_key == tomb["sha256"])
    goes = bool(tomb["sha256"]) and db.execute(kept).first() is None
    if goes:
        objects.delete(tomb["sha256"])
    mine = audio_deletions.c.recording_id == tomb["recording_id"]
    db.execute(audio_deletions.update().where(mine).values(gone_utc=now_utc))
    return goes
