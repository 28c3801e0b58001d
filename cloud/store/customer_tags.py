"""Tags with their rules, and the classes the administrator keeps; rules applied to everybody, batch by batch.

What a rule gives it also takes away; a tag given by hand is never touched by a rule.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, Select, func, select

from cloud.customers.tag_rules import Rule, facts_of, from_text, holds, to_text
from cloud.store.customer_tables import customer_classes, customer_tags, customers, tags
from cloud.store.customers import parts_of
from cloud.store.database import read, write
from sync import bulk
from sync.ids import new_id

BATCH = 1000
LONGEST_NAME = 30


def list_tags(db: Connection) -> Sequence[RowMapping]:
    """Every tag with its rule and how many customers have it, by name."""
    live = customers.c.deleted_utc.is_(None)
    count = (
        select(customer_tags.c.tag_id, func.count().label("n"))
        .join(customers, customers.c.id == customer_tags.c.customer_id)
        .where(live)
        .group_by(customer_tags.c.tag_id)
        .subquery()
    )
    statement = select(tags, func.coalesce(count.c.n, 0).label("customers"))
    joined = statement.outerjoin(count, count.c.tag_id == tags.c.id)
    return db.execute(joined.order_by(tags.c.name)).mappings().all()


def find_tag(db: Connection, tag_id: str) -> RowMapping | None:
    """The tag of that id."""
    return db.execute(select(tags).where(tags.c.id == tag_id)).mappings().one_or_none()


def tag_named(db: Connection, name: str) -> RowMapping | None:
    """The tag of that name."""
    return db.execute(select(tags).where(tags.c.name == name)).mappings().one_or_none()


def save_tag(db: Connection, tag_id: str, name: str, rule: Rule) -> str:
    """Add a tag (`tag_id` ""), or change one; its id."""
    values = {"name": name, "rule": to_text(rule)}
    if tag_id:
        db.execute(tags.update().where(tags.c.id == tag_id).values(values))
        return tag_id
    tag_id = new_id()
    db.execute(tags.insert().values(id=tag_id, **values))
    return tag_id


def delete_tag(db: Connection, tag_id: str) -> None:
    """Delete a tag; whoever had it has it no more."""
    db.execute(tags.delete().where(tags.c.id == tag_id))


def give_tag(db: Connection, tag_id: str, customer_ids: Sequence[str]) -> list[str]:
    """Give a tag by hand to those who have it not yet; their ids."""
    held = select(customer_tags.c.customer_id).where(customer_tags.c.tag_id == tag_id)
    has = set(db.execute(held.where(customer_tags.c.customer_id.in_(customer_ids))).scalars())
    fresh = [one for one in customer_ids if one not in has]
    _give(db, [(one, tag_id, False) for one in fresh])
    return fresh


def take_tag(db: Connection, tag_id: str, customer_ids: Sequence[str]) -> list[str]:
    """Take a tag from those customers; the ids of those who had it."""
    gone = customer_tags.delete().where(
        customer_tags.c.tag_id == tag_id, customer_tags.c.customer_id.in_(customer_ids)
    )
    return list(db.execute(gone.returning(customer_tags.c.customer_id)).scalars())


def apply_rules(engine: Engine, today: date, now_utc: str, batch: int = BATCH) -> dict[str, int]:
    """Evaluate every rule for every customer; {tag's name: how many have it by its rule}."""
    with read(engine) as db:
        ruled = {row["id"]: (row["name"], from_text(row["rule"])) for row in list_tags(db) if row["rule"]}
    counts = {name: 0 for name, _ in ruled.values()}
    after = 0
    while ruled:
        with write(engine) as db:
            rows = _next_rows(db, after, batch)
            given = _by_rules(db, rows, {tag_id: rule for tag_id, (_, rule) in ruled.items()}, today)
        for tag_id in given:
            counts[ruled[tag_id][0]] += 1
        if len(rows) < batch:
            break
        after = rows[-1]["no"]
    with write(engine) as db:
        db.execute(tags.update().where(tags.c.id.in_(list(ruled))).values(applied_utc=now_utc))
    return counts


def apply_to(db: Connection, customer_id: str, today: date) -> None:
    """Evaluate every rule for one customer, after it was changed."""
    rules = {row["id"]: from_text(row["rule"]) for row in db.execute(select(tags)).mappings() if row["rule"]}
    rows = db.execute(_facts().where(customers.c.id == customer_id)).mappings().all()
    _by_rules(db, rows, rules, today)


def list_classes(db: Connection) -> Sequence[RowMapping]:
    """The classes in their order."""
    order = (customer_classes.c.position, customer_classes.c.name)
    return db.execute(select(customer_classes).order_by(*order)).mappings().all()


def add_class(db: Connection, name: str) -> str:
    """Add a class at the end; its id."""
    last = db.execute(select(func.coalesce(func.max(customer_classes.c.position), 0))).scalar_one()
    class_id = new_id()
    db.execute(customer_classes.insert().values(id=class_id, name=name, position=last + 1))
    return class_id


def rename_class(db: Connection, class_id: str, name: str) -> None:
    """Give a class another name."""
    db.execute(customer_classes.update().where(customer_classes.c.id == class_id).values(name=name))


def delete_class(db: Connection, class_id: str) -> None:
    """Delete a class; its customers have none then."""
    db.execute(customers.update().where(customers.c.class_id == class_id).values(class_id=""))
    db.execute(customer_classes.delete().where(customer_classes.c.id == class_id))


def set_class(db: Connection, class_id: str, customer_ids: Sequence[str]) -> None:
    """Put customers into a class ("": none); their versions grow."""
    chosen = customers.update().where(customers.c.id.in_(customer_ids), customers.c.deleted_utc.is_(None))
    db.execute(chosen.values(class_id=class_id, version=customers.c.version + 1))


def _next_rows(db: Connection, after: int, batch: int) -> Sequence[RowMapping]:
    statement = _facts().where(customers.c.deleted_utc.is_(None), customers.c.no > after)
    return db.execute(statement.order_by(customers.c.no).limit(batch)).mappings().all()


def _facts() -> Select[Any]:
    class_name = func.coalesce(customer_classes.c.name, "").label("class_name")
    return select(customers, class_name).outerjoin(
        customer_classes, customer_classes.c.id == customers.c.class_id
    )


def _by_rules(db: Connection, rows: Sequence[RowMapping], rules: dict[str, Rule], today: date) -> list[str]:
    """Make what rules gave these customers what they give them now; the tag of each one given."""
    ids = [row["id"] for row in rows]
    parts = parts_of(db, ids)
    by_hand = select(customer_tags.c.customer_id, customer_tags.c.tag_id).where(
        customer_tags.c.customer_id.in_(ids), customer_tags.c.by_rule.is_(False)
    )
    held = {(owner, tag_id) for owner, tag_id in db.execute(by_hand)}
    packages = defaultdict(list)
    for one in parts["customer_packages"]:
        packages[one["customer_id"]].append(one)
    numbers = Counter(one["customer_id"] for one in parts["customer_numbers"])
    given = []
    for row in rows:
        facts = facts_of(row, row["class_name"], packages[row["id"]], numbers[row["id"]], today)
        given += [(row["id"], tag_id, True) for tag_id, rule in rules.items() if holds(rule, facts)]
    old = customer_tags.delete().where(
        customer_tags.c.customer_id.in_(ids),
        customer_tags.c.by_rule.is_(True),
        customer_tags.c.tag_id.in_(list(rules)),
    )
    db.execute(old)
    _give(db, [one for one in given if one[:2] not in held])
    return [tag_id for _, tag_id, _ in given]


def _give(db: Connection, rows: Sequence[tuple[str, str, bool]]) -> None:
    bulk.insert(db, customer_tags, ("customer_id", "tag_id", "by_rule"), rows)
