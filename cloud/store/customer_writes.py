"""Adds, changes, deletes and restores customers, in the caller's transaction, each with a line of history.

A delete leaves the row as it was: for KEPT_FOR only search and lists no longer know it, then it is purged.

    ChangedSince (ValueError)     somebody else saved it meanwhile
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, literal, select

from cloud.customers.record import Record, changes
from cloud.field_keys import Keyring
from cloud.store import customer_tables as tables
from cloud.store.customer_rows import Whose, index_terms, main_row, open_row, part_rows, record_of
from cloud.store.customers import Boxes, parts_of, tags_of
from sync import bulk
from sync.ids import new_id

KEPT_FOR = timedelta(days=7)
PURGED_AT_ONCE = 500

customers, history = tables.customers, tables.customer_changes
PARTS = (tables.customer_numbers, tables.customer_contacts, tables.customer_packages)


class ChangedSince(ValueError):
    """Somebody else saved it meanwhile."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """Who writes, and when."""

    user_name: str
    at_utc: str
    vouches: bool = True  # whether a number they write makes its calls clear to who serves (store.serving)


@dataclass(frozen=True, slots=True)
class New:
    """A customer to add."""

    whose: Whose
    record: Record
    created_by: str = ""  # whoever adds it, and now, unless a sheet says otherwise
    created_utc: str = ""


def add_customers(
    db: Connection, ring: Keyring, many: Sequence[New], by: Stamp, import_id: str | None = None
) -> None:
    """Add customers whose ids are new, however many."""
    common = {"version": 1, "changed_utc": by.at_utc, "import_id": import_id}
    rows = [
        main_row(one.whose, one.record, ring)
        | common
        | {"id": one.whose.id, "box_id": one.whose.box_id}
        | {"created_by": one.created_by or by.user_name, "created_utc": one.created_utc or by.at_utc}
        for one in many
    ]
    _insert(db, customers.name, rows)
    parts = [_vouched(part_rows(one.whose, one.record, ring), {}, by) for one in many]
    for part in PARTS:
        _insert(db, part.name, [row for rows in parts for row in rows[part.name]])
    tag_ids = ensure_tags(db, {tag for one in many for tag in one.record.what.tags})
    given = [(one.whose.id, tag_ids[tag]) for one in many for tag in dict.fromkeys(one.record.what.tags)]
    _insert(
        db,
        tables.customer_tags.name,
        [{"customer_id": owner, "tag_id": tag, "by_rule": False} for owner, tag in given],
    )
    note(db, ring, [one.whose.id for one in many], by, "import" if import_id else "add", {})


def read_record(db: Connection, ring: Keyring, row: RowMapping) -> Record:
    """The whole record behind a row of customers; KeyFault."""
    by_hand = [one["name"] for one in tags_of(db, [row["id"]]) if not one["by_rule"]]
    return record_of(open_row(row, ring), parts_of(db, [row["id"]]), by_hand)


def save_customer(
    db: Connection,
    ring: Keyring,
    row: RowMapping,
    version: int,
    record: Record,
    by: Stamp,
    what: str = "change",
) -> dict[str, list[Any]]:
    """Save `record` over the customer of `row` if it still has `version`; what changed. ChangedSince."""
    changed = changes(read_record(db, ring, row), record)
    if row["version"] != version:
        raise ChangedSince(row["id"])
    if not changed:
        return {}
    whose = Whose(row["id"], row["box_id"])
    values = main_row(whose, record, ring) | {"version": version + 1, "changed_utc": by.at_utc}
    statement = customers.update().where(
        customers.c.id == whose.id, customers.c.version == version, customers.c.deleted_utc.is_(None)
    )
    if db.execute(statement.values(values)).rowcount == 0:
        raise ChangedSince(whose.id)
    numbers = parts_of(db, [whose.id])["customer_numbers"]
    before = {one["key"]: bool(one["vouched"]) for one in numbers}
    for part in PARTS:
        db.execute(part.delete().where(part.c.customer_id == whose.id))
    for name, rows in _vouched(part_rows(whose, record, ring), before, by).items():
        _insert(db, name, rows)
    set_tags(db, whose.id, record.what.tags)
    note(db, ring, [whose.id], by, what, changed)
    return changed


def delete_customers(
    db: Connection,
    ring: Keyring,
    ids: Iterable[str],
    why: str,
    by: Stamp,
    box_ids: Boxes,
    version: int | None = None,
) -> int:
    """Put customers into the recycle bin; how many. `version`: only what still has it."""
    within = _within(box_ids)
    if version is not None:
        within.append(customers.c.version == version)
    statement = customers.update().where(
        customers.c.id.in_(list(ids)), customers.c.deleted_utc.is_(None), *within
    )
    values = {"deleted_utc": by.at_utc, "deleted_by": by.user_name, "deleted_why": why, "terms": ""}
    gone = list(db.execute(statement.values(values).returning(customers.c.id)).scalars())
    note(db, ring, gone, by, "delete", {})
    return len(gone)


def bin_rows(db: Connection, since_utc: str, limit: int) -> Sequence[RowMapping]:
    """What was deleted since then and is not merged, last first."""
    blank = literal("")  # as a live customer's row has them
    statement = select(customers, blank.label("branch"), blank.label("class_name")).where(
        customers.c.deleted_utc >= since_utc, customers.c.merged_into.is_(None)
    )
    last_first = (customers.c.deleted_utc.desc(), customers.c.no.desc())
    return db.execute(statement.order_by(*last_first).limit(limit)).mappings().all()


def restore_customers(
    db: Connection, ring: Keyring, ids: Iterable[str], since_utc: str, by: Stamp, box_ids: Boxes = None
) -> int:
    """Take customers out of the recycle bin that were put there since then; how many."""
    statement = select(customers).where(
        customers.c.id.in_(list(ids)),
        customers.c.deleted_utc >= since_utc,
        customers.c.merged_into.is_(None),
        *_within(box_ids),
    )
    found = db.execute(statement).mappings().all()
    for row in found:
        revive(db, ring, row)
    note(db, ring, [row["id"] for row in found], by, "restore", {})
    return len(found)


def revive(db: Connection, ring: Keyring, row: RowMapping) -> None:
    """Make a deleted row found again, as it was."""
    words = index_terms(read_record(db, ring, row).what, row["box_id"])
    values = {"deleted_utc": None, "deleted_by": None, "deleted_why": None, "merged_into": None}
    db.execute(customers.update().where(customers.c.id == row["id"]).values(values | {"terms": words}))


def purge(db: Connection, before_utc: str) -> int:
    """Delete for good what was deleted before then, but for what is part of another; at most a batch."""
    chosen = (
        select(customers.c.id)
        .where(customers.c.deleted_utc < before_utc, customers.c.merged_into.is_(None))
        .limit(PURGED_AT_ONCE)
    )
    ids = list(db.execute(chosen).scalars())
    db.execute(customers.delete().where(customers.c.id.in_(ids)))
    db.execute(history.delete().where(history.c.customer_id.in_(ids)))
    return len(ids)


def note(
    db: Connection, ring: Keyring, ids: Sequence[str], by: Stamp, what: str, changed: dict[str, list[Any]]
) -> None:
    """A line of history for each of those customers."""
    rows = []
    for customer_id in ids:
        line_id = new_id()
        told = json.dumps(changed, ensure_ascii=False) if changed else ""
        rows.append(
            {"id": line_id, "customer_id": customer_id, "at_utc": by.at_utc, "user_name": by.user_name,
             "what": what, "sealed": ring.seal(told, history_place(line_id)), "key_id": ring.active.id}
        )  # fmt: skip
    _insert(db, history.name, rows)


def history_of(db: Connection, ring: Keyring, customer_id: str, limit: int = 200) -> list[dict[str, Any]]:
    """What happened to a customer, last first: at_utc, user_name, what, fields {field: [old, new]}."""
    statement = select(history).where(history.c.customer_id == customer_id)
    rows = db.execute(statement.order_by(history.c.id.desc()).limit(limit)).mappings()
    return [
        {"at_utc": row["at_utc"], "user_name": row["user_name"], "what": row["what"]}
        | {"fields": json.loads(ring.open(row["sealed"], history_place(row["id"])) or "{}")}
        for row in rows
    ]


def history_place(line_id: str) -> str:
    """Where a line of history is sealed."""
    return f"customer_changes/{line_id}/fields"


def ensure_tags(db: Connection, names: Iterable[str]) -> dict[str, str]:
    """The ids of these tags, made when they are new."""
    wanted = set(names)
    known = {name: tag_id for name, tag_id in db.execute(select(tables.tags.c.name, tables.tags.c.id))}
    fresh = [{"id": new_id(), "name": name, "rule": ""} for name in sorted(wanted - known.keys())]
    _insert(db, tables.tags.name, fresh)
    return known | {row["name"]: row["id"] for row in fresh}


def set_tags(db: Connection, customer_id: str, names: Iterable[str]) -> None:
    """Give a customer exactly these tags by hand; those of rules stay."""
    given = tables.customer_tags
    ids = ensure_tags(db, names)
    wanted = {ids[name] for name in names}
    db.execute(given.delete().where(given.c.customer_id == customer_id, given.c.by_rule.is_(False)))
    db.execute(given.delete().where(given.c.customer_id == customer_id, given.c.tag_id.in_(wanted)))
    _insert(db, given.name, [{"customer_id": customer_id, "tag_id": tag, "by_rule": False} for tag in wanted])


def _vouched(
    rows: dict[str, list[dict[str, Any]]], before: Mapping[str, bool], by: Stamp
) -> dict[str, list[dict[str, Any]]]:
    """The rows of a customer's parts: a number stays as vouched for as it was, a new one is if `by` does."""
    for one in rows["customer_numbers"]:
        one["vouched"] = before.get(one["key"], by.vouches)
    return rows


def _within(box_ids: Boxes) -> list[ColumnElement[bool]]:
    return [] if box_ids is None else [customers.c.box_id.in_(box_ids)]


def _insert(db: Connection, table_name: str, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        columns = tuple(rows[0])
        values = [tuple(row[name] for name in columns) for row in rows]
        bulk.insert(db, customers.metadata.tables[table_name], columns, values)
