"""Reads customers: a page of the list by keyset, one of them, and what belongs to them.

Rows go out as they are in the database, sealed values sealed; only `cloud.access.shape` turns them into
something to show. `box_ids` are the branches whose customers may be read at all; None: everybody's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    column,
    func,
    or_,
    select,
    table,
    text,
    tuple_,
)

from cloud.customers.chart import Node
from cloud.store.customer_rows import box_mark
from cloud.store.customer_search import newest_with_pair, only_pair, page_by_words
from cloud.store.customer_tables import (
    customer_classes,
    customer_contacts,
    customer_numbers,
    customer_packages,
    customer_tags,
    customers,
    org_nodes,
    tags,
)
from cloud.store.schema import boxes, users
from sync.ids import new_id
from sync.search import match

Boxes = frozenset[str] | None

SORTS: dict[str, tuple[ColumnElement[Any], ...]] = {  # newest or last changed first, or by region
    "newest": (),
    "changed": (customers.c.changed_utc,),
    "region": (customers.c.region,),
}
ASCENDING = frozenset({"region"})
EQUAL = ("kind", "class_id", "region", "box_id", "state", "consumption", "served_by")


@dataclass(frozen=True, slots=True)
class NumberAsked:
    """A number to look for: whole (its key), or by its last digits, or by its first."""

    key: str = ""
    last4: str = ""
    last8: str = ""
    begins: str = ""


@dataclass(frozen=True, slots=True)
class CustomerFilter:
    """Which customers are wanted; None and empty mean any."""

    words: str = ""
    number: NumberAsked | None = None
    tokens: tuple[str, ...] = ()  # of a whole identity or bank number
    kind: str = ""
    class_id: str = ""
    region: str = ""
    box_id: str = ""
    state: str = ""
    consumption: str = ""
    service: str = ""
    tag_id: str = ""
    served_by: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """The last customer of a page; the next page begins after it."""

    value: str
    no: int


def list_customers(
    db: Connection, wanted: CustomerFilter, box_ids: Boxes, sort: str, after: Place | None, limit: int
) -> Sequence[RowMapping]:
    """Up to `limit` customers in the order of `sort` (a key of SORTS), beginning after `after`."""
    by, ascending, words = SORTS[sort], sort in ASCENDING, wanted.words.strip()
    fits = _conditions(wanted, box_ids)
    span: list[ColumnElement[bool]] = [customers.c.deleted_utc.is_(None)]
    no: ColumnElement[Any] = customers.c.no
    statement = _with_branch()
    branches = [wanted.box_id] if wanted.box_id else sorted(box_ids or ())
    if words and db.dialect.name == "sqlite":
        statement, no = _found(statement, words, branches)
    if after is not None:
        key, place = tuple_(*by, no), tuple_(*((after.value,) if by else ()), after.no)
        span.append(key > place if ascending else key < place)
    if words and db.dialect.name == "postgresql":
        pair = only_pair(words) if wanted == CustomerFilter(wanted.words, box_id=wanted.box_id) else None
        if pair and not by:
            nos = newest_with_pair(db, pair, _bounds(wanted, box_ids), after.no if after else None, limit)
        else:
            walk = select(*by, no).where(*span)
            nos = page_by_words(db, walk, fits, (*by, no), ascending, limit, words, branches)
        fits = [no.in_(nos)]
    order = [one if ascending else one.desc() for one in (*by, no)]
    return db.execute(statement.where(*span, *fits).order_by(*order).limit(limit)).mappings().all()


def find_customer(db: Connection, customer_id: str, box_ids: Boxes) -> RowMapping | None:
    """The customer of that id, deleted ones left out."""
    statement = _with_branch().where(
        customers.c.id == customer_id, customers.c.deleted_utc.is_(None), *_within(box_ids)
    )
    return db.execute(statement).mappings().one_or_none()


def customers_of(db: Connection, ids: Sequence[str], box_ids: Boxes) -> Sequence[RowMapping]:
    """Those of these customers that there are, by name."""
    statement = _with_branch().where(
        customers.c.id.in_(ids), customers.c.deleted_utc.is_(None), *_within(box_ids)
    )
    return db.execute(statement.order_by(customers.c.name, customers.c.no)).mappings().all()


def parts_of(db: Connection, customer_ids: Sequence[str]) -> dict[str, Sequence[RowMapping]]:
    """Numbers, contacts and packages of those customers, in their order; table -> rows."""
    found = {}
    for one, by in (
        (customer_numbers, customer_numbers.c.position),
        (customer_contacts, customer_contacts.c.position),
        (customer_packages, customer_packages.c.id),
    ):
        statement = select(one).where(one.c.customer_id.in_(customer_ids)).order_by(by)
        found[one.name] = db.execute(statement).mappings().all()
    return found


def tags_of(db: Connection, customer_ids: Sequence[str]) -> Sequence[RowMapping]:
    """The tags of those customers by name: customer_id, tag_id, name, by_rule."""
    statement = (
        select(customer_tags, tags.c.name)
        .join(tags, tags.c.id == customer_tags.c.tag_id)
        .where(customer_tags.c.customer_id.in_(customer_ids))
        .order_by(tags.c.name)
    )
    return db.execute(statement).mappings().all()


def nodes_of(db: Connection, customer_id: str) -> Sequence[RowMapping]:
    """A customer's organisation chart, in its order."""
    statement = select(org_nodes).where(org_nodes.c.customer_id == customer_id)
    return db.execute(statement.order_by(org_nodes.c.position)).mappings().all()


