"""Carries out what head office ordered, once each: rows first, then files, then the receipt.

A kill between any two of these leaves a row that the next look finishes. Audio on hold is never deleted, by
whomever the hold was placed; the receipt says so.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edge.finished import sync_folder
from edge.store import orders
from edge.store.operations import Operation, add_operation
from edge.store.orders import OrderRow
from edge.store.retention import delete_audio, hold_on, lift_hold, note_removed, place_hold
from edge.store.seals import device_key, head_of
from sync.db import write
from sync.envelope import canonical
from sync.events import GoneFact, OrderAnswered
from sync.orders import DELETE, HOLD, RELEASE, RETENTION, Order, fault_of, signed_receipt

DONE, REFUSED = "done", "refused"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an order."""

    outcome: str  # done | refused
    code: str
    gone: tuple[GoneFact, ...] = ()


def carry_out(db: sqlite3.Connection, recordings_dir: Path, now_utc: str) -> int:
    """Carry out what can be now, in order; how many are answered. OSError: a file cannot be removed yet."""
    answered, waiting = 0, set[str | None]()
    for row in orders.unanswered(db):
        if row.order.call_id in waiting and row.order.call_id is not None:
            continue  # what was ordered first comes first
        if row.state == orders.WAITING:
            with write(db):
                outcome = _begun(db, row.order, now_utc)
        else:
            outcome = _going(row)
        if outcome is None:
            waiting.add(row.order.call_id)
            continue
        if outcome.gone:
            _remove_files(db, recordings_dir, outcome.gone)
            with write(db):
                _answer(db, row.order, outcome, now_utc)
        answered += 1
    return answered


def _begun(db: sqlite3.Connection, order: Order, now_utc: str) -> Outcome | None:
    """Do what rows can do; without files to remove that is all, and it is answered at once."""
    fault = fault_of(order)
    outcome = Outcome(REFUSED, fault) if fault else DEEDS[order.kind](db, order, now_utc)
    if outcome is None:
        return None
    if outcome.gone:
        orders.set_going(db, order.id, canonical(outcome.gone).decode())
    else:
        _answer(db, order, outcome, now_utc)
    return outcome


def _going(row: OrderRow) -> Outcome:
    return Outcome(DONE, DONE, msgspec.json.decode(row.gone, type=tuple[GoneFact, ...]))


def _hold(db: sqlite3.Connection, order: Order, now_utc: str) -> Outcome:
    try:
        place_hold(db, order.call_id or "", order.reason, _who(order), now_utc, ordered=True)
    except ValueError:
        return Outcome(REFUSED, "no_such_call")
    return Outcome(DONE, DONE)


def _release(db: sqlite3.Connection, order: Order, now_utc: str) -> Outcome:
    try:
        lift_hold(db, order.call_id or "", _who(order), now_utc, ordered=True)
    except ValueError:
        return Outcome(REFUSED, "not_on_hold")
    still = hold_on(db, order.call_id or "")
    return Outcome(DONE, "branch_holds" if still else DONE)


def _delete(db: sqlite3.Connection, order: Order, now_utc: str) -> Outcome | None:
    """The audio of a call; its row stays. None while the call goes on or its audio is being encoded."""
    call = db.execute("SELECT state FROM calls WHERE id = ?", (order.call_id,)).fetchone()
    if call is None:
        return Outcome(REFUSED, "no_such_call")
    if hold_on(db, order.call_id or "") is not None:
        return Outcome(REFUSED, "on_hold")
    rows = db.execute(
        "SELECT id, state, sha256 FROM recordings WHERE call_id = ? ORDER BY id", (order.call_id,)
    ).fetchall()
    if call["state"] == "open" or any(row["state"] in ("recording", "part") for row in rows):
        return None
    gone = []
    for row in (row for row in rows if row["state"] == "ready"):
        delete_audio(db, row["id"], "ordered", _who(order), now_utc, forced=True)
        tombstone = head_of(db)
        gone.append(GoneFact(row["id"], row["sha256"], tombstone.seq, tombstone.h))
        add_operation(db, Operation("delete_audio", DONE, "", _who(order), row["id"], order.reason), now_utc)
    return Outcome(DONE, DONE, tuple(gone)) if gone else Outcome(DONE, "nothing_left")


def _retention(db: sqlite3.Connection, order: Order, now_utc: str) -> Outcome:
    orders.set_days(db, order)
    add_operation(db, Operation("retention", DONE, "", _who(order), "", order.reason), now_utc)
    return Outcome(DONE, DONE)


DEEDS: dict[str, Callable[[sqlite3.Connection, Order, str], Outcome | None]] = {
    HOLD: _hold,
    RELEASE: _release,
    DELETE: _delete,
    RETENTION: _retention,
}


def _who(order: Order) -> str:
    return f"head office: {order.by}"


def _remove_files(db: sqlite3.Connection, recordings_dir: Path, gone: tuple[GoneFact, ...]) -> None:
    """The files are gone from the disk, durably, before the receipt says so."""
    query = "SELECT file FROM recordings WHERE id = ? AND state = 'deleted'"
    files = [row[0] for one in gone for row in db.execute(query, (one.recording_id,))]
    paths = [recordings_dir / file for file in files]
    for path in paths:
        path.unlink(missing_ok=True)
    for folder in {path.parent for path in paths}:
        sync_folder(folder)
    with write(db):
        note_removed(db, files)


def _answer(db: sqlite3.Connection, order: Order, outcome: Outcome, now_utc: str) -> None:
    receipt = OrderAnswered(
        order_id=order.id,
        n=order.n,
        order=order.kind,
        outcome=outcome.outcome,
        code=outcome.code,
        answered_utc=now_utc,
        ordered_utc=order.at,
        reason=order.reason,
        by=order.by,
        approved_by=order.approved_by,
        call_id=order.call_id,
        days=dict(order.days),
        gone=outcome.gone,
    )
    orders.answer(db, signed_receipt(receipt, device_key(db)))
