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
from edge.store.call_search import catch_up
from edge.store.erasures import Erasure, erase_call, erasure_of, is_owed
from edge.store.operations import Operation, add_operation
from edge.store.orders import OrderRow
from edge.store.retention import delete_audio, hold_on, lift_hold, note_removed, place_hold
from edge.store.seals import device_key, head_of
from sync.db import write
from sync.envelope import canonical
from sync.events import GoneFact, OrderAnswered
from sync.orders import DELETE, DELETE_CALL, HOLD, RELEASE, RETENTION, Order, fault_of, signed_receipt

DONE, REFUSED = "done", "refused"
NOTHING_LEFT = "nothing_left"  # code of what is done


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
            catch_up(db)  # nobody finds a call any more by what went
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
    if refusal := _refusal(db, order):
        return refusal
    if _goes_on(db, order):
        return None
    gone = _delete_recordings(db, order, now_utc)
    return Outcome(DONE, DONE, gone) if gone else Outcome(DONE, NOTHING_LEFT)


def _delete_call(db: sqlite3.Connection, order: Order, now_utc: str) -> Outcome | None:
    """The audio of a call and all that says who spoke; None also until head office has what it was told."""
    call_id = order.call_id or ""
    if refusal := _refusal(db, order):
        return refusal
    if erasure_of(db, call_id) is not None:
        return Outcome(DONE, NOTHING_LEFT)
    if _goes_on(db, order) or is_owed(db, call_id):
        return None
    gone = _delete_recordings(db, order, now_utc)
    was = erase_call(db, call_id, Erasure(order.id, _who(order), now_utc), order.reason)
    tombstone = head_of(db)
    add_operation(db, Operation("delete_call", DONE, "", _who(order), call_id, order.reason), now_utc)
    return Outcome(DONE, DONE, (*gone, GoneFact(call_id, was, tombstone.seq, tombstone.h)))


def _refusal(db: sqlite3.Connection, order: Order) -> Outcome | None:
    if db.execute("SELECT 1 FROM calls WHERE id = ?", (order.call_id,)).fetchone() is None:
        return Outcome(REFUSED, "no_such_call")
    return Outcome(REFUSED, "on_hold") if hold_on(db, order.call_id or "") is not None else None


def _goes_on(db: sqlite3.Connection, order: Order) -> bool:
    """Whether the call is not over, or its audio is being encoded."""
    query = """SELECT 1 FROM calls WHERE id = :call AND state = 'open' UNION ALL
               SELECT 1 FROM recordings WHERE call_id = :call AND state IN ('recording', 'part')"""
    return db.execute(query, {"call": order.call_id}).fetchone() is not None


def _delete_recordings(db: sqlite3.Connection, order: Order, now_utc: str) -> tuple[GoneFact, ...]:
    query = "SELECT id, sha256 FROM recordings WHERE call_id = ? AND state = 'ready' ORDER BY id"
    gone = []
    for recording_id, sha256 in db.execute(query, (order.call_id,)).fetchall():
        delete_audio(db, recording_id, "ordered", _who(order), now_utc, forced=True)
        tombstone = head_of(db)
        gone.append(GoneFact(recording_id, sha256, tombstone.seq, tombstone.h))
        by = Operation("delete_audio", DONE, "", _who(order), recording_id, order.reason)
        add_operation(db, by, now_utc)
    return tuple(gone)


def _retention(db: sqlite3.Connection, order: Order, now_utc: str) -> Outcome:
    orders.set_days(db, order)
    add_operation(db, Operation("retention", DONE, "", _who(order), "", order.reason), now_utc)
    return Outcome(DONE, DONE)


DEEDS: dict[str, Callable[[sqlite3.Connection, Order, str], Outcome | None]] = {
    HOLD: _hold,
    RELEASE: _release,
    DELETE: _delete,
    DELETE_CALL: _delete_call,
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
