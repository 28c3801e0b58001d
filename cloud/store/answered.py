"""POSTs that carry an Idempotency-Key: done once, and the same one again gets the same answer.

    nothing there --begin--> worked on, for LEASE --done--> worked on, its deed committed --keep--> answered
          ^                     |  ^      |                     |
          +------- forget ------+  +-begin, once the lease      +-- nobody keeps an answer: the process died,
                  (refused)          has lapsed                     and whoever asks is told what was done

`done` is written in the deed's own transaction and only by whoever holds the lease, so a deed is committed at
most once: a worker that was taken for dead and wakes up finds its lease gone, and its deed is rolled back.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, select, text

from cloud.store.schema import api
from sync.moment import to_text

KEPT = timedelta(days=1)
LEASE = timedelta(seconds=60)  # no request of the API works for so long
AT_WORK = 0
ANSWERED = api.answered
_BEGIN = (
    "INSERT INTO answered_requests (owner_id, key, asked, status, headers, body, at_utc, worker, until_utc)"
    " VALUES (:owner_id, :key, :asked, 0, '{}', :body, :at_utc, :worker, :until_utc) ON CONFLICT DO NOTHING"
)


class TakenOver(ValueError):
    """The lease has lapsed and somebody else works on the request, or has done it."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Who works on which request."""

    owner_id: str
    key: str
    worker: str

    @property
    def row(self) -> tuple[ColumnElement[bool], ...]:
        """The request's row, whoever works on it."""
        return (ANSWERED.c.owner_id == self.owner_id, ANSWERED.c.key == self.key)

    @property
    def mine(self) -> tuple[ColumnElement[bool], ...]:
        """The request's row while this worker has the lease."""
        return (*self.row, ANSWERED.c.worker == self.worker, ANSWERED.c.status == AT_WORK)


@dataclass(frozen=True, slots=True)
class Kept:
    """What is known of an earlier request with that key."""

    asked: str
    status: int  # AT_WORK: no answer yet
    headers: dict[str, str]
    sealed: bytes  # the body
    at_work: bool  # its lease has not lapsed
    done_id: str | None  # what its deed was done to; None: nothing was done


def begin(db: Connection, turn: Turn, asked: str, now: datetime) -> Kept | None:
    """None: it is the first with that key, or the one before died; it is worked on now. Else the earlier."""
    now_utc, until_utc = to_text(now), to_text(now + LEASE)
    row = {"owner_id": turn.owner_id, "key": turn.key, "asked": asked, "body": b"", "at_utc": now_utc}
    lease = {"worker": turn.worker, "until_utc": until_utc}
    if db.execute(text(_BEGIN), row | lease).rowcount == 1:
        return None
    lapsed = (
        *turn.row, ANSWERED.c.asked == asked, ANSWERED.c.status == AT_WORK,
        ANSWERED.c.done_id.is_(None), ANSWERED.c.until_utc <= now_utc,
    )  # fmt: skip
    if db.execute(ANSWERED.update().where(*lapsed).values(lease)).rowcount == 1:
        return None
    found = db.execute(select(ANSWERED).where(*turn.row)).mappings().one()
    return Kept(
        found["asked"], found["status"], json.loads(found["headers"]), bytes(found["body"]),
        found["until_utc"] > now_utc, found["done_id"],
    )  # fmt: skip


def done(db: Connection, turn: Turn, object_id: str) -> None:
    """Its deed is done in this transaction; TakenOver, which must roll the deed back."""
    if db.execute(ANSWERED.update().where(*turn.mine).values(done_id=object_id)).rowcount == 0:
        raise TakenOver(f"request {turn.key!r} is no longer worked on by {turn.worker}")


def keep(db: Connection, turn: Turn, status: int, headers: dict[str, str], sealed: bytes) -> None:
    """What it was answered."""
    told = {"status": status, "headers": json.dumps(headers), "body": sealed}
    db.execute(ANSWERED.update().where(*turn.mine).values(told))


def forget(db: Connection, turn: Turn) -> None:
    """It was refused or broke: unless its deed is done, the same request may come again."""
    db.execute(ANSWERED.delete().where(*turn.mine, ANSWERED.c.done_id.is_(None)))


def forget_old(db: Connection, before_utc: str) -> int:
    """Those begun before then; how many."""
    return db.execute(ANSWERED.delete().where(ANSWERED.c.at_utc < before_utc)).rowcount
