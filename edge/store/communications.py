"""Communications (沟通记录): what was said with whom, when and how; added, found, cleared, never rewritten.

A record made in a pop-up carries its call, and only such a record leads to a recording (COM-05). Whoever asks
says in which scope (`edge.store.scope`). A customer is named by id and by name then: a record outlives them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from edge.store.operations import Operation, add_operation
from edge.store.scope import Author, Scope
from sync import outbox
from sync.db import Migrations, run_script, write
from sync.events import CommunicationAdded, CommunicationCleared
from sync.ids import new_id
from sync.moment import from_text, to_text
from sync.phone import indexed_digits, plain_number, read_number
from sync.search import index_script, match, terms

KINDS = ("call", "sms", "visit", "email", "other")
LONGEST = {"subject": 200, "content": 4000, "feedback": 2000, "number": 64, "customer_name": 120}
FAULTS = ("no_content", "no_such_kind", "too_long", "no_time")

migrations = Migrations("communications")


@migrations()
def m001_communications(db: sqlite3.Connection) -> None:
    """Communications with their search index."""
    run_script(
        db,
        """
        CREATE TABLE communications (
            no              INTEGER PRIMARY KEY AUTOINCREMENT,
            id              TEXT NOT NULL UNIQUE,
            kind            TEXT NOT NULL,          -- KINDS
            at_utc          TEXT NOT NULL,          -- when it took place
            customer_id     TEXT,                   -- no reference: it may be of another box, or gone
            customer_name   TEXT NOT NULL,          -- as it was then
            number          TEXT NOT NULL,
            subject         TEXT NOT NULL,
            content         TEXT NOT NULL,
            feedback        TEXT NOT NULL,
            call_id         TEXT,
            from_popup      INTEGER NOT NULL,       -- made in the pop-up of call_id (COM-05)
            creator_name    TEXT NOT NULL,
            creator_number  TEXT NOT NULL,
            creator_group_id TEXT,
            creator_group   TEXT NOT NULL,
            created_utc     TEXT NOT NULL,
            import_id       TEXT,
            deleted_utc     TEXT,
            terms           TEXT NOT NULL
        );
        CREATE INDEX communications_by_creator
            ON communications (creator_number, no) WHERE deleted_utc IS NULL;
        CREATE INDEX communications_by_group
            ON communications (creator_group_id, no) WHERE deleted_utc IS NULL;
        CREATE INDEX communications_by_customer ON communications (customer_id, no);
        CREATE INDEX communications_by_call ON communications (call_id) WHERE call_id IS NOT NULL;
        CREATE INDEX communications_by_import ON communications (import_id) WHERE import_id IS NOT NULL;
        """
        + index_script("communications", "no"),
    )


class UnfitCommunication(ValueError):
    """A field that cannot be so; the message is one of FAULTS."""


@dataclass(frozen=True, slots=True)
class Told:
    """What people write of a communication, and what the pop-up adds to it."""

    kind: str
    at_utc: str
    content: str
    subject: str = ""
    feedback: str = ""
    customer_id: str | None = None
    customer_name: str = ""
    number: str = ""
    call_id: str | None = None
    from_popup: bool = False


@dataclass(frozen=True, slots=True)
class Communication:
    """A record as it is kept."""

    no: int
    id: str
    told: Told
    author: Author
    created_utc: str
    import_id: str | None


@dataclass(frozen=True, slots=True)
class CommunicationFilter:
    """Which records; an empty field lets all pass."""

    text: str = ""
    kind: str = ""
    customer_id: str = ""
    from_utc: str = ""  # included
    until_utc: str = ""  # not included


_TOLD = [field.name for field in fields(CommunicationAdded) if field.name != "communication_id"]
_COLUMNS = (
    "no, id, kind, at_utc, content, subject, feedback, customer_id, customer_name, number, call_id, "
    "from_popup, creator_name, creator_number, creator_group_id, creator_group, created_utc, import_id"
)


def check(told: Told) -> Told:
    """What was told with spaces trimmed; UnfitCommunication says what cannot be so."""
    if told.kind not in KINDS:
        raise UnfitCommunication("no_such_kind")
    if not told.content.strip():
        raise UnfitCommunication("no_content")
    if any(len(getattr(told, field)) > most for field, most in LONGEST.items()):
        raise UnfitCommunication("too_long")
    try:
        from_text(told.at_utc)
    except ValueError as error:
        raise UnfitCommunication("no_time") from error
    texts = {name: getattr(told, name).strip().replace("\r\n", "\n") for name in LONGEST}
    return replace(told, **texts)


def add_communication(
    db: sqlite3.Connection, told: Told, author: Author, by: Operation, now: datetime
) -> Communication:
    """Save a record, with its line in the operation log; UnfitCommunication."""
    row = new_row(new_id(), check(told), author, to_text(now), None)
    with write(db):
        no = insert(db, row, to_text(now))
        add_operation(db, replace(by, subject=row["id"]), to_text(now))
    return _record(db.execute(f"SELECT {_COLUMNS} FROM communications WHERE no = ?", (no,)).fetchone())


def communication(db: sqlite3.Connection, scope: Scope, communication_id: str) -> Communication | None:
    """The record of that id within `scope`, or None."""
    row = db.execute(
        f"SELECT {_COLUMNS} FROM communications WHERE id = ? AND deleted_utc IS NULL AND {scope.where}",
        (communication_id, *scope.values),
    ).fetchone()
    return _record(row) if row else None


def communications_page(
    db: sqlite3.Connection,
    scope: Scope,
    wanted: CommunicationFilter,
    limit: int,
    older_than: int | None = None,
) -> tuple[Communication, ...]:
    """Up to `limit` records that pass and are within `scope`, the last added first."""
    source, order = "communications", "no"
    where, values = [f"deleted_utc IS NULL AND {scope.where}"], list[Any](scope.values)
    if wanted.text.strip():
        expression = match(plain_number(wanted.text), *scope.marks)
        if expression is None:
            return ()
        source = "communications_search s JOIN communications ON communications.no = s.rowid"
        order = "s.rowid"
        where.append("communications_search MATCH ?")
        values.append(expression)
    for clause, value in _conditions(wanted, order, older_than):
        where.append(clause)
        values.append(value)
    columns = ", ".join(f"communications.{name}" for name in _COLUMNS.split(", "))
    rows = db.execute(
        f"SELECT {columns} FROM {source} WHERE {' AND '.join(where)} ORDER BY {order} DESC LIMIT ?",
        (*values, limit),
    )
    return tuple(_record(row) for row in rows)


def _conditions(
    wanted: CommunicationFilter, order: str, older_than: int | None
) -> list[tuple[str, str | int]]:
    candidates: tuple[tuple[str, str | int | None], ...] = (
        ("kind = ?", wanted.kind),
        ("customer_id = ?", wanted.customer_id),
        ("at_utc >= ?", wanted.from_utc),
        ("at_utc < ?", wanted.until_utc),
        (f"{order} < ?", older_than),
    )
    return [(clause, value) for clause, value in candidates if value]


def delete_communications(
    db: sqlite3.Connection, numbers: Iterable[int], by: Operation, now: datetime
) -> int:
    """Take records (by `no`) out of lists and search; returns how many."""
    at_utc, count = to_text(now), 0
    with write(db):
        for no in numbers:
            row = db.execute(
                "UPDATE communications SET deleted_utc = ?, terms = '' WHERE no = ? AND deleted_utc IS NULL"
                " RETURNING id",
                (at_utc, no),
            ).fetchone()
            if row:
                tell_taken_out(db, [row["id"]], at_utc)
                add_operation(db, replace(by, subject=row["id"]), at_utc)
                count += 1
    return count


def tell_taken_out(db: sqlite3.Connection, ids: Iterable[str], at_utc: str) -> None:
    """Tell head office that these records are in no list of the branch any more, in the caller's `write`."""
    for one in ids:
        outbox.put(db, CommunicationCleared(one, at_utc), at_utc)