def regions(db: Connection, most: int = 200) -> list[str]:
    """The regions there are, to choose from."""
    statement = select(customers.c.region).where(customers.c.region != "", customers.c.deleted_utc.is_(None))
    return list(db.execute(statement.distinct().order_by(customers.c.region).limit(most)).scalars())


def name_of_user(db: Connection, user_id: str | None) -> str:
    """What a user is called; empty for none."""
    return db.execute(select(users.c.name).where(users.c.id == user_id)).scalar() or ""


def users_of(db: Connection, roles: Iterable[str]) -> Sequence[RowMapping]:
    """Id and name of the users of these roles who may log in, by name."""
    statement = select(users.c.id, users.c.name).where(
        users.c.role.in_(list(roles)), users.c.disabled_utc.is_(None)
    )
    return db.execute(statement.order_by(users.c.name)).mappings().all()


def add_node(db: Connection, customer_id: str, node: Node) -> None:
    """Add a node to a customer's organisation chart."""
    db.execute(
        org_nodes.insert().values(
            id=new_id(),
            customer_id=customer_id,
            parent_id=node.parent_id,
            kind=node.kind,
            name=node.name,
            position=node.position,
        )
    )


def remove_node(db: Connection, customer_id: str, node_id: str) -> str | None:
    """Take a node out, what was below it one level up; its name, None when there is none."""
    this = (org_nodes.c.customer_id == customer_id, org_nodes.c.id == node_id)
    row = db.execute(select(org_nodes).where(*this)).mappings().one_or_none()
    if row is None:
        return None
    below = org_nodes.update().where(org_nodes.c.parent_id == node_id)
    db.execute(below.values(parent_id=row["parent_id"]))
    db.execute(org_nodes.delete().where(*this))
    return str(row["name"])


def note_sync(db: Connection, customer_id: str, now_utc: str) -> None:
    """Note when a customer was last brought up to date by hand."""
    db.execute(customers.update().where(customers.c.id == customer_id).values(synced_utc=now_utc))


def _with_branch() -> Select[tuple[object, ...]]:
    branch = func.coalesce(boxes.c.name, customers.c.box_id, "").label("branch")
    class_name = func.coalesce(customer_classes.c.name, "").label("class_name")
    return (
        select(customers, branch, class_name)
        .outerjoin(boxes, boxes.c.id == customers.c.box_id)
        .outerjoin(customer_classes, customer_classes.c.id == customers.c.class_id)
    )


def _bounds(wanted: CustomerFilter, box_ids: Boxes) -> Boxes:
    """The branches that are asked for, of those that may be read."""
    if not wanted.box_id:
        return box_ids
    return frozenset({wanted.box_id}) if box_ids is None else box_ids & {wanted.box_id}


def _within(box_ids: Boxes) -> list[ColumnElement[bool]]:
    return [] if box_ids is None else [customers.c.box_id.in_(box_ids)]


def _found(
    statement: Select[Any], words: str, branches: Sequence[str]
) -> tuple[Select[Any], ColumnElement[Any]]:
    """The statement with its words looked up in SQLite's index, and what then numbers its rows."""
    asked = match(words, *([box_mark(branches[0])] if len(branches) == 1 else []))
    if asked is None:
        return statement.where(text("0")), customers.c.no
    index = table("customers_search", column("rowid"))
    found = statement.join(index, index.c.rowid == customers.c.no)
    return found.where(text("customers_search MATCH :asked").bindparams(asked=asked)), index.c.rowid


def _conditions(wanted: CustomerFilter, box_ids: Boxes) -> list[ColumnElement[bool]]:
    found = [customers.c[name] == value for name in EQUAL if (value := getattr(wanted, name))]
    found += _within(box_ids)
    if wanted.number is not None:
        found.append(customers.c.id.in_(_with_number(wanted.number)))
    if wanted.tokens:
        found.append(
            or_(customers.c.identity_token.in_(wanted.tokens), customers.c.bank_token.in_(wanted.tokens))
        )
    if wanted.service:
        taken = select(customer_packages.c.customer_id).where(customer_packages.c.service == wanted.service)
        found.append(customers.c.id.in_(taken))
    if wanted.tag_id:
        tagged = select(customer_tags.c.customer_id).where(customer_tags.c.tag_id == wanted.tag_id)
        found.append(customers.c.id.in_(tagged))
    return found


def _with_number(asked: NumberAsked) -> Select[tuple[str]]:
    keys = customer_numbers.c
    ways: list[ColumnElement[bool]] = []
    if asked.key:
        ways.append(keys.key == asked.key)
    if asked.last4:
        ways.append(keys.last4 == asked.last4)
    if asked.last8:
        ways.append(keys.last8 == asked.last8)
    if asked.begins:  # a range, which the index answers whatever the collation thinks of LIKE
        ways.append((keys.key >= asked.begins) & (keys.key < asked.begins + ":"))  # ":" follows "9"
    return select(keys.customer_id).where(or_(*ways))
