"""Customers that may be one: found, merged, and parted again as they were.

A merge leaves the other record's row untouched but for a mark that it is part of the kept one, and keeps the
kept one's former state sealed, so that undoing it loses nothing, as long as nobody has changed it since.

    CannotPart (ValueError)     the kept record was changed, deleted or merged on since
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, func, select

from cloud.customers.record import Record, flat, from_flat
from cloud.field_keys import Keyring
from cloud.store.customer_tables import customer_merges, customer_numbers, customers, org_nodes
from cloud.store.customer_writes import Stamp, note, read_record, revive, save_customer
from cloud.store.customers import Boxes, find_customer
from sync.ids import new_id

MOST_GROUPS = 50


class CannotPart(ValueError):
    """The kept record was changed, deleted or merged on since."""


@dataclass(frozen=True, slots=True)
class Group:
    """Customers that share something only one of them should have."""

    why: str  # number | identity | company
    ids: tuple[str, ...]


def merge_place(merge_id: str) -> str:
    """Where what a merge replaced is sealed."""
    return f"customer_merges/{merge_id}/before"


def find_groups(db: Connection, box_ids: Boxes) -> list[Group]:
    """The first groups of each sort, surest first: the same identity, the same number, the same company."""
    return [
        *_groups(db, "identity", customers.c.identity_token, _live(box_ids)),
        *_groups(db, "number", customer_numbers.c.key, _with_numbers(box_ids)),
        *_groups(db, "company", customers.c.name, _live(box_ids).where(customers.c.kind == "enterprise")),
    ]


def merge(
    db: Connection,
    ring: Keyring,
    kept: RowMapping,
    other: RowMapping,
    version: int,
    record: Record,
    by: Stamp,
) -> str:
    """Make `other` part of `kept`, which becomes `record`; the merge's id. ChangedSince."""
    before = flat(read_record(db, ring, kept))
    nodes = _move_chart(db, other["id"], kept["id"])
    if not save_customer(db, ring, kept, version, record, by, "merge"):
        note(db, ring, [kept["id"]], by, "merge", {})
    # Even if nothing changed by it the version grows, so that an undo can tell.
    held = customers.update().where(customers.c.id == kept["id"]).values(version=version + 1)
    db.execute(held)
    gone = {"deleted_utc": by.at_utc, "deleted_by": by.user_name, "merged_into": kept["id"], "terms": ""}
    db.execute(customers.update().where(customers.c.id == other["id"]).values(gone))
    merge_id = new_id()
    told = json.dumps({"record": before, "nodes": nodes}, ensure_ascii=False)
    db.execute(
        customer_merges.insert().values(
            id=merge_id,
            kept_id=kept["id"],
            merged_id=other["id"],
            kept_version=version + 1,
            at_utc=by.at_utc,
            user_name=by.user_name,
            sealed=ring.seal(told, merge_place(merge_id)),
            key_id=ring.active.id,
        )
    )
    note(db, ring, [other["id"]], by, "part", {})
    return merge_id


def merges_of(db: Connection, customer_id: str) -> Sequence[RowMapping]:
    """The merges into a customer that are not undone, last first, with the other's name."""
    statement = (
        select(customer_merges, customers.c.name)
        .join(customers, customers.c.id == customer_merges.c.merged_id)
        .where(customer_merges.c.kept_id == customer_id, customer_merges.c.undone_utc.is_(None))
    )
    return db.execute(statement.order_by(customer_merges.c.id.desc())).mappings().all()


def find_merge(db: Connection, merge_id: str) -> RowMapping | None:
    """The merge of that id, unless it is undone."""
    statement = select(customer_merges).where(
        customer_merges.c.id == merge_id, customer_merges.c.undone_utc.is_(None)
    )
    return db.execute(statement).mappings().one_or_none()


def part(db: Connection, ring: Keyring, merge_row: RowMapping, by: Stamp, box_ids: Boxes) -> None:
    """Undo a merge: both records as they were. CannotPart."""
    kept = find_customer(db, merge_row["kept_id"], box_ids)
    if kept is None or kept["version"] != merge_row["kept_version"]:
        raise CannotPart(merge_row["id"])
    before = json.loads(ring.open(merge_row["sealed"], merge_place(merge_row["id"])))
    if not save_customer(db, ring, kept, kept["version"], from_flat(before["record"]), by, "unmerge"):
        note(db, ring, [kept["id"]], by, "unmerge", {})
    other = select(customers).where(customers.c.id == merge_row["merged_id"])
    revive(db, ring, db.execute(other).mappings().one())
    back = org_nodes.update().where(org_nodes.c.id.in_(before["nodes"]))
    db.execute(back.values(customer_id=merge_row["merged_id"]))
    note(db, ring, [merge_row["merged_id"]], by, "unmerge", {})
    done = customer_merges.update().where(customer_merges.c.id == merge_row["id"])
    db.execute(done.values(undone_utc=by.at_utc))


def ids_within(db: Connection, customer_id: str) -> list[str]:
    """The ids under which a customer was ever known: its own, and those of records that are part of it."""
    found, fresh = [customer_id], [customer_id]
    while fresh:
        parts = select(customers.c.id).where(customers.c.merged_into.in_(fresh))
        fresh = list(db.execute(parts).scalars())
        found += fresh
    return found


def _move_chart(db: Connection, from_id: str, to_id: str) -> list[str]:
    """The other's organisation chart goes to a customer that has none; the ids of what went."""
    has_one = db.execute(select(org_nodes.c.id).where(org_nodes.c.customer_id == to_id).limit(1)).first()
    if has_one:
        return []
    moved = org_nodes.update().where(org_nodes.c.customer_id == from_id).values(customer_id=to_id)
    return list(db.execute(moved.returning(org_nodes.c.id)).scalars())


def _live(box_ids: Boxes) -> Select[Any]:
    within = [] if box_ids is None else [customers.c.box_id.in_(box_ids)]
    return select(customers.c.id).where(customers.c.deleted_utc.is_(None), *within)


def _with_numbers(box_ids: Boxes) -> Select[Any]:
    joined = _live(box_ids).join(customer_numbers, customer_numbers.c.customer_id == customers.c.id)
    return joined.where(customer_numbers.c.kind != "service")  # many may be reached by a hotline


def _groups(db: Connection, why: str, by: ColumnElement[Any], members: Select[Any]) -> list[Group]:
    shared = (
        members.with_only_columns(by)
        .where(by.is_not(None))
        .group_by(by)
        .having(func.count(customers.c.id.distinct()) > 1)
        .order_by(by)
        .limit(MOST_GROUPS)
    )
    values = list(db.execute(shared).scalars())
    rows = db.execute(members.add_columns(by.label("shared")).where(by.in_(values)).order_by(customers.c.no))
    groups: dict[Any, dict[str, None]] = {value: {} for value in values}
    for row in rows:
        groups[row.shared][row.id] = None
    return [Group(why, tuple(ids)) for ids in groups.values()]