def new_row(
    communication_id: str, told: Told, author: Author, created_utc: str, import_id: str | None
) -> dict[str, Any]:
    """The row of a new record."""
    digits = indexed_digits(read_number(told.number))
    words = terms(told.customer_name, told.subject, told.content, told.feedback, digits)
    return {name: getattr(told, name) for name in Told.__slots__} | {
        "id": communication_id, "creator_name": author.user_name, "creator_number": author.employee_number,
        "creator_group_id": author.group_id, "creator_group": author.group_name, "created_utc": created_utc,
        "import_id": import_id, "terms": f"{words} {author.marks}",
    }  # fmt: skip


def insert(db: sqlite3.Connection, row: dict[str, Any], at_utc: str) -> int:
    """Add a row, and its entry in the outbox, inside the caller's `write`; its `no`."""
    columns, places = ", ".join(row), ", ".join(f":{name}" for name in row)
    fact = CommunicationAdded(row["id"], **{name: row[name] for name in _TOLD})
    outbox.put(db, fact, at_utc)
    return db.execute(f"INSERT INTO communications ({columns}) VALUES ({places})", row).lastrowid or 0


def _record(row: Any) -> Communication:
    (no, record_id, kind, at_utc, content, subject, feedback, customer_id, customer_name, number, *rest) = row
    call_id, from_popup, creator, creator_number, group_id, group, created_utc, import_id = rest
    told = Told(
        kind,
        at_utc,
        content,
        subject,
        feedback,
        customer_id,
        customer_name,
        number,
        call_id,
        bool(from_popup),
    )
    return Communication(
        no, record_id, told, Author(creator, creator_number, group_id, group), created_utc, import_id
    )
