"""Customers: what is known of who calls; added, changed, found by number or two characters, deleted.

A record is one row; beside it stand its numbers as keys (`sync.phone`) and each change, old and new value.
A delete leaves the row and its history; only search and pop-up no longer know it. Whoever asks says in which
scope (`edge.store.scope`): a record outside it is not there. Head office is told of every save.

    CustomerError     (`sync.particulars`, with the check of what people write)
      NoSuchCustomer  none of that id in this scope
      ChangedSince    somebody else saved it meanwhile
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any

from edge.store.operations import Operation, add_operation
from edge.store.popup_settings import NumberRules, number_rules
from edge.store.scope import Author, Scope
from sync import outbox
from sync.db import write
from sync.events import ContactFact, CustomerSaved
from sync.ids import new_id
from sync.moment import to_text
from sync.particulars import Contact, CustomerError, Particulars, check
from sync.phone import Number, indexed_digits, plain_number, read_number, same_line
from sync.search import match, terms

MOST_MATCHES = 20
UNTOLD_AT_ONCE = 500
MOST_LOOKED_AT = 200  # local numbers of other areas share a key


class NoSuchCustomer(CustomerError):
    """None of that id in this scope."""


class ChangedSince(CustomerError):
    """Somebody else saved it meanwhile."""


@dataclass(frozen=True, slots=True)
class Customer:
    """A record as it is kept."""

    no: int
    id: str
    particulars: Particulars
    author: Author
    created_utc: str
    changed_utc: str
    revision: int
    import_id: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a record: {field: [old, new]}."""

    at_utc: str
    user_name: str
    what: str
    fields: dict[str, list[Any]]


@dataclass(frozen=True, slots=True)
class Match:
    """A customer with a number that rings; `likely` when area or extension leave room for doubt."""

    customer: Customer
    is_sure: bool


_COLUMNS = """no, id, kind, name, numbers, contacts, address, industry, tags, remark, creator_name,
              creator_number, creator_group_id, creator_group, created_utc, changed_utc, revision,
              import_id"""


def add_customer(
    db: sqlite3.Connection,
    particulars: Particulars,
    author: Author,
    rules: NumberRules,
    by: Operation,
    now: datetime,
) -> Customer:
    """Save a new customer, with its line in the operation log; Unfit."""
    particulars, at_utc = check(particulars), to_text(now)
    row = new_row(new_id(), particulars, author, at_utc, at_utc, None)
    with write(db):
        customer_no = insert(db, row, number_rows(particulars, rules), author.user_name)
        add_operation(db, _on(by, row["id"]), at_utc)
    found = _one(db, "no = ?", (customer_no,))
    assert found is not None
    return found


def change_customer(
    db: sqlite3.Connection,
    customer: Customer,
    particulars: Particulars,
    rules: NumberRules,
    by: Operation,
    now: datetime,
) -> Customer:
    """Save `particulars` over `customer` as it was read, old and new values kept; Unfit, ChangedSince."""
    particulars, at_utc = check(particulars), to_text(now)
    old, new = _values(customer.particulars), _values(particulars)
    changes = {field: [old[field], new[field]] for field in new if old[field] != new[field]}
    if not changes:
        return customer
    row = _stored(particulars) | {
        "terms": index_terms(particulars, customer.author), "changed_utc": at_utc, "no": customer.no,
        "revision": customer.revision,
    }  # fmt: skip
    sets = ", ".join(f"{name} = :{name}" for name in row if name not in ("no", "revision"))
    with write(db):
        saved = db.execute(
            f"UPDATE customers SET {sets}, revision = revision + 1"
            " WHERE no = :no AND revision = :revision AND deleted_utc IS NULL",
            row,
        )
        if saved.rowcount == 0:
            raise ChangedSince(customer.id)
        db.execute("DELETE FROM customer_numbers WHERE customer_no = ?", (customer.no,))
        _insert_numbers(db, customer.no, number_rows(particulars, rules))
        tell(db, customer.no, by.user_name or "", at_utc)
        _note_change(db, customer.id, at_utc, by, "changed", changes)
        add_operation(db, _on(by, customer.id), at_utc)
    found = _one(db, "no = ?", (customer.no,))
    assert found is not None
    return found


