"""Orders to branches as rows: made, decided, numbered, sent, taken, answered (`cloud.orders.rules`).

owed     the box is to get it: until it says that it has it, and again when it lost it with a backup
n        given when it is first sent, above every number that either side knows of
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, func, select

from cloud.access.log import Actor
from cloud.orders.rules import (
    BAD_DAYS,
    DELETED_ALREADY,
    DONE,
    HELD_ALREADY,
    NOT_HELD,
    ON_HOLD,
    ON_THE_WAY,
    ORDERED,
    QUICKER,
    REFUSED,
    SAY_WHY,
    SENT,
    TAKEN,
    WAITING,
    OrderRefused,
    after,
    first_state,
)
from cloud.store import call_deletions, kept_days
from cloud.store.order_tables import call_holds, order_heads, order_receipts, orders
from cloud.store.schema import boxes, calls
from sync.ids import new_id
from sync.orders import CLASSES, DELETE, DELETE_CALL, HOLD, MOST_DAYS, RELEASE, RETENTION
from sync.topics import HEAD_OFFICE

DELETIONS = (DELETE, DELETE_CALL)  # of a call: a hold bars them
MOST_SENT = 16  # orders of a box on their way at once


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody orders."""

    kind: str
    box_id: str
    reason: str
    call_id: str | None = None
    days: Mapping[str, int] = field(default_factory=dict)


def make(db: Connection, wanted: Wanted, by: Actor, now_utc: str) -> str:
    """A new order; OrderRefused when it cannot be. A hold counts here at once. Its id."""
    _check(db, wanted)
    state = first_state(wanted.kind)
    row = {
        "id": new_id(),
        "box_id": wanted.box_id,
        "kind": wanted.kind,
        "call_id": wanted.call_id,
        "days": json.dumps(dict(wanted.days), sort_keys=True),
        "reason": wanted.reason.strip(),
        "by_id": by.user_id,
        "by_name": by.name,
        "ordered_utc": now_utc,
        "state": state,
        "owed": state == ORDERED,
    }
    db.execute(orders.insert().values(row))
    if wanted.kind == HOLD:
        held = {"order_id": row["id"], "call_id": wanted.call_id, "box_id": wanted.box_id}
        who = {"reason": row["reason"], "by_name": by.name, "since_utc": now_utc}
        db.execute(call_holds.insert().values(**held, **who))
    if wanted.kind == RELEASE:
        mine = (call_holds.c.call_id == wanted.call_id, call_holds.c.until_utc.is_(None))
        db.execute(call_holds.update().where(*mine).values(until_utc=now_utc))
    return str(row["id"])


def _check(db: Connection, wanted: Wanted) -> None:
    if not wanted.reason.strip():
        raise OrderRefused(SAY_WHY)
    if wanted.kind == RETENTION:
        _check_days(wanted.days)
        return
    assert wanted.box_id != HEAD_OFFICE
    assert wanted.call_id is not None
    held = hold_of(db, wanted.call_id) is not None
    if wanted.kind == HOLD and held:
        raise OrderRefused(HELD_ALREADY)
    if wanted.kind == RELEASE and not held:
        raise OrderRefused(NOT_HELD)
    if wanted.kind in DELETIONS:
        _check_deletion(db, wanted, held)


def _check_deletion(db: Connection, wanted: Wanted, held: bool) -> None:
    if held:
        raise OrderRefused(ON_HOLD)
    under_way = (orders.c.call_id == wanted.call_id, orders.c.kind == wanted.kind)
    query = select(orders.c.id).where(*under_way, orders.c.state.in_((WAITING, *ON_THE_WAY)))
    if db.execute(query).first() or call_deletions.deletion_of(db, wanted.call_id or ""):
        raise OrderRefused(DELETED_ALREADY)


def _check_days(days: Mapping[str, int]) -> None:
    if not days or set(days) - set(CLASSES) or any(not 0 <= one <= MOST_DAYS for one in days.values()):
        raise OrderRefused(BAD_DAYS)


def _obey(db: Connection, row: RowMapping, by: Actor, now_utc: str) -> str:
    """What head office orders of itself is done when it is approved."""
    kept_days.set_rules(db, json.loads(row["days"]), by.name, now_utc)
    return DONE


def decide(db: Connection, row: RowMapping, step: str, remark: str, by: Actor, now_utc: str) -> str:
    """Take a step with an order that waits; the state after. OrderRefused; of two at once, one is refused."""
    state = after(step, row["state"], row["by_id"] == by.user_id, remark)
    if state == ORDERED and row["box_id"] == HEAD_OFFICE:
        state = _obey(db, row, by, now_utc)
    if state == ORDERED and row["kind"] in DELETIONS and hold_of(db, row["call_id"]) is not None:
        raise OrderRefused(ON_HOLD)
    mine = (orders.c.id == row["id"], orders.c.state == row["state"])
    values = {
        "state": state,
        "owed": state == ORDERED,
        "decided_by": by.name,
        "decided_utc": now_utc,
        "remark": remark.strip(),
    }
    if db.execute(orders.update().where(*mine).values(values)).rowcount != 1:
        raise OrderRefused(QUICKER)
    return state


# -- looked at


def find(db: Connection, order_id: str) -> RowMapping | None:
    """The order of that id, with what is known of its call and its branch."""
    return db.execute(_orders().where(orders.c.id == order_id)).mappings().one_or_none()


