"""Webhooks and what they are still to be told.

What happened is noted for every hook that wants it in the transaction in which it happened (`note`), so a
kill loses none and invents none; whether and what the hook's owner may see of it is decided when it is sent.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, select

from cloud.field_keys import key_id_of
from cloud.store.schema import webhooks
from cloud.webhooks.attempts import Answer, Outcome, State
from sync.ids import new_id
from sync.moment import to_text

HOOKS, DELIVERIES = webhooks.hooks, webhooks.deliveries


@dataclass(frozen=True, slots=True)
class NewHook:
    """A hook to be added."""

    id: str
    owner_id: str
    url: str
    kinds: tuple[str, ...]
    sealed_secret: bytes


def add_hook(db: Connection, hook: NewHook, now_utc: str) -> None:
    """Serve it from now on."""
    row = {
        "id": hook.id,
        "owner_id": hook.owner_id,
        "url": hook.url,
        "kinds": json.dumps(hook.kinds),
        "secret": hook.sealed_secret,
        "created_utc": now_utc,
        "ended_why": "",
        "key_id": key_id_of(hook.sealed_secret),
    }
    db.execute(HOOKS.insert().values(row))


def secret_place(hook_id: str) -> str:
    """Where a hook's secret is sealed."""
    return f"webhooks/{hook_id}/secret"


def end_hook(db: Connection, hook_id: str, why: str, now_utc: str, owner_id: str | None = None) -> bool:
    """Serve it no more; False when it is not there, not `owner_id`'s, or ended before."""
    mine = HOOKS.update().where(HOOKS.c.id == hook_id, HOOKS.c.ended_utc.is_(None))
    if owner_id is not None:
        mine = mine.where(HOOKS.c.owner_id == owner_id)
    ended = db.execute(mine.values(ended_utc=now_utc, ended_why=why)).rowcount == 1
    if ended:
        left = DELIVERIES.update().where(DELIVERIES.c.hook_id == hook_id, DELIVERIES.c.state == State.WAITING)
        db.execute(left.values(state=State.GONE.value))
    return ended


_SERVING = select(HOOKS.c.id, HOOKS.c.kinds).where(HOOKS.c.ended_utc.is_(None))


def hooks_of(db: Connection, owner_id: str) -> Sequence[RowMapping]:
    """That person's hooks, the newest first."""
    mine = select(HOOKS).where(HOOKS.c.owner_id == owner_id).order_by(HOOKS.c.id.desc())
    return db.execute(mine).mappings().all()


def note(db: Connection, kind: str, object_ids: Sequence[str], now_utc: str) -> int:
    """Something of `kind` happened to these: every hook that wants it is to be told. How many tellings."""
    wanting = [hook_id for hook_id, kinds in db.execute(_SERVING) if kind in json.loads(kinds)]
    rows = [
        {
            "id": new_id(),
            "hook_id": hook_id,
            "kind": kind,
            "object_id": object_id,
            "at_utc": now_utc,
            "state": State.WAITING.value,
            "due_utc": now_utc,
            "tries": 0,
            "status": 0,
            "fault": "",
        }
        for hook_id in wanting
        for object_id in object_ids
    ]
    if rows:
        db.execute(DELIVERIES.insert(), rows)
    return len(rows)


def is_due(db: Connection, now_utc: str) -> bool:
    """Whether there is anything to be tried."""
    waiting = select(DELIVERIES.c.id).where(DELIVERIES.c.state == State.WAITING.value)
    return db.execute(waiting.where(DELIVERIES.c.due_utc <= now_utc).limit(1)).first() is not None


def claim(db: Connection, now_utc: str, until_utc: str, at_most: int) -> Sequence[RowMapping]:
    """Deliveries whose time has come, with their hook and its owner; no other worker has them until then."""
    query = (
        select(DELIVERIES, HOOKS.c.url, HOOKS.c.secret, HOOKS.c.owner_id)
        .join(HOOKS, HOOKS.c.id == DELIVERIES.c.hook_id)
        .where(DELIVERIES.c.state == State.WAITING.value, DELIVERIES.c.due_utc <= now_utc)
        .order_by(DELIVERIES.c.due_utc, DELIVERIES.c.id)
        .limit(at_most)
        .with_for_update(of=DELIVERIES, skip_locked=True)
    )
    found = db.execute(query).mappings().all()
    mine = DELIVERIES.c.id.in_([row["id"] for row in found])
    db.execute(DELIVERIES.update().where(mine).values(due_utc=until_utc))
    return found


def settle(db: Connection, delivery: RowMapping, answer: Answer, outcome: Outcome, now_utc: str) -> None:
    """Write down what a try brought; the hook of a receiver that has gone ends."""
    values = {
        "state": outcome.state.value,
        "tries": delivery["tries"] + 1,
        "status": answer.status,
        "fault": answer.fault,
        "due_utc": to_text(outcome.due) if outcome.due else delivery["due_utc"],
    }
    db.execute(DELIVERIES.update().where(DELIVERIES.c.id == delivery["id"]).values(values))
    if outcome.state is State.GONE:
        end_hook(db, delivery["hook_id"], "410 Gone", now_utc)


def deliveries_of(db: Connection, hook_id: str, at_most: int) -> Sequence[RowMapping]:
    """The newest deliveries of a hook."""
    own = select(DELIVERIES).where(DELIVERIES.c.hook_id == hook_id)
    return db.execute(own.order_by(DELIVERIES.c.id.desc()).limit(at_most)).mappings().all()


def send_again(db: Connection, delivery_id: str, owner_id: str, now_utc: str) -> bool:
    """Try one that was given up once more from the beginning; False when it was not, or is not theirs."""
    hooks = select(HOOKS.c.id).where(HOOKS.c.owner_id == owner_id, HOOKS.c.ended_utc.is_(None))
    dead = DELIVERIES.update().where(
        DELIVERIES.c.id == delivery_id,
        DELIVERIES.c.state == State.DEAD.value,
        DELIVERIES.c.hook_id.in_(hooks),
    )
    again = {"state": State.WAITING.value, "due_utc": now_utc, "tries": 0}
    return db.execute(dead.values(again)).rowcount == 1