def delete_customers(db: sqlite3.Connection, numbers: Iterable[int], by: Operation, now: datetime) -> int:
    """Take records (by `no`) out of lists, search and pop-ups; their history stays. Returns how many."""
    at_utc, count = to_text(now), 0
    with write(db):
        for no in numbers:
            row = db.execute(
                "SELECT id FROM customers WHERE no = ? AND deleted_utc IS NULL", (no,)
            ).fetchone()
            if row is None:
                continue
            db.execute(
                "UPDATE customers SET deleted_utc = ?, terms = '', revision = revision + 1 WHERE no = ?",
                (at_utc, no),
            )
            tell(db, no, by.user_name or "", at_utc)
            db.execute("DELETE FROM customer_numbers WHERE customer_no = ?", (no,))
            _note_change(db, row["id"], at_utc, by, "deleted", {})
            add_operation(db, _on(by, row["id"]), at_utc)
            count += 1
    return count


def customer(db: sqlite3.Connection, scope: Scope, customer_id: str) -> Customer:
    """The customer of that id; NoSuchCustomer when there is none within `scope`."""
    found = _one(db, f"id = ? AND deleted_utc IS NULL AND {scope.where}", (customer_id, *scope.values))
    if found is None:
        raise NoSuchCustomer(customer_id)
    return found


def has(db: sqlite3.Connection, scope: Scope, customer_id: str) -> bool:
    """Whether `scope` has a customer of that id."""
    where = f"id = ? AND deleted_utc IS NULL AND {scope.where}"
    return (
        db.execute(f"SELECT 1 FROM customers WHERE {where}", (customer_id, *scope.values)).fetchone()
        is not None
    )


def customers_page(
    db: sqlite3.Connection, scope: Scope, asked: str, kind: str, limit: int, older_than: int | None = None
) -> tuple[Customer, ...]:
    """Up to `limit` customers, newest first, that have every run of `asked` and are within `scope`."""
    where, values = [f"deleted_utc IS NULL AND {scope.where}"], list[Any](scope.values)
    source, order = "customers", "no"
    if asked.strip():
        expression = match(plain_number(asked), *scope.marks)
        if expression is None:
            return ()
        source = "customers_search s JOIN customers ON customers.no = s.rowid"
        where.append("customers_search MATCH ?")
        values.append(expression)
        order = "s.rowid"
    if kind:
        where.append("kind = ?")
        values.append(kind)
    if older_than is not None:
        where.append(f"{order} < ?")
        values.append(older_than)
    columns = _COLUMNS if source == "customers" else _qualified()
    rows = db.execute(
        f"SELECT {columns} FROM {source} WHERE {' AND '.join(where)} ORDER BY {order} DESC LIMIT ?",
        (*values, limit),
    )
    return tuple(_customer(row) for row in rows)


def by_number(db: sqlite3.Connection, number: Number) -> tuple[Match, ...]:
    """Every customer that has `number`, sure ones first; whoever asks judges which of them may be seen."""
    keys = number.keys
    if not keys:
        return ()
    rows = db.execute(
        f"""SELECT DISTINCT n.said AS number_said, {_qualified()} FROM customer_numbers n
            JOIN customers ON customers.no = n.customer_no
            WHERE n.key IN ({", ".join("?" * len(keys))}) AND deleted_utc IS NULL
            ORDER BY customers.no LIMIT ?""",
        (*keys, MOST_LOOKED_AT),
    ).fetchall()
    best: dict[int, Match] = {}
    for row in rows:
        how = same_line(number, read_number(row["number_said"]))
        if how and not (row["no"] in best and best[row["no"]].is_sure):
            best[row["no"]] = Match(_customer(row[1:]), how == "sure")
    return tuple(sorted(best.values(), key=lambda one: not one.is_sure)[:MOST_MATCHES])