def newest(
    db: Connection, wanted: Mapping[str, str], box_ids: frozenset[str] | None, limit: int
) -> Sequence[RowMapping]:
    """Orders by state, kind, branch and `before` (each where `wanted` has it), the newest first."""
    query = _orders()
    if wanted.get("before"):
        query = query.where(orders.c.id < wanted["before"])
    for name in ("state", "kind", "box_id"):
        if wanted.get(name):
            query = query.where(orders.c[name] == wanted[name])
    if wanted.get("since_utc"):  # overdue: on the way since before then
        given_utc = func.coalesce(orders.c.decided_utc, orders.c.ordered_utc)
        query = query.where(orders.c.state.in_(ON_THE_WAY), given_utc < wanted["since_utc"])
    if box_ids is not None:
        query = query.where(orders.c.box_id.in_(sorted(box_ids)))
    return db.execute(query.order_by(orders.c.id.desc()).limit(limit)).mappings().all()


def _orders() -> Select[Any]:
    about = (calls.c.started_utc, calls.c.direction, calls.c.caller_number, calls.c.dialled)
    query = select(orders, boxes.c.name.label("branch"), *about)
    query = query.outerjoin(boxes, boxes.c.id == orders.c.box_id)
    return query.outerjoin(calls, calls.c.id == orders.c.call_id)


def counts(db: Connection, box_ids: frozenset[str] | None) -> dict[str, int]:
    """How many orders are in each state."""
    query = select(orders.c.state, func.count()).group_by(orders.c.state)
    if box_ids is not None:
        query = query.where(orders.c.box_id.in_(sorted(box_ids)))
    return {state: int(count) for state, count in db.execute(query)}


def of_call(db: Connection, call_id: str) -> Sequence[RowMapping]:
    """The orders about a call, the newest first."""
    query = select(orders).where(orders.c.call_id == call_id).order_by(orders.c.id.desc())
    return db.execute(query).mappings().all()


def receipts_of(db: Connection, order_id: str) -> Sequence[RowMapping]:
    """What the box answered, in the order in which it arrived."""
    query = select(order_receipts).where(order_receipts.c.order_id == order_id)
    return db.execute(query.order_by(order_receipts.c.received_utc, order_receipts.c.seq)).mappings().all()


def hold_of(db: Connection, call_id: str) -> RowMapping | None:
    """Head office's hold on a call, None if there is none."""
    query = select(call_holds).where(call_holds.c.call_id == call_id, call_holds.c.until_utc.is_(None))
    return db.execute(query.order_by(call_holds.c.since_utc, call_holds.c.order_id)).mappings().first()


# -- on the way


def owing(db: Connection) -> list[str]:
    """Boxes that are to get something."""
    return list(db.execute(select(orders.c.box_id).where(orders.c.owed).distinct()).scalars())


def to_send(db: Connection, box_id: str, now_utc: str) -> list[tuple[RowMapping, int]]:
    """The next orders for a box, numbered, each with the number of the one before it."""
    mine = (orders.c.box_id == box_id, orders.c.owed)
    query = select(orders).where(*mine)
    numbered = query.where(orders.c.n.is_not(None)).order_by(orders.c.n).limit(MOST_SENT)
    rows = list(db.execute(numbered).mappings())
    if len(rows) < MOST_SENT:
        new = query.where(orders.c.n.is_(None)).order_by(
            func.coalesce(orders.c.decided_utc, orders.c.ordered_utc)
        )
        found = db.execute(new.limit(MOST_SENT - len(rows))).mappings().all()
        top = _top(db, box_id)
        for n, row in enumerate(found, start=top + 1):
            first = {"n": n, "state": SENT, "sent_utc": now_utc}
            db.execute(orders.update().where(orders.c.id == row["id"]).values(first))
            rows.append({**row, **first})  # type: ignore[arg-type]
    return [(row, _before(db, box_id, row["n"])) for row in rows]


def _top(db: Connection, box_id: str) -> int:
    known = db.execute(select(func.max(orders.c.n)).where(orders.c.box_id == box_id)).scalar() or 0
    said = db.execute(select(order_heads.c.upto).where(order_heads.c.box_id == box_id)).scalar() or 0
    return int(max(known, said))


def _before(db: Connection, box_id: str, n: int) -> int:
    query = select(func.max(orders.c.n)).where(orders.c.box_id == box_id, orders.c.n < n)
    return int(db.execute(query).scalar() or 0)


def heard(db: Connection, box_id: str, upto: int, now_utc: str) -> None:
    """A box has every order up to there, and none beyond: what it lost with a backup is owed again."""
    values = {"upto": upto, "said_utc": now_utc}
    if db.execute(order_heads.update().where(order_heads.c.box_id == box_id).values(values)).rowcount == 0:
        db.execute(order_heads.insert().values(box_id=box_id, **values))
    mine = orders.c.box_id == box_id
    here = (mine, orders.c.owed, orders.c.n <= upto)
    db.execute(orders.update().where(*here, orders.c.state == SENT).values(state=TAKEN, taken_utc=now_utc))
    db.execute(orders.update().where(*here).values(owed=False))
    given = orders.c.state.in_((SENT, TAKEN, DONE, REFUSED))
    db.execute(orders.update().where(mine, orders.c.n > upto, given, ~orders.c.owed).values(owed=True))


def number_anew(db: Connection, box_id: str, n: int) -> None:
    """The box has another order under this number: this one gets a new one, above all that it has."""
    mine = (orders.c.box_id == box_id, orders.c.n == n, orders.c.owed)
    db.execute(orders.update().where(*mine).values(n=None))


def note_code(db: Connection, box_id: str, n: int, code: str) -> None:
    """Why a box does not take an order; it is sent again all the same."""
    mine = (orders.c.box_id == box_id, orders.c.n == n, orders.c.owed)
    db.execute(orders.update().where(*mine).values(code=code))
