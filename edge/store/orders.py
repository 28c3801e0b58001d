"""Orders of head office as rows: kept as they were signed, carried out once, answered with a receipt.

    orders.state   waiting -> going (audio is deleted by row, its files not yet) -> done | refused

`upto` is the number up to which every order is here; head office is told it after the commit. Writes run
inside `sync.db.write`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from sync import outbox
from sync.db import Migrations, run_script
from sync.envelope import canonical
from sync.events import OrderAnswered
from sync.orders import Order, Signed, read_order

WAITING, GOING = "waiting", "going"

migrations = Migrations("orders")


@migrations()
def m001_orders(db: sqlite3.Connection) -> None:
    """Orders, how far they are known, and how long head office wants audio kept."""
    run_script(
        db,
        """
        CREATE TABLE orders (
            id              TEXT PRIMARY KEY,
            n               INTEGER NOT NULL,
            kind            TEXT NOT NULL,
            call_id         TEXT,
            body            BLOB NOT NULL,          -- the order, as it was signed
            cert            TEXT NOT NULL,          -- DER, base64
            sig             TEXT NOT NULL,
            taken_utc       TEXT NOT NULL,
            state           TEXT NOT NULL,          -- waiting | going | done | refused
            code            TEXT NOT NULL DEFAULT '',
            gone            TEXT NOT NULL DEFAULT '[]',     -- JSON: what was deleted, with its tombstones
            receipt         BLOB                    -- canonical JSON, as head office is told
        );
        CREATE INDEX orders_waiting ON orders (n) WHERE state IN ('waiting', 'going');
        CREATE TABLE orders_upto (
            one             INTEGER PRIMARY KEY CHECK (one = 1),
            upto            INTEGER NOT NULL
        );
        INSERT INTO orders_upto VALUES (1, 0);
        CREATE TABLE ordered_days (     -- head office's rule goes before the branch's own
            calls           TEXT PRIMARY KEY,       -- in | out | missed | voicemail | unknown
            keep_days       INTEGER NOT NULL,       -- 0: for ever
            order_id        TEXT NOT NULL
        )
        """,
    )


@dataclass(frozen=True, slots=True)
class OrderRow:
    """An order that is not answered yet."""

    order: Order
    state: str  # waiting | going
    gone: str  # JSON


def upto(db: sqlite3.Connection) -> int:
    """The number up to which every order was taken."""
    return int(db.execute("SELECT upto FROM orders_upto").fetchone()[0])


def is_known(db: sqlite3.Connection, order_id: str) -> bool:
    """Whether this order was taken, under whatever number."""
    return db.execute("SELECT 1 FROM orders WHERE id = ?", (order_id,)).fetchone() is not None


def take(db: sqlite3.Connection, order: Order, signed: Signed, now_utc: str) -> None:
    """Keep an order that is next."""
    db.execute(
        "INSERT INTO orders (id, n, kind, call_id, body, cert, sig, taken_utc, state)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'waiting')",
        (order.id, order.n, order.kind, order.call_id, bytes(signed.body), signed.cert, signed.sig, now_utc),
    )
    reach(db, order.n)


def reach(db: sqlite3.Connection, n: int) -> None:
    """Every order up to this number is here."""
    db.execute("UPDATE orders_upto SET upto = max(upto, ?)", (n,))


def unanswered(db: sqlite3.Connection) -> list[OrderRow]:
    """What is still to be carried out, in order."""
    rows = db.execute(
        "SELECT body, state, gone FROM orders WHERE state IN ('waiting', 'going') ORDER BY n"
    ).fetchall()
    return [OrderRow(read_order(bytes(body)), state, gone) for body, state, gone in rows]


def set_going(db: sqlite3.Connection, order_id: str, gone: str) -> None:
    """The rows are deleted; the files go next."""
    db.execute("UPDATE orders SET state = 'going', gone = ? WHERE id = ?", (gone, order_id))


def answer(db: sqlite3.Connection, receipt: OrderAnswered) -> None:
    """The order is done or refused, and head office is told."""
    db.execute(
        "UPDATE orders SET state = ?, code = ?, receipt = ? WHERE id = ?",
        (receipt.outcome, receipt.code, canonical(receipt), receipt.order_id),
    )
    outbox.put(db, receipt, receipt.answered_utc)


def answer_again(db: sqlite3.Connection, order_id: str, now_utc: str) -> None:
    """Head office has forgotten that it ordered this once before: the same receipt goes once more."""
    (receipt,) = db.execute("SELECT receipt FROM orders WHERE id = ?", (order_id,)).fetchone()
    if receipt is not None:
        outbox.put(db, msgspec.json.decode(receipt, type=OrderAnswered), now_utc)


# -- how long head office wants audio kept


def set_days(db: sqlite3.Connection, order: Order) -> None:
    """From now on these are head office's rules, and no others."""
    db.execute("DELETE FROM ordered_days")
    db.executemany(
        "INSERT INTO ordered_days (calls, keep_days, order_id) VALUES (?, ?, ?)",
        [(calls, days, order.id) for calls, days in sorted(order.days.items())],
    )


def ordered_days(db: sqlite3.Connection) -> Mapping[str, int]:
    """Class of calls -> days its audio is kept by order of head office."""
    return dict(db.execute("SELECT calls, keep_days FROM ordered_days").fetchall())