def changes_of(db: sqlite3.Connection, customer_id: str) -> tuple[Change, ...]:
    """What happened to a record since it was added, newest first."""
    rows = db.execute(
        "SELECT at_utc, user_name, what, fields FROM customer_changes WHERE customer_id = ? ORDER BY id DESC",
        (customer_id,),
    )
    return tuple(Change(row[0], row[1], row[2], json.loads(row[3])) for row in rows)


def index_terms(particulars: Particulars, author: Author) -> str:
    """What the search index is given of a record."""
    people = " ".join(f"{contact.name} {contact.title}" for contact in particulars.contacts)
    digits = (indexed_digits(read_number(said)) for said in particulars.all_numbers)
    words = (particulars.name, people, particulars.industry, particulars.address, " ".join(particulars.tags))
    return f"{terms(*words, particulars.remark, *digits)} {author.marks}"


def new_row(
    customer_id: str,
    particulars: Particulars,
    author: Author,
    created_utc: str,
    changed_utc: str,
    import_id: str | None,
) -> dict[str, Any]:
    """The row of a new record."""
    return _stored(particulars) | {
        "id": customer_id, "creator_name": author.user_name, "creator_number": author.employee_number,
        "creator_group_id": author.group_id, "creator_group": author.group_name, "created_utc": created_utc,
        "changed_utc": changed_utc, "import_id": import_id, "terms": index_terms(particulars, author),
    }  # fmt: skip


def number_rows(particulars: Particulars, rules: NumberRules) -> tuple[tuple[str, str], ...]:
    """(key, as said) of every number; a local number is kept with the branch's area put to it."""
    found = []
    for said in particulars.all_numbers:
        whole, number = _whole_number(said, rules)
        found += [(key, whole) for key in number.keys]
    return tuple(dict.fromkeys(found))


def insert(
    db: sqlite3.Connection, row: dict[str, Any], numbers: Iterable[tuple[str, str]], saved_by: str
) -> int:
    """Add a row with its numbers inside the caller's `write`, and its entry in the outbox; its `no`."""
    columns, places = ", ".join(row), ", ".join(f":{name}" for name in row)
    customer_no = db.execute(f"INSERT INTO customers ({columns}) VALUES ({places})", row).lastrowid or 0
    _insert_numbers(db, customer_no, numbers)
    tell(db, customer_no, saved_by, row["changed_utc"])
    return customer_no


def tell(db: sqlite3.Connection, customer_no: int, saved_by: str, at_utc: str) -> None:
    """Put a customer as it is now into the outbox, inside the caller's `write`."""
    columns = f"{_COLUMNS}, deleted_utc"
    row = db.execute(f"SELECT {columns} FROM customers WHERE no = ?", (customer_no,)).fetchone()
    one, is_deleted = _customer(row[:-1]), row["deleted_utc"] is not None
    outbox.put(db, _fact(db, one, saved_by, at_utc, is_deleted), at_utc)
    db.execute("UPDATE customers SET told_revision = revision WHERE no = ?", (customer_no,))


