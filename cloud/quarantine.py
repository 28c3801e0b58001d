"""What was set aside: listed, tried again after an upgrade, or dismissed with a reason; each is logged.

QuarantineError (ValueError)    there is no such item, or it is settled; or the reason is missing
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, select

from cloud.access.log import Action, Actor, Deed
from cloud.store import schema, trail
from sync.inbox import RELEASED, WAITING, Inbox

ENTRY = "entry"  # topic of an entry that could be read and not applied
DISMISSED = "dismissed"
LONGEST_REASON = 500


class QuarantineError(ValueError):
    """Not possible with this item."""


@dataclass(frozen=True, slots=True)
class Who:
    """Who settles an item, and when."""

    actor: Actor
    now_utc: str


def items(
    db: Connection, box_id: str = "", all_states: bool = False, at_most: int = 500
) -> Sequence[RowMapping]:
    """What waits, the newest first; of one box or of all."""
    table, boxes = schema.inbox_tables.quarantine, schema.boxes
    query = select(table, boxes.c.name.label("branch")).outerjoin(boxes, boxes.c.id == table.c.box_id)
    if not all_states:
        query = query.where(table.c.state == WAITING)
    if box_id:
        query = query.where(table.c.box_id == box_id)
    return db.execute(query.order_by(table.c.received_utc.desc(), table.c.id).limit(at_most)).mappings().all()


def retry(db: Connection, inbox: Inbox, item_id: str, who: Who) -> str | None:
    """Try to apply an entry again; None if it worked, else why it did not (it goes on waiting)."""
    row = _waiting(db, item_id)
    if row["topic"] != ENTRY:
        raise QuarantineError("only an entry can be tried again; this was no entry")
    fault = inbox.try_again(db, row["box_id"], row["eid"])
    if fault is None:
        _settle(db, item_id, RELEASED, who, None)
    else:
        _update(db, item_id, code=fault[0], detail=fault[1])
    _log(db, Action.QUARANTINE_RETRY, row, who)
    return None if fault is None else f"{fault[0]}: {fault[1]}"


def retry_all(db: Connection, inbox: Inbox, who: Who) -> tuple[int, int]:
    """Every entry that waits, as after an upgrade: how many are applied now, and how many still wait."""
    waiting = [row["id"] for row in items(db, at_most=100_000) if row["topic"] == ENTRY]
    left = sum(retry(db, inbox, item_id, who) is not None for item_id in waiting)
    return len(waiting) - left, left


def dismiss(db: Connection, item_id: str, reason: str, who: Who) -> None:
    """It is of no use to anybody; its bytes stay."""
    if not reason.strip() or len(reason) > LONGEST_REASON:
        raise QuarantineError(f"a reason has 1 to {LONGEST_REASON} characters")
    row = _waiting(db, item_id)
    _settle(db, item_id, DISMISSED, who, reason.strip())
    _log(db, Action.QUARANTINE_DISMISS, row, who)


def box_of(db: Connection, item_id: str) -> str | None:
    """The box whose item that is; None when there is no such item."""
    table = schema.inbox_tables.quarantine
    return db.execute(select(table.c.box_id).where(table.c.id == item_id)).scalar()


def _waiting(db: Connection, item_id: str) -> RowMapping:
    table = schema.inbox_tables.quarantine
    row = db.execute(select(table).where(table.c.id == item_id)).mappings().one_or_none()
    if row is None or row["state"] != WAITING:
        raise QuarantineError(f"nothing waits under {item_id!r}")
    return row


def _settle(db: Connection, item_id: str, state: str, who: Who, reason: str | None) -> None:
    _update(db, item_id, state=state, settled_utc=who.now_utc, settled_by=who.actor.name, reason=reason)


def _update(db: Connection, item_id: str, **values: object) -> None:
    table = schema.inbox_tables.quarantine
    db.execute(table.update().where(table.c.id == item_id).values(values))


def _log(db: Connection, action: Action, row: RowMapping, who: Who) -> None:
    deed = Deed(
        actor=who.actor,
        action=action,
        kind="quarantine",
        object_id=row["id"],
        box_id=row["box_id"],
        row_count=1,
    )
    trail.append(db, deed, who.now_utc)
