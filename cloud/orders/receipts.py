"""What a box made of an order arrives as a sync event: noted, its signature checked, obeyed here as well.

What a branch deleted by order, audio or a whole call, goes here too. A receipt for an order that head office
has lost with a backup brings the order back, for it repeats what was ordered.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import Connection, select

from cloud.orders.rules import DONE
from cloud.store import call_deletions, deletions
from cloud.store.order_tables import order_receipts, orders
from cloud.store.schema import manifests
from sync.envelope import canonical
from sync.events import OrderAnswered
from sync.inbox import Told
from sync.manifest import read_statement
from sync.orders import DELETE, DELETE_CALL, receipt_holds


def order_answered(db: Connection, told: Sequence[Told]) -> None:
    """Note receipts and what follows from them."""
    for one in told:
        _noted(db, one, one.event)


def _noted(db: Connection, told: Told, receipt: OrderAnswered) -> None:
    box_id, received_utc = told.origin.box_id, told.origin.received_utc
    signed = _signed(db, box_id, receipt)
    key = {"box_id": box_id, "epoch": told.epoch, "seq": told.seq}
    table = order_receipts
    there = db.execute(select(table.c.seq).where(*(table.c[name] == value for name, value in key.items())))
    if there.first() is None:
        row = {
            "order_id": receipt.order_id,
            "outcome": receipt.outcome,
            "code": receipt.code,
            "answered_utc": receipt.answered_utc,
            "received_utc": received_utc,
            "signed": signed,
            "body": canonical(receipt),
        }
        db.execute(table.insert().values(key | row))
    _answer(db, box_id, receipt, signed)
    if receipt.outcome == DONE and signed == "good" and receipt.call_id:
        _obey(db, box_id, receipt, received_utc)


def _obey(db: Connection, box_id: str, receipt: OrderAnswered, now_utc: str) -> None:
    call_id = receipt.call_id or ""
    if receipt.order in (DELETE, DELETE_CALL):
        ordered = deletions.Ordered(box_id, call_id, receipt.order_id)
        gone = (one.recording_id for one in receipt.gone if one.recording_id != call_id)
        deletions.delete_call_audio(db, ordered, gone, now_utc)
    if receipt.order == DELETE_CALL:
        call_deletions.bury_call(db, box_id, call_id, receipt.order_id, now_utc)


def _answer(db: Connection, box_id: str, receipt: OrderAnswered, signed: str) -> None:
    """What was done once stays done, whatever a box that was restored says of it later."""
    query = select(orders.c.state, orders.c.box_id).where(orders.c.id == receipt.order_id)
    found = db.execute(query).first()
    if found is None:
        db.execute(orders.insert().values(_brought_back(box_id, receipt, signed)))
        return
    if found.box_id != box_id:
        raise ValueError(f"order {receipt.order_id} is of another box")
    if found.state == DONE:
        return
    said = {"state": receipt.outcome, "code": receipt.code, "answered_utc": receipt.answered_utc}
    db.execute(orders.update().where(orders.c.id == receipt.order_id).values(signed=signed, **said))


def _brought_back(box_id: str, receipt: OrderAnswered, signed: str) -> dict[str, object]:
    return {
        "id": receipt.order_id,
        "box_id": box_id,
        "n": receipt.n,
        "kind": receipt.order,
        "call_id": receipt.call_id,
        "days": json.dumps(receipt.days, sort_keys=True),
        "reason": receipt.reason,
        "by_id": "",
        "by_name": receipt.by,
        "ordered_utc": receipt.ordered_utc,
        "decided_by": receipt.approved_by,
        "decided_utc": receipt.ordered_utc if receipt.approved_by else None,
        "state": receipt.outcome,
        "code": receipt.code,
        "owed": False,
        "answered_utc": receipt.answered_utc,
        "signed": signed,
    }


def _signed(db: Connection, box_id: str, receipt: OrderAnswered) -> str:
    """What the signature is worth: the key must be the one that signs the box's manifests."""
    if not receipt.sig:
        return "none"
    if not receipt_holds(receipt):
        return "bad"
    table = manifests
    query = (
        select(table.c.body).where(table.c.box_id == box_id).order_by(table.c.received_utc.desc()).limit(1)
    )
    body = db.execute(query).scalar()
    if body is None:
        return "good"  # nothing of the box is known yet to compare with
    return "good" if read_statement(bytes(body)).key == receipt.key else "other_key"