def tell_taken_out(db: sqlite3.Connection, import_id: str, limit: int, at_utc: str) -> None:
    """Tell of the first `limit` customers that an undone import is about to take out, as deleted."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM customers WHERE import_id = ? AND revision = 1 AND deleted_utc IS NULL"
        " ORDER BY no LIMIT ?",
        (import_id, limit),
    ).fetchall()
    for row in rows:
        one = replace(_customer(row), revision=2)
        outbox.put(db, _fact(db, one, one.author.user_name, at_utc, is_deleted=True), at_utc)


def tell_untold(db: sqlite3.Connection, now: datetime, limit: int = UNTOLD_AT_ONCE) -> int:
    """Tell of up to `limit` customers that were saved before head office was told of any; how many."""
    with write(db):
        rows = db.execute(
            "SELECT no, creator_name FROM customers WHERE told_revision < revision LIMIT ?", (limit,)
        ).fetchall()
        for row in rows:
            tell(db, row["no"], row["creator_name"], to_text(now))
    return len(rows)


def _fact(
    db: sqlite3.Connection, one: Customer, saved_by: str, at_utc: str, is_deleted: bool
) -> CustomerSaved:
    """What head office is told: a local number is told whole, as it is kept beside the record."""
    what, rules = one.particulars, number_rules(db)

    def numbers(said: Iterable[str]) -> tuple[str, ...]:
        return tuple(_whole_number(number, rules)[0] for number in said)

    contacts = (ContactFact(who.name, who.title, numbers(who.numbers), who.level) for who in what.contacts)
    return CustomerSaved(
        one.id, one.revision, at_utc, saved_by, what.name, what.kind, numbers(what.numbers), tuple(contacts),
        what.industry, what.tags, what.remark, one.author.user_name, one.created_utc, is_deleted,
    )  # fmt: skip


def _whole_number(said: str, rules: NumberRules) -> tuple[str, Number]:
    """A local number with the branch's area put to it, another as it was written; and how it is read here."""
    number = read_number(said, rules.area_code, rules.access_digit)
    whole = f"0{number.normal[3:]}" if number.kind == "fixed" and number.normal else said
    return whole + (f"转{number.extension}" if number.extension and whole != said else ""), number


def _insert_numbers(db: sqlite3.Connection, customer_no: int, numbers: Iterable[tuple[str, str]]) -> None:
    db.executemany(
        "INSERT OR IGNORE INTO customer_numbers VALUES (?, ?, ?)",
        [(key, customer_no, said) for key, said in numbers],
    )


def _note_change(
    db: sqlite3.Connection, customer_id: str, at_utc: str, by: Operation, what: str, changes: dict[str, Any]
) -> None:
    db.execute(
        "INSERT INTO customer_changes (customer_id, at_utc, user_name, what, fields) VALUES (?, ?, ?, ?, ?)",
        (customer_id, at_utc, by.user_name or "", what, json.dumps(changes, ensure_ascii=False)),
    )


def _on(by: Operation, subject: str) -> Operation:
    return Operation(by.operation, by.result, by.address, by.user_name, subject, by.reason)


def _values(particulars: Particulars) -> dict[str, Any]:
    """The fields as JSON knows them."""
    return json.loads(json.dumps(asdict(particulars), ensure_ascii=False))  # type: ignore[no-any-return]


def _stored(particulars: Particulars) -> dict[str, Any]:
    values = _values(particulars)
    return {
        field.name: json.dumps(values[field.name], ensure_ascii=False)
        if isinstance(values[field.name], list)
        else values[field.name]
        for field in fields(Particulars)
    }


def _qualified() -> str:
    return ", ".join(f"customers.{name.strip()}" for name in _COLUMNS.split(","))


def _one(db: sqlite3.Connection, where: str, values: tuple[Any, ...]) -> Customer | None:
    row = db.execute(f"SELECT {_COLUMNS} FROM customers WHERE {where}", values).fetchone()
    return _customer(row) if row else None


def _customer(row: Any) -> Customer:
    (no, customer_id, kind, name, numbers, contacts, address, industry, tags, remark, *rest) = tuple(row)
    particulars = Particulars(
        name, kind, tuple(json.loads(numbers)),
        tuple(
            Contact(one["name"], one["title"], tuple(one["numbers"]), one.get("level", 0))
            for one in json.loads(contacts)
        ),
        address, industry, tuple(json.loads(tags)), remark,
    )  # fmt: skip
    creator, number, group_id, group, created_utc, changed_utc, revision, import_id = rest
    author = Author(creator, number, group_id, group)
    return Customer(no, customer_id, particulars, author, created_utc, changed_utc, revision, import_id)
