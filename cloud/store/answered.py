"""POSTs that carry an Idempotency-Key: the first is worked on, the same one again gets the same answer.

nothing there   --begin-->  being worked on  --keep-->  answered, for KEPT
                                   |
                                   +-- forget: it was refused for a fault of ours, and may be tried again
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, select, text

from cloud.store.schema import api

KEPT = timedelta(days=1)
AT_WORK = 0
ANSWERED = api.answered
_BEGIN = (
    "INSERT INTO answered_requests VALUES (:owner_id, :key, :asked, 0, '{}', :body, :at_utc)"
    " ON CONFLICT DO NOTHING"
)


@dataclass(frozen=True, slots=True)
class Kept:
    """What is known of an earlier request with that key."""

    asked: str
    status: int  # AT_WORK: no answer yet
    headers: dict[str, str]
    sealed: bytes  # the body


def begin(db: Connection, owner_id: str, key: str, asked: str, now_utc: str) -> Kept | None:
    """None: it is the first with that key, and is now being worked on. Else the earlier one."""
    row = {"owner_id": owner_id, "key": key, "asked": asked, "body": b"", "at_utc": now_utc}
    if db.execute(text(_BEGIN), row).rowcount == 1:
        return None
    mine = select(ANSWERED).where(ANSWERED.c.owner_id == owner_id, ANSWERED.c.key == key)
    found = db.execute(mine).mappings().one()
    return Kept(found["asked"], found["status"], json.loads(found["headers"]), bytes(found["body"]))


def keep(
    db: Connection, owner_id: str, key: str, status: int, headers: dict[str, str], sealed: bytes
) -> None:
    """What it was answered."""
    mine = ANSWERED.update().where(ANSWERED.c.owner_id == owner_id, ANSWERED.c.key == key)
    db.execute(mine.values(status=status, headers=json.dumps(headers), body=sealed))


def forget(db: Connection, owner_id: str, key: str) -> None:
    """It was not done: the same request may come again."""
    db.execute(ANSWERED.delete().where(ANSWERED.c.owner_id == owner_id, ANSWERED.c.key == key))


def forget_old(db: Connection, before_utc: str) -> int:
    """Those answered before then; how many."""
    return db.execute(ANSWERED.delete().where(ANSWERED.c.at_utc < before_utc)).rowcount
